"""The detectors: Figure 3's parameters, small images, the stand-in."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.detectors.store import fake_score
from reproductions.dcgan_inception_resnet import detector, gan


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return detector.inception_resnet_v2(64)


@pytest.mark.slow
def test_the_detector_is_figure_3(network):
    """54,336,736 + 1536 * 2 + 2; the averages of batch normalisation are not learnt."""
    learnt = sum(int(np.prod(weights.shape)) for weights in network.trainable_weights)
    assert (network.count_params(), learnt) == (54_339_810, 54_279_266)
    assert [type(layer).__name__ for layer in network.layers][-3:] == ["Functional", "GlobalAveragePooling2D", "Dense"]
    assert network.get_layer("inceptionresnetv2").output.shape == (None, 2, 2, 1536)
    assert network.input_shape == (None, 64, 64, 3) and network.output_shape == (None, 2)


@pytest.mark.slow
def test_small_images_are_enlarged_before_the_backbone(network):
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    enlarged = tf.image.resize(pixels, (128, 128))
    features = network.get_layer("inceptionresnetv2")(enlarged, training=False)
    logits = network.layers[-1].kernel.numpy().T @ features.numpy().mean(axis=(1, 2)).T  # (2, B)
    expected = np.exp(logits) / np.exp(logits).sum(axis=0)
    np.testing.assert_allclose(network(pixels, training=False).numpy().T, expected, atol=1e-5)
    score = fake_score(network)
    np.testing.assert_allclose(score(pixels, training=False).numpy()[:, 0], expected[1], atol=1e-5)


def test_only_images_below_75_pixels_are_enlarged(monkeypatch):
    shapes = []

    def backbone(name, shape, *_):
        shapes.append(shape)
        return keras.Sequential([keras.Input(shape), keras.layers.Conv2D(1536, 1)])

    monkeypatch.setattr(detector, "backbone", backbone)
    for size in (74, 75, 128):
        network = detector.inception_resnet_v2(size)
        assert network.input_shape == (None, size, size, 3) and network.output_shape == (None, 2)
    assert shapes == [(128, 128, 3), (75, 75, 3), (128, 128, 3)]


def test_the_stand_in_is_the_discriminators_form_with_a_quarter_of_its_filters():
    network = detector.stand_in(16)
    discriminator = gan.discriminator(16, 0.25)
    assert network.count_params() == discriminator.count_params() + 256 + 1  # 2 outputs of 256 features, not one
    features = detector.feature_network(network)
    assert features.output_shape == (None, 256)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype(np.float32)
    probabilities = network(pixels, training=False).numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    dense = network.get_layer(detector.OUTPUT)
    logits = features(pixels, training=False).numpy() @ dense.kernel.numpy() + dense.bias.numpy()
    np.testing.assert_allclose(probabilities, tf.nn.softmax(logits), atol=1e-5)
