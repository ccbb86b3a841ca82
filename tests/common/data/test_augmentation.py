import cv2
import numpy as np
import pytest

from common.data.augmentation import affine, gaussian_blur


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
