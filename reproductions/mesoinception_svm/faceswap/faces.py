"""Faces cut out of pictures, and put back into them: the square around a face, its mask, and its colours."""

from dataclasses import dataclass

import cv2
import numpy as np

from common.faces.detection import Face, make_detector, pick

ENLARGEMENT = 1.2  # side of the square, in sides of the detector's box
CENTRE, RADII = (0.5, 0.56), (0.33, 0.4)  # of the ellipse that is swapped, in sides of the square
MEAN, DEVIATION = 0.5, 0.18  # of the channels of a standardised face, under the mask
FEATHER = 0.05  # standard deviation of the mask's edge, in sides of the square


@dataclass(frozen=True)
class Square:
    """The square around a face, in pixels of its picture; it may reach over the picture's edges."""

    left: float
    top: float
    side: float


class FaceFinder:
    """Finds the face of a picture.

    Args:
        faces: a detector of common.faces, or `none` if each picture is a face already.
    """

    def __init__(self, faces: str) -> None:
        self._detector = None if faces == "none" else make_detector(faces)
        self.enlargement = 1.0 if faces == "none" else ENLARGEMENT

    def find(self, picture: np.ndarray) -> Face | None:
        """Return the most certain face of a picture, uint8 RGB (height, width, 3); None if there is none."""
        if self._detector is None:
            return Face(0, 0, picture.shape[1], picture.shape[0], 1.0)
        return next(iter(pick(self._detector.detect(picture))), None)


def square_around(face: Face, enlargement: float) -> Square:
    """Return the square around a face whose side is the longer of its box, enlarged."""
    side = max(face.width, face.height) * enlargement
    return Square(face.x + (face.width - side) / 2, face.y + (face.height - side) / 2, side)


def cut_face(picture: np.ndarray, square: Square, size: int) -> np.ndarray:
    """Return the square as an image, uint8 (size, size, 3); beyond the picture its edge is repeated."""
    method = cv2.INTER_AREA if square.side > size else cv2.INTER_LINEAR
    left, top, side = (round(value) for value in (square.left, square.top, square.side))
    reach = [max(0, -top), max(0, top + side - picture.shape[0]), max(0, -left), max(0, left + side - picture.shape[1])]
    padded = cv2.copyMakeBorder(picture, *reach, cv2.BORDER_REPLICATE)
    top, left = top + reach[0], left + reach[2]
    return cv2.resize(padded[top : top + side, left : left + side], (size, size), interpolation=method)


def paste_face(picture: np.ndarray, square: Square, face: np.ndarray) -> np.ndarray:
    """Return the picture with another face in the square.

    The face takes the colours of the picture under the mask, and is blended with a soft edge.

    Args:
        picture: uint8 RGB (height, width, 3).
        square: where the face belongs.
        face: float RGB (size, size, 3) in [0, 255].
    """
    left, top, side = (round(value) for value in (square.left, square.top, square.side))
    large = cv2.resize(np.clip(face, 0, 255).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    mask, under = face_mask(side), cut_face(picture, square, side).astype(np.float32)
    blended = under + mask[..., None] * (match_colours(large, under, mask) - under)
    result = picture.copy()
    rows, columns = slice(max(top, 0), top + side), slice(max(left, 0), left + side)
    shown = result[rows, columns]
    inside = blended[max(0, -top) :, max(0, -left) :][: shown.shape[0], : shown.shape[1]]
    shown[:] = np.clip(np.round(inside), 0, 255).astype(np.uint8)
    return result


def face_mask(size: int) -> np.ndarray:
    """Return the soft ellipse that is swapped, from the brows to the chin, float32 (size, size) in [0, 1]."""
    mask = np.zeros((size, size), np.float32)
    centre = [round(share * size) for share in CENTRE]
    cv2.ellipse(mask, centre, [round(share * size) for share in RADII], 0, 0, 360, 1, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(mask, (0, 0), FEATHER * size)


def standardize(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give faces one mean and one standard deviation in each channel, under the mask: skin and light of all are alike.

    Args:
        faces: uint8 (n, size, size, 3).

    Returns:
        (faces, float32 (n, size, size, 3) in [0, 1]; what they were, in [0, 255]: mean and deviation, (n, 1, 1, 3)).
    """
    inside = faces[:, face_mask(faces.shape[1]) > 0.5].astype(np.float32)  # (n, pixels, 3)
    mean, deviation = inside.mean(axis=1)[:, None, None], np.maximum(inside.std(axis=1), 1.0)[:, None, None]
    return np.clip(MEAN + DEVIATION * (faces - mean) / deviation, 0, 1), mean, deviation


def restore_colours(faces: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Undo `standardize`: faces in [0, 1] -> float32 in [0, 255]."""
    return np.clip((faces - MEAN) / DEVIATION * deviation + mean, 0, 255)


def match_colours(face: np.ndarray, reference: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Give a face the mean and standard deviation of another in each channel of CIE Lab, under a mask.

    Reinhard et al. 2001, doi:10.1109/38.946629, which has another opponent space.

    Args:
        face: float32 RGB (h, w, 3) in [0, 255].
        reference: likewise.
        mask: float32 (h, w) in [0, 1].

    Returns:
        float32 RGB (h, w, 3) in [0, 255].
    """
    ours, theirs = (cv2.cvtColor(np.clip(image, 0, 255) / 255, cv2.COLOR_RGB2LAB) for image in (face, reference))
    chosen = mask > 0.5
    deviation, wanted = ours[chosen].std(axis=0), theirs[chosen].std(axis=0)
    gain = np.clip(wanted / (deviation + 1e-3), 0.5, 2.0)  # a beard is no reason to stretch the skin of another
    matched = (ours - ours[chosen].mean(axis=0)) * gain + theirs[chosen].mean(axis=0)
    return np.clip(cv2.cvtColor(matched.astype(np.float32), cv2.COLOR_LAB2RGB) * 255, 0, 255)
