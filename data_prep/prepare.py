"""From a raw folder to a prepared one: images, manifest.csv, skipped.csv, prep.json.

The journal lets the same command go on where it was stopped, and do only what is new or changed after it finished.
manifest.csv comes last: where there is one, the folder is whole.
"""

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

from common.data.manifest import NAME, is_prepared, read_manifest
from common.errors import UserError
from common.faces.detection import detector_version
from data_prep.layouts import find, passed_over
from data_prep.layouts.published_counts import completeness
from data_prep.layouts.tree import is_video
from data_prep.preparation.journal import Journal, refuse_folder
from data_prep.preparation.parallel import in_parallel, threads_for
from data_prep.preparation.process import Place, work
from data_prep.preparation.recipe import Recipe
from data_prep.preparation.shards import parse_shard
from data_prep.preparation.tables import write_tables
from data_prep.preparation.tasks import chunks, missing

SYNTHETIC = "SYNTHETIC.json"
CHUNK = 8  # images that a worker takes at a time, or one video: at most so many are done twice after a kill


@dataclass(frozen=True)
class PrepareOptions:
    """Flags of `python -m data_prep`; without any, images are copied as they are, and frames of videos kept whole."""

    faces: Literal["none", "haar", "mtcnn"] = "none"
    """Detector whose faces are cropped: the Viola-Jones cascade or MTCNN; none keeps whole images."""
    size: int | None = None
    """Resize to SIZE x SIZE pixels (bilinear, antialiased); none keeps the size."""
    margin: int = 0
    """Room around the face in pixels of the output, as facenet-pytorch counts it."""
    min_confidence: float | None = None
    """Ignore faces below it: a probability for mtcnn, a level weight without a scale for haar."""
    pick: Literal["best", "largest", "all"] = "best"
    """Which of several faces: the surest, the largest, or all of them."""
    jpeg: int | None = None
    """Encode all images as JPEG of this quality, so that compression does not tell the classes apart."""
    frames_per_video: int | None = None
    """Of a video take so many frames, evenly spaced over the whole clip; 10 if no flag says which frames."""
    every: int | None = None
    """Of a video take each N-th frame instead."""
    first: int | None = None
    """Of a video take the first N frames instead."""
    source: str | None = None
    """What made the fakes: their `source` in the manifest, where the layout cannot know it."""
    max_unreadable: float = 0.05
    """Share of the images and videos that may be unreadable; more is an error."""
    workers: int | None = None
    """Processes; none is one for each CPU."""
    cluster: str | None = None
    """Address of a Dask scheduler, e.g. tcp://host:8786, whose workers do it instead; they must see SRC and DST."""
    shard: str | None = None
    """I/N: do the I-th of N shares, beside the others on a shared file system; the last one writes the manifest."""

    @property
    def recipe(self):
        return Recipe(**{field.name: getattr(self, field.name) for field in fields(Recipe)})


def prepare(layout, src, dst, options=None, progress=True):
    """Prepare the raw folder `src` (layout synthetic: the words FAMILY:COUNT:SEED) into `dst`; return its manifest.

    A half-finished `dst` is completed. None is returned for a shard that leaves something to the others. UserError if
    the raw folder is missing, was made by data_prep or has nothing of the layout, `dst` lies in it or around it, holds
    something else, was made with other flags or is worked on by another run, too many files are unreadable, or none can
    be used. `progress` shows a bar on a terminal.
    """
    options = options or PrepareOptions()
    shard = _check(options)
    src, dst = _folders(layout, src, dst)
    whole = _complete(layout, src, dst, options, shard, progress)
    return read_manifest(dst) if whole else None


