"""Trained detectors on disk: save, load, score, explain, export."""
