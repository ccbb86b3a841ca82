"""Crops of pictures whose faces are known: a detector that finds given boxes, for training data of each kind."""

from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest

from common.faces import cropping
from common.faces.cropping import FaceCropper, Framing
from common.faces.detection import Face

CROPS = {"faces": "none", "framing": asdict(Framing(0.5, 0.5, 0.6)), "crop_size": [100, 100]}
UNKNOWN = dict.fromkeys(("faces", "size", "margin", "min_confidence", "pick"))


@pytest.fixture
def found(monkeypatch):
    """A list: the faces that every detector finds. Its attribute names the detectors that were made."""

    class Found(list):
        made: list[str] = []

    faces = Found()
    faces.made = []

    def make(name):
        faces.made.append(name)
        return SimpleNamespace(detect=lambda image: list(faces))

    monkeypatch.setattr(cropping, "make_detector", make)
    return faces


def picture(height, width):
    """Each pixel is (its row, its column, 0), so that a crop says where it comes from."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows % 256, columns % 256, 0 * rows], axis=2).astype(np.uint8)


def test_a_picture_no_larger_than_a_crop_is_taken_whole_and_no_detector_is_loaded(found):
    (whole,) = FaceCropper(CROPS)(picture(100, 90))
    assert whole.face is None and whole.pixels.shape == (100, 90, 3) and found.made == []


def test_a_face_in_a_larger_picture_lies_as_in_the_training_crops(found):
    """The box is 40 high, half of the crop's 80; its centre (120, 100) is at 0.5 of the width and 0.6 of the height."""
    found.append(Face(100, 80, 40, 40, 1.0))
    (crop,) = FaceCropper(CROPS)(picture(200, 250))
    assert found.made == ["mtcnn"] and crop.pixels.shape == (80, 80, 3)
    assert crop.pixels[0, 0].tolist() == [100 - 48, 120 - 40, 0]


@pytest.mark.parametrize("box", [(0, 0), (210, 0), (0, 160), (210, 160)])
def test_at_the_border_the_crop_stays_inside_and_square(found, box):
    found.append(Face(*box, 40, 40, 1.0))
    (crop,) = FaceCropper(CROPS)(picture(200, 250))
    assert crop.pixels.shape == (80, 80, 3)


def test_a_crop_larger_than_the_picture_is_its_largest_square(found):
    found.append(Face(60, 20, 150, 160, 1.0))
    (crop,) = FaceCropper(CROPS)(picture(200, 250))
    assert crop.pixels.shape == (200, 200, 3)


def test_crops_have_the_ratio_of_the_training_crops(found):
    found.append(Face(100, 80, 40, 40, 1.0))
    (crop,) = FaceCropper(CROPS | {"crop_size": [100, 50]})(picture(200, 250))
    assert crop.pixels.shape == (80, 40, 3)


def test_a_face_that_fills_the_picture_as_in_training_is_a_crop_already(found):
    found.append(Face(120, 150, 150, 190, 1.0))  # 190 of 400 rows; 0.5 in training
    (crop,) = FaceCropper(CROPS)(picture(400, 400))
    assert crop.pixels.shape == (400, 400, 3)


def test_a_larger_picture_without_a_face_has_no_crop(found):
    assert FaceCropper(CROPS)(picture(200, 250)) == []


def test_all_faces_are_crops_of_their_own_if_asked_for(found):
    found += [Face(20, 40, 40, 40, 0.9), Face(150, 40, 60, 60, 0.8)]
    assert [crop.face for crop in FaceCropper(CROPS, which="all")(picture(200, 250))] == list(found)
    assert [crop.face for crop in FaceCropper(CROPS)(picture(200, 250))] == found[:1]
    assert [crop.face for crop in FaceCropper(CROPS, which="largest")(picture(200, 250))] == found[1:]


def test_a_detector_that_is_asked_for_replaces_that_of_the_training(found):
    found.append(Face(20, 40, 40, 50, 0.9))
    haar = {"faces": "haar", "size": 64, "margin": 0, "min_confidence": None, "pick": "best"}
    (crop,) = FaceCropper(haar, "mtcnn")(picture(200, 250))
    assert found.made == ["mtcnn"] and crop.pixels.shape == (64, 64, 3)
    assert "not used in training" in FaceCropper(haar, "mtcnn").describe()
    (whole,) = FaceCropper(CROPS, "none")(picture(200, 250))
    assert whole.pixels.shape == (200, 250, 3)
    (box,) = FaceCropper(UNKNOWN, "haar")(picture(200, 250))
    assert box.pixels.shape == (50, 50, 3), "square, since nothing is known of the training images"
    (small,) = FaceCropper(CROPS, "haar")(picture(80, 80))
    assert small.face == found[0], "asked for, so it is looked for in small pictures too"


def test_the_least_confidence_is_that_of_the_detector_of_the_training(found):
    """Haar's confidence is a sum, MTCNN's a probability."""
    found.append(Face(20, 40, 40, 50, 0.99))
    haar = {"faces": "haar", "size": 64, "margin": 0, "min_confidence": 4.0, "pick": "best"}
    assert FaceCropper(haar)(picture(200, 250)) == []
    assert len(FaceCropper(haar, "mtcnn")(picture(200, 250))) == 1


@pytest.mark.parametrize(
    ("crop_size", "shape", "factor"),
    [(None, (480, 640), 4 / 3), (None, (640, 480), 4 / 3), ([1080, 1920], (720, 1280), 1.0), ([109, 89], (109, 89), 1)],
)
def test_a_change_of_the_aspect_ratio_is_measured_against_the_training_images(crop_size, shape, factor):
    assert FaceCropper(UNKNOWN | {"crop_size": crop_size}).squeeze((*shape, 3)) == pytest.approx(factor)
