"""FaceNet against plain NumPy, and its weight files in both forms that Keras 2 wrote. Nothing is downloaded."""

import hashlib
import logging
import socket
from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest

from common.errors import UserError
from common.networks import backbones
from common.networks.backbones import WeightsUnavailable
from reproductions.facenet_embeddings import inception_resnet_v1 as facenet
from reproductions.facenet_embeddings.inception_resnet_v1 import (
    FACENET,
    find_facenet_weights,
    inception_resnet_v1,
    load_facenet_weights,
)

SIZE = 75


def randomised(network, seed=0):
    """The same network with biases and statistics drawn too: with zeros and ones a mix-up would not show."""
    generator = np.random.default_rng(seed)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.beta.shape
            drawn = generator.normal(0, 0.2, shape), generator.normal(0, 0.2, shape), generator.uniform(0.5, 2, shape)
            layer.set_weights(drawn)
        elif isinstance(layer, keras.layers.Conv2D) and layer.use_bias:
            layer.bias.assign(generator.normal(0, 0.2, layer.bias.shape))
    return network


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return randomised(inception_resnet_v1(SIZE))


@pytest.fixture(scope="module")
def target():
    """A second one, for weights to be loaded into."""
    return inception_resnet_v1(SIZE)


@pytest.fixture(scope="module")
def weights(network):
    return {layer.name: layer.get_weights() for layer in network.layers if layer.weights}


@pytest.fixture
def file(tmp_path):
    """A path for 94 MB that are not left behind."""
    yield tmp_path / "file.h5"
    for path in tmp_path.iterdir():
        path.unlink()


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


def test_the_network_is_sandbergs_by_hand(network, weights):
    embeddings = network.predict_on_batch(pictures())
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, by_hand(weights, pictures().astype(float)), atol=1e-5)
    assert np.abs(embeddings[0] - embeddings[1]).max() > 1e-3, "otherwise the pixels would not matter"
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


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


def test_a_saved_network_loads_in_safe_mode_with_keras_own_layers(network, file):
    """The function behind the layer Lambda is tested in a fresh process by test_layers."""
    network.save(file.with_suffix(".keras"))
    loaded = keras.models.load_model(file.with_suffix(".keras"), compile=False, safe_mode=True)
    np.testing.assert_allclose(loaded.predict_on_batch(pictures()), network.predict_on_batch(pictures()), atol=1e-6)
    assert all(type(layer).__module__.startswith("keras.") for layer in network.layers)


def test_embeddings_are_float32_under_mixed_precision(network):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = inception_resnet_v1(SIZE)
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(network.get_weights())
    embeddings = mixed.predict_on_batch(pictures())
    assert mixed.get_layer("Block8_1_Scale").compute_dtype == "bfloat16" and embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    assert (embeddings * network.predict_on_batch(pictures())).sum(axis=1).min() > 0.98  # the cosine


