"""Backbones against keras.applications itself. Nothing is downloaded: the weight files are made here."""

import hashlib
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.utils import file_utils

from common.errors import UserError
from common.networks import backbones
from common.networks.backbones import NETWORKS, WeightsUnavailable, backbone, find_weights
from common.training.distribution import set_up

PREPROCESS = {
    "vgg16": keras.applications.vgg16.preprocess_input,
    "vgg19": keras.applications.vgg19.preprocess_input,
    "resnet50": keras.applications.resnet50.preprocess_input,
    "inceptionv3": keras.applications.inception_v3.preprocess_input,
    "xception": keras.applications.xception.preprocess_input,
    "inceptionresnetv2": keras.applications.inception_resnet_v2.preprocess_input,
}


def shape_of(name, more=0):
    return (NETWORKS[name].least + more, NETWORKS[name].least, 3)


def pixels_for(name, count=2):
    return np.random.default_rng(0).uniform(0, 255, (count, *shape_of(name))).astype(np.float32)


def run(network, pixels):
    return network.predict_on_batch(pixels)


def write_as_published(network, path):
    """A weight file of the form of keras.applications' own: groups by layer, in order, names in attributes."""
    with h5py.File(path, "w") as file:
        weighted = [layer for layer in network.layers if layer.weights]
        file.attrs["layer_names"] = [layer.name.encode() for layer in weighted]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.1.5"
        for layer in weighted:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0".encode() for weight in layer.weights]
            group.attrs["weight_names"] = names
            for name, value in zip(names, layer.get_weights(), strict=True):
                group.create_dataset(name.decode(), data=value)


def keras_own(name, monkeypatch):
    """keras.applications' network as it is before its download ends, and what it asked to be downloaded."""
    asked = []
    with monkeypatch.context() as patched:
        patched.setattr(file_utils, "get_file", lambda *words, **flags: asked.append((words, flags)))
        patched.setattr(keras.Model, "load_weights", lambda *_: None)
        build = getattr(keras.applications, NETWORKS[name].function)
        network = build(include_top=False, weights="imagenet", input_shape=shape_of(name))
    return network, asked


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_of_the_published_form_give_keras_own_outputs(name, tmp_path, monkeypatch):
    """File name, URL and hash are those that the installed Keras downloads; from a file of that form, on raw pixels,
    comes what Keras's network gives on the pixels of its own preprocess_input."""
    theirs, asked = keras_own(name, monkeypatch)
    published = NETWORKS[name]
    [((file, url), flags)] = asked
    assert (file, url, flags["file_hash"]) == (published.file, backbones.SERVER + published.path, published.md5)
    if name == "inceptionresnetv2":  # 5 s to build; its file is read as the others' are
        return
    for layer in theirs.layers:  # untrained statistics are zeros and ones: a mix-up of layers would not show
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(np.random.default_rng(1).normal(0, 0.1, layer.moving_mean.shape))
    write_as_published(theirs, tmp_path / published.file)
    with open(tmp_path / published.file, "rb") as opened:
        md5 = hashlib.file_digest(opened, "md5").hexdigest()
    monkeypatch.setitem(NETWORKS, name, replace(published, md5=md5))
    ours = backbone(name, shape_of(name), str(tmp_path))
    pixels = pixels_for(name)
    expected = run(theirs, PREPROCESS[name](pixels.copy()))
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(run(ours, pixels), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_any_legal_shape_is_taken_and_training_can_go_on():
    network = backbone("vgg16", (40, 64, 3))
    assert network.output_shape == (None, 1, 2, 512)
    assert all(layer.trainable for layer in network.layers)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_image_below_the_least_size_is_refused_in_one_line(name):
    least = NETWORKS[name].least
    for shape in ((least - 1, least, 3), (least, least - 1, 3), (least, least, 1)):
        with pytest.raises(UserError, match=rf"{name} takes images of at least {least}x{least}x3, got") as error:
            backbone(name, shape)
        assert "\n" not in str(error.value)


def test_a_folder_without_the_file_or_with_another_one_is_refused(tmp_path):
    published = NETWORKS["vgg19"]
    with pytest.raises(UserError, match=f"{published.file}.*{published.path}.*{published.md5}") as error:
        find_weights("vgg19", str(tmp_path))
    assert not isinstance(error.value, WeightsUnavailable), "a folder that was named must hold the file"
    (tmp_path / published.file).write_bytes(b"cut off")
    with pytest.raises(UserError, match=f"expected MD5 {published.md5}, got {hashlib.md5(b'cut off').hexdigest()}"):
        find_weights("vgg19", str(tmp_path))


def test_without_internet_the_error_says_what_to_fetch_and_where_to_put_it(monkeypatch, tmp_path):
    published = NETWORKS["xception"]
    timeouts = []

    def no_internet(*_, **__):
        timeouts.append(socket.getdefaulttimeout())
        raise Exception(f"URL fetch failure on {published.path}: None --\n [Errno -2] Name or service not known")

    monkeypatch.setattr(keras.utils, "get_file", no_internet)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(WeightsUnavailable) as error:
        find_weights("xception", "imagenet")
    for word in (backbones.SERVER + published.path, published.md5, published.file, str(tmp_path / "models"), "none"):
        assert word in str(error.value)
    assert "\n" not in str(error.value) and isinstance(error.value, UserError)
    assert timeouts == [backbones.SILENCE] and socket.getdefaulttimeout() is None


def test_a_download_is_kept_and_checked_by_keras(monkeypatch, tmp_path):
    """A file of the right hash in Keras's own folder is taken as it is; a damaged one is fetched again."""
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(file_utils, "urlretrieve", lambda *_: pytest.fail("downloads what is there"))
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))  # Keras reads KERAS_HOME at its import
    published = replace(NETWORKS["vgg16"], md5=hashlib.md5(b"weights").hexdigest())
    monkeypatch.setitem(NETWORKS, "vgg16", published)
    kept = tmp_path / "models" / published.file
    kept.write_bytes(b"weights")
    assert find_weights("vgg16", "imagenet") == kept
    kept.write_bytes(b"half")
    monkeypatch.setattr(file_utils, "urlretrieve", lambda url, path, _: Path(path).write_bytes(b"half again"))
    with pytest.raises(WeightsUnavailable, match="corrupted"):
        find_weights("vgg16", "imagenet")
    assert find_weights("vgg16", "none") is None


