"""DCGAN + Inception-ResNet-v2 (Sarkar, Bhattacharya): a GAN makes fake faces, a fine-tuned network detects them."""
