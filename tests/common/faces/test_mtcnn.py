"""MTCNN against the package's own detect_faces, on drawn faces set into larger frames."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from common.data.decoding import read_image
from common.faces import detection as faces_module
from common.faces import mtcnn as mtcnn_module
from common.faces.cascade_process import CascadeProcess
from common.faces.detection import Face, make_detector
from common.faces.mtcnn import non_max_suppression, pyramid_scales, square_boxes
from data_prep.drawing.trees import draw_tree

SCENES = {  # frame (height, width): sides of the drawn portraits in it; the face is about two fifths of a side
    "small": ((240, 420), (70, 80, 95)),
    "large": ((500, 700), (480,)),
    "several": ((480, 854), (75, 110, 160, 230)),
    "upright": ((640, 360), (90, 330)),
    "none": ((300, 500), ()),
}


@pytest.fixture(scope="module")
def portraits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    draw_tree(folder, "swap", 6, seed=5, workers=1)
    return [Image.fromarray(read_image(path)) for path in sorted(folder.rglob("real*.jpg"))]


@pytest.fixture(scope="module")
def mtcnn():
    return make_detector("mtcnn")


@pytest.fixture(scope="module")
def package():
    from mtcnn import MTCNN

    return MTCNN()


def scene(portraits, name, seed=0):
    """A smooth background (height, width, 3) with portraits side by side, at heights drawn from the seed."""
    (height, width), sides = SCENES[name]
    generator = np.random.default_rng(seed)
    rough = Image.fromarray(generator.integers(40, 200, (6, 9, 3), dtype=np.uint8))
    frame, left = rough.resize((width, height), Image.Resampling.BICUBIC), 10
    for side in sides:
        portrait = portraits[generator.integers(len(portraits))].resize((side, side), Image.Resampling.LANCZOS)
        frame.paste(portrait, (left, int(generator.integers(0, height - side))))
        left += side + 10
    return np.asarray(frame)


def matched(found, rows):
    """Pairs of our face and the package's row, most confident first; there must be equally many of both."""
    assert len(found) == len(rows)
    return list(zip(found, sorted(rows, key=lambda row: -row["confidence"]), strict=True))


def overlap(first, second):
    """Intersection over union of boxes x, y, width, height."""
    width = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    height = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    common = max(width, 0) * max(height, 0)
    return common / (first[2] * first[3] + second[2] * second[3] - common)


QUICK_SCENE = "small"


@pytest.mark.parametrize(
    "name", [name if name == QUICK_SCENE else pytest.param(name, marks=pytest.mark.slow) for name in SCENES]
)
def test_the_faces_equal_the_packages_at_full_resolution(name, portraits, mtcnn, package):
    frames = [scene(portraits, name, seed) for seed in range(3)]
    pairs = [
        pair
        for frame, found in zip(frames, mtcnn.detect_batch(frames), strict=True)
        for pair in matched(found, package.detect_faces(frame))
    ]
    sides = SCENES[name][1]
    assert len(pairs) >= 2 * len(sides)  # of 3 frames: the package finds most faces, so that something is compared
    overlaps = []
    for face, row in pairs:
        box = (face.x, face.y, face.width, face.height)
        np.testing.assert_allclose(box, row["box"], atol=0.51)  # the package rounds to whole pixels
        assert face.confidence == pytest.approx(row["confidence"], abs=1e-4)
        overlaps.append(overlap(box, row["box"]))
    assert not overlaps or np.mean(overlaps) >= 0.95
    if name == "small":
        assert min(face.width for face, _ in pairs) < 40


@pytest.mark.slow
def test_a_batch_gives_the_faces_of_each_image_alone(portraits, mtcnn, monkeypatch):
    frames = [scene(portraits, "several", seed) for seed in range(7)] + [np.zeros((480, 854, 3), dtype=np.uint8)]
    together = mtcnn.detect_batch(frames)
    assert together == mtcnn.detect_batch(frames)
    backwards = mtcnn.detect_batch(frames[::-1])[::-1]
    monkeypatch.setattr(faces_module, "MTCNN_PIXELS", 3 * 480 * 854)
    in_threes = mtcnn.detect_batch(frames)
    assert sum(map(len, together)) >= 14 and together[-1] == []
    for others in (backwards, in_threes, [mtcnn.detect(frame) for frame in frames]):
        for ours, theirs in zip(together, others, strict=True):
            rows, expected = ([tuple(vars(face).values()) for face in faces] for faces in (ours, theirs))
            assert len(rows) == len(expected)
            np.testing.assert_allclose(rows, expected, atol=1e-4 if rows else 0, rtol=1e-5)


@pytest.mark.parametrize("name", ["haar", "mtcnn"])
def test_batches_may_be_empty_but_not_of_several_shapes(name, mtcnn):
    detector = mtcnn if name == "mtcnn" else make_detector(name)
    small, large = np.zeros((40, 50, 3), dtype=np.uint8), np.zeros((50, 40, 3), dtype=np.uint8)
    assert detector.detect_batch([]) == []
    assert detector.detect_batch([small, small]) == [[], []]
    with pytest.raises(ValueError, match=r"one shape, got \(40, 50, 3\) and \(50, 40, 3\)"):
        detector.detect_batch([small, large])


def test_haar_takes_batches(portraits):
    haar = make_detector("haar")
    frames = [scene(portraits, "several", seed) for seed in range(2)]
    together = haar.detect_batch(frames)
    assert together == [haar.detect(frame) for frame in frames]
    assert all(together)