def first_stage(network):
    """ResNet50 up to its first three blocks: eleven batch normalisations, and a fifth of the time."""
    return keras.Model(network.input, network.get_layer("conv2_block3_out").output)


def test_batch_normalisation_is_taken_over_all_replicas():
    """A training pass of half a batch on each of two replicas is the pass of the whole batch on one."""
    pixels = np.random.default_rng(0).uniform(0, 255, (8, 32, 32, 3)).astype(np.float32)
    strategy = set_up("mirrored")
    assert strategy.num_replicas_in_sync == 2
    with strategy.scope():
        network = backbone("resnet50", (32, 32, 3), synchronized=True)
        stage = first_stage(network)
    batches = strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensor_slices(pixels).batch(8))
    passed = tf.function(lambda batch: strategy.run(stage, args=(batch,), kwargs={"training": True}))
    outputs = strategy.experimental_local_results(passed(next(iter(batches))))
    together = np.concatenate([output.numpy() for output in outputs])
    set_up("none")
    alone = backbone("resnet50", (32, 32, 3))
    alone.set_weights(network.get_weights())
    alone = tf.function(first_stage(alone))
    expected = alone(pixels, training=True).numpy()
    separate = np.concatenate([alone(half, training=True).numpy() for half in np.split(pixels, 2)])
    scale = np.abs(expected).max()
    assert np.abs(separate - expected).max() > 0.01 * scale, "otherwise the test could not fail"
    np.testing.assert_allclose(together, expected, atol=1e-4 * scale)
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(layers) == 53 and all(layer.get_config()["synchronized"] for layer in layers)


def test_the_names_are_known_without_tensorflow():
    code = "import common.networks.backbones, sys; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
