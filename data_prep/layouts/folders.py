"""Any tree with folders named real and fake, at any depth, in capitals or not.

A video file is a video, and so is a folder of images inside one of the two: it is named by its path, and the number at
the end of a file's name is its frame. The source is the tree's own name, of fakes too unless --source names their
generator or method.
"""

from pathlib import PurePosixPath

from common.errors import UserError
from common.labels import WORDS
from data_prep.layouts import Item
from data_prep.layouts.tree import frame_index, is_video, media_paths, refuse_twins, without_suffix


def find(src):
    items = [_item(path, src.resolve().name) for path in media_paths(src)]
    items = [item for item in items if item.label]
    refuse_twins((item.video, item.path if is_video(item.path) else item.video) for item in items if item.video)
    return items


def _item(path, source):
    folders = [part.lower() for part in path.split("/")[:-1]]
    label = {word for word in WORDS if word in folders}
    if len(label) > 1:
        raise UserError(f"expected an image in either real/ or fake/, got one in both: {path}")
    label = next(iter(label), "")
    if not label:
        return Item(path, "", source)
    if is_video(path):
        return Item(path, label, source, video=without_suffix(path))
    if folders[-1] == label:
        return Item(path, label, source)
    return Item(path, label, source, video=str(PurePosixPath(path).parent), frame=frame_index(path))
