"""KID and FID against loops and closed forms, their limits, and the features they are taken on."""

from itertools import combinations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import t

from common.errors import UserError
from reproductions.dcgan_inception_resnet import gan, quality
from reproductions.dcgan_inception_resnet.quality import features, fid, inception, kid


def normal(count, dimensions=4, shift=0.0, seed=0):
    """float32 (count, dimensions), standard normal around `shift`."""
    return np.random.default_rng(seed).normal(shift, 1, (count, dimensions)).astype(np.float32)


def pairs(a, b, same=False):
    """The mean of (x.y / d + 1)^3 over the pairs of two lists; of the same list, over pairs of different members."""
    kernels = []
    for i, x in enumerate(a.tolist()):
        for j, y in enumerate(b.tolist()):
            if not same or i != j:
                kernels.append((sum(p * q for p, q in zip(x, y, strict=True)) / len(x) + 1) ** 3)
    return sum(kernels) / len(kernels)


def squared_mmd(a, b):
    return pairs(a, a, True) + pairs(b, b, True) - 2 * pairs(a, b)


def shifted(dimensions, square):
    """The squared MMD of N(0, 1) and N(mu, 1) in d dimensions, |mu|^2 = M: with s = x.y / d, k = 1 + 3s + 3s^2 + s^3.

    Both around 0: E s^2 = 1/d, the rest 0. One each: E s^2 = (d + M) / d^2, the rest 0. Both around mu: E s = M/d,
    E s^2 = (d + 2M + M^2) / d^2, E s^3 = (M^3 + 6M^2 + 6M + 3Md) / d^3. In the sum 3/d and 6M/d^2 cancel.
    """
    d, m = dimensions, square
    return 3 * m / d + 3 * m**2 / d**2 + (m**3 + 6 * m**2 + 6 * m + 3 * m * d) / d**3


@pytest.mark.parametrize("counts", [(2, 2), (7, 12), (99, 30)], ids=str)
def test_kid_is_the_double_loop(counts):
    a, b = normal(counts[0], seed=1), normal(counts[1], shift=0.5, seed=2)
    value = kid(a, b)
    assert value.value == pytest.approx(squared_mmd(a, b), rel=1e-9)
    assert np.isnan([value.low, value.high]).all()
    assert (value.n, value.reason) == (sum(counts), "no interval: fewer than 100 images in a set")


def test_kid_over_blocks_is_their_mean_with_students_interval():
    a, b = normal(150, seed=1), normal(230, shift=0.5, seed=2)
    blocks = zip(*quality.disjoint_blocks(150, 230, seed=5), strict=True)
    distances = [squared_mmd(a[first], b[second]) for first, second in blocks]
    assert len(distances) == 3
    value = kid(a, b, seed=5)
    expected = t.interval(0.95, 2, loc=np.mean(distances), scale=np.std(distances, ddof=1) / np.sqrt(3))
    assert (value.value, value.low, value.high) == pytest.approx((np.mean(distances), *expected), rel=1e-9)
    assert (value.n, value.reason) == (380, "")
    assert kid(a, b, seed=5) == value != kid(a, b, seed=6)


@pytest.mark.parametrize(
    ("counts", "number"),
    [
        ((2, 5000), 1),
        ((99, 99), 1),
        ((100, 140), 2),
        ((499, 600), 9),
        ((500, 500), 10),
        ((9_999, 10_000), 10),
        ((10_001, 10_001), 11),
        ((29_500, 40_000), 30),
        ((1000, 29_500), 10),
    ],
    ids=str,
)
def test_blocks_are_disjoint_and_at_most_1000(counts, number):
    """ceil(n / 1000) of the smaller set; under 10,000 images ten, or as many as have 50 images."""
    for count, blocks in zip(counts, quality.disjoint_blocks(*counts, seed=0), strict=True):
        sizes = [len(block) for block in blocks]
        assert len(blocks) == number and max(sizes) <= 1000 and max(sizes) - min(sizes) <= 1
        places = np.concatenate(blocks)
        assert len(set(places)) == len(places) == min(count, 1000 * number)
        assert set(places) <= set(range(count)) and (len(places) < 5 or (np.diff(places) != 1).any())


