"""Samples of a progressively grown GAN (Karras et al. 2018, arXiv:1710.10196)."""

from data_prep.layouts.samples import samples


def find(src):
    return samples(src, "pggan")
