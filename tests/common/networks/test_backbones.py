"""Backbones against keras.applications itself. Nothing is downloaded: the weight files are made here."""

import hashlib
from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.utils import file_utils

from common.errors import UserError
from common.networks.backbones import BACKBONES, backbone
from common.networks.weights import IMAGENET_FILES
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
    return (BACKBONES[name].minimum_size + more, BACKBONES[name].minimum_size, 3)


def pixels_for(name, count=2):
    return np.random.default_rng(0).uniform(0, 255, (count, *shape_of(name))).astype(np.float32)


def run(network, pixels):
    return network.predict_on_batch(pixels)


def write_published_form(network, path):
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
    """The network of keras.applications before its weights are loaded, and the arguments of its downloads."""
    asked = []
    with monkeypatch.context() as patched:
        patched.setattr(file_utils, "get_file", lambda *words, **flags: asked.append((words, flags)))
        patched.setattr(keras.Model, "load_weights", lambda *_: None)
        build = getattr(keras.applications, BACKBONES[name].function)
        network = build(include_top=False, weights="imagenet", input_shape=shape_of(name))
    return network, asked


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "vgg16" else pytest.mark.slow) for name in BACKBONES]
)
def test_weights_of_the_published_form_give_keras_own_outputs(name, tmp_path, monkeypatch):
    """File name, URL and hash are those that the installed Keras downloads. With a file of that form, the outputs for
    raw pixels are those of Keras's network for the pixels of its own preprocess_input."""
    theirs, asked = keras_own(name, monkeypatch)
    published = IMAGENET_FILES[name]
    [((file, url), flags)] = asked
    assert (file, url, flags["file_hash"]) == (published.name, published.url, published.digest)
    if name == "inceptionresnetv2":  # it takes 5 s to build, and its file is read like the others
        return
    for layer in theirs.layers:  # untrained statistics are zeros and ones: mixed-up layers would go unnoticed
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(np.random.default_rng(1).normal(0, 0.1, layer.moving_mean.shape))
    write_published_form(theirs, tmp_path / published.name)
    with open(tmp_path / published.name, "rb") as opened:
        md5 = hashlib.file_digest(opened, "md5").hexdigest()
    monkeypatch.setitem(IMAGENET_FILES, name, replace(published, digest=md5))
    ours = backbone(name, shape_of(name), str(tmp_path))
    pixels = pixels_for(name)
    expected = run(theirs, PREPROCESS[name](pixels.copy()))
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(run(ours, pixels), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_a_rectangular_shape_is_legal_and_every_layer_is_trainable():
    network = backbone("vgg16", (40, 64, 3))
    assert network.output_shape == (None, 1, 2, 512)
    assert all(layer.trainable for layer in network.layers)


@pytest.mark.parametrize("name", BACKBONES)
def test_an_image_below_the_minimum_size_is_refused_in_one_line(name):
    minimum = BACKBONES[name].minimum_size
    for shape in ((minimum - 1, minimum, 3), (minimum, minimum - 1, 3), (minimum, minimum, 1)):
        with pytest.raises(UserError, match=rf"{name} takes images of at least {minimum}x{minimum}x3, got") as error:
            backbone(name, shape)
        assert "\n" not in str(error.value)


def first_stage(network):
    """ResNet50 up to its first three blocks: eleven batch normalisations, and a fifth of the time."""
    return keras.Model(network.input, network.get_layer("conv2_block3_out").output)


@pytest.mark.slow
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
    assert np.abs(separate - expected).max() > 0.01 * scale, "statistics of half a batch differ"
    np.testing.assert_allclose(together, expected, atol=1e-4 * scale)
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(layers) == 53 and all(layer.get_config()["synchronized"] for layer in layers)