def write(path, layers, whole_model=False):
    """Write {layer: [(name, array)]} as Keras 2 did: groups by layer, order and names in attributes, in between layers
    without weights; a whole model has them in a group of their own, beside its description."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole_model else file
        if whole_model:
            file.attrs["model_config"] = b'{"class_name": "Model", "config": {}}'
        root.attrs["layer_names"] = [name.encode() for name in ("input_1", *layers, "AvgPool")]
        root.attrs["backend"], root.attrs["keras_version"] = b"tensorflow", b"2.1.2"
        for name in ("input_1", "AvgPool"):
            root.create_group(name).attrs["weight_names"] = np.array([], "S1")
        for name, arrays in layers.items():
            group = root.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{weight}:0".encode() for weight, _ in arrays]
            for weight, array in arrays:
                group.create_dataset(f"{name}/{weight}:0", data=array)
    return path


def stored(network):
    return {
        layer.name: list(zip([weight.name for weight in layer.weights], layer.get_weights(), strict=True))
        for layer in network.layers
        if layer.weights
    }


def blank(network):
    network.set_weights([np.zeros(weights.shape) for weights in network.weights])
    return network


def assert_equal(left, right):
    for one, other in zip(left.get_weights(), right.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("whole_model", [False, True], ids=["20180402-114759-weights", "facenet_keras"])
def test_arrays_go_by_layer_name_whatever_their_order(whole_model, network, target, file, caplog):
    layers = dict(sorted(stored(network).items()))
    load_facenet_weights(blank(target), write(file, layers, whole_model))
    assert_equal(target, network)
    assert not caplog.records


def test_layers_without_names_go_by_their_order_and_the_log_says_so(network, target, file, caplog):
    """Keras 2 numbered such layers as they were made, and stored them from the image on."""
    layers = {f"layer_{place}": arrays for place, arrays in enumerate(stored(network).values())}
    load_facenet_weights(blank(target), write(file, layers))
    assert_equal(target, network)
    assert "taken in their order" in caplog.text


def narrow(layers):
    return layers | {"Bottleneck": [("kernel", np.zeros((1792, 128)))]}


def without(layers):
    return {name: arrays for name, arrays in layers.items() if name != "Block8_6_Conv2d_1x1"}


def with_scale(layers):
    name = "Conv2d_1a_3x3_BatchNorm"
    return layers | {name: [*layers[name], ("gamma", np.ones(32))]}


def with_classes(layers):
    return layers | {"Logits": [("kernel", np.zeros((512, 10)))]}


def swapped(layers):
    names = [f"layer_{place}" for place in range(len(layers))]
    arrays = list(layers.values())
    arrays[2], arrays[4] = arrays[4], arrays[2]
    return dict(zip(names, arrays, strict=True))


def shuffled(layers):
    name = "Bottleneck_BatchNorm"
    return layers | {name: layers[name][::-1]}


def shortened(layers):
    return {f"layer_{place}": arrays for place, arrays in enumerate(list(layers.values())[:-1])}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (narrow, r"expected Bottleneck/kernel \(1792, 512\), got Bottleneck/kernel \(1792, 128\); get https"),
        (without, r"expected Block8_6_Conv2d_1x1/kernel \(1, 1, 384, 1792\), got nothing;"),
        (with_scale, r"expected nothing, got Conv2d_1a_3x3_BatchNorm/gamma \(32,\);"),
        (with_classes, r"expected nothing, got Logits/kernel \(512, 10\);"),
        (swapped, r"expected Conv2d_2a_3x3/kernel \(3, 3, 32, 32\), got layer_2/kernel \(3, 3, 32, 64\);"),
        (shuffled, r"expected Bottleneck_BatchNorm/beta \(512,\), got Bottleneck_BatchNorm/moving_variance \(512,\);"),
        (shortened, r"expected Bottleneck_BatchNorm/beta \(512,\), got nothing;"),
    ],
)
def test_a_file_of_another_network_is_refused_and_changes_nothing(damage, words, network, target, file):
    blank(target)
    with pytest.raises(UserError, match=f"does not fit FaceNet: {words}") as error:
        load_facenet_weights(target, write(file, damage(stored(network))))
    assert "\n" not in str(error.value)
    assert not any(array.any() for array in target.get_weights())


def test_what_is_no_weight_file_is_refused(target, tmp_path):
    (tmp_path / "text.h5").write_text("404: not found")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_dataset("numbers", data=[1.0])
    write(tmp_path / "hollow.h5", {})
    with h5py.File(tmp_path / "hollow.h5", "a") as file:
        del file["AvgPool"]
    for name in ("text.h5", "other.h5", "hollow.h5", "absent.h5"):
        with pytest.raises(UserError, match=f"{name} is no weight file of Keras 2") as error:
            load_facenet_weights(target, tmp_path / name)
        assert "\n" not in str(error.value) and FACENET.url in str(error.value)


def test_a_file_of_the_users_is_found_and_the_log_tells_its_hash(tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    assert find_facenet_weights("none") is None
    with pytest.raises(UserError, match=f"expected download, none, or a file.*{FACENET.sha256}"):
        find_facenet_weights(str(tmp_path))
    file = tmp_path / "mine.h5"
    file.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    assert find_facenet_weights(str(file)) == file
    assert f"not the published file: SHA-256 {digest}" in caplog.text
    monkeypatch.setattr(facenet, "FACENET", replace(FACENET, sha256=digest))
    caplog.clear()
    assert find_facenet_weights(str(file)) == file
    assert f"{FACENET.file}: SHA-256 {digest}" in caplog.text


def test_a_download_is_checked_by_its_hash(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        keras.utils, "get_file", lambda *words, **flags: asked.append((words, flags)) or str(tmp_path / "kept.h5")
    )
    assert find_facenet_weights("download") == tmp_path / "kept.h5"
    [((file, url), flags)] = asked
    assert (file, url) == ("20180402-114759-weights.h5", FACENET.url)
    assert flags["file_hash"] == FACENET.sha256 and flags["hash_algorithm"] == "sha256"
    assert len(FACENET.sha256) == 64


def test_without_internet_the_error_says_what_to_fetch(monkeypatch):
    timeouts = []

    def no_internet(*_, **__):
        timeouts.append(socket.getdefaulttimeout())
        raise Exception(f"URL fetch failure on {FACENET.url}: None -- \n [Errno -2] Name or service not known")

    monkeypatch.setattr(keras.utils, "get_file", no_internet)
    with pytest.raises(WeightsUnavailable) as error:
        find_facenet_weights("download")
    for word in (FACENET.url, FACENET.sha256, "Name or service not known", "--facenet-weights FILE", "none"):
        assert word in str(error.value)
    assert "\n" not in str(error.value)
    assert timeouts == [backbones.SILENCE] and socket.getdefaulttimeout() is None
