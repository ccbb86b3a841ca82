"""A PNG for each scored file: the face that the network saw, and what speaks for the verdict."""

import os
from collections.abc import Sequence
from pathlib import Path

from common.detectors.explain import Explainer, draw
from common.detectors.scoring import Faces, Scorer, Scores
from common.detectors.store import Detector
from common.files import short_name
from common.labels import WORDS


class Explanations:
    """Writes PNGs into a folder; sub-folders are those that the files have relative to each other.

    Args:
        scorer: gives the verdicts.
        detector: the same one, loaded once more: explaining changes it.
        folder: for the PNGs.
        files: all files that are scored.

    Attributes:
        written: the number of PNGs so far.
    """

    def __init__(self, scorer: Scorer, detector: Detector, folder: Path, files: Sequence[Path]) -> None:
        self.written = 0
        self._scorer, self._folder = scorer, folder
        self._explainer = Explainer(detector)
        self._root = Path(os.path.commonpath([file.resolve().parent for file in files]))

    def write(self, file: Path, faces: Faces, scores: Scores, number: int | None = None) -> Path:
        """Explain the verdict on a file's face; for a video, on its most suspicious one.

        Args:
            file: the picture or video.
            faces: of the file, at least one.
            scores: of the faces.
            number: of the face, if the file has a PNG for each of several.

        Returns:
            The PNG.
        """
        highest = int(scores.values.argmax())
        score, frame, name = scores.values[highest], faces.frames[highest], self._scorer.description.name
        verdict = self._scorer.verdict(score)
        explanation = self._explainer.explain(
            self._scorer.scale_pixels(faces.pixels[[highest]])[0], WORDS.index(verdict)
        )
        title = f"{file.name}: {verdict}, score {score:.3f} by {name}"
        if frame is not None:
            title = f"{file.name}, frame {frame}: {verdict}, score {score:.3f}\n"
            title += f"the highest of {len(faces)} faces, whose mean is {scores.mean:.3f}, by {name}"
        if scores.is_far:
            title += "\nfar from the training images: the score means nothing"
        path = self._folder / file.resolve().relative_to(self._root)
        ending = ".png" if number is None else f"-face{number}.png"
        path = path.with_name(short_name(path.name, ending))  # the suffix stays: a folder can have both a.jpg and a.mp4
        draw(path, faces.pixels[highest], explanation, title, self._explainer.caption(explanation))
        self.written += 1
        return path
