"""Layouts: how a data set lies on disk. One small module each, with find(src) -> list of Item, and one line here."""

import importlib
import os
from dataclasses import dataclass
from pathlib import Path

from common.decoding import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from common.errors import UserError

LAYOUTS = {
    "folders": "any tree with folders real/ and fake/; a folder of frames in one of them is a video",
    "mesonet": "MesoNet's faces: train_test/{df,real} and validation/{df,real}, or df/ and real/ alone",
    "dfdc": "DFDC face crops, one a video, and metadata.csv (videoname,label,original)",
    "synthetic": "our own drawn faces; SRC is FAMILY:COUNT[:SEED[:FRAMES]] instead of a folder",
}


@dataclass(frozen=True)
class Item:
    """A raw image: path relative to the raw folder, with `/`; the other fields as the manifest's columns.

    `problem` is why it cannot be used, where the layout knows that already.
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
    """Return the Items of the raw folder `src`, sorted by path; UserError if the layout finds no image there."""
    items = importlib.import_module(f"data_prep.layouts.{layout}").find(Path(src))
    if not items:
        raise UserError(f"layout {layout} finds no image in {src}. Expected: {LAYOUTS[layout]}. {_what_there_is(src)}")
    return sorted(items, key=lambda item: item.path)


def image_paths(src, hidden=False):
    """Every image below `src` by its suffix: sorted paths relative to it, with `/`. Links to folders are followed.

    Hidden files and folders are left out, or with `hidden` only hidden files are returned.
    """
    paths = [path for path in _files(src) if path.lower().endswith(IMAGE_SUFFIXES)]
    return sorted(path for path in paths if path.rpartition("/")[2].startswith(".") == hidden)


def _files(src):
    src, seen = Path(src), set()
    for folder, folders, names in os.walk(src, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        relative = Path(folder).relative_to(src)
        for name in names:
            if not name.isprintable():
                raise UserError(f"expected file names in readable UTF-8, got {name!r} in {folder}: rename it")
            yield (relative / name).as_posix()


def _what_there_is(src):
    files = list(_files(src))
    images = sum(path.lower().endswith(IMAGE_SUFFIXES) for path in files)
    videos = sum(path.lower().endswith(VIDEO_SUFFIXES) for path in files)
    if videos and not images:
        return f"It holds only videos ({videos}): extract their frames or faces first, this layout takes images"
    folders = sorted(path.name for path in Path(src).iterdir() if path.is_dir())[:5]
    kinds = ", ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
    return f"It holds {images} images ({kinds}) in {', '.join(folders) or 'no folders'}"
