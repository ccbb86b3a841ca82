"""The embedded data: drawn once into the user's cache, then prepared like any download."""

import os
from pathlib import Path
from typing import Literal

from common.data.manifest import NAME
from common.files import file_lock
from data_prep.drawing.trees import CACHE_TIMEOUT_SECONDS, cached_tree
from data_prep.drawing.videos import cached_videos
from data_prep.options import PrepareOptions
from data_prep.prepare import prepare


def embedded_images(
    family: str,
    count: int,
    seed: int = 0,
    faces: Literal["none", "haar", "mtcnn"] = "none",
    size: int | None = None,
    jpeg: int | None = None,
    frames: int = 1,
) -> Path:
    """Return the prepared folder of drawn images, which is made on the first call.

    Args:
        family: how the fakes are made: swap, deconv or resample.
        count: number of real images, or clips, and of fake ones.
        seed: other seeds draw other persons.
        faces, size, jpeg: flags of data_prep, for a paper that crops the faces or encodes all images alike.
        frames: images of a clip; 1 draws single images.
    """
    tree = cached_tree(family, count, seed, frames)
    flags = "" if (faces, size) == ("none", None) else f"-{faces}-{size}"
    flags += f"-jpeg{jpeg}" if jpeg else ""
    source = f"{family}:{count}:{seed}" + (f":{frames}" if frames > 1 else "")
    options = PrepareOptions(faces=faces, size=size, jpeg=jpeg)
    return _prepare_once("synthetic", source, tree.with_name(f"{tree.name}-prepared{flags}"), options)


def embedded_videos(count: int, frames: int, size: int, margin: int, seed: int = 0) -> Path:
    """Return the prepared folder of drawn videos with faces found by MTCNN, which is made on the first call.

    Args:
        count: number of real videos, and of fake ones.
        frames: frames of each video, all of which are used.
        size, margin: flags of data_prep, in pixels.
        seed: other seeds draw other persons.
    """
    tree = cached_videos(count, frames, seed)
    options = PrepareOptions(faces="mtcnn", size=size, margin=margin, first=frames)
    return _prepare_once("celebdf", tree, tree.with_name(f"{tree.name}-prepared-mtcnn-{size}-{margin}"), options)


def _prepare_once(layout, src, dst, options):
    """Prepare a folder of the cache; of several runs that start together, one prepares it and the others wait.

    A complete folder that may not be written, as in a shared cache, is only read and needs no lock.
    """
    if (dst / NAME).is_file() and not (os.access(dst, os.W_OK) and os.access(dst.parent, os.W_OK)):
        return dst
    with file_lock(dst.with_name(f"{dst.name}.lock"), f"the embedded data {dst}", CACHE_TIMEOUT_SECONDS):
        prepare(layout, src, dst, options)
    return dst
