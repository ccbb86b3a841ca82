"""From a raw folder to a prepared one: images, manifest.csv, skipped.csv, prep.json.

The journal lets the same command go on where it was stopped, and do only what is new or changed after it finished.
manifest.csv comes last: where there is one, the folder is whole.
"""

import importlib.metadata
import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import pandas as pd

from common.errors import UserError
from common.faces import detector_version
from common.files import write_csv, write_json
from common.labels import FAKE, WORDS
from common.manifest import COLUMNS, NAME, read_manifest, write_manifest
from data_prep.journal import LOCK, Journal
from data_prep.layouts import find, image_paths
from data_prep.work import NO_FACE, Outcome, Recipe, Task, work

SKIPPED, PREPARATION, SYNTHETIC = "skipped.csv", "prep.json", "SYNTHETIC.json"
CHUNK = 8  # images that a worker takes at a time: at most so many are done twice after a kill


@dataclass(frozen=True)
class PrepareOptions:
    """Flags of `python -m data_prep`; without any, images are copied as they are."""

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
    source: str | None = None
    """What made the fakes: their `source` in the manifest, where the layout cannot know it."""
    max_unreadable: float = 0.05
    """Share of the images that may be unreadable; more is an error."""
    workers: int | None = None
    """Processes; none is one for each CPU."""

    @property
    def recipe(self):
        return Recipe(self.faces, self.size, self.margin, self.min_confidence, self.pick, self.jpeg)


def prepare(layout, src, dst, options=None, progress=True):
    """Prepare the raw folder `src` (layout synthetic: the words FAMILY:COUNT:SEED) into `dst`; return its manifest.

    A half-finished `dst` is completed. UserError if the raw folder is missing or has no image of the layout, `dst` lies
    in it, holds something else or was made with other flags, too many images are unreadable, or none can be used.
    `progress` shows a bar on a terminal.
    """
    from filelock import FileLock

    options = options or PrepareOptions()
    _check(options)
    src, dst = _folders(layout, src, dst)
    items = find(layout, src)
    try:
        dst.mkdir(parents=True, exist_ok=True)
        with FileLock(dst / LOCK):
            journal = Journal(dst, _describe(layout, src, options))
            tasks = _missing(items, src, dst, options.recipe, journal)
            if tasks:
                (dst / NAME).unlink(missing_ok=True)
                _work_off(tasks, src, dst, options, journal, progress)
            return _finish(items, dst, options, journal)
    except OSError as error:
        raise UserError(f"cannot write the prepared images into {dst}: {error}") from error


def _check(options):
    options.recipe.check()
    if not 0 <= options.max_unreadable <= 1:
        raise UserError(f"--max-unreadable: expected a share of 0 to 1, got {options.max_unreadable}")
    if options.workers is not None and options.workers < 1:
        raise UserError(f"--workers: expected at least 1, got {options.workers}")


def _folders(layout, src, dst):
    if layout == "synthetic":
        from data_prep.synthetic import cached_tree, parse_source

        src = cached_tree(*parse_source(str(src)))
    src, dst = Path(src).expanduser().resolve(), Path(dst).expanduser().resolve()
    if not src.is_dir():
        raise UserError(f"expected a folder of raw data as SRC; there is no folder {src}")
    if dst.is_relative_to(src):
        raise UserError(f"expected DST outside of SRC, got {dst} in {src}")
    if dst.exists() and not dst.is_dir():
        raise UserError(f"expected a new or empty folder as DST, got the file {dst}")
    return src, dst


def _describe(layout, src, options):
    """What decides the content of the prepared folder, for the journal and prep.json."""
    faces = options.faces
    description = {
        "layout": layout,
        "source_folder": src.name,
        "flags": {**asdict(options.recipe), "source": options.source},
        "detector": None if faces == "none" else {"name": faces, "version": detector_version(faces)},
    }
    if (drawn := src / SYNTHETIC).is_file():
        description["synthetic"] = json.loads(drawn.read_text())
    return description


