"""What is still to be done in a prepared folder."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from common.errors import UserError
from data_prep.layouts.item import Item
from data_prep.layouts.tree import is_video
from data_prep.preparation.journal import Journal
from data_prep.preparation.process import Task
from data_prep.preparation.recipe import Recipe


def unfinished_tasks(items: Iterable[Item], src: Path, dst: Path, recipe: Recipe, journal: Journal) -> list[Task]:
    """List the raw files to process.

    Args:
        items: all Items of the raw folder `src`.
        src, dst: the raw folder and the prepared one.
        recipe: what decides the names of the images.
        journal: what was done in earlier runs.

    Returns:
        The Tasks that the journal does not know as done, or whose raw file changed, or whose images were lost.

    Raises:
        UserError: if the journal knows images of raw files that no longer exist.
    """
    usable = {item.path for item in items if not item.problem}
    _refuse_removed_files(usable, src, dst, journal)
    tasks = []
    targets = _target_names(sorted(usable), recipe)
    for (path, target), result in zip(targets.items(), journal.results(targets), strict=True):
        stamp = _stamp(src / path)
        if not (result and result.stamp == stamp and all((dst / name).is_file() for name, _ in result.images)):
            tasks.append(Task(path, target, stamp))
    return tasks


def split_into_chunks(tasks: Sequence[Task], size: int) -> list[list[Task]]:
    """Split tasks into chunks of one video, or of at most `size` images."""
    videos = [[task] for task in tasks if is_video(task.path)]
    images = [task for task in tasks if not is_video(task.path)]
    return videos + [images[start : start + size] for start in range(0, len(images), size)]


def _refuse_removed_files(usable, src, dst, journal):
    results = journal.results(path for path in journal.paths() if path not in usable)
    removed = [result.path for result in results if result.images]
    if removed:
        raise UserError(
            f"{dst} holds the images of {len(removed)} files that {src} no longer has, e.g. {removed[0]}: "
            f"use another DST"
        )


def _target_names(paths, recipe):
    """Return {raw path: target of its Task}.

    Targets must not collide: a.jpg and a.bmp would both become a.png, and a.mp4 would get a folder a/ that exists
    already. If several files want one name, they keep their suffixes.
    """

    def written(path, target):
        return target if is_video(path) or recipe.copies else target + recipe.suffix

    short = {path: path if recipe.copies and not is_video(path) else _strip_suffix(path) for path in paths}
    wanted = Counter(written(path, name) for path, name in short.items())
    wanted.update(written(path, path) for path in paths if short[path] != path)
    wanted.update({str(folder) for path in paths for folder in PurePosixPath(path).parents})
    return {path: name if wanted[written(path, name)] == 1 else path for path, name in short.items()}


def _strip_suffix(path):
    return str(PurePosixPath(path).with_suffix(""))


def _stamp(path):
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size}-{status.st_mtime_ns}"
