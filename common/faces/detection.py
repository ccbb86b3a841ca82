"""Face detectors behind one small surface, the choice among the faces found, and the crop."""

import importlib.metadata
from dataclasses import dataclass

import numpy as np

from common.errors import UserError

MTCNN_PIXELS = 4_000_000  # of the frames that MTCNN looks at together: more are not faster, and take memory


@dataclass(frozen=True)
class Face:
    """A box in pixels: x, y of its upper left corner, width, height; and the detector's confidence, larger is surer."""

    x: float
    y: float
    width: float
    height: float
    confidence: float


class HaarDetector:
    """OpenCV's frontal-face cascade (Viola and Jones 2001, 10.1109/CVPR.2001.990517): scaleFactor 1.05, minNeighbors 6.

    These are the values of Algorithm 1 of Kanwal et al. 2022. The confidence is the last stage's level weight, a sum
    without a scale: the surest box by it is the face more often than the largest box (36 against 31 of 36 Celeb-DF
    frames where the cascade fires more than once).
    """

    name = "haar"

    def __init__(self):
        import cv2

        self.version = detector_version(self.name)
        self._cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
        if self._cascade.empty():  # OpenCV says nothing about a missing file
            raise UserError("OpenCV came without its face cascade: pip install 'opencv-python-headless>=4.10,<5'")

    def detect(self, image):
        """Return the faces of a uint8 RGB image (height, width, 3), surest first; ValueError on another array."""
        import cv2

        _check(image)
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        boxes, _, weights = self._cascade.detectMultiScale3(
            grey, scaleFactor=1.05, minNeighbors=6, outputRejectLevels=True
        )
        return _sorted(Face(*map(int, box), float(weight)) for box, weight in zip(boxes, weights, strict=True))

    def detect_batch(self, images):
        """Return a list of faces, as of `detect`, for each of any number of images of one shape."""
        _check_batch(images)
        return [self.detect(image) for image in images]


class MtcnnDetector:
    """MTCNN (Zhang et al. 2016, 10.1109/LSP.2016.2603342) as in the package mtcnn; confidence is a probability.

    It finds what the package's detect_faces finds, faces of 20 pixels and more, and the boxes are the package's before
    it rounds them. A failure of TensorFlow's is an error here, not `no faces`.
    """

    name = "mtcnn"

    def __init__(self):
        from common.faces.mtcnn import Cascade

        self.version = detector_version(self.name)
        self._cascade = Cascade()

    def detect(self, image):
        """Return the faces of a uint8 RGB image (height, width, 3), surest first; ValueError on another array."""
        return self.detect_batch([image])[0]

    def detect_batch(self, images):
        """Return a list of faces, as of `detect`, for each of any number of images of one shape."""
        _check_batch(images)
        height, width = images[0].shape[:2] if len(images) else (1, 1)
        count = max(MTCNN_PIXELS // (height * width), 1)
        found = []
        for start in range(0, len(images), count):
            found += self._cascade.boxes(np.stack(images[start : start + count]))
        return [_faces(boxes, *image.shape[:2]) for boxes, image in zip(found, images, strict=True)]


DETECTORS = {"haar": HaarDetector, "mtcnn": MtcnnDetector}
PICKS = ("best", "largest", "all")


def make_detector(name):
    """Return the detector `haar` or `mtcnn`.

    Attributes name and version; methods detect(image) -> list of Face, detect_batch(images) -> list of such lists.
    """
    if name not in DETECTORS:
        raise UserError(f"expected a detector of {', '.join(DETECTORS)}, got {name!r}")
    return DETECTORS[name]()


def detector_version(name):
    """The library behind a detector and its version, without loading any network."""
    if name == "haar":
        import cv2

        return f"opencv {cv2.__version__}"
    return f"{name} {importlib.metadata.version(name)}"


def pick(faces, which="best", min_confidence=None):
    """Return the list of faces to use: the surest, the largest, or all of those with at least min_confidence."""
    if which not in PICKS:
        raise UserError(f"expected a choice of {', '.join(PICKS)}, got {which!r}")
    if min_confidence is not None:
        faces = [face for face in faces if face.confidence >= min_confidence]
    if which == "all" or not faces:
        return list(faces)
    return [max(faces, key=_area if which == "largest" else lambda face: (face.confidence, _area(face)))]


def crop(image, face, size=None, margin=0):
    """Return the face as a uint8 RGB array (size, size, 3), or in its own size (height, width, 3) without a size.

    `margin` is in pixels of the output, as in facenet-pytorch's extract_face: the box grows by
    margin * width / (size - margin) in width, and likewise in height, half of it on each side, and is clipped to the
    image. Margin 0 is the plain box.
    """
    from PIL import Image

    _check(image)
    check_crop(size, margin)
    grow = margin / (size - margin) / 2 if margin else 0
    left = max(int(face.x - grow * face.width), 0)
    top = max(int(face.y - grow * face.height), 0)
    right = min(int(face.x + face.width + grow * face.width), image.shape[1])
    bottom = min(int(face.y + face.height + grow * face.height), image.shape[0])
    if right <= left or bottom <= top:
        raise ValueError(f"the box {face} lies outside of the {image.shape[1]}x{image.shape[0]} image")
    cut = image[top:bottom, left:right]
    if size is None:
        return cut
    return np.asarray(Image.fromarray(cut).resize((size, size), Image.Resampling.BILINEAR))


def check_crop(size, margin):
    """Raise UserError unless 0 <= margin < size, where a margin needs a size."""
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


def _faces(boxes, height, width):
    """Faces of rows x1, y1, x2, y2, confidence (N, 5), cut to the image; those that lie outside are left out."""
    left, top, right, bottom, confidence = boxes.clip(0, [width, height, width, height, 1]).T
    columns = np.stack([left, top, right - left, bottom - top, confidence], axis=1)
    return _sorted(Face(*row) for row in columns.tolist() if row[2] >= 1 and row[3] >= 1)


def _area(face):
    return face.width * face.height


def _sorted(faces):
    return sorted(faces, key=lambda face: (-face.confidence, -_area(face), face.y, face.x))
