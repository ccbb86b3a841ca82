"""Ayyappan, Singh, Datta: FaceNet embeddings with metric learning, on faces from Celeb-DF's videos."""
