"""StyleGAN samples (Karras et al. 2019, 10.1109/CVPR.2019.00453), or Kaggle's `140k real and fake faces`.

The Kaggle set has real_vs_fake/real-vs-fake/{train,valid,test}/{real,fake}. Its real faces come from FFHQ and its fakes
from StyleGAN, all resized to 256 pixels; its folders are the official split.
"""

import re
from pathlib import Path

from data_prep.layouts.item import Item
from data_prep.layouts.samples import find_samples
from data_prep.layouts.tree import image_paths

SPLITS = {"train": "train", "valid": "val", "validation": "val", "val": "val", "test": "test"}
SOURCES = {"real": "ffhq", "fake": "stylegan"}
KAGGLE = re.compile(r"(?:^|/)(train|valid|validation|val|test)/(real|fake)/[^/]+$", re.IGNORECASE)


def find(src: Path) -> list[Item]:
    """Return Kaggle's faces with label and split if its folders are found, else all images as fakes of StyleGAN."""
    matches = [(path, KAGGLE.search(path)) for path in image_paths(src)]
    kaggle = [
        Item(path, match[2].lower(), SOURCES[match[2].lower()], split=SPLITS[match[1].lower()])
        for path, match in matches
        if match is not None
    ]
    return kaggle or find_samples(src, "stylegan")
