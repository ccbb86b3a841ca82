"""Distances from the training images, against plain NumPy; the limit, on data whose distribution is known."""

import keras
import numpy as np
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.datasets import load_sample_image

from common.detectors.novelty import (
    FEWEST,
    Cloud,
    Describer,
    TrainingSummary,
    Vectors,
    decision_features,
    textures,
    upper_limit,
)
from common.errors import UserError
from common.library_internals import producing_operation


def normal(n, d=6, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n, d)) @ np.random.default_rng(9).normal(size=(d, d)) + 3


def test_distances_are_mahalanobis_ones_over_the_limit():
    """With as many components as dimensions nothing is left beside them, and the covariance is that of all."""
    training, held_out, others = normal(400), normal(300, seed=1), normal(50, seed=2)
    cloud = Cloud.fit(training, held_out)
    scale = training.std(axis=0)
    shrunk = LedoitWolf().fit(np.c_[_rotated(training, training, scale, cloud), np.zeros(400)])

    def plain(vectors):
        rows = np.c_[_rotated(vectors, training, scale, cloud), np.zeros(len(vectors))] - shrunk.location_
        return np.array([np.sqrt(row @ np.linalg.inv(shrunk.covariance_) @ row) for row in rows])

    limit = np.quantile(plain(held_out), 0.99, method="higher")
    np.testing.assert_allclose(cloud.distances(others), plain(others) / limit, rtol=1e-4)


def _rotated(vectors, training, scale, cloud):
    return (vectors - training.mean(axis=0)) / scale @ cloud.components.T


def test_one_in_a_hundred_of_the_same_data_is_beyond_the_limit_and_all_of_others_are():
    summary = TrainingSummary.fit(*(Vectors(normal(500, seed=s), normal(500, 4, seed=s + 5)) for s in (0, 1)))
    again = summary.distances(Vectors(normal(4000, seed=2), normal(4000, 4, seed=7)))
    assert 0.002 < np.mean(again > 1) < 0.03
    moved = normal(100, seed=3) + 40
    assert (summary.distances(Vectors(moved, normal(100, 4, seed=8))) > 1).all()
    assert (summary.distances(Vectors(normal(100, seed=3), normal(100, 4, seed=8) - 40)) > 1).all()


def test_the_limit_of_few_images_is_wider_than_the_largest_of_them():
    """Of 20 values the largest is exceeded by one in 21 others, not by one in a hundred."""
    generator = np.random.default_rng(0)
    drawn = np.exp(generator.normal(size=(300, 20)))
    beyond = [np.mean(np.exp(generator.normal(size=500)) > upper_limit(values)) for values in drawn]
    assert np.mean(beyond) < 0.02 and all(upper_limit(values) >= values.max() for values in drawn)
    assert upper_limit(np.arange(1.0, 201.0)) == 199.0


def test_a_summary_survives_the_disk_and_is_small(tmp_path):
    sides = [Vectors(normal(256, 2048, seed=s), normal(256, 23, seed=s)) for s in (0, 1)]
    summary = TrainingSummary.fit(*sides)
    summary.save(tmp_path / "s.npz")
    assert (tmp_path / "s.npz").stat().st_size < 1_000_000
    loaded = TrainingSummary.load(tmp_path / "s.npz")
    np.testing.assert_allclose(loaded.distances(sides[1]), summary.distances(sides[1]), rtol=1e-3)
    (tmp_path / "s.npz").write_bytes(b"PK\3\4")
    with pytest.raises(UserError, match="s.npz is missing or damaged"):
        TrainingSummary.load(tmp_path / "s.npz")


def test_a_feature_that_was_constant_in_training_does_not_decide_alone():
    constant = np.c_[normal(200), np.zeros(200)]
    cloud = Cloud.fit(constant, np.c_[normal(200, seed=1), np.zeros(200)])
    near = np.c_[normal(200, seed=2), np.full(200, 0.001)]
    assert np.mean(cloud.distances(near) > 1) < 0.1


def test_few_images_have_no_summary():
    few, enough = Vectors(normal(FEWEST - 1), normal(FEWEST - 1)), Vectors(normal(50), normal(50))
    assert TrainingSummary.fit(enough, few) is None and TrainingSummary.fit(few, enough) is None


