"""Score pictures and videos with a trained detector: path,score,verdict as CSV on stdout.

A face is found as it was found in the run's own data, so a detector sees what it was trained on.
"""

import csv
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from common.cli import parse, run_main
from common.data.decoding import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Unreadable, read_image
from common.data.videos import read_frames
from common.errors import UserError
from common.labels import FAKE, REAL, WORDS
from common.tensorflow_import import import_tensorflow

NO_FACE, UNREADABLE = "no face", "unreadable"


@dataclass(frozen=True)
class PredictOptions:
    """Flags of `python -m common.predict`."""

    run: tyro.conf.Positional[Path]
    """A run folder: RUNS/<paper>/<run>."""
    paths: tyro.conf.Positional[tuple[Path, ...]]
    """Images, videos, and folders of them."""
    model: str | None = None
    """A model of the run; none: the paper's proposed one."""
    frames: int = 10
    """Frames of a video to look at, evenly spaced; its score is the mean of theirs."""
    explain: Path | None = None
    """A folder for pictures of what speaks for each verdict (Grad-CAM); of a video, its most suspicious frame."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Faces:
    """The faces of one file. pixels: uint8 (n, S, S, 3), as the network sees them before scaling; frames: the number of
    each one's frame in a video, or None."""

    pixels: np.ndarray
    frames: list


def main(argv=None):
    options = parse(PredictOptions, argv, prog="python -m common.predict", description=__doc__)
    files = find_files(options.paths)
    if options.frames < 1:
        raise UserError(f"--frames: expected at least 1, got {options.frames}")
    if options.explain is not None:
        check_folder(options.explain, options.paths)
    scorer = Scorer(options.run, options.model)
    print(f"model {scorer.description.name} of {options.run}", file=sys.stderr)
    explanations = None if options.explain is None else Explanations(scorer, options.run, options.explain, files)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("path", "score", "verdict"))
    bad = 0
    for file in files:
        try:
            faces = scorer.faces(file, options.frames)
        except Unreadable as error:
            print(f"{file}: {error}", file=sys.stderr)
            writer.writerow((file, "", UNREADABLE))
            bad += 1
            continue
        if faces is None:
            writer.writerow((file, "", NO_FACE))
            continue
        scores = scorer.scores(faces.pixels)
        writer.writerow((file, f"{scores.mean():.6f}", scorer.verdict(scores.mean())))
        sys.stdout.flush()
        if explanations:
            print(f"{file}: explained in {explanations.write(file, faces, scores)}", file=sys.stderr)
    if bad == len(files):
        raise UserError(f"none of {bad} files could be read")
    if explanations and not explanations.written:
        raise UserError("--explain: no face was found, so there is nothing to explain")


class Scorer:
    """Scores files with one detector of one run."""

    def __init__(self, run, model=None):
        import_tensorflow()
        from common.data.pipeline import Preprocessing
        from common.detectors import store as detectors

        self._detector = detectors.load(run, model)
        self.description = self._detector.description
        self._preprocessing = Preprocessing(**self.description.preprocessing)
        self._find_face = _face_finder(self.description.faces)

    def faces(self, file, frames=10):
        """The Faces of an image, or of so many frames of a video, or None; Unreadable if it cannot be read."""
        numbered = read_frames(file, frames) if file.suffix.lower() in VIDEO_SUFFIXES else [(None, read_image(file))]
        found = [(number, self._find_face(image)) for number, image in numbered]
        found = [(number, np.asarray(self._preprocessing.resized(face))) for number, face in found if face is not None]
        return Faces(np.stack([pixels for _, pixels in found]), [number for number, _ in found]) if found else None

    def scaled(self, pixels):
        """uint8 (n, S, S, 3) -> float32, as the network takes them."""
        return np.asarray(self._preprocessing.scaled(pixels))

    def scores(self, pixels):
        """The scores in [0, 1], (n,), of faces uint8 (n, S, S, 3)."""
        return self._detector.score(self.scaled(pixels), len(pixels))

    def verdict(self, score):
        return WORDS[FAKE if score >= self.description.threshold else REAL]


class Explanations:
    """Writes one PNG for each file into a folder, in the sub-folders that the files have among themselves."""

    def __init__(self, scorer, run, folder, files):
        from common.detectors import store as detectors
        from common.detectors.explain import Explainer

        self.written = 0
        self._scorer, self._folder = scorer, folder
        self._explainer = Explainer(detectors.load(run, scorer.description.name))
        self._root = Path(os.path.commonpath([file.resolve().parent for file in files]))

    def write(self, file, faces, scores):
        """Explain the verdict on a file's face, on its most suspicious one where it is a video; returns the PNG."""
        from common.detectors.explain import draw

        place = int(scores.argmax())
        words, number = self._scorer.verdict(scores[place]), faces.frames[place]
        explanation = self._explainer.explain(self._scorer.scaled(faces.pixels[[place]])[0], WORDS.index(words))
        title = f"{file.name}: {words}, score {scores[place]:.3f} by {self._scorer.description.name}"
        if number is not None:
            title = f"{file.name}, frame {number}: {words}, score {scores[place]:.3f}\n"
            title += f"the highest of {len(scores)} frames, whose mean is {scores.mean():.3f}, "
            title += f"by {self._scorer.description.name}"
        path = self._folder / file.resolve().relative_to(self._root)
        path = path.with_name(f"{path.name}.png")  # the suffix stays: a.jpg and a.mp4 may lie side by side
        draw(path, faces.pixels[place], explanation, title, self._explainer.said(explanation))
        self.written += 1
        return path


def check_folder(folder, paths):
    """UserError if the folder of --explain is a file, or lies where the next call would score its pictures."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--explain: expected a folder, got the file {folder}")
    for path in paths:
        if path.is_dir() and folder.resolve().is_relative_to(path.resolve()):
            raise UserError(f"--explain {folder} lies in {path}, which is scored; choose a folder outside it")


def find_files(paths):
    """The images and videos that `paths` name, folders searched through; UserError for a missing path or no file."""
    files = []
    for path in paths:
        if not path.exists():
            raise UserError(f"no such file or folder: {path}")
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        files += [file for file in found if file == path or file.suffix.lower() in IMAGE_SUFFIXES + VIDEO_SUFFIXES]
    if not files:
        raise UserError(f"no image or video in {', '.join(map(str, paths)) or 'an empty list of paths'}")
    return files


def _face_finder(faces):
    """A function from an image to the face crop that the training data would have had, or None."""
    from common.faces.detection import Face, crop, make_detector, pick

    if (faces.get("faces") or "none") == "none":
        return lambda image: crop(image, Face(0, 0, image.shape[1], image.shape[0], 1.0), faces.get("size"))

    detector = make_detector(faces["faces"])
    one = "largest" if faces["pick"] == "largest" else "best"  # of several faces a picture's score shows one

    def find(image):
        found = pick(detector.detect(image), one, faces["min_confidence"])
        return crop(image, found[0], faces["size"], faces["margin"]) if found else None

    return find


if __name__ == "__main__":
    run_main(main)
