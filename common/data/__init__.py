"""Images and videos on disk: manifests, decoding, near-duplicates, and the tf.data pipeline that feeds a network."""
