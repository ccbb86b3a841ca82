"""Where a picture is cropped before a detector scores it: as its training images were.

A detector's description says how: by which face detector and flags, or, if its data were face crops to begin with,
where the face is in these crops (`framing`) and how large they are (`crop_size`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from common.faces.detection import Face, crop, make_detector, pick, resize

NONE, MTCNN = "none", "mtcnn"
FILLED = 0.75  # a face with this share of its height in training, or more, fills the picture: it is a crop already
SQUEEZED = 0.03  # a larger change of the ratio of width to height is reported


@dataclass(frozen=True)
class Framing:
    """Position and size of the face in crops whose detector is not known, measured with MTCNN.

    Args:
        height: median height of the box, as a share of the crop's.
        x: median centre of the box, as a share of the crop's width.
        y: likewise, of the height.
    """

    height: float
    x: float
    y: float


TIGHT = Framing(1.0, 0.5, 0.5)  # if nothing is known: a box as high as the face, in the ratio of the training images
MESONET = Framing(0.82, 0.5, 0.43)  # the two of its test images that its authors publish, 256 and 342 px


@dataclass(frozen=True)
class Crop:
    """A part of a picture.

    Args:
        pixels: uint8 RGB (h, w, 3).
        face: what was found there; None if the whole picture is taken.
    """

    pixels: np.ndarray
    face: Face | None = None


class FaceCropper:
    """Crops the faces of pictures for one detector.

    Args:
        faces: of the detector's description; empty if nothing is known.
        detector: `none`, `haar` or `mtcnn` instead of the one that the training data had; None: that one, and MTCNN for
            pictures larger than a crop if the training data were crops.
        which: `best`, `largest` or `all`; None: as in the training data, one face a picture.
    """

    def __init__(self, faces: Mapping[str, Any], detector: str | None = None, which: str | None = None) -> None:
        self._faces = dict(faces)
        self._framing = Framing(**faces["framing"]) if faces.get("framing") else TIGHT
        self._of_training = faces.get("faces") or NONE
        self._only_larger = detector is None and self._of_training == NONE and bool(faces.get("framing"))
        self.name = detector or (MTCNN if self._only_larger else self._of_training)
        self._which = which or ("largest" if faces.get("pick") == "largest" else "best")
        self._detector: Any = None

    def __call__(self, image: np.ndarray) -> list[Crop]:
        """Return the crops of a picture, the most confident face first.

        Args:
            image: uint8 RGB (height, width, 3).

        Returns:
            One Crop, or with `all` one for each face; empty if no face is found.
        """
        if self.name == NONE or (self._only_larger and not self._is_larger(image)):
            return [Crop(self._resize(image))]
        image = resize(image, self._faces.get("rescale")) if self._of_training != NONE else image
        self._detector = self._detector or make_detector(self.name)  # MTCNN takes seconds: only if it is needed
        least = self._faces.get("min_confidence") if self.name == self._of_training else None  # of another scale
        found = pick(self._detector.detect(image), self._which, least)
        return [self._crop(image, face) for face in found]

    def describe(self) -> str:
        """Return in words what is done, for the user."""
        if self.name == NONE:
            return "faces: none is looked for, each picture is scored whole (--faces mtcnn finds faces)"
        if self._only_larger:
            height, width = self._faces.get("crop_size") or (0, 0)
            return (
                f"faces: the training images are face crops, so MTCNN finds faces in pictures larger than "
                f"{width:.0f}x{height:.0f}; smaller ones are scored whole (--faces none: all of them)"
            )
        return (
            f"faces: found by {self.name}{'' if self.name == self._of_training else ', which was not used in training'}"
        )

    def squeeze(self, shape: tuple[int, ...]) -> float:
        """Return by what a whole picture's ratio of width to height differs from the training images' ratio.

        Args:
            shape: (height, width, ...) of the picture.

        Returns:
            A factor, 1 or more; the training images are taken for square if their size is not known.
        """
        factor = (shape[1] / shape[0]) / self.ratio
        return max(factor, 1 / factor)

    @property
    def ratio(self) -> float:
        """Width by height of the training images, before the network's own resizing."""
        height, width = self._faces.get("crop_size") or (1, 1)
        return width / height

    def _is_larger(self, image):
        return any(
            side > limit for side, limit in zip(image.shape, self._faces.get("crop_size") or (0, 0), strict=False)
        )

    def _crop(self, image, face):
        if self._of_training != NONE:
            return Crop(crop(image, face, self._faces.get("size"), self._faces.get("margin") or 0), face)
        fills = face.height >= FILLED * self._framing.height * image.shape[0]
        whole = fills and self.squeeze(image.shape) <= 1 + SQUEEZED
        return Crop(self._resize(image if whole else self._cut(image, face)), face)

    def _resize(self, pixels):
        """Resize as data_prep did that looked for no face."""
        return resize(resize(pixels, self._faces.get("rescale")), self._faces.get("size"))

    def _cut(self, image, face):
        """Cut out the part in which the face lies as in the training images; inside the picture, in their ratio."""
        height = face.height / self._framing.height
        height = min(height, image.shape[0], image.shape[1] / self.ratio)
        width = height * self.ratio
        left = face.x + face.width / 2 - self._framing.x * width
        top = face.y + face.height / 2 - self._framing.y * height
        left = round(min(max(left, 0), image.shape[1] - width))
        top = round(min(max(top, 0), image.shape[0] - height))
        return image[top : top + max(round(height), 1), left : left + max(round(width), 1)]
