"""Score pictures and videos with a trained detector: path,score,verdict and more as CSV on stdout.

    python -m common.predict RUN PATH ...                              # a detector of a run
    python -m common.predict --weights meso4=published PATH ...        # MesoNet's published weights, without any run

Faces are found as they were in the detector's own data. A video's score is the mean of its frames. What is far from the
detector's training images has the verdict `unknown`; a picture without a face has `no face`.
"""

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

import tyro

from common.cli import parse, run_main
from common.data.decoding import Unreadable
from common.data.media import Media, check_format, check_readable, find_media
from common.detectors.description import PUBLISHED_COMMAND
from common.detectors.prediction_rows import PredictionRows
from common.detectors.scoring import FRAMES, Scorer
from common.errors import UserError
from common.faces.cropping import FaceCropper
from common.files import atomic_path
from common.progress import show_progress
from common.tensorflow_import import import_tensorflow, use_tensorflow

if TYPE_CHECKING:
    from common.detectors.description import Description
    from common.detectors.explanations import Explanations
    from common.detectors.store import Detector


@dataclass(frozen=True)
class PredictOptions:
    """Flags of `python -m common.predict`."""

    paths: tyro.conf.Positional[tuple[Path, ...]]
    """A run folder, RUNS/<paper>/<run>, unless --weights is given; then images, videos, and folders of them."""
    weights: str | None = None
    """Instead of a run: meso4=FILE or mesoinception4=FILE, MesoNet's weights (.h5); `published` as FILE downloads the
    file from its authors' repository once."""
    model: str | None = None
    """A model of the run; default: the one that the paper proposes."""
    faces: Literal["none", "haar", "mtcnn"] | None = None
    """How faces are found; none scores whole pictures. Default: as in the training data. If these were face crops,
    MTCNN finds faces in pictures that are larger than a crop."""
    pick: Literal["best", "largest", "all"] | None = None
    """Which face of a picture is scored: the most confident, the largest, or each in a row of its own; the faces of a
    video share a row. Default: as in the training data, one."""
    frames: int = FRAMES
    """Frames of a video to look at, evenly spaced; its score is the mean of theirs."""
    per_frame: Path | None = None
    """A CSV to write with the score of each face in each frame."""
    explain: Path | None = None
    """A folder for pictures of what speaks for each verdict (Grad-CAM); for a video, its most suspicious frame."""
    debug: bool = False
    """Show the traceback of an error."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        argv: the words after the command; None: those of the process.

    Raises:
        UserError: if a path or the model does not exist, no file can be read, or nothing can be explained.
    """
    _write_any_name()
    options = parse(PredictOptions, argv, prog="python -m common.predict", description=__doc__)
    media = find_media(_check(options))
    _check_readable(media.files)
    load_detector, source = _detector_source(options)
    detector = load_detector()
    scorer = Scorer(detector, FaceCropper(detector.description.faces, options.faces, options.pick))
    _report(detector, scorer, source, media)
    with ExitStack() as stack:
        frames = stack.enter_context(_frame_table(options.per_frame)) if options.per_frame else None
        rows = PredictionRows(scorer, sys.stdout, frames)
        explanations = None
        if options.explain is not None:
            from common.detectors.explanations import Explanations

            explanations = Explanations(scorer, load_detector(), options.explain, media.files)
        unreadable = _score_files(scorer, media.files, options.frames, rows, explanations)
        if unreadable == len(media.files):
            raise _nothing_read(unreadable)
    if explanations and not explanations.written:
        raise UserError("--explain: no face was found, so there is nothing to explain")


