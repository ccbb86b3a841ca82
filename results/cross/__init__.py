"""Every trained detector on every prepared data set, and on perturbed images."""
