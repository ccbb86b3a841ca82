"""StyleGAN samples (Karras et al. 2019, 10.1109/CVPR.2019.00453), or Kaggle's `140k real and fake faces`.

The Kaggle set has real_vs_fake/real-vs-fake/{train,valid,test}/{real,fake}: its real faces are FFHQ's, its fakes
StyleGAN's, all resized to 256 pixels, and its folders are the official split.
"""

import re

from data_prep.layouts import Item
from data_prep.layouts.samples import samples
from data_prep.layouts.tree import image_paths

SPLITS = {"train": "train", "valid": "val", "test": "test"}
SOURCES = {"real": "ffhq", "fake": "stylegan"}
KAGGLE = re.compile(r"(?:^|/)(train|valid|test)/(real|fake)/[^/]+$")


def find(src):
    folders = [(path, KAGGLE.search(path)) for path in image_paths(src)]
    kaggle = [Item(path, m[2], SOURCES[m[2]], split=SPLITS[m[1]]) for path, m in folders if m]
    return kaggle or samples(src, "stylegan")