def _write_any_name() -> None:
    """Let a file name that is not UTF-8 pass to stdout and stderr; an error would end the CSV half-way."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _frame_table(file: Path) -> Iterator[TextIO]:
    """Yield the file of --per-frame, which is complete or absent."""
    with (
        atomic_path(file) as temporary,
        open(temporary, "w", encoding="utf-8", errors="backslashreplace", newline="") as opened,
    ):
        yield opened


def _check(options: PredictOptions) -> tuple[Path, ...]:
    """Return the paths to score."""
    paths = options.paths if options.weights else options.paths[1:]
    if not options.paths or not paths:
        expected = "PATH ..." if options.weights else "RUN PATH ... or --weights NAME=FILE PATH ..."
        raise UserError(f"expected {expected}; got {' '.join(map(str, options.paths)) or 'nothing'}")
    if options.weights and options.model:
        raise UserError("--model selects a model of a run: use it or --weights, not both")
    if options.frames < 1:
        raise UserError(f"--frames: expected at least 1, got {options.frames}")
    if options.per_frame is not None and options.per_frame.is_dir():
        raise UserError(f"--per-frame: expected a file, got the folder {options.per_frame}")
    if options.explain is not None:
        _check_explain_folder(options.explain, paths)
    return paths


def _check_readable(files: Sequence[Path]) -> None:
    """UserError, and a row for each file, if none can be read: said before the detector is loaded. The first file that
    can be read ends the search."""
    reasons = []
    for file in files:
        try:
            check_readable(file)
            return
        except Unreadable as error:
            reasons.append(str(error))
    rows = PredictionRows(None, sys.stdout)
    for file, reason in zip(files, reasons, strict=True):
        print(f"{file}: {reason}", file=sys.stderr)
        rows.add_unreadable(file, reason)
    raise _nothing_read(len(files))


def _nothing_read(files: int) -> UserError:
    return UserError(f"none of {files} file{'s' * (files > 1)} could be read; the reasons are above")


def _detector_source(options: PredictOptions) -> tuple[Callable[[], "Detector"], str]:
    """Return a function that loads the detector, and what it comes from, in words."""
    if options.explain is None:
        import_tensorflow()
    else:
        use_tensorflow()  # whose gradients explain
    if options.weights is None:
        from common.detectors import store

        return partial(store.load, options.paths[0], options.model), str(options.paths[0])
    from common.detectors.published import load_published, read_weights

    name, file = read_weights(options.weights)
    return partial(load_published, name, file), str(file or "MesoNet's published weights")


def _report(detector: "Detector", scorer: Scorer, source: str, media: Media) -> None:
    """Print on stderr what scores, how faces are found, and what a reader of the scores must know."""
    description: Description = detector.description
    print(f"model {description.name} of {source}; fake from {description.threshold:.4g}", file=sys.stderr)
    print(scorer.cropper.describe(), file=sys.stderr)
    if media.hidden:
        print(f"left out: {media.hidden} hidden images or videos", file=sys.stderr)
    if media.others:
        print(
            f"left out, no images or videos by their names: {len(media.others)}, e.g. {media.others[0]}",
            file=sys.stderr,
        )
    for folder in media.empty:
        print(f"no image or video in {folder}", file=sys.stderr)
    if description.drawn_data:
        print(
            f"warning: {description.name} was trained on drawn faces ({', '.join(description.drawn_data)}): its scores "
            f"on photographs mean nothing; MesoNet's published weights: {PUBLISHED_COMMAND} PATH ...",
            file=sys.stderr,
        )
    if detector.summary is None:
        print("no summary of the training images is stored: `unknown` cannot be a verdict", file=sys.stderr)


def _score_files(
    scorer: Scorer, files: Sequence[Path], frames: int, rows: PredictionRows, explanations: "Explanations | None"
) -> int:
    """Add a row for each file; return how many cannot be read."""
    unreadable = 0
    # On a terminal the rows themselves are the progress.
    for file in show_progress(files, "scoring", len(files), "file", shown=not sys.stdout.isatty()):
        try:
            check_format(file)
            faces = scorer.faces(file, frames)
        except Unreadable as error:
            print(f"{file}: {error}", file=sys.stderr)
            rows.add_unreadable(file, str(error))
            unreadable += 1
            continue
        if not len(faces):
            rows.add_faceless(file, faces)
            continue
        scores = scorer.scores(faces.pixels)
        one_each = faces.frames[0] is None and len(faces) > 1  # several faces of a picture
        for number in range(len(faces)) if one_each else (None,):
            places = list(range(len(faces))) if number is None else [number]
            rows.add(file, faces.select(places), scores.select(places))
            if explanations:
                picture = explanations.write(file, faces.select(places), scores.select(places), number)
                print(f"{file}: explained in {picture}", file=sys.stderr)
    return unreadable


def _check_explain_folder(folder: Path, paths: Sequence[Path]) -> None:
    """UserError if --explain is a file, or a folder whose pictures the next call would score."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--explain: expected a folder, got the file {folder}")
    for path in paths:
        if path.is_dir() and folder.resolve().is_relative_to(path.resolve()):
            raise UserError(f"--explain {folder} is inside {path}, which is scored; choose a folder outside of it")


if __name__ == "__main__":
    run_main(main)
