"""Drawn people, the camera that photographs them, and the ways to fake them."""
