"""Perturbations against Pillow's encoder, SciPy's filter and NumPy, and their properties on any picture."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from scipy.ndimage import gaussian_filter, zoom

from common.data.perturbations import STRENGTHS, blur, jpeg, noise, perturb, picture_generator, scaling, social

VARIANTS = [(name, strength) for name, strengths in STRENGTHS.items() for strength in strengths]
SIDES = st.integers(1, 48)
PICTURES = st.tuples(SIDES, SIDES).flatmap(lambda sides: arrays.arrays(np.uint8, (*sides, 3)))
SEEDS = st.integers(0, 2**32 - 1)


def photograph(seed, size=96):
    """Smooth shapes with fine grain, like a photograph."""
    random = np.random.default_rng(seed)
    shapes = zoom(random.uniform(30, 220, (size // 8, size // 8, 3)), (8, 8, 1), order=3)
    return np.clip(shapes + random.normal(0, 6, shapes.shape), 0, 255).astype(np.uint8)


def pillow_jpeg(image, quality):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(buffer))


def error(image, other):
    return np.mean((image.astype(float) - other) ** 2)


@given(PICTURES, st.sampled_from(VARIANTS), st.text(max_size=8))
@settings(deadline=None)
def test_every_perturbation_is_deterministic_and_keeps_its_input(image, variant, key):
    before = image.copy()
    out = perturb(image, *variant, key)
    assert out.dtype == np.uint8 and out.ndim == 3 and out.shape[2] == 3
    if variant[0] != "social":
        assert out.shape == image.shape
    np.testing.assert_array_equal(out, perturb(image, *variant, key))
    np.testing.assert_array_equal(image, before, "the picture itself was changed")


@given(PICTURES)
@settings(deadline=None)
def test_no_strength_changes_nothing(image):
    for out in (blur(image, 0), scaling(image, 1), noise(image, 0, picture_generator("any"))):
        np.testing.assert_array_equal(out, image)


@given(SEEDS, st.sampled_from(STRENGTHS["jpeg"]))
@settings(deadline=None, max_examples=30)
def test_jpeg_equals_pillows(seed, quality):
    image = photograph(seed)
    difference = np.abs(jpeg(image, quality).astype(int) - pillow_jpeg(image, quality))
    assert difference.max() <= 2 and difference.mean() < 0.05


@pytest.mark.parametrize("name", ["jpeg", "blur", "scaling", "noise"])
@given(SEEDS)
@settings(deadline=None, max_examples=20)
def test_the_error_grows_with_the_strength(name, seed):
    image = photograph(seed)
    errors = [error(image, perturb(image, name, strength, "key")) for strength in STRENGTHS[name]]
    assert errors[0] > 0 and errors == sorted(errors)


@given(PICTURES, st.sampled_from(STRENGTHS["blur"]))
@settings(deadline=None)
def test_blur_equals_scipys(image, sigma):
    expected = gaussian_filter(image.astype(float), (sigma, sigma, 0), mode="mirror", truncate=4)
    assert np.abs(blur(image, sigma) - expected).max() <= 1.5  # OpenCV's weights have eight bits


def test_scaling_loses_finer_detail_and_nothing_else():
    """A chessboard of single pixels, 0 and 200, is 100 everywhere at half the size; a flat picture stays as it is."""
    board = np.where(np.indices((32, 32)).sum(axis=0) % 2, 200, 0).astype(np.uint8)[..., None].repeat(3, axis=2)
    np.testing.assert_array_equal(scaling(board, 0.5), np.full_like(board, 100))
    flat = np.full((33, 17, 3), (9, 99, 199), np.uint8)
    np.testing.assert_array_equal(scaling(flat, 0.25), flat)


@pytest.mark.parametrize("sigma", STRENGTHS["noise"])
def test_noise_has_the_stated_deviation_and_mean_zero(sigma):
    grey = np.full((256, 256, 3), 128, np.uint8)
    added = perturb(grey, "noise", sigma, "key").astype(float) - 128
    rounding = 1 / 12  # the variance of rounding to whole grey levels
    assert added.std() == pytest.approx(np.hypot(sigma, rounding**0.5), rel=0.02)
    assert abs(added.mean()) < 4 * sigma / np.sqrt(added.size)
    assert abs(np.corrcoef(added[..., 0].ravel(), added[..., 1].ravel())[0, 1]) < 0.02, "one pattern in all channels"


def test_noise_differs_between_pictures_and_grows_with_its_strength():
    grey = np.full((64, 64, 3), 128, np.uint8)
    five, ten = (perturb(grey, "noise", sigma, "a").astype(int) - 128 for sigma in (5, 10))
    assert np.abs(ten - 2 * five).max() <= 2, "each is rounded once"
    for other in (perturb(grey, "noise", 5, "b"), perturb(grey, "noise", 5, "a", seed=1)):
        assert abs(np.corrcoef(five.ravel(), other.ravel())[0, 1]) < 0.05


def test_a_social_network_shrinks_to_the_longest_side_and_encodes_at_75():
    image = photograph(0, 96)[:64]  # (64, 96, 3)
    assert social(image, 48).shape == (32, 48, 3)
    assert np.abs(social(image, 960).astype(int) - pillow_jpeg(image, 75)).max() <= 2, "never enlarged"
    means = image.reshape(32, 2, 48, 2, 3).mean(axis=(1, 3))
    assert error(social(image, 48), means) < 2 * error(pillow_jpeg(np.rint(means).astype(np.uint8), 75), means)


def test_an_impossible_quality_and_an_unknown_name_are_refused():
    image = photograph(0)
    for quality in (0, 101):
        with pytest.raises(ValueError, match="from 1 to 100"):
            jpeg(image, quality)
    with pytest.raises(KeyError):
        perturb(image, "sharpen", 1, "key")
