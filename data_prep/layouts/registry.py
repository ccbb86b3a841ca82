"""The layouts by name, and how a raw folder is searched with one of them."""

import importlib
import posixpath
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from common.data.decoding import IMAGE_SUFFIXES
from common.data.manifest import leaves_folder
from common.errors import UserError
from data_prep.layouts.item import Item
from data_prep.layouts.tree import UNSTORABLE_CHARACTERS, UNSTORABLE_NAME, is_video, media_paths, refused_paths

LAYOUTS = {  # name of the module: what --help says
    "ffhq": "thumbnails128x128/ or images1024x1024/ of FFHQ, or any folder of its faces; all real",
    "stylegan": "StyleGAN samples, flat or nested, all fake; or Kaggle's 140k faces: {train,valid,test}/{real,fake}",
    "pggan": "PGGAN samples, flat or nested; all fake",
    "celeba": "img_align_celeba/ or 100k/ of CelebA, with its lists of splits and identities if present; all real",
    "celebdf": "Celeb-DF v1 or v2: Celeb-real, YouTube-real, Celeb-synthesis; videos, or a folder of frames for each",
    "dfdc": "DFDC videos with metadata.json, the Preview with dataset.json, or face crops with metadata.csv",
    "faceforensics": "FaceForensics++: {original,manipulated}_sequences/METHOD/{raw,c23,c40}/{videos,images}; a copy",
    "mesonet": "MesoNet's faces: train_test/{df,real} and validation/{df,real} anywhere, or df/ and real/ alone",
    "folders": "any tree with folders real/ and fake/; a video file, or a folder of frames in one of them, is a video",
    "synthetic": "our own drawn faces; SRC is FAMILY:COUNT[:SEED[:FRAMES]] instead of a folder",
}
SELF_DESCRIBING = ("folders", "mesonet", "dfdc", "celebdf", "faceforensics")  # recognise their trees by the names


def find(layout: str, src: str | Path) -> list[Item]:
    """Search a raw folder for the images and videos of a layout.

    Args:
        layout: a key of LAYOUTS.
        src: the raw folder. It is only listed; no image or video is opened.

    Returns:
        The Items, sorted by path. Links, unsupported formats and other refused files anywhere below `src` are Items
        with a problem.

    Raises:
        UserError: if the layout finds nothing usable in `src`, or a list in it is damaged.
    """
    src = Path(src)
    items = [_check_name(item) for item in _module(layout).find(src)]
    if all(item.problem for item in items):
        example = f" {items[0].path} cannot be used: {items[0].problem}." if items else ""
        raise UserError(
            f"layout {layout} finds no image or video in {src}. Expected: {LAYOUTS[layout]}.{example} "
            f"{_describe_tree(src)}"
        )
    refused = refused_paths(src)
    items = [item for item in items if item.path not in refused]
    items += [Item(path, "", "", problem=reason) for path, reason in refused.items()]
    return sorted(items, key=lambda item: item.path)


def ignored_files(src: str | Path, items: Iterable[Item]) -> dict[str, int]:
    """Count the images and videos below `src` that are not among the Items.

    Returns:
        {folder, `.` for files in `src` itself: number of files}; of each folder of `src`, the deepest that has all of
        them.
    """
    known = {item.path for item in items}
    folders: dict[str, list[str]] = {}
    for path in media_paths(src):
        if path not in known:
            folders.setdefault(path.partition("/")[0] if "/" in path else ".", []).append(path.rpartition("/")[0])
    return {
        name if name == "." else posixpath.commonpath(parents): len(parents)
        for name, parents in sorted(folders.items())
    }


def _check_name(item):
    """Return the Item, with a problem if a manifest cannot store its names or would refuse its path."""
    if UNSTORABLE_CHARACTERS.search(item.path + item.video + item.original):
        return Item(repr(item.path)[1:-1], "", "", problem=UNSTORABLE_NAME)
    if leaves_folder(item.path) and not item.problem:  # a file may be named `C:1.jpg`; on Windows that is a drive
        return replace(item, problem="unreadable name: on Windows it leads out of the folder, rename it")
    return item


def _module(layout):
    return importlib.import_module(f"data_prep.layouts.{layout}")


def _describe_tree(src):
    """Describe what `src` holds, and name the layout that fits best, for an error message."""
    paths, refused = media_paths(src), refused_paths(src)
    videos = sum(map(is_video, paths))
    folders = sorted(path.name for path in src.iterdir() if path.is_dir())[:5]
    formats = ", ".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
    facts = [
        f"It holds {len(paths) - videos} images ({formats}) and {videos} videos in {', '.join(folders) or 'no folders'}"
    ]
    facts += [f"{len(refused)} refused, e.g. {path} ({reason})" for path, reason in list(refused.items())[:1]]
    usable = {layout: _count_usable(layout, src) for layout in SELF_DESCRIBING}
    layout = max(usable, key=usable.get)
    facts += [f"the layout {layout} would find {usable[layout]} of them"] if usable[layout] else []
    return "; ".join(facts)


def _count_usable(layout, src):
    with suppress(UserError):
        return sum(not item.problem for item in _module(layout).find(src))
    return 0
