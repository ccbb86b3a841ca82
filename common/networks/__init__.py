"""Pre-trained backbones and their weight files."""
