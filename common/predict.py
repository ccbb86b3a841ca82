"""Score pictures and videos with a trained detector: path,score,verdict as CSV on stdout.

A face is found as it was found in the run's own data, so a detector sees what it was trained on.
"""

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from common.cli import parse, run_main
from common.decoding import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Unreadable, read_image
from common.errors import UserError
from common.labels import FAKE, REAL, WORDS
from common.quiet import import_tensorflow
from common.videos import read_frames

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
    debug: bool = False
    """Show the traceback of an error."""


def main(argv=None):
    options = parse(PredictOptions, argv, prog="python -m common.predict", description=__doc__)
    files = find_files(options.paths)
    if options.frames < 1:
        raise UserError(f"--frames: expected at least 1, got {options.frames}")
    scorer = Scorer(options.run, options.model)
    print(f"model {scorer.description.name} of {options.run}", file=sys.stderr)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("path", "score", "verdict"))
    bad = 0
    for file in files:
        try:
            score = scorer.score_file(file, options.frames)
        except Unreadable as error:
            print(f"{file}: {error}", file=sys.stderr)
            writer.writerow((file, "", UNREADABLE))
            bad += 1
            continue
        writer.writerow((file, "", NO_FACE) if score is None else (file, f"{score:.6f}", scorer.verdict(score)))
        sys.stdout.flush()
    if bad == len(files):
        raise UserError(f"none of {bad} files could be read")


class Scorer:
    """Scores files with one detector of one run."""

    def __init__(self, run, model=None):
        import_tensorflow()
        from common import detectors
        from common.images import Preprocessing

        self._detector = detectors.load(run, model)
        self.description = self._detector.description
        self._preprocessing = Preprocessing(**self.description.preprocessing)
        self._find_face = _face_finder(self.description.faces)

    def score_file(self, file, frames=10):
        """The score in [0, 1] of an image or video, or None if no face is found; Unreadable if it cannot be read."""
        if file.suffix.lower() in VIDEO_SUFFIXES:
            images = [image for _, image in read_frames(file, frames)]
        else:
            images = [read_image(file)]
        return self.score_images(images)

    def score_images(self, images):
        """The mean score of uint8 RGB images (H, W, 3); images without a face are left out, None if none is left."""
        faces = [face for face in map(self._find_face, images) if face is not None]
        if not faces:
            return None
        pixels = [np.asarray(self._preprocessing.resized(face)) for face in faces]
        batch = np.asarray(self._preprocessing.scaled(np.stack(pixels)))
        return float(self._detector.score(batch, len(batch)).mean())

    def verdict(self, score):
        return WORDS[FAKE if score >= self.description.threshold else REAL]


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
    from common.faces import Face, crop, make_detector, pick

    if faces.get("faces", "none") == "none":
        return lambda image: crop(image, Face(0, 0, image.shape[1], image.shape[0], 1.0), faces.get("size"))

    detector = make_detector(faces["faces"])
    one = "largest" if faces["pick"] == "largest" else "best"  # of several faces a picture's score shows one

    def find(image):
        found = pick(detector.detect(image), one, faces["min_confidence"])
        return crop(image, found[0], faces["size"], faces["margin"]) if found else None

    return find


if __name__ == "__main__":
    run_main(main)
