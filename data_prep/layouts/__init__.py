"""Layouts: how a data set lies on disk. One small module each, with find(src) -> list of Item, and one line here."""

import importlib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from common.data.decoding import IMAGE_SUFFIXES
from common.errors import UserError
from data_prep.layouts.tree import UNREADABLE, UNWRITABLE, image_paths, is_video, media_paths, refused_paths

__all__ = ["LAYOUTS", "MISSING", "Item", "find", "image_paths", "passed_over"]

LAYOUTS = {
    "ffhq": "thumbnails128x128/ or images1024x1024/ of FFHQ, or any folder of its faces; all real",
    "stylegan": "StyleGAN samples, flat or nested, all fake; or Kaggle's 140k faces: {train,valid,test}/{real,fake}",
    "pggan": "PGGAN samples, flat or nested; all fake",
    "celeba": "img_align_celeba/ or 100k/ of CelebA, with its lists of splits and identities if there; all real",
    "celebdf": "Celeb-DF v1 or v2: Celeb-real, YouTube-real, Celeb-synthesis; videos, or a folder of frames for each",
    "dfdc": "DFDC videos with metadata.json beside them, or face crops with metadata.csv (videoname,label,original)",
    "faceforensics": "FaceForensics++: {original,manipulated}_sequences/METHOD/{raw,c23,c40}/{videos,images}",
    "mesonet": "MesoNet's faces: train_test/{df,real} and validation/{df,real}, or df/ and real/ alone",
    "folders": "any tree with folders real/ and fake/; a video file, or a folder of frames in one of them, is a video",
    "synthetic": "our own drawn faces; SRC is FAMILY:COUNT[:SEED[:FRAMES]] instead of a folder",
}
TELLING = ("folders", "mesonet", "dfdc", "celebdf", "faceforensics")  # they know their trees by the names in them
MISSING = "missing"  # the beginning of the problem of a file that a list names and the disk has not


@dataclass(frozen=True, slots=True)
class Item:
    """A raw image or video: path relative to the raw folder, with `/`; the other fields as the manifest's columns.

    `video` names a clip by its path without suffix, or by the folder of its frames. `problem` is why it cannot be used,
    where the layout knows that already.
    """

    path: str
    label: str
    source: str
    video: str = ""
    identity: str = ""
    original: str = ""
    frame: str = ""
    split: str = ""
    problem: str = ""


def find(layout, src):
    """Return the Items of the raw folder `src`, sorted by path; UserError if the layout finds nothing usable there.

    Links, formats that are not read and other refused files anywhere below `src` are Items with a problem.
    """
    src = Path(src)
    items = [_writable(item) for item in _module(layout).find(src)]
    if all(item.problem for item in items):
        example = f" {items[0].path} is of no use: {items[0].problem}." if items else ""
        raise UserError(
            f"layout {layout} finds no image or video in {src}. Expected: {LAYOUTS[layout]}.{example} {_there_is(src)}"
        )
    refused = refused_paths(src)
    items = [item for item in items if item.path not in refused]
    items += [Item(path, "", "", problem=reason) for path, reason in refused.items()]
    return sorted(items, key=lambda item: item.path)


def passed_over(src, items):
    """{first folder, or `.`: number} of the images and videos below `src` that are none of the Items."""
    known = {item.path for item in items}
    others = (path for path in media_paths(src) if path not in known)
    return dict(sorted(Counter(path.partition("/")[0] if "/" in path else "." for path in others).items()))


def _writable(item):
    """The Item, or one with a problem if a name that somebody's list gave it cannot stand in a manifest."""
    if not UNWRITABLE.search(item.path + item.video + item.original):
        return item
    return Item(repr(item.path)[1:-1], "", "", problem=UNREADABLE)


def _module(layout):
    return importlib.import_module(f"data_prep.layouts.{layout}")


def _there_is(src):
    paths, refused = media_paths(src), refused_paths(src)
    videos = sum(map(is_video, paths))
    folders = sorted(path.name for path in src.iterdir() if path.is_dir())[:5]
    kinds = ", ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
    words = [
        f"It holds {len(paths) - videos} images ({kinds}) and {videos} videos in {', '.join(folders) or 'no folders'}"
    ]
    words += [f"{len(refused)} refused, e.g. {path} ({reason})" for path, reason in list(refused.items())[:1]]
    layout, fitting = max(((layout, _usable(layout, src)) for layout in TELLING), key=lambda pair: pair[1])
    words += [f"the layout {layout} would find {fitting} of them"] if fitting else []
    return "; ".join(words)


def _usable(layout, src):
    with suppress(UserError):
        return sum(not item.problem for item in _module(layout).find(src))
    return 0
