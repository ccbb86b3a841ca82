"""What happens to one raw image or video, in whatever process: gate, frames, faces, crop, copy or encode."""

import hashlib
import itertools
import shutil
from dataclasses import dataclass
from pathlib import Path

from common.data.decoding import Unreadable, check_image, read_image
from common.data.videos import read_clip
from common.files import sha256
from data_prep.layouts.tree import is_video
from data_prep.preparation.partial import partial_file, partial_folder
from data_prep.preparation.pieces import cut, encode, keep_to, named

NO_FACE, NO_FACE_IN_FRAME, NO_FACE_IN_VIDEO = NO_FACES = ("no face", "no face in a frame", "no face in any frame")
BATCH = 8  # frames in memory at a time, and for the detector at once: 50 MB in 1080p


@dataclass(frozen=True, slots=True)
class Place:
    """The raw folder, the prepared one, the folder of half-written files in it, and the threads that a worker has."""

    src: Path
    dst: Path
    partial: Path
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A raw file, where it shall go (both relative, with `/`), and its fingerprint by size and time.

    The target is without the suffix of the image; a video's is the folder of its frames.
    """

    path: str
    target: str
    stamp: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a raw file: pairs (path, sha256) of the images written, or the reason why there are none.

    Of a video also the frame of each image, and the frames without a face.
    """

    path: str
    stamp: str
    images: tuple = ()
    reason: str = ""
    frames: tuple = ()
    faceless: tuple = ()


def work(place, recipe, tasks):
    """Do the tasks one after the other and return their Outcomes; an unusable file is an outcome, not an error."""
    return [_work(place, recipe, task) for task in tasks]


def _work(place, recipe, task):
    try:
        if is_video(task.path):
            keep_to(place.threads)
            return read_clip(place.src / task.path, recipe.sampling, lambda frames: _video(place, recipe, task, frames))
        return _image(place, recipe, task)
    except Unreadable as error:
        return Outcome(task.path, task.stamp, reason=str(error))


def _image(place, recipe, task):
    source = place.src / task.path
    if recipe.copies:
        images = [_copy(source, place, task.target)]
    else:
        pieces = cut([read_image(source)], recipe, place.threads)[0]
        images = []
        for name, piece in named(pieces, task.target, recipe):
            with partial_file(place.partial, place.dst / name) as temporary:
                images.append((name, _write(piece, temporary, recipe.jpeg)))
    return Outcome(task.path, task.stamp, tuple(images), "" if images else NO_FACE)


def _copy(source, place, target):
    check_image(source)
    with partial_file(place.partial, place.dst / target) as temporary:
        shutil.copyfile(source, temporary)
        digest = sha256(temporary)
        if digest != sha256(source):
            raise OSError(f"the copy of {source} differs from it")
    return target, digest


def _video(place, recipe, task, frames):
    """The Outcome of a clip; `frames` iterates over (index, image)."""
    rows, faceless = [], []
    with partial_folder(place.partial, place.dst / task.target) as folder:
        while batch := list(itertools.islice(frames, BATCH)):
            indices, images = zip(*batch, strict=True)
            for index, pieces in zip(indices, cut(images, recipe, place.threads), strict=True):
                for name, piece in named(pieces, f"frame_{index:06d}", recipe):
                    rows.append((f"{task.target}/{name}", _write(piece, folder / name, recipe.jpeg), index))
                faceless += [] if pieces else [index]
    if not rows:
        return Outcome(task.path, task.stamp, reason=f"{NO_FACE_IN_VIDEO}: {len(faceless)} looked at")
    images = tuple((path, digest) for path, digest, _ in rows)
    return Outcome(task.path, task.stamp, images, "", tuple(index for *_, index in rows), tuple(faceless))


def _write(image, path, jpeg):
    """Write an image and return its SHA-256."""
    data = encode(image, jpeg)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()
