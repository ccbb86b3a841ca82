"""Flickr-Faces-HQ (Karras et al. 2019, 10.1109/CVPR.2019.00453): one of its trees, or any folder of its faces.

thumbnails128x128/ and images1024x1024/ hold 00000/00000.png and so on; in-the-wild-images/ is left out, since its
pictures are neither cropped nor one a face. The first 60,000 faces are the set's own training part, the other 10,000
its validation part, which serves as test.
"""

import re

from common.errors import UserError
from data_prep.layouts import Item
from data_prep.layouts.tree import image_paths, refuse_folder

SIZES = ("images1024x1024", "thumbnails128x128")
UNCROPPED = "in-the-wild-images"
TRAINING = 60_000


def find(src):
    paths = [path for path in image_paths(src) if UNCROPPED not in path.split("/")]
    refuse_folder("fake", src, paths, "ffhq")
    sizes = [size for size in SIZES if any(size in path.split("/") for path in paths)]
    if len(sizes) > 1:
        raise UserError(f"{src} holds the same faces in {' and in '.join(sizes)}: give one of these folders as SRC")
    return [Item(path, "real", "ffhq", split=_split(path)) for path in paths]


def _split(path):
    number = re.search(r"(?:^|/)(\d{5})\.\w+$", path)
    if not number:
        return ""
    return "train" if int(number[1]) < TRAINING else "test"
