"""Score pictures and videos with a trained detector: path,score,verdict as CSV on stdout.

Faces are found as they were in the run's own data, so the detector sees what it was trained on.
"""

import csv
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from common.cli import parse, run_main
from common.data.decoding import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Unreadable
from common.detectors.scoring import FRAMES, Faces, Scorer
from common.errors import UserError
from common.labels import WORDS

NO_FACE, UNREADABLE = "no face", "unreadable"


@dataclass(frozen=True)
class PredictOptions:
    """Flags of `python -m common.predict`."""

    run: tyro.conf.Positional[Path]
    """A run folder: RUNS/<paper>/<run>."""
    paths: tyro.conf.Positional[tuple[Path, ...]]
    """Images, videos, and folders of them."""
    model: str | None = None
    """A model of the run; default: the one that the paper proposes."""
    frames: int = FRAMES
    """Frames of a video to look at, evenly spaced; its score is the mean of theirs."""
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
    options = parse(PredictOptions, argv, prog="python -m common.predict", description=__doc__)
    files = find_files(options.paths)
    if options.frames < 1:
        raise UserError(f"--frames: expected at least 1, got {options.frames}")
    if options.explain is not None:
        _check_explain_folder(options.explain, options.paths)
    scorer = Scorer(options.run, options.model)
    print(f"model {scorer.description.name} of {options.run}", file=sys.stderr)
    explanations = None if options.explain is None else Explanations(scorer, options.run, options.explain, files)
    unreadable = _score_files(scorer, files, options.frames, explanations)
    if unreadable == len(files):
        raise UserError(f"none of {unreadable} files could be read; the reasons are above")
    if explanations and not explanations.written:
        raise UserError("--explain: no face was found, so there is nothing to explain")


def _score_files(scorer, files, frames, explanations):
    """Print a line for each file; return how many cannot be read."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("path", "score", "verdict"))
    unreadable = 0
    for file in files:
        try:
            faces = scorer.faces(file, frames)
        except Unreadable as error:
            print(f"{file}: {error}", file=sys.stderr)
            writer.writerow((file, "", UNREADABLE))
            unreadable += 1
            continue
        if faces is None:
            writer.writerow((file, "", NO_FACE))
            continue
        scores = scorer.scores(faces.pixels)
        writer.writerow((file, f"{scores.mean():.6f}", scorer.verdict(scores.mean())))
        sys.stdout.flush()
        if explanations:
            print(f"{file}: explained in {explanations.write(file, faces, scores)}", file=sys.stderr)
    return unreadable


class Explanations:
    """Writes one PNG for each file into a folder; sub-folders are those that the files have relative to each other.

    Args:
        scorer: gives the verdicts.
        run: the folder of its run.
        folder: for the PNGs.
        files: all files that are scored.

    Attributes:
        written: the number of PNGs so far.
    """

    def __init__(self, scorer: Scorer, run: Path, folder: Path, files: Sequence[Path]) -> None:
        from common.detectors import store
        from common.detectors.explain import Explainer

        self.written = 0
        self._scorer, self._folder = scorer, folder
        self._explainer = Explainer(store.load(run, scorer.description.name))
        self._root = Path(os.path.commonpath([file.resolve().parent for file in files]))

    def write(self, file: Path, faces: Faces, scores: np.ndarray) -> Path:
        """Explain the verdict on a file's face; for a video, on its most suspicious one.

        Args:
            file: the picture or video.
            faces: of the file.
            scores: (n,), of the faces.

        Returns:
            The PNG.
        """
        from common.detectors.explain import draw

        highest = int(scores.argmax())
        verdict, frame = self._scorer.verdict(scores[highest]), faces.frames[highest]
        explanation = self._explainer.explain(
            self._scorer.scale_pixels(faces.pixels[[highest]])[0], WORDS.index(verdict)
        )
        title = f"{file.name}: {verdict}, score {scores[highest]:.3f} by {self._scorer.description.name}"
        if frame is not None:
            title = f"{file.name}, frame {frame}: {verdict}, score {scores[highest]:.3f}\n"
            title += f"the highest of {len(scores)} frames, whose mean is {scores.mean():.3f}, "
            title += f"by {self._scorer.description.name}"
        path = self._folder / file.resolve().relative_to(self._root)
        path = path.with_name(f"{path.name}.png")  # the suffix stays: a folder can have both a.jpg and a.mp4
        draw(path, faces.pixels[highest], explanation, title, self._explainer.caption(explanation))
        self.written += 1
        return path


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the images and videos that `paths` name.

    Args:
        paths: files, taken as they are, and folders, searched with their sub-folders.

    Returns:
        The files, sorted within each folder.

    Raises:
        UserError: if a path does not exist, or there is no image or video.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UserError(f"no such file or folder: {path}")
        candidates = sorted(path.rglob("*")) if path.is_dir() else [path]
        files += [file for file in candidates if file == path or file.suffix.lower() in IMAGE_SUFFIXES + VIDEO_SUFFIXES]
    if not files:
        raise UserError(f"no image or video in {', '.join(map(str, paths)) or 'an empty list of paths'}")
    return files


def _check_explain_folder(folder, paths):
    """UserError if --explain is a file, or a folder whose pictures the next call would score."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--explain: expected a folder, got the file {folder}")
    for path in paths:
        if path.is_dir() and folder.resolve().is_relative_to(path.resolve()):
            raise UserError(f"--explain {folder} is inside {path}, which is scored; choose a folder outside of it")


if __name__ == "__main__":
    run_main(main)