def _complete(layout, src, dst, options, shard, progress):
    """Do what is missing; True if the manifest was written, False if that is left to another shard."""
    items = find(layout, src)
    videos = any(is_video(item.path) for item in items)
    options.recipe.check(videos)
    description = _describe(layout, src, options, videos)
    try:
        refuse_folder(dst, description)  # before a lock is left in it
        dst.mkdir(parents=True, exist_ok=True)
        with shard.at_work(dst):
            with shard.books(dst):
                journal = Journal(dst, description, shard.suffix)
            left = missing(items, src, dst, options.recipe, journal)
            if ours := [task for task in left if shard.owns(task.path)]:
                (dst / NAME).unlink(missing_ok=True)
                with _place(src, dst, shard) as place:
                    _work_off(ours, place, options, journal, progress)
            with shard.books(dst):
                if shard.suffix and _others_have_work(items, src, dst, options, journal):
                    return False
                remarks = completeness(layout, items) + _passed_over(src, items)
                write_tables(items, journal, dst, options.source, options.max_unreadable, remarks)
                return True
    except OSError as error:
        raise UserError(f"cannot write the prepared images into {dst}: {error}") from error


def _passed_over(src, items):
    return [
        f"{number} images or videos in {folder} that this layout does not take"
        for folder, number in passed_over(src, items).items()
    ]


def _others_have_work(items, src, dst, options, journal):
    journal.read()
    return bool(missing(items, src, dst, options.recipe, journal))


def _check(options):
    options.recipe.check()
    if not 0 <= options.max_unreadable <= 1:
        raise UserError(f"--max-unreadable: expected a share of 0 to 1, got {options.max_unreadable}")
    if options.workers is not None and options.workers < 1:
        raise UserError(f"--workers: expected at least 1, got {options.workers}")
    if options.workers is not None and options.cluster:
        raise UserError("--workers is about this machine: expected it or --cluster, got both")
    return parse_shard(options.shard)


def _folders(layout, src, dst):
    if layout == "synthetic":
        from data_prep.drawing.trees import cached_tree, parse_source

        src = cached_tree(*parse_source(str(src)))
    src, dst = Path(src).expanduser().resolve(), Path(dst).expanduser().resolve()
    if not src.is_dir():
        there = f"got the file {src}" if src.exists() else f"there is no folder {src}"
        raise UserError(f"expected a folder of raw data as SRC; {there}")
    if dst.is_relative_to(src):
        raise UserError(f"expected DST outside of SRC, got {dst} in {src}")
    if src.is_relative_to(dst):
        raise UserError(f"expected a new or empty folder as DST, got {dst}, which holds SRC, {src}")
    if is_prepared(src):
        raise UserError(f"expected raw data as SRC, got {src}, which data_prep made: give the folder it was made from")
    if dst.exists() and not dst.is_dir():
        raise UserError(f"expected a new or empty folder as DST, got the file {dst}")
    return src, dst


def _describe(layout, src, options, videos):
    """What decides the content of the prepared folder, for the journal and prep.json."""
    faces = options.faces
    description = {
        "layout": layout,
        "source_folder": src.name,
        "flags": {**options.recipe.flags(videos), "source": options.source},
        "detector": None if faces == "none" else {"name": faces, "version": detector_version(faces)},
    }
    if (drawn := src / SYNTHETIC).is_file():
        description["synthetic"] = json.loads(drawn.read_text())
    return description


def _work_off(tasks, place, options, journal, progress):
    from joblib import cpu_count
    from tqdm import tqdm

    for old in journal.outcomes(task.path for task in tasks):
        for name, _ in old.images if old else ():
            (place.dst / name).unlink(missing_ok=True)
    work_list = chunks(tasks, CHUNK)
    workers = min(options.workers or cpu_count(), len(work_list))
    place = replace(place, threads=threads_for(workers, options.cluster))
    calls = ((place, options.recipe, chunk) for chunk in work_list)
    with tqdm(total=len(tasks), desc="preparing", unit="file", disable=None if progress else True) as bar:
        for outcomes in in_parallel(work, calls, workers, options.cluster):
            journal.add(outcomes)
            bar.update(len(outcomes))


@contextmanager
def _place(src, dst, shard):
    """A Place whose folder of partial files is new, and gone in the end."""
    partial = dst / f".partial{shard.suffix}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield Place(src, dst, partial)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