def test_photographs_and_noise_are_far_from_smooth_pictures():
    """Pictures of a few broad waves, like a simple drawing; a photograph has detail at all scales."""

    def smooth(n, seed):
        generator = np.random.default_rng(seed)
        grid = np.linspace(0, 2 * np.pi, 64)
        waves = [
            np.sin(generator.uniform(1, 3) * grid[:, None, None] + generator.uniform(0, 6, 3))
            + np.cos(generator.uniform(1, 3) * grid[None, :, None] + generator.uniform(0, 6, 3))
            + generator.normal(0, 0.02, (64, 64, 3))
            for _ in range(n)
        ]
        return np.array(waves) / 6 + 0.5

    keras.utils.set_random_seed(0)
    image = keras.Input((64, 64, 3))
    x = keras.layers.Conv2D(8, 3, strides=4, activation="relu")(image)
    network = keras.Model(image, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(x)))
    describe = Describer(network, has_classifier=False)
    summary = TrainingSummary.fit(*(describe([smooth(150, seed)], 150) for seed in (0, 1)))
    photographs = [load_sample_image(name)[y : y + 64, x : x + 64] / 255 for name in ("china.jpg", "flower.jpg")
                   for y, x in ((0, 0), (150, 250), (300, 500))]  # fmt: skip
    noise = np.random.default_rng(0).uniform(size=(5, 64, 64, 3))
    assert np.mean(summary.distances(describe([smooth(100, 2)], 100)) > 1) <= 0.1
    for others in (np.array(photographs), noise, np.zeros((1, 64, 64, 3))):
        assert (summary.distances(describe([others], len(others))) > 2).all()


@pytest.mark.parametrize("value", [0.0, 1.0, -3.0])
def test_textures_of_a_plain_picture_are_finite(value):
    assert np.isfinite(textures(np.full((2, 8, 8, 3), value))).all()


def test_a_wave_has_its_power_in_the_band_of_its_frequency():
    """Half octaves down from sqrt(1/2) cycles a pixel: 1/4 of a cycle is 3 of them below."""
    wave = np.sin(2 * np.pi * np.arange(64) / 4)[None, :, None] * np.ones((64, 1, 3))
    assert np.argmax(textures(wave[None])[0, :12]) == 3


def head(x):
    return keras.layers.Dense(2, activation="softmax")(keras.layers.Dropout(0.5)(x))


def test_a_network_decides_by_the_input_of_its_last_layer_with_weights():
    image = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    features = keras.layers.Dense(5, activation="relu")(pooled)
    both = head(features)
    fake = keras.Model(image, both[:, 1:])
    chosen = keras.Model(image, decision_features(fake))
    pixels = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype("float32")
    expected = keras.Model(image, features).predict(pixels, verbose=0)
    np.testing.assert_array_equal(chosen.predict(pixels, verbose=0), expected)
    operation, inputs = producing_operation(features)
    assert operation.units == 5 and len(inputs) == 1 and inputs[0] is pooled
    assert producing_operation(image)[1] == []


def test_a_nested_head_decides_by_what_the_network_before_it_puts_out():
    image, code = keras.Input((8, 8, 3)), keras.Input((5,))
    encoder = keras.Model(image, keras.layers.Dense(5)(keras.layers.GlobalAveragePooling2D()(image)))
    classifier = keras.Model(code, head(code))
    whole = keras.Input((8, 8, 3))
    between = encoder(whole)
    assert decision_features(keras.Model(whole, classifier(between)[:, 1:])) is between


def test_a_network_in_a_network_and_one_without_weights_give_their_output():
    inner_image = keras.Input((8, 8, 3))
    inner = keras.Model(inner_image, keras.layers.Dense(1)(keras.layers.Flatten()(inner_image)))
    image = keras.Input((8, 8, 3))
    nested = keras.Model(image, inner(image))
    assert decision_features(nested) is nested.output
    pooled = keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))
    assert decision_features(pooled) is pooled.output


def test_maps_are_averaged_over_their_places():
    image = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(2, 1, kernel_initializer="ones")(image)
    network = keras.Model(image, keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(1, 1)(maps)))
    assert Describer(network, False)([np.ones((2, 8, 8, 3), "float32")], 2).features.tolist() == [[3.0, 3.0]] * 2
