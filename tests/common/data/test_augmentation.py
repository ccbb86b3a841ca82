import cv2
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from common.data.augmentation import affine, affine_matrices, gaussian_blur, one_by_one, transform


@pytest.fixture
def image():
    noise = np.random.default_rng(0).uniform(0, 255, (32, 32, 3)).astype(np.float32)
    return cv2.GaussianBlur(noise, (5, 5), 0)


def test_the_defaults_change_nothing(image):
    np.testing.assert_allclose(affine(image), image, atol=1e-3)


@pytest.mark.parametrize(("degrees", "quarters"), [(90.0, 1), (180.0, 2), (270.0, 3)])
def test_right_angles_equal_numpys_rot90(image, degrees, quarters):
    np.testing.assert_allclose(affine(image, degrees=degrees), np.rot90(image, quarters), atol=0.05)


def test_flip_mirrors_left_and_right(image):
    np.testing.assert_allclose(affine(image, flip=True), image[:, ::-1], atol=1e-2)


@pytest.mark.parametrize(("degrees", "zoom"), [(45.0, 1.0), (0.0, 1.5), (0.0, 0.5), (-15.0, 1.2)])
def test_rotation_and_zoom_equal_opencvs_away_from_the_edges(image, degrees, zoom):
    matrix = cv2.getRotationMatrix2D((15.5, 15.5), degrees, zoom)
    expected = cv2.warpAffine(image, matrix, (32, 32), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    ours = np.asarray(affine(image, degrees=degrees, zoom=zoom))
    # OpenCV interpolates on a grid of 1/32 pixel, which explains the difference.
    assert np.abs(ours - expected)[8:24, 8:24].mean() < 1.0


@pytest.mark.parametrize("size", [3, 9, 15])
def test_blur_equals_opencvs(image, size):
    sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8
    expected = cv2.GaussianBlur(image, (size, size), sigma, borderType=cv2.BORDER_REFLECT_101)
    np.testing.assert_allclose(gaussian_blur(image, size), expected, atol=1e-2)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(2, 70), st.integers(2, 70)), st.floats(-200, 200), st.floats(0.1, 3), st.booleans(),
    st.sampled_from([np.uint8, np.float32]),
)  # fmt: skip
def test_every_bit_is_that_of_tensorflows_operation(size, degrees, zoom, flip, dtype):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(dtype)
    matrix = affine_matrices(size, *(tf.constant([value]) for value in (degrees, zoom, flip)))[0]
    expected = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.constant(pixels[None], tf.float32), transforms=tf.concat([matrix, [0.0, 0.0]], 0)[None],
        output_shape=size, interpolation="BILINEAR", fill_mode="REFLECT", fill_value=0.0,
    )[0]  # fmt: skip
    np.testing.assert_array_equal(affine(pixels, degrees, zoom, flip), expected)


def test_an_image_does_not_depend_on_its_batch():
    images = np.random.default_rng(0).integers(0, 256, (5, 20, 24, 3), dtype=np.uint8)
    places = np.arange(5, dtype=np.float32)
    matrices = affine_matrices((20, 24), 10 * places, 1 - 0.1 * places, places == 2)
    shifts, taps = tf.constant([[0, 0], [2, -3], [0, 0], [-19, 23], [1, 1]]), tf.constant([1, 3, 15, 1, 9])
    changes = matrices, shifts, taps, 1 + places / 9, np.outer(places, np.float32([9, -9, 5]))
    together = transform(tf.constant(images), *changes)
    for place in range(5):
        alone = transform(tf.constant(images[place : place + 1]), *(change[place : place + 1] for change in changes))
        np.testing.assert_array_equal(alone[0], together[place])
    np.testing.assert_array_equal(together[0], images[0])
    assert together.dtype == tf.float32 and together.numpy().min() >= 0 and together.numpy().max() <= 255


def test_blurring_comes_before_the_matrix_and_the_shift_after_it(image):
    matrices = affine_matrices((32, 32), tf.constant([45.0]), tf.constant([1.3]), tf.constant([False]))
    result = transform(tf.constant(image)[None], matrices, tf.constant([[3, -2]]), tf.constant([9]))[0]
    expected = affine(gaussian_blur(image, 9), 45.0, 1.3)
    np.testing.assert_array_equal(result[4:30, 4:28], expected[4 - 3 : 30 - 3, 4 + 2 : 28 + 2])


def test_brightness_and_colours_change_last(image):
    same = affine_matrices((32, 32), tf.zeros(1), tf.ones(1), tf.constant([False]))
    result = transform(image[None], same, gains=tf.constant([1.5]), offsets=tf.constant([[10.0, 0.0, -70.0]]))[0]
    np.testing.assert_allclose(result, np.clip(image * 1.5 + [10, 0, -70], 0, 255), atol=1e-4)


def test_one_by_one_calls_the_function_with_each_image_and_its_seed(image):
    batch = one_by_one(lambda each, seed: each + tf.cast(seed[1], tf.float32))
    result = batch(tf.constant([image, image]), tf.constant([[9, 1], [9, 2]]))
    np.testing.assert_array_equal(result, [image + 1, image + 2])
