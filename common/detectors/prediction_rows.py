"""The CSV of predict: a row for each file, or each face of a picture, and on request a row for each face of a video."""

import csv
from pathlib import Path
from typing import TextIO

from common.detectors.scoring import UNKNOWN, Faces, Scorer, Scores
from common.spreadsheets import escape_formula

COLUMNS = ("path", "score", "verdict", "spread", "faces", "frames", "box", "warning")
FRAME_COLUMNS = ("path", "frame", "score", "verdict", "box")
NO_FACE, UNREADABLE = "no face", "unreadable"
FAR = "far from the training images"
DRAWN = "trained on drawn faces"


class PredictionRows:
    """Writes the rows.

    Args:
        scorer: gives the verdicts; None: there will be none, no file can be read.
        output: for a row for each file.
        frames: for a row for each face; None: not asked for.
    """

    def __init__(self, scorer: Scorer | None, output: TextIO, frames: TextIO | None = None) -> None:
        self._scorer, self._output = scorer, output
        self._rows = csv.DictWriter(output, COLUMNS, restval="", lineterminator="\n")
        self._frames = None if frames is None else csv.writer(frames, lineterminator="\n")
        self._rows.writeheader()
        if self._frames:
            self._frames.writerow(FRAME_COLUMNS)

    def add_unreadable(self, file: Path, reason: str) -> None:
        """Add a file that cannot be read."""
        self._write(file, verdict=UNREADABLE, warning=reason)

    def add_faceless(self, file: Path, faces: Faces) -> None:
        """Add a file in which no face was found."""
        self._write(file, verdict=NO_FACE, faces=0, frames=faces.looked_at)

    def add(self, file: Path, faces: Faces, scores: Scores) -> None:
        """Add one row for all given faces of a file.

        Args:
            file: the picture or video.
            faces: at least one.
            scores: of the faces.
        """
        self._write(
            file,
            score=f"{scores.mean:.6f}",
            verdict=self._verdict(scores),
            spread="" if scores.spread is None else f"{scores.spread:.6f}",
            faces=len(faces),
            frames=faces.looked_at,
            box=_box(faces.boxes[0]) if faces.frames == [None] else "",
            warning="; ".join(self._warnings(faces, scores)),
        )
        if self._frames is None:
            return
        for place, (frame, box) in enumerate(zip(faces.frames, faces.boxes, strict=True)):
            one = scores.select([place])
            cells = ("" if frame is None else frame, f"{one.mean:.6f}", self._verdict(one), _box(box))
            self._frames.writerow([escape_formula(str(cell)) for cell in (file, *cells)])

    def _write(self, file: Path, **cells: object) -> None:
        """Write one row; other cells are empty."""
        self._rows.writerow({name: escape_formula(str(cell)) for name, cell in {"path": file, **cells}.items()})
        self._output.flush()

    def _verdict(self, scores):
        return UNKNOWN if scores.is_far else self._scorer.verdict(scores.mean)

    def _warnings(self, faces, scores):
        drawn = DRAWN if self._scorer.description.drawn_data else ""
        far = f"{FAR}: {float(scores.distances.max()):.3g} times the limit" if scores.is_far else ""
        return [warning for warning in (drawn, far, faces.squeezed) if warning]


def _box(face):
    """The box as `x y width height`, in whole pixels; empty for a whole picture."""
    return "" if face is None else f"{face.x:.0f} {face.y:.0f} {face.width:.0f} {face.height:.0f}"
