"""Face detectors with one interface, the choice among the faces found, and the crop."""

import importlib.metadata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from PIL import Image

from common.errors import UserError
from common.faces.cascade_process import make_cascade

MTCNN_PIXELS = 4_000_000  # of the frames that MTCNN processes together: more are not faster, and need memory


@dataclass(frozen=True)
class Face:
    """A face in an image.

    Args:
        x: of the box's upper left corner, in pixels.
        y: likewise.
        width: of the box, in pixels.
        height: likewise.
        confidence: the detector's; larger is more certain.
    """

    x: float
    y: float
    width: float
    height: float
    confidence: float


class FaceDetector(Protocol):
    """What every face detector offers.

    Attributes:
        name: `haar` or `mtcnn`.
        version: the library behind it and its version.
    """

    name: str
    version: str

    def detect(self, image: np.ndarray) -> list[Face]:
        """Find the faces of one image.

        Args:
            image: uint8 RGB (height, width, 3).

        Returns:
            The faces, the most confident first.

        Raises:
            ValueError: if the array is no such image.
        """
        ...

    def detect_batch(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """Find the faces of images of one shape.

        Args:
            images: any number, as for `detect`.

        Returns:
            A list of faces for each image.

        Raises:
            ValueError: if an array is no such image, or the shapes differ.
        """
        ...


class HaarDetector:
    """OpenCV's frontal-face cascade (Viola and Jones 2001, 10.1109/CVPR.2001.990517): scaleFactor 1.05, minNeighbors 6.

    These are the values of Algorithm 1 of Kanwal et al. 2022. The confidence is the last stage's level weight, a sum
    without a scale. The box with the highest one is the face more often than the largest box: in 36 against 31 of 36
    Celeb-DF frames in which the cascade finds more than one.
    """

    name = "haar"

    def __init__(self) -> None:
        self.version = detector_version(self.name)
        folder = cv2.data.haarcascades  # type: ignore[attr-defined]
        self._cascade = cv2.CascadeClassifier(f"{folder}haarcascade_frontalface_default.xml")
        if self._cascade.empty():  # OpenCV says nothing about a missing file
            raise UserError("OpenCV has no face cascade: pip install 'opencv-python-headless>=4.10,<5'")

    def detect(self, image: np.ndarray) -> list[Face]:
        """See FaceDetector."""
        _check(image)
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        boxes, _, weights = self._cascade.detectMultiScale3(
            grey, scaleFactor=1.05, minNeighbors=6, outputRejectLevels=True
        )
        faces = []
        for box, weight in zip(boxes, weights, strict=True):
            x, y, width, height = map(int, box)
            faces.append(Face(x, y, width, height, float(weight)))
        return _sorted(faces)

    def detect_batch(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """See FaceDetector."""
        _check_batch(images)
        return [self.detect(image) for image in images]


class MtcnnDetector:
    """MTCNN (Zhang et al. 2016, 10.1109/LSP.2016.2603342) as in the package mtcnn; confidence is a probability.

    It finds what the package's detect_faces finds, faces of 20 pixels and more; the boxes are the package's before it
    rounds them. A failure of TensorFlow is an error here, not `no faces`.
    """

    name = "mtcnn"

    def __init__(self) -> None:
        self.version = detector_version(self.name)
        self.cascade = make_cascade()

    def detect(self, image: np.ndarray) -> list[Face]:
        """See FaceDetector."""
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """See FaceDetector."""
        _check_batch(images)
        height, width = images[0].shape[:2] if len(images) else (1, 1)
        count = max(MTCNN_PIXELS // (height * width), 1)
        found: list[np.ndarray] = []
        for start in range(0, len(images), count):
            found += self.cascade.boxes(np.stack(images[start : start + count]))
        return [faces_from_boxes(boxes, *image.shape[:2]) for boxes, image in zip(found, images, strict=True)]


DETECTORS: dict[str, type[FaceDetector]] = {"haar": HaarDetector, "mtcnn": MtcnnDetector}
PICKS = ("best", "largest", "all")


def make_detector(name: str) -> FaceDetector:
    """Return a face detector.

    Args:
        name: `haar` or `mtcnn`.

    Returns:
        The detector; its networks are loaded.

    Raises:
        UserError: if the name is unknown.
    """
    if name not in DETECTORS:
        raise UserError(f"expected one of the detectors {', '.join(DETECTORS)}, got {name!r}")
    return DETECTORS[name]()


def detector_version(name: str) -> str:
    """Return the library behind a detector and its version, without loading any network."""
    if name == "haar":
        return f"opencv {cv2.__version__}"
    return f"{name} {importlib.metadata.version(name)}"


def pick(faces: Iterable[Face], which: str = "best", min_confidence: float | None = None) -> list[Face]:
    """Choose among the faces of an image.

    Args:
        faces: the faces found.
        which: `best` (the most confident), `largest` or `all`.
        min_confidence: faces below it are ignored; None: none is.

    Returns:
        The chosen faces; empty if there is none.

    Raises:
        UserError: if the choice is unknown.
    """
    if which not in PICKS:
        raise UserError(f"expected one of the choices {', '.join(PICKS)}, got {which!r}")
    faces = [face for face in faces if min_confidence is None or face.confidence >= min_confidence]
    if which == "all" or not faces:
        return faces
    return [max(faces, key=_area if which == "largest" else lambda face: (face.confidence, _area(face)))]


def crop(image: np.ndarray, face: Face, size: int | None = None, margin: int = 0) -> np.ndarray:
    """Cut a face out of an image.

    As in facenet-pytorch's extract_face, the margin is in pixels of the output: the box grows by
    margin * width / (size - margin) in width, and likewise in height, half of it on each side, and is clipped to the
    image.

    Args:
        image: uint8 RGB (height, width, 3).
        face: the box.
        size: of the output, in pixels; None: the box's own size.
        margin: 0: the plain box.

    Returns:
        uint8 RGB (size, size, 3), resized bilinearly, or (box height, box width, 3) without a size.

    Raises:
        ValueError: if the array is no such image, or the box is outside of it.
        UserError: if size and margin do not fit together.
    """
    _check(image)
    check_crop(size, margin)
    grow = margin / (size - margin) / 2 if size and margin else 0
    left = max(int(face.x - grow * face.width), 0)
    top = max(int(face.y - grow * face.height), 0)
    right = min(int(face.x + face.width + grow * face.width), image.shape[1])
    bottom = min(int(face.y + face.height + grow * face.height), image.shape[0])
    if right <= left or bottom <= top:
        raise ValueError(f"the box {face} is outside of the {image.shape[1]}x{image.shape[0]} image")
    cut = image[top:bottom, left:right]
    return resize(cut, size)


def resize(image: np.ndarray, size: int | None) -> np.ndarray:
    """Resize a whole image, bilinearly and antialiased.

    Args:
        image: uint8 RGB (height, width, 3).
        size: of the output, in pixels; None: the image's own size.

    Returns:
        uint8 RGB (size, size, 3); without a size, the image.
    """
    if size is None:
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


def check_crop(size: int | None, margin: int) -> None:
    """Check the size and the margin of a crop.

    Args:
        size: in pixels, or None.
        margin: in pixels of the output.

    Raises:
        UserError: unless 0 <= margin < size; a margin above 0 needs a size.
    """
    if size is not None and size < 1:
        raise UserError(f"expected a size of 1 pixel or more, got {size}")
    if margin < 0 or (margin and (size is None or margin >= size)):
        raise UserError(
            f"a margin is in pixels of the output: expected 0 <= margin < size, got {margin} and size {size}"
        )


def _check(image):
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape[2:] != (3,) or image.size == 0:
        got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ValueError(f"expected a uint8 RGB image (height, width, 3) in 0..255, got {got}")


def _check_batch(images):
    for image in images:
        _check(image)
        if image.shape != images[0].shape:
            raise ValueError(f"expected images of one shape, got {images[0].shape} and {image.shape}")


def faces_from_boxes(boxes: np.ndarray, height: int, width: int) -> list[Face]:
    """Turn rows of boxes into faces, clipped to the image; boxes outside of it are left out.

    Args:
        boxes: (N, 5): x1, y1, x2, y2, confidence.
        height: of the image, in pixels.
        width: likewise.

    Returns:
        The faces, the most confident first.
    """
    left, top, right, bottom, confidence = boxes.clip(0, [width, height, width, height, 1]).T
    columns = np.stack([left, top, right - left, bottom - top, confidence], axis=1)
    return _sorted(Face(*row) for row in columns.tolist() if row[2] >= 1 and row[3] >= 1)


def _area(face):
    return face.width * face.height


def _sorted(faces):
    return sorted(faces, key=lambda face: (-face.confidence, -_area(face), face.y, face.x))
