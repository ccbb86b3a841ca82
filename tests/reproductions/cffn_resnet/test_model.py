"""The networks against the paper's figures, and against plain loops."""

import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest

from common.errors import UserError
from reproductions.cffn_resnet import model
from reproductions.cffn_resnet.config import Config
from reproductions.cffn_resnet.model import STAGES, build_networks


def learnt_parameters(*networks):
    weights = {id(weight): weight for network in networks for weight in network.trainable_weights}
    return sum(int(np.prod(weight.shape)) for weight in weights.values())


@pytest.mark.parametrize(
    ("size", "sides", "expected"),
    [
        (224, (55, 27, 13, 6), 36_284_680),
        pytest.param(64, (15, 7, 3, 1), 33_990_920, marks=pytest.mark.slow),
    ],
)
def test_the_network_has_the_stages_of_figures_1_and_2(size, sides, expected):
    """A 7x7 stem with stride 4 and no padding leaves floor((S - 7) / 4) + 1 pixels, each 2x2 pooling halves them.

    Inputs times outputs of a tower's convolutions: 2*64^2 | 64^2 + 64*96 | 6*96^2 + 96^2 + 96*128 | 4*128^2 + 128^2 +
    128*256 | 12*256^2 = 996,352, 9 weights each in one tower and 25 in the other: 33,875,968. Biases: 5,056 a tower.
    Batch normalisation: scale and shift of the 4,864 channels that a tower's convolutions read, 9,728 a tower. Stem
    49*3*64 + 64 = 9,472. Encoding: (512 * side^2 + 1) * 128. Head: 2*512 + 9*512*2 + 2 + 6 = 10,248.
    """
    encoder, classifier = build_networks(replace(Config(), image_size=size))
    towers = 33_875_968 + 2 * 5_056 + 2 * 9_728
    assert expected == towers + 9_472 + (512 * sides[-1] ** 2 + 1) * 128 + 10_248
    assert learnt_parameters(encoder, classifier) == expected
    assert learnt_parameters(classifier) == expected - (512 * sides[-1] ** 2 + 1) * 128
    shape = {layer.name: layer.output.shape[1:] for layer in (*encoder.layers, *classifier.layers)}
    assert shape["scaled"] == (size, size, 3) and shape["stem"] == (sides[0], sides[0], 64)
    units = [64, 96, 96, 96, 96, 128, 128, 128, 256, 256, 256, 256, 256, 256, 256]
    places = [0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3]
    for kernel in (3, 5):
        for number, (channels, place) in enumerate(zip(units, places, strict=True), 1):
            assert shape[f"tower{kernel}_unit{number}"] == (sides[place], sides[place], channels)
        assert f"tower{kernel}_unit16" not in shape
    assert shape["towers"] == (sides[-1], sides[-1], 512) and shape["flat"] == (512 * sides[-1] ** 2,)
    assert shape[model.EVIDENCE] == (sides[-1], sides[-1], 2) and shape["means"] == shape["logits"] == (2,)
    assert encoder.output_shape == (None, 128) and classifier.output_shape == (None, 2)


