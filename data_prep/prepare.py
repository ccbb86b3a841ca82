"""From a raw folder to a prepared one: images, manifest.csv, skipped.csv, prep.json.

The journal lets the same command resume where it was stopped, and process only new or changed files after it finished.
manifest.csv is written last: a folder that has one is complete.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import joblib
import pandas as pd

from common.data.manifest import NAME, is_prepared, read_manifest
from common.errors import UserError
from common.faces.detection import detector_version
from common.files import read_json_object
from common.progress import ProgressBar
from data_prep.drawing.trees import cached_tree, parse_source
from data_prep.layouts.item import Item
from data_prep.layouts.published_counts import compare_with_published
from data_prep.layouts.registry import find, ignored_files
from data_prep.layouts.tree import is_video
from data_prep.options import PrepareOptions
from data_prep.preparation.journal import Journal, refuse_folder
from data_prep.preparation.output_files import write_output_files
from data_prep.preparation.parallel import run_parallel, threads_per_worker
from data_prep.preparation.process import Task, WorkFolders, process_files
from data_prep.preparation.selection import count_videos
from data_prep.preparation.shards import Shard, parse_shard
from data_prep.preparation.tasks import split_into_chunks, unfinished_tasks

SYNTHETIC = "SYNTHETIC.json"
CHUNK_SIZE = 8  # images that a worker takes at a time, or one video: at most these are done twice after a kill


def prepare(
    layout: str, src: str | Path, dst: str | Path, options: PrepareOptions | None = None, progress: bool = True
) -> pd.DataFrame | None:
    """Prepare a raw folder; a half-finished prepared folder is completed.

    Args:
        layout: a key of LAYOUTS.
        src: the raw folder; for the layout synthetic the text FAMILY:COUNT[:SEED[:FRAMES]].
        dst: the prepared folder, new or made by the same command before.
        options: as the flags of `python -m data_prep`; None: the defaults.
        progress: show a progress bar if stderr is a terminal.

    Returns:
        The manifest as read_manifest returns it; None for a shard if other shards are still unfinished.

    Raises:
        UserError: if the raw folder is missing, was made by data_prep or has nothing of the layout; `dst` is inside it
            or around it, holds other files, was made with other flags, or another process is working on it; too many
            files are unreadable, or no image can be used.
    """
    options = options or PrepareOptions()
    shard = _check_options(options)
    src, dst = _resolve_folders(layout, src, dst)
    return read_manifest(dst) if _complete(layout, src, dst, options, shard, progress) else None


def _complete(layout, src, dst, options, shard, progress):
    """Do what is missing; return True if the manifest was written, False if another shard has to write it."""
    found = find(layout, src)
    options.selection.check(found)
    items = options.selection.choose(found)
    videos = any(is_video(item.path) for item in items)
    options.recipe.check(videos)
    description = _describe(layout, src, options, videos)
    try:
        refuse_folder(dst, description)  # before a lock file is left in it
        dst.mkdir(parents=True, exist_ok=True)
        with shard.shard_lock(dst):
            with shard.journal_lock(dst):
                journal = Journal(dst, description, shard.suffix)
            tasks = unfinished_tasks(items, src, dst, options.recipe, journal)
            if own_tasks := [task for task in tasks if shard.contains(task.path)]:
                (dst / NAME).unlink(missing_ok=True)
                with _work_folders(src, dst, shard) as folders:
                    _process_tasks(own_tasks, folders, options, journal, progress)
            with shard.journal_lock(dst):
                if shard.suffix and _others_unfinished(items, src, dst, options, journal):
                    return False
                remarks = compare_with_published(layout, found) + _describe_ignored_files(src, found)
                remarks += _describe_left_out(found, items)
                write_output_files(items, journal, dst, options.source, options.max_unreadable, remarks)
                return True
    except OSError as error:
        raise UserError(f"cannot write the prepared images into {dst}: {error}") from error


def _describe_ignored_files(src: Path, items: Sequence[Item]) -> list[str]:
    return [
        f"{number} images or videos in {folder} that this layout does not take"
        for folder, number in ignored_files(src, items).items()
    ]


def _describe_left_out(found: Sequence[Item], items: Sequence[Item]) -> list[str]:
    taken, usable = count_videos(items), count_videos(found)
    remark = f"{taken} of {usable} videos are taken, by --videos-per-class or --fakes-per-real"
    return [remark] if taken < usable else []


def _others_unfinished(items, src, dst, options, journal):
    """Return True if another shard has unfinished tasks, by what it has added to the journals since the start."""
    journal.read()
    return bool(unfinished_tasks(items, src, dst, options.recipe, journal))


def _check_options(options: PrepareOptions) -> Shard:
    """Check the flags that need no raw folder, and return the shard."""
    options.recipe.check()
    options.selection.check()
    if not 0 <= options.max_unreadable <= 1:
        raise UserError(f"--max-unreadable: expected a share of 0 to 1, got {options.max_unreadable}")
    if options.workers is not None and options.workers < 1:
        raise UserError(f"--workers: expected at least 1, got {options.workers}")
    if options.workers is not None and options.cluster:
        raise UserError("--workers is about this machine: expected it or --cluster, got both")
    return parse_shard(options.shard)


def _resolve_folders(layout: str, src: str | Path, dst: str | Path) -> tuple[Path, Path]:
    """Return both folders as absolute paths; a synthetic raw folder is drawn if the cache does not have it."""
    if layout == "synthetic":
        src = cached_tree(*parse_source(str(src)))
    src, dst = Path(src).expanduser().resolve(), Path(dst).expanduser().resolve()
    if not src.is_dir():
        got = f"got the file {src}" if src.exists() else f"there is no folder {src}"
        raise UserError(f"expected a folder of raw data as SRC; {got}")
    if dst.is_relative_to(src):
        raise UserError(f"expected DST outside of SRC, got {dst} in {src}")
    if src.is_relative_to(dst):
        raise UserError(f"expected a new or empty folder as DST, got {dst}, which holds SRC, {src}")
    if is_prepared(src):
        raise UserError(f"expected raw data as SRC, got {src}, which data_prep made: give the folder it was made from")
    if dst.exists() and not dst.is_dir():
        raise UserError(f"expected a new or empty folder as DST, got the file {dst}")
    return src, dst


def _describe(layout: str, src: Path, options: PrepareOptions, videos: bool) -> dict[str, Any]:
    """Return what decides the content of the prepared folder, for the journal and prep.json."""
    faces = options.faces
    description: dict[str, Any] = {
        "layout": layout,
        "source_folder": src.name,
        "flags": {**options.recipe.flags(videos), **asdict(options.selection), "source": options.source},
        "detector": None if faces == "none" else {"name": faces, "version": detector_version(faces)},
    }
    if (facts := src / SYNTHETIC).is_file():
        description["synthetic"] = read_json_object(facts)
    return description


def _process_tasks(
    tasks: list[Task], folders: WorkFolders, options: PrepareOptions, journal: Journal, progress: bool
) -> None:
    for result in journal.results(task.path for task in tasks):  # of raw files that changed since
        for name, _ in result.images if result else ():
            (folders.dst / name).unlink(missing_ok=True)
    chunks = split_into_chunks(tasks, CHUNK_SIZE)
    workers = min(options.workers or joblib.cpu_count(), len(chunks))
    folders = replace(folders, threads=threads_per_worker(workers, options.cluster))
    calls = ((folders, options.recipe, chunk) for chunk in chunks)
    with ProgressBar("preparing", len(tasks), "file", progress) as bar:
        for results in run_parallel(process_files, calls, workers, options.cluster):
            journal.add(results)
            bar.update(len(results))


@contextmanager
def _work_folders(src: Path, dst: Path, shard: Shard) -> Iterator[WorkFolders]:
    """Yield the WorkFolders with an empty folder of partial files, which is removed at the end."""
    partial = dst / f".partial{shard.suffix}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield WorkFolders(src, dst, partial)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
