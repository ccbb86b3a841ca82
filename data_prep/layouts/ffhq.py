"""Flickr-Faces-HQ (Karras et al. 2019, 10.1109/CVPR.2019.00453): one of its trees, or any folder of its faces.

thumbnails128x128/ and images1024x1024/ hold 00000/00000.png and so on. in-the-wild-images/ is left out: its images are
not cropped and may show several faces. The first 60,000 faces are the set's own training part; the other 10,000, its
validation part, are `test`.
"""

import re
from pathlib import Path

from common.errors import UserError
from data_prep.layouts.item import Item
from data_prep.layouts.tree import image_paths, refuse_class_folder

SIZES = ("images1024x1024", "thumbnails128x128")
UNCROPPED = "in-the-wild-images"
TRAINING_FACES = 60_000


def find(src: Path) -> list[Item]:
    """Return all cropped images as real, with the split by their number."""
    paths = [path for path in image_paths(src) if UNCROPPED not in path.split("/")]
    refuse_class_folder("fake", src, paths, "ffhq")
    sizes = [size for size in SIZES if any(size in path.split("/") for path in paths)]
    if len(sizes) > 1:
        raise UserError(f"{src} holds the same faces in {' and in '.join(sizes)}: give one of these folders as SRC")
    return [Item(path, "real", "ffhq", split=_split(path)) for path in paths]


def _split(path):
    number = re.search(r"(?:^|/)(\d{5})\.\w+$", path)
    if not number:
        return ""
    return "train" if int(number[1]) < TRAINING_FACES else "test"