@given(arrays(np.float64, (6, 2), elements=st.floats(-10, 10)), st.integers(2, 4))
@pytest.mark.slow
def test_kid_is_unbiased(pool, first):
    """Over all ways to divide one set of images in two, all pairs are equally frequent in all terms: a mean of 0."""
    values = []
    for places in combinations(range(6), first):
        others = [place for place in range(6) if place not in places]
        values.append(kid(pool[list(places)], pool[others]).value)
    scale = (np.square(pool).sum(axis=1).max() / 2 + 1) ** 3  # the largest kernel there can be
    assert abs(np.mean(values)) <= 1e-12 * scale


def test_equal_distributions_have_a_mean_of_0():
    values = np.array([kid(normal(40, seed=2 * seed), normal(60, seed=2 * seed + 1)).value for seed in range(200)])
    assert values.min() < 0 < values.max()
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(len(values))


@pytest.mark.slow
def test_kid_is_the_closed_form_of_shifted_normals_and_its_interval_covers_it():
    previous = -1.0
    for square in (0.0, 1.0, 4.0):
        shift = np.sqrt(square / 20)
        values = [kid(normal(500, 20, seed=seed), normal(500, 20, shift, 1000 + seed)) for seed in range(100)]
        truth = shifted(20, square)
        points = np.array([value.value for value in values])
        assert abs(points.mean() - truth) < 4 * points.std() / 10
        assert 0.88 <= np.mean([value.low <= truth <= value.high for value in values]) <= 1
        assert np.mean([value.low > previous for value in values]) > 0.5
        previous = truth


def test_undefined_values_have_a_reason():
    for counts, minimum in (((1, 3000), 2), ((0, 0), 2)):
        value = kid(normal(counts[0]), normal(counts[1]))
        assert np.isnan([value.value, value.low, value.high]).all()
        assert value.reason == f"fewer than {minimum} images in a set: {counts[0]} and {counts[1]}"
    value = fid(normal(1999), normal(2000))
    assert np.isnan([value.value, value.low, value.high]).all()
    assert (value.n, value.reason) == (3999, "fewer than 2000 images in a set: 1999 and 2000")
    value = kid(np.ones((100, 3)), np.zeros((100, 3)))
    assert value.value == 7 and np.isnan(value.low)  # (1 + 1)^3 + 1 - 2
    assert value.reason == "no interval: all blocks are equal"


@pytest.mark.parametrize("measure", [kid, fid])
def test_features_that_do_not_fit_are_refused(measure):
    with pytest.raises(UserError, match=r"got \(5, 4\) and \(5, 3\)"):
        measure(normal(5, 4), normal(5, 3))
    with pytest.raises(UserError, match=r"got \(5, 2, 2\)"):
        measure(normal(5, 4).reshape(5, 2, 2), normal(5, 4))
    bad = normal(5, 4)
    bad[1:3, 0] = np.nan, np.inf
    with pytest.raises(UserError, match="got 2 of 5 images"):
        measure(normal(5, 4), bad)


def test_fid_is_the_closed_form_of_its_gaussians():
    """Axis-parallel: |mean|^2 and the squared differences of the deviations; features with exactly these moments."""
    white = normal(2500, 3)
    white -= white.mean(axis=0)
    white = white @ np.linalg.inv(np.linalg.cholesky(np.cov(white, rowvar=False))).T
    a, b = white * [1, 2, 3] + [1, 0, 0], white[:2500] * [4, 2, 1] + [0, 2, 0]
    value = fid(a, b)
    assert value.value == pytest.approx((1 + 4) + (9 + 0 + 4), rel=1e-6)
    assert value.n == 5000 and np.isnan([value.low, value.high]).all()
    assert value.reason.startswith("no interval: ")
    rotation = np.linalg.qr(normal(3, 3, seed=4))[0]
    assert fid(a @ rotation, b @ rotation).value == pytest.approx(18, rel=1e-6)


