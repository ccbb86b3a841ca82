"""One folder a paper: what is special to that paper, and nothing else."""
