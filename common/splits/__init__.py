"""Split protocols, and the check that no image, video or person is on two sides of a split."""
