"""What happens to one raw image or video in a worker: check, read, crop, then copy or encode."""

import errno
import hashlib
import itertools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.data.decoding import Unreadable, read_image
from common.data.videos import read_clip
from common.files import atomic_folder, atomic_path, sha256
from data_prep.layouts.tree import is_video
from data_prep.preparation.crops import encode, extract_crops, limit_threads, name_crops
from data_prep.preparation.recipe import Recipe

NO_FACE, NO_FACE_IN_FRAME, NO_FACE_IN_VIDEO = NO_FACES = ("no face", "no face in a frame", "no face in any frame")
FRAME_BATCH = 8  # frames in memory and given to the detector at once: 50 MB in 1080p


@dataclass(frozen=True, slots=True)
class WorkFolders:
    """The folders of a run, and the threads that each of its workers may use.

    Args:
        src: the raw folder.
        dst: the prepared folder.
        partial: a folder in `dst` for half-written files. It belongs to one run, which removes it at its end, with all
            that a killed process left there.
        threads: as in limit_threads.
    """

    src: Path
    dst: Path
    partial: Path
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A raw file to process.

    Args:
        path: the raw file, relative to the raw folder, with `/`.
        target: the image to write without its suffix, or the folder of a video's frames; relative to the prepared one.
        stamp: size and modification time of the raw file.
    """

    path: str
    target: str
    stamp: str


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of a raw file. The journal stores the fields under these names.

    Args:
        path, stamp: as in Task.
        images: pairs (path, sha256) of the images written.
        reason: why there are none.
        frames: for a video, the frame index of each image.
        faceless: for a video, the indices of the frames without a face.
        size: (height, width) of the raw image, or of the first frame; () if it is not known.
    """

    path: str
    stamp: str
    images: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    frames: tuple[int, ...] = ()
    faceless: tuple[int, ...] = ()
    size: tuple[int, ...] = ()


def process_files(folders: WorkFolders, recipe: Recipe, tasks: Sequence[Task]) -> list[FileResult]:
    """Process raw files one after the other.

    Returns:
        A FileResult for each task; an unusable file is a result with a reason, not an error.
    """
    return [_process_file(folders, recipe, task) for task in tasks]


def _process_file(folders, recipe, task):
    source = folders.src / task.path
    try:
        if is_video(task.path):
            limit_threads(folders.threads)
            return read_clip(source, recipe.sampling, lambda frames: _process_video(folders, recipe, task, frames))
        if recipe.copies:
            size = read_image(source).shape[:2]  # the decoder of training and predict: what it refuses is of no use
            return FileResult(task.path, task.stamp, (_copy(source, folders, task.target),), size=size)
        return _process_image(folders, recipe, task)
    except Unreadable as error:
        return FileResult(task.path, task.stamp, reason=str(error))
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:  # a full disk stops everything, a name only its own file
            raise
        return FileResult(task.path, task.stamp, reason="unreadable name: too long with its new suffix, rename it")


def _process_image(folders, recipe, task):
    raw = read_image(folders.src / task.path)
    crops = extract_crops([raw], recipe, folders.threads)[0]
    images = []
    for name, image in name_crops(crops, task.target, recipe):
        with atomic_path(folders.dst / name, folders.partial, one_of_many=True) as temporary:
            images.append((name, _write(image, temporary, recipe.jpeg)))
    return FileResult(task.path, task.stamp, tuple(images), "" if images else NO_FACE, size=raw.shape[:2])


def _copy(source, folders, target):
    with atomic_path(folders.dst / target, folders.partial, one_of_many=True) as temporary:
        shutil.copyfile(source, temporary)
        digest = sha256(temporary)
        if digest != sha256(source):
            raise OSError(f"the copy of {source} differs from it")
    return target, digest


def _process_video(folders, recipe, task, frames):
    """Process a clip; `frames` iterates over pairs (index, image)."""
    rows, faceless, size = [], [], ()
    with atomic_folder(folders.dst / task.target, folders.partial, one_of_many=True) as folder:
        while batch := list(itertools.islice(frames, FRAME_BATCH)):
            indices, images = zip(*batch, strict=True)
            size = size or images[0].shape[:2]
            for index, crops in zip(indices, extract_crops(images, recipe, folders.threads), strict=True):
                for name, image in name_crops(crops, f"frame_{index:06d}", recipe):
                    rows.append((f"{task.target}/{name}", _write(image, folder / name, recipe.jpeg), index))
                faceless += [] if crops else [index]
        if not rows:
            raise Unreadable(f"{NO_FACE_IN_VIDEO}: {len(faceless)} looked at")  # and no folder is put in place
    images = tuple((path, digest) for path, digest, _ in rows)
    return FileResult(task.path, task.stamp, images, "", tuple(index for *_, index in rows), tuple(faceless), size)


def _write(image, path, jpeg):
    """Write an image and return its SHA-256."""
    data = encode(image, jpeg)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()
