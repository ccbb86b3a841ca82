"""How a raw data set becomes images and a manifest: tasks, workers, the journal and shards."""
