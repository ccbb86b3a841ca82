"""What is left to do in a prepared folder."""

from collections import Counter
from pathlib import PurePosixPath

from common.errors import UserError
from data_prep.layouts.tree import is_video
from data_prep.preparation.process import Task


def missing(items, src, dst, recipe, journal):
    """The Tasks that the journal does not know as done, or whose raw file changed, or whose images were lost.

    UserError if there are images of raw files that are gone.
    """
    usable = {item.path for item in items if not item.problem}
    _refuse_gone(usable, src, dst, journal)
    tasks = []
    targets = _targets(sorted(usable), recipe)
    for (path, target), outcome in zip(targets.items(), journal.outcomes(targets), strict=True):
        stamp = _stamp(src / path)
        if not (outcome and outcome.stamp == stamp and all((dst / name).is_file() for name, _ in outcome.images)):
            tasks.append(Task(path, target, stamp))
    return tasks


def _refuse_gone(usable, src, dst, journal):
    outcomes = journal.outcomes(path for path in journal.paths() if path not in usable)
    gone = [outcome.path for outcome in outcomes if outcome.images]
    if gone:
        raise UserError(
            f"{dst} holds the images of {len(gone)} files that {src} no longer has, e.g. {gone[0]}: use another DST"
        )


def chunks(tasks, images):
    """Lists of so many `images`, or of one video."""
    videos = [[task] for task in tasks if is_video(task.path)]
    pictures = [task for task in tasks if not is_video(task.path)]
    return videos + [pictures[start : start + images] for start in range(0, len(pictures), images)]


def _targets(paths, recipe):
    """{raw path: target as a Task has it}.

    a.jpg and a.bmp do not both become a.png, nor does a.mp4 get the folder a/ where there is one already: if a name is
    wanted twice, what wants it keeps its suffix.
    """

    def written(path, target):
        return target if is_video(path) or recipe.copies else target + recipe.suffix

    short = {path: path if recipe.copies and not is_video(path) else _stem(path) for path in paths}
    wanted = Counter(written(path, name) for path, name in short.items())
    wanted.update(written(path, path) for path in paths if short[path] != path)
    wanted.update({str(folder) for path in paths for folder in PurePosixPath(path).parents})
    return {path: name if wanted[written(path, name)] == 1 else path for path, name in short.items()}


def _stem(path):
    return str(PurePosixPath(path).with_suffix(""))


def _stamp(path):
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size}-{status.st_mtime_ns}"
