"""FaceNet's weight files, in both forms that Keras 2 wrote. Nothing is downloaded."""

import hashlib
import logging
import socket
from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest

from common.errors import UserError
from common.networks import weights as weight_files
from common.networks.weights import FACENET_FILE, WeightsUnavailable
from reproductions.facenet_embeddings import facenet_weights
from reproductions.facenet_embeddings.facenet_weights import find_facenet_weights, load_facenet_weights
from reproductions.facenet_embeddings.inception_resnet_v1 import inception_resnet_v1


@pytest.fixture(scope="module")
def target():
    """A second network, into which weights are loaded."""
    return inception_resnet_v1(75)


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


@pytest.mark.slow
@pytest.mark.parametrize("whole_model", [False, True], ids=["20180402-114759-weights", "facenet_keras"])
def test_arrays_go_by_layer_name_whatever_their_order(whole_model, facenet, target, large_file, caplog):
    layers = dict(sorted(stored(facenet).items()))
    load_facenet_weights(blank(target), write(large_file, layers, whole_model))
    assert_equal(target, facenet)
    assert not caplog.records


@pytest.mark.slow
def test_layers_without_names_go_by_their_order_and_the_log_says_so(facenet, target, large_file, caplog):
    """Keras 2 numbered such layers as they were made, and stored them from the image on."""
    layers = {f"layer_{place}": arrays for place, arrays in enumerate(stored(facenet).values())}
    load_facenet_weights(blank(target), write(large_file, layers))
    assert_equal(target, facenet)
    assert "assigned in their order" in caplog.text


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


@pytest.mark.slow
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
def test_a_file_of_another_network_is_refused_and_changes_nothing(damage, words, facenet, target, large_file):
    blank(target)
    with pytest.raises(UserError, match=f"does not fit FaceNet: {words}") as error:
        load_facenet_weights(target, write(large_file, damage(stored(facenet))))
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
        with pytest.raises(UserError, match=f"{name} is not a weight file of Keras 2") as error:
            load_facenet_weights(target, tmp_path / name)
        assert "\n" not in str(error.value) and FACENET_FILE.url in str(error.value)


def test_a_file_of_the_users_is_found_and_the_log_tells_its_hash(tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    assert find_facenet_weights("none") is None
    with pytest.raises(UserError, match=f"expected download, none, or a file.*{FACENET_FILE.digest}"):
        find_facenet_weights(str(tmp_path))
    file = tmp_path / "mine.h5"
    file.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    assert find_facenet_weights(str(file)) == file
    assert f"not the published file: SHA-256 {digest}" in caplog.text
    monkeypatch.setattr(facenet_weights, "FACENET_FILE", replace(FACENET_FILE, digest=digest))
    caplog.clear()
    assert find_facenet_weights(str(file)) == file
    assert f"{FACENET_FILE.name}: SHA-256 {digest}" in caplog.text


def test_a_download_is_checked_by_its_hash(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        keras.utils, "get_file", lambda *words, **flags: asked.append((words, flags)) or str(tmp_path / "kept.h5")
    )
    assert find_facenet_weights("download") == tmp_path / "kept.h5"
    [((file, url), flags)] = asked
    assert (file, url) == ("20180402-114759-weights.h5", FACENET_FILE.url)
    assert flags["file_hash"] == FACENET_FILE.digest and flags["hash_algorithm"] == "sha256"
    assert len(FACENET_FILE.digest) == 64


def test_without_internet_the_error_says_what_to_fetch(monkeypatch):
    timeouts = []

    def no_internet(*_, **__):
        timeouts.append(socket.getdefaulttimeout())
        raise Exception(f"URL fetch failure on {FACENET_FILE.url}: None -- \n [Errno -2] Name or service not known")

    monkeypatch.setattr(keras.utils, "get_file", no_internet)
    with pytest.raises(WeightsUnavailable) as error:
        find_facenet_weights("download")
    for word in (FACENET_FILE.url, FACENET_FILE.digest, "Name or service not known", "--facenet-weights FILE", "none"):
        assert word in str(error.value)
    assert "\n" not in str(error.value)
    assert timeouts == [weight_files.TIMEOUT_SECONDS] and socket.getdefaulttimeout() is None
