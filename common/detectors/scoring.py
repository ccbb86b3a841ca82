"""Score a picture or a video with a detector: its faces are found and cropped as the training data were."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.data.decoding import VIDEO_SUFFIXES, read_image
from common.data.videos import Sampling, read_clip
from common.faces.cropping import SQUEEZED, FaceCropper
from common.faces.detection import Face
from common.labels import FAKE, REAL, WORDS
from common.tensorflow_import import import_tensorflow

if TYPE_CHECKING:
    from common.detectors.store import Detector

FRAMES = 10  # of a video
UNKNOWN = "unknown"  # the verdict on what is far from the training images


@dataclass(frozen=True)
class Faces:
    """The faces of one file.

    Args:
        pixels: uint8 (n, S, S, 3), as the network sees them before scaling; n is 0 without a face.
        frames: the index of each face's frame in the video; None for a picture.
        boxes: what was found; None for each picture or frame that is taken whole.
        looked_at: the number of pictures or frames.
        squeezed: how a whole picture's ratio of width to height was changed, in words; empty if it was not.
    """

    pixels: np.ndarray
    frames: list[int | None] = field(default_factory=list)
    boxes: list[Face | None] = field(default_factory=list)
    looked_at: int = 1
    squeezed: str = ""

    def __len__(self) -> int:
        return len(self.frames)

    def select(self, places: list[int]) -> "Faces":
        """Return some of the faces."""
        frames = [self.frames[place] for place in places]
        boxes = [self.boxes[place] for place in places]
        return Faces(self.pixels[places], frames, boxes, self.looked_at, self.squeezed)


@dataclass(frozen=True)
class Scores:
    """What a detector says of faces.

    Args:
        values: scores, float64 (n,) in [0, 1]; they grow with P(fake).
        distances: from the training images, (n,); above 1 a score means nothing. None if the detector was stored
            without a summary of them.
    """

    values: np.ndarray
    distances: np.ndarray | None = None

    def select(self, places: list[int]) -> "Scores":
        """Return some of the scores."""
        return Scores(self.values[places], None if self.distances is None else self.distances[places])

    @property
    def mean(self) -> float:
        """The mean score, which is that of a video."""
        return float(self.values.mean())

    @property
    def spread(self) -> float | None:
        """The standard deviation of the scores; None for a single one."""
        return float(self.values.std(ddof=1)) if len(self.values) > 1 else None

    @property
    def is_far(self) -> bool:
        """Whether more than half of the faces are beyond the limit."""
        return self.distances is not None and float(np.mean(self.distances > 1)) > 0.5


class Scorer:
    """Scores files with one detector.

    Args:
        detector: stored with a run, or published.
        cropper: finds the faces; None: as in the training data.

    Attributes:
        description: of the detector.
    """

    def __init__(self, detector: "Detector", cropper: FaceCropper | None = None) -> None:
        import_tensorflow()
        from common.data.pipeline import Preprocessing
        from common.detectors.novelty import Describer

        self._detector = detector
        self.description = detector.description
        self.cropper = cropper or FaceCropper(detector.description.faces)
        self._preprocessing = Preprocessing(**self.description.preprocessing)
        self._describer = None
        if detector.summary is not None:
            self._describer = Describer(detector.network, detector.classifier is not None)

    def faces(self, file: Path, frames: int = FRAMES) -> Faces:
        """Find the faces of a file.

        Args:
            file: a picture, or a video by its suffix.
            frames: of a video to look at, evenly spaced.

        Returns:
            The faces; with the cropper's `all` several of a picture, otherwise one at most.

        Raises:
            Unreadable: if the file cannot be read.
        """
        if file.suffix.lower() in VIDEO_SUFFIXES:
            return read_clip(file, Sampling(count=frames), self._collect)
        return self._collect(iter([(None, read_image(file))]))

    def scale_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """Bring faces, uint8 (n, S, S, 3), to the network's range, float32 (n, S, S, 3)."""
        return np.asarray(self._preprocessing.scale_pixels(pixels))

    def scores(self, pixels: np.ndarray) -> Scores:
        """Return the scores of faces, uint8 (n, S, S, 3), as of `faces`."""
        images = self.scale_pixels(pixels)
        values = self._detector.score(images, len(images))
        if self._detector.summary is None or self._describer is None:
            return Scores(values)
        return Scores(values, self._detector.summary.distances(self._describer([images], len(images))))

    def verdict(self, score: float) -> str:
        """Return `fake` if a score reaches the detector's threshold, else `real`."""
        return WORDS[FAKE if score >= self.description.threshold else REAL]

    def _collect(self, images: Iterator[tuple[int | None, np.ndarray]]) -> Faces:
        """Crop the faces of pairs (index of the frame, image); one image is in memory at a time."""
        pixels, frames, boxes, looked_at, squeezed = [], [], [], 0, ""
        for index, image in images:
            looked_at += 1
            for crop in self.cropper(image):
                pixels.append(np.asarray(self._preprocessing.resize_image(crop.pixels)))
                frames.append(index)
                boxes.append(crop.face)
                squeezed = squeezed or self._squeezed(image, crop.face)
        size = self._preprocessing.size
        stacked = np.stack(pixels) if pixels else np.zeros((0, size, size, 3), np.uint8)
        return Faces(stacked, frames, boxes, looked_at, squeezed)

    def _squeezed(self, image, face):
        factor = self.cropper.squeeze(image.shape)
        if face is not None or factor <= 1 + SQUEEZED:
            return ""
        ratio = image.shape[1] / image.shape[0]
        return f"aspect ratio: width / height is {ratio:.2f}, of the training images {self.cropper.ratio:.2f}"
