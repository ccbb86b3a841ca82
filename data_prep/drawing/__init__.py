"""Drawn people, the camera that takes them, and the ways to fake them."""
