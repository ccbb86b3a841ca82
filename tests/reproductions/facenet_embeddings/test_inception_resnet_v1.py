"""FaceNet's network against plain NumPy."""

import keras
import numpy as np
import pytest

from common.errors import UserError
from reproductions.facenet_embeddings.inception_resnet_v1 import inception_resnet_v1

SIZE = 75


@pytest.fixture(scope="module")
def weights(facenet):
    return {layer.name: layer.get_weights() for layer in facenet.layers if layer.weights}


def pictures(count=2, size=SIZE):
    return np.random.default_rng(0).uniform(0, 255, (count, size, size, 3)).astype(np.float32)


def by_hand(weights, x):
    """Sandberg's network in plain NumPy: weights by layer name, pixels (B, S, S, 3) -> embeddings (B, 512)."""

    def convolve(x, kernel, stride=1, same=True):
        height, width = kernel.shape[:2]
        if same:
            x = np.pad(x, [(0, 0), (height // 2,) * 2, (width // 2,) * 2, (0, 0)])
        rows, columns = x.shape[1] - height + 1, x.shape[2] - width + 1
        taps = [(i, j) for i in range(height) for j in range(width)]
        return sum(x[:, i : i + rows : stride, j : j + columns : stride] @ kernel[i, j] for i, j in taps)

    def normalise(x, name):
        beta, mean, variance = weights[f"{name}_BatchNorm"]
        return (x - mean) / np.sqrt(variance + 0.001) + beta

    def unit(x, name, **options):
        return np.maximum(normalise(convolve(x, *weights[name], **options), name), 0)

    def pool(x):
        rows, columns = x.shape[1] - 2, x.shape[2] - 2
        return np.max([x[:, i : i + rows : 2, j : j + columns : 2] for i in range(3) for j in range(3)], axis=0)

    def chain(x, name, *convolutions, last=None):
        for place, convolution in enumerate(convolutions, start=1):
            x = unit(x, f"{name}_Conv2d_{convolution}", **((last or {}) if place == len(convolutions) else {}))
        return x

    def residual(x, name, scale, *branches):
        outputs = [chain(x, f"{name}_Branch_{number}", *branch.split()) for number, branch in enumerate(branches)]
        kernel, bias = weights[f"{name}_Conv2d_1x1"]
        return x + scale * (convolve(np.concatenate(outputs, axis=-1), kernel) + bias)

    halve = {"stride": 2, "same": False}
    x = (x - 127.5) / 127.5
    x = unit(unit(x, "Conv2d_1a_3x3", **halve), "Conv2d_2a_3x3", same=False)
    x = unit(pool(unit(x, "Conv2d_2b_3x3")), "Conv2d_3b_1x1")
    x = unit(unit(x, "Conv2d_4a_3x3", same=False), "Conv2d_4b_3x3", **halve)
    for number in range(1, 6):
        branches = "1x1", "0a_1x1 0b_3x3", "0a_1x1 0b_3x3 0c_3x3"
        x = np.maximum(residual(x, f"Block35_{number}", 0.17, *branches), 0)
    first = chain(x, "Mixed_6a_Branch_0", "1a_3x3", last=halve)
    second = chain(x, "Mixed_6a_Branch_1", "0a_1x1", "0b_3x3", "1a_3x3", last=halve)
    x = np.concatenate([first, second, pool(x)], axis=-1)
    for number in range(1, 11):
        x = np.maximum(residual(x, f"Block17_{number}", 0.10, "1x1", "0a_1x1 0b_1x7 0c_7x1"), 0)
    first = chain(x, "Mixed_7a_Branch_0", "0a_1x1", "1a_3x3", last=halve)
    second = chain(x, "Mixed_7a_Branch_1", "0a_1x1", "1a_3x3", last=halve)
    third = chain(x, "Mixed_7a_Branch_2", "0a_1x1", "0b_3x3", "1a_3x3", last=halve)
    x = np.concatenate([first, second, third, pool(x)], axis=-1)
    for number in range(1, 6):
        x = np.maximum(residual(x, f"Block8_{number}", 0.20, "1x1", "0a_1x1 0b_1x3 0c_3x1"), 0)
    x = residual(x, "Block8_6", 1.0, "1x1", "0a_1x1 0b_1x3 0c_3x1")
    x = normalise(x.mean(axis=(1, 2)) @ weights["Bottleneck"][0], "Bottleneck")
    return x / np.sqrt((x**2).sum(axis=1, keepdims=True))


@pytest.mark.slow
def test_the_network_is_sandbergs_by_hand(facenet, weights):
    embeddings = facenet.predict_on_batch(pictures())
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, by_hand(weights, pictures().astype(float)), atol=1e-5)
    assert np.abs(embeddings[0] - embeddings[1]).max() > 1e-3, "the pixels matter"
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


@pytest.mark.slow
def test_shapes_at_160_pixels_and_parameters():
    """Not learnt are the moving averages, two for each filter with batch normalisation: 656 in the stem, 5 * 192 in
    Block35, 1,024 in Mixed_6a, 10 * 512 in Block17, 1,920 in Mixed_7a, 6 * 768 in Block8, 512 in the bottleneck."""
    full = inception_resnet_v1()
    stages = {
        "pixels": (160, 160, 3),
        "Conv2d_1a_3x3": (79, 79, 32),
        "Conv2d_2a_3x3": (77, 77, 32),
        "Conv2d_2b_3x3": (77, 77, 64),
        "MaxPool_3a_3x3": (38, 38, 64),
        "Conv2d_3b_1x1": (38, 38, 80),
        "Conv2d_4a_3x3": (36, 36, 192),
        "Conv2d_4b_3x3": (17, 17, 256),
        "Block35_5_Activation": (17, 17, 256),
        "Mixed_6a": (8, 8, 896),
        "Block17_10_Activation": (8, 8, 896),
        "Mixed_7a": (3, 3, 1792),
        "Block8_5_Activation": (3, 3, 1792),
        "Block8_6_Add": (3, 3, 1792),
        "AvgPool": (1792,),
        "Bottleneck": (512,),
        "embedding": (512,),
    }
    assert {name: full.get_layer(name).output.shape[1:] for name in stages} == stages
    assert full.count_params() == 23_497_424
    assert full.count_params() - sum(int(np.prod(each.shape)) for each in full.trainable_weights) == 2 * 14_800


@pytest.mark.slow
def test_settings_that_no_output_at_rest_shows():
    network = inception_resnet_v1(SIZE, synchronized=True)
    normalisations = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {(layer.momentum, layer.epsilon, layer.scale, layer.synchronized) for layer in normalisations} == {
        (0.995, 0.001, False, True)
    }
    assert [layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)] == [0.2]


def test_an_image_too_small_is_refused():
    with pytest.raises(UserError, match="at least 75x75, got 74x74"):
        inception_resnet_v1(74)


@pytest.mark.slow
def test_a_saved_network_loads_in_safe_mode_with_keras_own_layers(facenet, large_file):
    """The function behind the layer Lambda is tested in a fresh process by test_layers."""
    facenet.save(large_file.with_suffix(".keras"))
    loaded = keras.models.load_model(large_file.with_suffix(".keras"), compile=False, safe_mode=True)
    np.testing.assert_allclose(loaded.predict_on_batch(pictures()), facenet.predict_on_batch(pictures()), atol=1e-6)
    assert all(type(layer).__module__.startswith("keras.") for layer in facenet.layers)


@pytest.mark.slow
def test_embeddings_are_float32_under_mixed_precision(facenet):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = inception_resnet_v1(SIZE)
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(facenet.get_weights())
    embeddings = mixed.predict_on_batch(pictures())
    assert mixed.get_layer("Block8_1_Scale").compute_dtype == "bfloat16" and embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    assert (embeddings * facenet.predict_on_batch(pictures())).sum(axis=1).min() > 0.98  # the cosine
