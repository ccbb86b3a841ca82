"""Score a picture or a video with a stored detector: its face is found and cropped as the training data were."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from common.data.decoding import VIDEO_SUFFIXES, read_image
from common.data.videos import read_frames
from common.faces.detection import crop, make_detector, pick, resize
from common.labels import FAKE, REAL, WORDS
from common.tensorflow_import import import_tensorflow

FRAMES = 10  # of a video


@dataclass(frozen=True)
class Faces:
    """The faces of one file.

    Args:
        pixels: uint8 (n, S, S, 3), as the network sees them before scaling.
        frames: the index of each face's frame in the video; None for a picture.
    """

    pixels: np.ndarray
    frames: list[int | None]


class Scorer:
    """Scores files with one detector of one run.

    Args:
        run: the run's folder.
        model: the name of a detector; None: the one that the paper proposes.

    Attributes:
        description: what models/<name>.json says of the detector.

    Raises:
        UserError: if the folder is no run, or has no such model, or the model is damaged.
    """

    def __init__(self, run: Path, model: str | None = None) -> None:
        import_tensorflow()
        from common.data.pipeline import Preprocessing
        from common.detectors import store

        self._detector = store.load(run, model)
        self.description = self._detector.description
        self._preprocessing = Preprocessing(**self.description.preprocessing)
        self._find_face = make_face_finder(self.description.faces)

    def faces(self, file: Path, frames: int = FRAMES) -> Faces | None:
        """Find the faces of a file.

        Args:
            file: a picture, or a video by its suffix.
            frames: of a video to look at, evenly spaced.

        Returns:
            One face for each picture or frame that has one; None if there is none.

        Raises:
            Unreadable: if the file cannot be read.
        """
        is_video = file.suffix.lower() in VIDEO_SUFFIXES
        pixels, indices = [], []
        for index, image in read_frames(file, frames) if is_video else [(None, read_image(file))]:
            face = self._find_face(image)
            if face is not None:
                pixels.append(np.asarray(self._preprocessing.resize_image(face)))
                indices.append(index)
        return Faces(np.stack(pixels), indices) if pixels else None

    def scale_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """Bring faces, uint8 (n, S, S, 3), to the network's range, float32 (n, S, S, 3)."""
        return np.asarray(self._preprocessing.scale_pixels(pixels))

    def scores(self, pixels: np.ndarray) -> np.ndarray:
        """Return the scores of faces.

        Args:
            pixels: uint8 (n, S, S, 3), as of `faces`.

        Returns:
            float64 (n,) in [0, 1]; grows with P(fake).
        """
        return self._detector.score(self.scale_pixels(pixels), len(pixels))

    def verdict(self, score: float) -> str:
        """Return `fake` if a score reaches the detector's threshold, else `real`."""
        return WORDS[FAKE if score >= self.description.threshold else REAL]


def make_face_finder(faces: dict[str, Any]) -> Callable[[np.ndarray], np.ndarray | None]:
    """Return a function that crops the face of an image as the training data were cropped.

    Args:
        faces: the flags of data_prep: faces, rescale, size, margin, min_confidence, pick. None for each if they are not
            known: the whole picture is used.

    Returns:
        A function of uint8 RGB (height, width, 3) -> uint8 RGB (h, w, 3), or None if there is no face.
    """
    rescale = faces.get("rescale")  # detectors of earlier versions have none
    if (faces.get("faces") or "none") == "none":
        return lambda image: resize(resize(image, rescale), faces.get("size"))

    detector = make_detector(faces["faces"])
    which = "largest" if faces["pick"] == "largest" else "best"  # a picture's score is that of one face

    def find_face(image):
        image = resize(image, rescale)
        chosen = pick(detector.detect(image), which, faces["min_confidence"])
        return crop(image, chosen[0], faces["size"], faces["margin"]) if chosen else None

    return find_face