@pytest.mark.parametrize("network", ["proposal_network", "refinement_network", "output_network"])
def test_a_failure_inside_a_network_is_an_error(network, portraits, mtcnn, monkeypatch):
    import tensorflow as tf

    def broken(*_):
        raise tf.errors.InvalidArgumentError(None, None, "shapes differ")

    monkeypatch.setattr(mtcnn.cascade, network, broken)
    with pytest.raises(tf.errors.InvalidArgumentError):
        mtcnn.detect(scene(portraits, "large"))


@pytest.mark.filterwarnings("ignore:divide by zero")
@given(height=st.integers(20, 3000), width=st.integers(20, 3000))
def test_the_pyramid_equals_the_packages_and_no_level_is_under_12_pixels(height, width):
    from mtcnn.utils.images import build_scale_pyramid

    scales = pyramid_scales(height, width)
    package = build_scale_pyramid(width, height, min_face_size=20, scale_factor=0.709)
    np.testing.assert_allclose(scales[: len(package)], package)
    assert len(scales) - len(package) in (0, 1)
    assert all(int(min(height, width) * scale) >= 12 for scale in scales)
    assert int(min(height, width) * scales[-1] * 0.709) < 12


def test_frames_under_20_pixels_have_no_levels_and_huge_ones_lose_the_finest():
    assert pyramid_scales(19, 5000) == []
    scales = pyramid_scales(8000, 8000)
    largest = mtcnn_module.LARGEST_LEVEL
    assert 8000**2 * scales[0] ** 2 <= largest < 8000**2 * (scales[0] / 0.709) ** 2


def test_a_huge_frame_keeps_its_large_faces(portraits, mtcnn, monkeypatch):
    """With levels of at most 700 pixels P-Net's window spans 157 pixels in the small scene, 313 in the large one."""
    small, large = scene(portraits, "small"), scene(portraits, "large")
    assert len(mtcnn.detect(small)) > 0
    (expected,) = mtcnn.detect(large)
    monkeypatch.setattr(mtcnn_module, "LARGEST_LEVEL", 700)
    (found,) = mtcnn.detect(large)
    assert overlap(*((face.x, face.y, face.width, face.height) for face in (found, expected))) > 0.8
    assert mtcnn.detect(small) == []


row = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 20), st.integers(1, 20), st.floats(0, 1))


@given(st.lists(row, max_size=25, unique_by=lambda row: row[4]), st.sampled_from([0.3, 0.5, 0.7]), st.booleans())
def test_suppression_by_a_plain_loop(rows, threshold, smaller_box):
    boxes = np.array([(x, y, x + width, y + height, score) for x, y, width, height, score in rows]).reshape(-1, 5)
    expected = []
    for x, y, width, height, score in sorted(rows, key=lambda row: -row[4]):
        clear = True
        for u, v, other_width, other_height, other_score in rows:
            common = max(0, min(x + width, u + other_width) - max(x, u))
            common *= max(0, min(y + height, v + other_height) - max(y, v))
            smaller = min(width * height, other_width * other_height)
            union = width * height + other_width * other_height - common
            clear &= other_score <= score or common <= threshold * (smaller if smaller_box else union)
        if clear:
            expected.append((x, y, x + width, y + height, score))
    np.testing.assert_array_equal(
        non_max_suppression(boxes, threshold, "smaller" if smaller_box else "union"), np.array(expected).reshape(-1, 5)
    )


def test_suppression_in_blocks_equals_the_package():
    from mtcnn.utils.bboxes import smart_nms_from_bboxes

    generator = np.random.default_rng(0)
    corner, scores = generator.uniform(0, 300, (1300, 2)), generator.permutation(1300) / 1300
    boxes = np.column_stack([corner, corner + generator.uniform(20, 60, (1300, 2)), scores])
    expected = smart_nms_from_bboxes(np.column_stack([np.zeros(1300), boxes]), 0.5)[:, 1:]
    assert 100 < len(expected) < 1200
    np.testing.assert_array_equal(non_max_suppression(boxes, 0.5), expected)


def test_squares_keep_the_centre():
    np.testing.assert_array_equal(square_boxes(np.array([[10.0, 20, 30, 60, 0.5]])), [[0, 20, 40, 60, 0.5]])


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted in /proc")
def test_the_threads_of_a_worker_are_those_of_its_environment():
    code = (
        "import os, numpy\n"
        "from common.faces.detection import make_detector\n"
        "make_detector('mtcnn').detect(numpy.zeros((200, 300, 3), dtype=numpy.uint8))\n"
        "names = [open(f'/proc/self/task/{task}/comm').read() for task in os.listdir('/proc/self/task')]\n"
        "print('threads', sum(name.startswith('tf_Compute') for name in names))"
    )
    threads = str(os.cpu_count() + 1)  # not TensorFlow's own choice
    environment = {**os.environ, "TF_NUM_INTRAOP_THREADS": threads, "TF_NUM_INTEROP_THREADS": threads}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert f"threads {threads}" in done.stdout.splitlines()


def test_a_face_outside_of_the_image_is_left_out_and_others_are_cut_to_it():
    boxes = np.array([[-5, -5, 20, 30, 0.9], [50, 40, 99, 99, 0.8], [70, 10, 90, 20, 0.7]])
    found = faces_module.faces_from_boxes(boxes, height=60, width=60)
    assert found == [Face(0, 0, 20, 30, 0.9), Face(50, 40, 10, 20, 0.8)]


@pytest.mark.slow
def test_a_process_of_its_own_finds_the_same_faces(portraits, mtcnn):
    """For Keras on another backend: the cascade is TensorFlow's."""
    frames = np.stack([scene(portraits, "several", seed) for seed in range(2)])
    for ours, theirs in zip(CascadeProcess().boxes(frames), mtcnn.cascade.boxes(frames), strict=True):
        assert len(theirs)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)  # not equal: oneDNN's kernels are on in the other one