def _missing(items, src, dst, recipe, journal):
    """The Tasks that the journal does not know as done; what a killed process or an old version left is removed."""
    usable = {item.path for item in items if not item.problem}
    gone = [path for path, outcome in journal.outcomes.items() if outcome.images and path not in usable]
    if gone:
        raise UserError(
            f"{dst} holds the images of {len(gone)} files that {src} no longer has, e.g. {gone[0]}: use another DST"
        )
    for leftover in image_paths(dst, hidden=True):
        (dst / leftover).unlink()
    tasks = []
    for path, target in _targets(sorted(usable), recipe).items():
        stamp, outcome = _stamp(src / path), journal.outcomes.get(path)
        if outcome and outcome.stamp == stamp and all((dst / name).is_file() for name, _ in outcome.images):
            continue
        for name, _ in outcome.images if outcome else ():
            (dst / name).unlink(missing_ok=True)
        tasks.append(Task(path, target, stamp))
    return tasks


def _targets(paths, recipe):
    """{raw path: its image's path}: the same with the new suffix; but a.jpg and a.bmp do not both become a.png."""
    if recipe.copies:
        return {path: path for path in paths}
    short = {path: str(PurePosixPath(path).with_suffix(recipe.suffix)) for path in paths}
    wanted = Counter(short.values())
    return {path: name if wanted[name] == 1 else path + recipe.suffix for path, name in short.items()}


def _stamp(path):
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size}-{status.st_mtime_ns}"


def _work_off(tasks, src, dst, options, journal, progress):
    from joblib import Parallel, cpu_count, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError
    from tqdm import tqdm

    chunks = [tasks[start : start + CHUNK] for start in range(0, len(tasks), CHUNK)]
    workers = min(options.workers or cpu_count(), len(chunks))
    parallel = Parallel(n_jobs=workers, return_as="generator_unordered")
    with tqdm(total=len(tasks), desc="preparing", unit="image", disable=None if progress else True) as bar:
        try:
            for outcomes in parallel(delayed(work)(src, dst, options.recipe, chunk) for chunk in chunks):
                journal.add(outcomes)
                bar.update(len(outcomes))
        except TerminatedWorkerError as error:
            raise UserError(
                f"a worker process died, perhaps for want of memory: run again with --workers {max(1, workers // 2)}; "
                f"what is done is kept"
            ) from error


def _finish(items, dst, options, journal):
    """Write skipped.csv, prep.json and last the manifest, from the journal; return the manifest."""
    rows, skipped = [], []
    for item in items:
        outcome = Outcome(item.path, "", reason=item.problem) if item.problem else journal.outcomes[item.path]
        rows += [_row(item, path, digest, options.source) for path, digest in outcome.images]
        skipped += [(item.path, outcome.reason)] if outcome.reason else []
    skipped = pd.DataFrame(skipped, columns=["path", "reason"])
    write_csv(skipped, dst / SKIPPED)
    _refuse_unreadable(skipped[skipped["reason"] != NO_FACE], len(items), dst, options.max_unreadable)
    if not rows:
        raise UserError(f"no image can be used: {len(items)} in all, {_in_words(skipped)}; see {dst / SKIPPED}")
    images = pd.DataFrame(rows, columns=COLUMNS)
    counts = {"counts": images["label"].value_counts().to_dict(), "skipped": count_reasons(skipped)}
    write_json({**journal.description, **counts, "package_version": _package_version()}, dst / PREPARATION)
    write_manifest(images, dst)
    return read_manifest(dst)


def _row(item, path, digest, source):
    source = source if source and item.label == WORDS[FAKE] else item.source
    return path, item.label, source, item.video, item.identity, item.original, item.frame, item.split, digest


def _refuse_unreadable(unreadable, number, dst, allowed):
    if len(unreadable) <= allowed * number:
        return
    first = "; ".join(f"{row.path}: {row.reason}" for row in unreadable.head(3).itertuples())
    raise UserError(
        f"{len(unreadable)} of {number} images cannot be used, more than --max-unreadable {allowed} allows: {first}. "
        f"All are listed in {dst / SKIPPED}; mend them or raise the limit, and run again"
    )


def count_reasons(skipped):
    """{reason: number} of a table with the column reason, details after a colon left out, the most frequent first."""
    return dict(Counter(reason.partition(":")[0] for reason in skipped["reason"]).most_common())


def _in_words(skipped):
    return ", ".join(f"{number} {reason}" for reason, number in count_reasons(skipped).items())


def _package_version():
    try:
        return importlib.metadata.version("deepfake-reproductions")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"
