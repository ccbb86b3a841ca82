import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from common.data.decoding import read_image
from common.errors import UserError
from common.faces.detection import Face, HaarDetector, crop, make_detector, pick
from data_prep.drawing.trees import draw_tree

BLANK = np.full((120, 160, 3), 128, dtype=np.uint8)
GRADIENT = np.stack(np.broadcast_arrays(np.arange(210)[:, None], np.arange(250), 7), axis=2).astype(np.uint8)


@pytest.fixture(scope="module")
def portraits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    draw_tree(folder, "swap", 4, seed=3, workers=1)
    return [read_image(path) for path in sorted(folder.rglob("real*.jpg"))]


@pytest.fixture(scope="module")
def mtcnn():
    return make_detector("mtcnn")


def overlap(first, second):
    """Intersection over union of two boxes."""
    width = min(first.x + first.width, second.x + second.width) - max(first.x, second.x)
    height = min(first.y + first.height, second.y + second.height) - max(first.y, second.y)
    common = max(width, 0) * max(height, 0)
    return common / (first.width * first.height + second.width * second.height - common)


def test_haar_gives_the_boxes_of_the_papers_call(portraits):
    import cv2

    detector = make_detector("haar")
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    found = 0
    for image in portraits:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        expected = {tuple(box) for box in cascade.detectMultiScale(grey, scaleFactor=1.05, minNeighbors=6)}
        faces = detector.detect(image)
        assert {(face.x, face.y, face.width, face.height) for face in faces} == expected
        found += len(faces)
    assert found >= len(portraits) - 1


@pytest.mark.slow
def test_mtcnn_finds_the_packages_faces_and_agrees_with_haar(portraits, mtcnn):
    from mtcnn import MTCNN

    package, haar, together = MTCNN(), make_detector("haar"), 0
    for image in portraits:
        faces, expected = mtcnn.detect(image), package.detect_faces(image)
        assert len(faces) == len(expected)
        expected.sort(key=lambda row: -row["confidence"])
        for face, row in zip(faces, expected, strict=True):
            assert overlap(face, Face(*row["box"], 1.0)) > 0.95
            assert face.confidence == pytest.approx(row["confidence"], abs=1e-5)
            assert all(type(value) is float for value in vars(face).values())
        boxes = haar.detect(image)
        together += bool(faces and boxes and overlap(faces[0], boxes[0]) > 0.3)
    assert together >= len(portraits) - 1


@pytest.mark.parametrize("name", ["haar", "mtcnn"])
@pytest.mark.parametrize("shape", [(1, 1), (8, 300), (19, 19), (120, 160)])
def test_an_image_without_a_face_gives_an_empty_list(name, shape, mtcnn):
    detector = mtcnn if name == "mtcnn" else make_detector(name)
    assert detector.detect(np.zeros((*shape, 3), dtype=np.uint8)) == []


@pytest.mark.parametrize("image", [BLANK[..., 0], BLANK / 255, BLANK[..., :1], BLANK[:0], BLANK.tolist()])
@pytest.mark.parametrize("name", ["haar", "mtcnn"])
def test_grey_float_and_empty_images_are_refused(image, name, mtcnn):
    detector = mtcnn if name == "mtcnn" else make_detector(name)
    with pytest.raises(ValueError, match="expected a uint8 RGB image"):
        detector.detect(image)


def test_a_missing_cascade_is_an_error(monkeypatch):
    import cv2

    monkeypatch.setattr(cv2.data, "haarcascades", "/nowhere/")
    with pytest.raises(UserError, match="face cascade"):
        HaarDetector()


def test_detectors_name_themselves_and_unknown_ones_are_refused(mtcnn):
    assert (mtcnn.name, mtcnn.version.split()[0]) == ("mtcnn", "mtcnn")
    assert make_detector("haar").version.startswith("opencv 4.")
    with pytest.raises(UserError, match="haar, mtcnn, got 'dlib'"):
        make_detector("dlib")


