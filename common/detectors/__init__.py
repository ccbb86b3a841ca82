"""Trained detectors on disk: save, load, score files, explain, export."""
