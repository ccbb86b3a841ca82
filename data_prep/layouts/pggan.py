"""Samples of a progressively grown GAN (Karras et al. 2018, arXiv:1710.10196)."""

from pathlib import Path

from data_prep.layouts.item import Item
from data_prep.layouts.samples import find_samples


def find(src: Path) -> list[Item]:
    """Return all images as fakes of PGGAN."""
    return find_samples(src, "pggan")