def test_pick():
    small, large, faint = Face(0, 0, 10, 10, 0.9), Face(0, 0, 50, 50, 0.8), Face(5, 5, 90, 90, 0.1)
    faces = [small, large, faint]
    assert pick(faces, "best") == [small]
    assert pick(faces, "largest") == [faint]
    assert pick(faces, "largest", 0.5) == [large]
    assert pick(faces, "all", 0.8) == [small, large]
    assert pick(faces, "best", 0.95) == [] == pick([], "largest")
    assert pick([small, Face(0, 0, 20, 20, 0.9)], "best")[0].width == 20
    with pytest.raises(UserError, match="best, largest, all"):
        pick(faces, "first")


def test_crop_equals_facenet_pytorchs_extract_face():
    """By hand: margin 32 of 160 adds 32/128 of the box: 25 of 100 in width, 20 of 80 in height, half on each side.

    So 50..150 becomes 37.5..162.5, cut to 37..162, and 40..120 becomes 30..130.
    """
    image = np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    expected = Image.fromarray(image).crop((37, 30, 162, 130)).resize((160, 160), Image.BILINEAR)
    np.testing.assert_array_equal(crop(image, Face(50, 40, 100, 80, 1.0), 160, 32), np.asarray(expected))


def extract_face(image, box, image_size, margin):
    """facenet-pytorch 2.6.0, models/utils/detect_face.py, extract_face and crop_resize, for a PIL image.

    box: x1, y1, x2, y2. margin: pixels of the output, as a share of (image_size - margin) of the box.
    """
    grow = [margin * (box[2] - box[0]) / (image_size - margin), margin * (box[3] - box[1]) / (image_size - margin)]
    box = [
        int(max(box[0] - grow[0] / 2, 0)),
        int(max(box[1] - grow[1] / 2, 0)),
        int(min(box[2] + grow[0] / 2, image.size[0])),
        int(min(box[3] + grow[1] / 2, image.size[1])),
    ]
    return image.crop(box).resize((image_size, image_size), Image.BILINEAR)


@given(
    x=st.floats(0, 200),
    y=st.floats(0, 150),
    width=st.floats(2, 150),
    height=st.floats(2, 150),
    size=st.sampled_from([48, 160]),
    margin=st.integers(0, 40),
)
def test_crop_equals_facenet_pytorchs_formula_on_any_box(x, y, width, height, size, margin):
    box = x, y, x + width, y + height
    expected = np.asarray(extract_face(Image.fromarray(GRADIENT), box, size, margin))
    ours = crop(GRADIENT, Face(x, y, width, height, 1.0), size, margin)
    # summing in another order can move the box by a pixel, which is a few grey values here
    assert np.abs(ours.astype(int) - expected).max() <= 4


def test_without_size_and_margin_crop_is_the_plain_box():
    image = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    np.testing.assert_array_equal(crop(image, Face(5, 7, 20, 30, 1.0)), image[7:37, 5:25])


@given(
    x=st.floats(-50, 150),
    y=st.floats(-50, 110),
    width=st.floats(1, 200),
    height=st.floats(1, 200),
    margin=st.integers(0, 63),
)
def test_a_crop_has_its_size_wherever_the_box_touches_the_image(x, y, width, height, margin):
    face = Face(x, y, width, height, 1.0)
    touches = int(x + width) >= 1 and int(y + height) >= 1 and x < 160 and y < 120
    if touches:
        assert crop(BLANK, face, 64, margin).shape == (64, 64, 3)
    elif margin == 0:
        with pytest.raises(ValueError, match="outside"):
            crop(BLANK, face, 64)


@pytest.mark.parametrize(("size", "margin"), [(None, 5), (64, 64), (64, -1), (0, 0)])
def test_impossible_margins_and_sizes_are_refused(size, margin):
    with pytest.raises(UserError, match="expected"):
        crop(BLANK, Face(1, 1, 20, 20, 1.0), size, margin)
