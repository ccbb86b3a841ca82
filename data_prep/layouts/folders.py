"""Any tree with folders named real and fake, at any depth and in any case, or as 0_real, training_fake or real_images.

A video file is a video, and so is a folder of images inside real/ or fake/: its path is its name, and the number at the
end of a file's name is the frame. The source is the name of the tree, also for fakes unless --source names their
generator or method.
"""

import re
from pathlib import Path, PurePosixPath

from common.errors import UserError
from common.labels import WORDS
from data_prep.layouts.item import Item
from data_prep.layouts.tree import frame_index, is_video, media_paths, refuse_duplicate_clips, strip_suffix

CLASS = re.compile(  # spellings of public sets of generated pictures
    r"(?:\d+|train(?:ing)?|val(?:id(?:ation)?)?|test(?:ing)?)?[ _-]?(real|fake)s?"
    r"(?:[ _-]?(?:image|img|face|photo|picture|video|frame)s?)?"
)


def find(src: Path) -> list[Item]:
    """Return the images and videos below folders real/ and fake/; UserError if one is below both."""
    items = [_item(path, src.resolve().name) for path in media_paths(src)]
    items = [item for item in items if item.label]
    refuse_duplicate_clips(
        (item.video, item.path if is_video(item.path) else item.video) for item in items if item.video
    )
    return items


def _item(path, source):
    folders = [part.lower() for part in path.split("/")[:-1]]
    labels = [word for word in WORDS if word in folders]
    if not labels:
        named = [match[1] if (match := CLASS.fullmatch(folder)) else "" for folder in folders]
        labels = [word for word in WORDS if word in named]
        folders = [name or folder for name, folder in zip(named, folders, strict=True)]
    if len(labels) > 1:
        raise UserError(f"expected an image in either real/ or fake/, got one in both: {path}")
    if not labels:
        return Item(path, "", source)
    (label,) = labels
    if is_video(path):
        return Item(path, label, source, video=strip_suffix(path))
    if folders[-1] == label:
        return Item(path, label, source)
    return Item(path, label, source, video=str(PurePosixPath(path).parent), frame=frame_index(path))
