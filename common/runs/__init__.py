"""The command line of a run, and the folder that a run writes."""