def test_fid_of_rotated_gaussians():
    """A = diag(9, 1), rotated by 45 degrees B = [[5, 4], [4, 5]]. In two dimensions tr (A B)^(1/2) is
    sqrt(tr A B + 2 sqrt(det A B)) = sqrt(50 + 2 * 9); FID = 10 + 10 - 2 sqrt(68)."""
    white = normal(2500, 2)
    white -= white.mean(axis=0)
    white = white @ np.linalg.inv(np.linalg.cholesky(np.cov(white, rowvar=False))).T
    turn = np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    assert fid(white * [3, 1], white * [3, 1] @ turn).value == pytest.approx(20 - 2 * np.sqrt(68), rel=1e-5)


def test_fid_of_a_set_against_itself_is_0_even_if_its_covariance_is_singular():
    a = normal(2100, 5) @ normal(5, 60, seed=1)  # 60 features of rank 5
    assert fid(a, a).value == pytest.approx(0, abs=1e-5 * float(np.var(a, axis=0).sum()))
    assert fid(a, a[::-1] + 1).value == pytest.approx(60, rel=1e-4)


def test_features_are_means_over_maps_of_the_first_images():
    pixels = np.random.default_rng(0).uniform(0, 255, (10, 8, 8, 3)).astype(np.float32)
    image = keras.Input((8, 8, 3))
    maps = keras.Model(image, keras.layers.Conv2D(5, 3)(image))
    expected = maps(pixels).numpy().reshape(10, 36, 5).mean(axis=1)
    data = tf.data.Dataset.from_tensor_slices((pixels, np.ones((10, 1)))).batch(4)
    means = features(maps, data, 7)
    assert means.dtype == np.float32 and means.shape == (7, 5)
    np.testing.assert_allclose(means, expected[:7], rtol=1e-4)
    flat = keras.Model(image, keras.layers.GlobalMaxPooling2D()(maps.output))
    np.testing.assert_allclose(features(flat, data, 10), maps(pixels).numpy().max(axis=(1, 2)), rtol=1e-4)
    with pytest.raises(UserError, match="expected 11 images .* got 10"):
        features(maps, data, 11)


@pytest.mark.filterwarnings("error::UserWarning")
def test_features_of_a_generators_samples():
    keras.utils.set_random_seed(0)
    generator = gan.generator(8, 0.02)
    image = keras.Input((8, 8, 3))
    network = keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))
    stream = ((images,) for images in gan.generate(generator, 10, seed=1, batch_size=4))
    means = features(network, stream, 10)
    samples = np.concatenate(list(gan.generate(generator, 10, seed=1, batch_size=4)))
    np.testing.assert_allclose(means, samples.mean(axis=(1, 2)), rtol=1e-5)


def test_inception_resizes_and_pools(monkeypatch):
    arguments = []

    def backbone(*words):
        arguments.append(words)
        return keras.Sequential([keras.Input(words[1]), keras.layers.Rescaling(1 / 255), keras.layers.MaxPooling2D(37)])

    monkeypatch.setattr(quality, "backbone", backbone)
    network = inception(64, "some folder")
    assert arguments == [("inceptionv3", (299, 299, 3), "some folder")]
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    large = tf.image.resize(pixels, (299, 299)).numpy()[:, :296, :296] / 255
    expected = large.reshape(2, 8, 37, 8, 37, 3).max(axis=(2, 4)).mean(axis=(1, 2))
    np.testing.assert_allclose(network(pixels), expected, rtol=1e-4)


@pytest.mark.slow
def test_inception_has_the_parameters_of_keras():
    network = inception(64, "none")
    assert network.input_shape == (None, 64, 64, 3) and network.output_shape == (None, 2048)
    assert network.count_params() == 21_802_784  # keras.applications.InceptionV3 without its classifier