def forward_pass(image, weights, kernel, activate):
    """Compute one tower and both heads in plain loops: image (S, S, 3) -> (encoding (128,), logits (2,))."""

    def convolve(x, name, stride=1, same=True):
        filters, bias = weights[name]
        k = len(filters)
        x = np.pad(x, ((k // 2, k // 2), (k // 2, k // 2), (0, 0))) if same else x
        side = (len(x) - k) // stride + 1
        out = np.zeros((side, side, len(bias))) + bias
        for i in range(side):
            for j in range(side):
                patch = x[i * stride : i * stride + k, j * stride : j * stride + k]
                out[i, j] += np.einsum("abc,abco->o", patch, filters)
        return out

    def activated(x, name):
        scale, shift, mean, variance = weights[f"{name}_norm"]
        return activate((x - mean) / np.sqrt(variance + 1e-3) * scale + shift)

    x = convolve(image / 255, "stem", stride=4, same=False)
    number = 0
    for stage, (_, units) in enumerate(STAGES):
        for unit in range(units):
            number += 1
            name = f"tower{kernel}_unit{number}"
            if unit == units - 1 and stage < 3:
                half = len(x) // 2
                x = x[: 2 * half, : 2 * half].reshape(half, 2, half, 2, -1).mean(axis=(1, 3))
            y = convolve(activated(x, f"{name}_first"), f"{name}_first")
            y = convolve(activated(y, f"{name}_second"), f"{name}_second")
            more = y.shape[-1] - x.shape[-1]
            x = y + np.pad(x, ((0, 0), (0, 0), (more // 2, more - more // 2)))
    encoding = np.exp(x.ravel() @ weights["encoding"][0] + weights["encoding"][1])
    means = convolve(activated(x, "final"), model.EVIDENCE).mean(axis=(0, 1))
    return encoding / encoding.sum(), means @ weights["logits"][0] + weights["logits"][1]


@pytest.mark.slow
@pytest.mark.parametrize(("kernel", "activation", "size"), [(3, "swish", 64), (5, "relu", 83)])
def test_a_tower_and_both_heads_equal_plain_loops(narrow_networks, pictures, kernel, activation, size):
    """Scales, shifts, averages and biases are random, so that ones and zeros hide nothing. 83 px gives sides of 20, 10,
    5, 2: pooling cuts odd ones. Widths of 3, 5, 6, 13 channels make the zeros around a skip uneven."""
    encoder, classifier = narrow_networks(image_size=size, kernels=(kernel,), activation=activation, width=0.05)
    generator = np.random.default_rng(0)
    weights = {}
    for layer in {layer.name: layer for each in (encoder, classifier) for layer in each.layers}.values():
        if layer.weights:
            layer.set_weights([w + generator.uniform(0, 0.3, w.shape) * (w.ndim == 1) for w in layer.get_weights()])
            weights[layer.name] = layer.get_weights()
    activate = {"swish": lambda x: x / (1 + np.exp(-x)), "relu": lambda x: np.maximum(x, 0)}[activation]
    images = pictures(2, size)
    encodings, logits = encoder.predict_on_batch(images), classifier.predict_on_batch(images)
    scores = model.fake_score(classifier).predict_on_batch(images)
    for image, encoding, pair, score in zip(images, encodings, logits, scores, strict=True):
        expected_encoding, expected = forward_pass(image.astype(float), weights, kernel, activate)
        np.testing.assert_allclose(encoding, expected_encoding, rtol=2e-3, atol=1e-5)
        np.testing.assert_allclose(pair, expected, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(score, np.exp(expected[1]) / np.exp(expected).sum(), atol=1e-4)


@pytest.mark.slow
def test_the_towers_share_the_stem_and_are_concatenated(short_towers, narrow_networks, pictures):
    both = narrow_networks(kernels=(3, 5)).classifier
    for kernel in (3, 5):
        alone = narrow_networks(kernels=(kernel,)).classifier
        for layer in both.layers:
            if layer.name == "stem" or layer.name.startswith(f"tower{kernel}"):
                alone.get_layer(layer.name).set_weights(layer.get_weights())
        tower = keras.Model(alone.input, alone.get_layer(f"tower{kernel}_unit4").output).predict_on_batch(pictures())
        joined = keras.Model(both.input, both.get_layer("towers").output).predict_on_batch(pictures())
        half = slice(0, 16) if kernel == 3 else slice(16, 32)
        np.testing.assert_allclose(joined[..., half], tower, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_the_width_scales_stem_and_towers_and_a_small_image_is_refused(narrow_networks):
    encoder, classifier = narrow_networks(width=0.25)
    names = ["stem", "tower3_unit1", "tower3_unit2", "tower3_unit6", "tower3_unit9", "evidence"]
    assert [classifier.get_layer(name).output.shape[-1] for name in names] == [16, 16, 24, 32, 64, 2]
    assert encoder.output_shape == (None, 128)
    assert narrow_networks(image_size=35).encoder.get_layer("flat").output.shape == (None, 16)
    with pytest.raises(UserError, match="at least 35x35, got 34x34"):
        narrow_networks(image_size=34)


@pytest.mark.slow
def test_initial_weights_are_he_or_those_of_the_code(narrow_networks):
    """He: standard deviation sqrt(2 / inputs). The code's normal distribution, cut at 2, has 0.8796."""
    he, code = (narrow_networks(width=0.5, initializer=name).classifier for name in ("he", "code"))
    kernels = [[layer.kernel.numpy() for layer in each.layers if "_unit" in layer.name and layer.weights[2:] == []
                and isinstance(layer, keras.layers.Conv2D)] for each in (he, code)]  # fmt: skip
    for first, second in zip(*kernels, strict=True):
        assert first.std() == pytest.approx(np.sqrt(2 / np.prod(first.shape[:3])), rel=0.1)
        assert second.std() == pytest.approx(0.8796, rel=0.05) and np.abs(second).max() <= 2
    for name in ("stem", "tower3_unit9_second", "evidence", "logits"):
        assert not he.get_layer(name).bias.numpy().any()
        assert code.get_layer(name).bias.numpy().any()
    assert np.abs(code.get_layer("logits").kernel.numpy()).max() <= 2


def test_outputs_are_float32_under_mixed_precision(short_towers, narrow_networks, pictures):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        encoder, classifier = narrow_networks()
        scores = model.fake_score(classifier)
    finally:
        keras.config.set_dtype_policy("float32")
    assert classifier.get_layer("tower3_unit1_first").compute_dtype == "bfloat16"
    assert {each.predict_on_batch(pictures(2)).dtype for each in (encoder, classifier, scores)} == {np.dtype("float32")}
    np.testing.assert_allclose(encoder.predict_on_batch(pictures(2)).sum(axis=1), 1, atol=1e-6)


@pytest.mark.slow
def test_networks_load_in_a_new_process_in_safe_mode(short_towers, narrow_networks, pictures, tmp_path):
    encoder, classifier = narrow_networks()
    saved = {"encoder": encoder, "classifier": model.fake_score(classifier)}
    np.save(tmp_path / "images.npy", pictures(2))
    for name, network in saved.items():
        network.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", network.predict_on_batch(pictures(2)))
    code = f"""
import common.layers, keras, numpy as np, sys
for name in {list(saved)}:
    network = keras.models.load_model(f"{tmp_path}/{{name}}.keras", compile=False, safe_mode=True)
    output = network.predict_on_batch(np.load("{tmp_path}/images.npy"))
    np.testing.assert_allclose(output, np.load(f"{tmp_path}/{{name}}.npy"), rtol=1e-4, atol=1e-5)
assert "reproductions" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
