"""What happens to one raw image, in whatever process: gate, face, crop, copy or encode."""

import functools
import multiprocessing
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from common.decoding import Unreadable, check_image, read_image
from common.errors import UserError
from common.faces import check_crop, crop, make_detector, pick
from common.files import atomic_path, sha256

NO_FACE = "no face"


@dataclass(frozen=True)
class Recipe:
    """The flags that decide what the images become."""

    faces: str = "none"
    size: int | None = None
    margin: int = 0
    min_confidence: float | None = None
    pick: str = "best"
    jpeg: int | None = None

    def check(self):
        """Raise UserError for values out of range, or flags that say nothing without another."""
        check_crop(self.size, self.margin)
        if self.jpeg is not None and not 1 <= self.jpeg <= 100:
            raise UserError(f"--jpeg: expected a quality of 1 to 100, got {self.jpeg}")
        useless = {"--margin": self.margin, "--min-confidence": self.min_confidence, "--pick": self.pick != "best"}
        given = [flag for flag, value in useless.items() if value not in (0, None, False)]
        if self.faces == "none" and given:
            raise UserError(f"{given[0]} is about faces: expected --faces haar or --faces mtcnn with it")

    @property
    def copies(self):
        """True if the bytes are left as they are."""
        return self.faces == "none" and self.size is None and self.jpeg is None

    @property
    def suffix(self):
        """The suffix of what is encoded anew."""
        return ".png" if self.jpeg is None else ".jpg"


@dataclass(frozen=True)
class Task:
    """A raw image, where it shall go (both relative, with `/`), and its fingerprint by size and time."""

    path: str
    target: str
    stamp: str


@dataclass(frozen=True)
class Outcome:
    """What became of a raw image: pairs (path, sha256) of the images written, or the reason why there are none."""

    path: str
    stamp: str
    images: tuple = ()
    reason: str = ""


def work(src, dst, recipe, tasks):
    """Do the tasks one after the other and return their Outcomes; an unusable image is an outcome, not an error."""
    return [_work(Path(src), Path(dst), recipe, task) for task in tasks]


def _work(src, dst, recipe, task):
    try:
        if recipe.copies:
            images = [_copy(src / task.path, dst, task.target)]
        else:
            pieces = _pieces(read_image(src / task.path), recipe)
            images = [_encode(piece, dst, name, recipe.jpeg) for name, piece in _named(pieces, task.target, recipe)]
    except Unreadable as error:
        return Outcome(task.path, task.stamp, reason=str(error))
    return Outcome(task.path, task.stamp, tuple(images), "" if images else NO_FACE)


def _copy(source, dst, target):
    check_image(source)
    with atomic_path(dst / target) as temporary:
        shutil.copyfile(source, temporary)
        digest = sha256(temporary)
        if digest != sha256(source):
            raise OSError(f"the copy of {source} differs from it")
    return target, digest


def _pieces(image, recipe):
    if recipe.faces != "none":
        faces = pick(_detector(recipe.faces).detect(image), recipe.pick, recipe.min_confidence)
        return [crop(image, face, recipe.size, recipe.margin) for face in faces]
    if recipe.size is None:
        return [image]
    size = (recipe.size, recipe.size)
    return [np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))]


def _named(pieces, target, recipe):
    if recipe.pick != "all":
        return [(target, piece) for piece in pieces]
    stem = target.removesuffix(recipe.suffix)
    return [(f"{stem}-face{number}{recipe.suffix}", piece) for number, piece in enumerate(pieces)]


def _encode(image, dst, target, jpeg):
    with atomic_path(dst / target) as temporary:
        Image.fromarray(image).save(temporary, **({} if jpeg is None else {"quality": jpeg}))
        return target, sha256(temporary)


@functools.cache  # one a process: loading MTCNN takes seconds
def _detector(name):
    if multiprocessing.parent_process():
        _share_cores(os.environ["OMP_NUM_THREADS"])
    return make_detector(name)


def _share_cores(threads):
    """Keep to the threads that joblib allots to a worker; neither OpenCV nor TensorFlow reads the variable it sets."""
    import cv2

    cv2.setNumThreads(int(threads))
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = threads
