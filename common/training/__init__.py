"""Training: one epoch loop for every network, its distribution over devices, its initial weights."""
