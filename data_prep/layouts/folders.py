"""Any tree with folders named real and fake, at any depth, in capitals or not.

A folder inside one of them is a video, named by its path, and the number at the end of a file's name is its frame.
The source is the tree's own name, of fakes too unless --source names their generator or method.
"""

import re
from pathlib import PurePosixPath

from common.errors import UserError
from common.labels import WORDS
from data_prep.layouts import Item, image_paths


def find(src):
    items = [_item(PurePosixPath(path), src.resolve().name) for path in image_paths(src)]
    return [item for item in items if item.label]


def _item(path, source):
    folders = [part.lower() for part in path.parts[:-1]]
    label = {word for word in WORDS if word in folders}
    if len(label) > 1:
        raise UserError(f"expected an image in either real/ or fake/, got one in both: {path}")
    label = next(iter(label), "")
    if not label or folders[-1] == label:
        return Item(str(path), label, source)
    number = re.search(r"\d+$", path.stem)
    return Item(str(path), label, source, video=str(path.parent), frame=str(int(number[0])) if number else "")
