"""The embedders, their cache, and which of them is taken."""

import logging
from dataclasses import replace

import h5py
import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.fft import dctn

from common.data.datasets import open_dataset
from common.errors import UserError
from common.files import sha256
from common.networks.backbones import WeightsUnavailable
from reproductions.facenet_embeddings import embeddings
from reproductions.facenet_embeddings.config import PRESETS
from reproductions.facenet_embeddings.embeddings import Embedder, embed, find_embedder, make_embedder, spectrum
from reproductions.facenet_embeddings.inception_resnet_v1 import inception_resnet_v1


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPFAKE_REPRODUCTIONS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "embeddings"


@pytest.fixture
def images(make_prepared, tmp_path):
    return open_dataset("celebdf", make_prepared(tmp_path / "data", per_class=5, size=24)).images


class Counter:
    """An embedder's network that counts what it embeds: the mean of each colour, three numbers."""

    def __init__(self):
        self.seen = 0

    def predict_on_batch(self, batch):
        self.seen += len(batch)
        return np.asarray(batch).mean(axis=(1, 2))


def means(images):
    return np.array([np.asarray(Image.open(file), float).mean(axis=(0, 1)) for file in images["file"]])


def test_embeddings_stand_in_the_tables_order_and_are_computed_once(cache, images):
    network = Counter()
    shuffled = images.sample(frac=1, random_state=0)
    found = embed(shuffled, Embedder("mean", network, "mean-24"), 24, 4)
    np.testing.assert_allclose(found, means(shuffled), rtol=1e-5)
    assert network.seen == 12  # 10 images in full batches of 4
    again = embed(images, Embedder("mean", network, "mean-24"), 24, 4)
    np.testing.assert_allclose(again, means(images), rtol=1e-5)
    assert network.seen == 12
    embed(images, Embedder("mean", network, "other-24"), 24, 5)
    assert network.seen == 22


def test_a_killed_embedding_goes_on_after_its_last_shard(cache, images, monkeypatch):
    monkeypatch.setattr(embeddings, "SHARD", 4)

    class Killed(Counter):
        def predict_on_batch(self, batch):
            if self.seen == 8:
                raise KeyboardInterrupt
            return super().predict_on_batch(batch)

    with pytest.raises(KeyboardInterrupt):
        embed(images, Embedder("mean", Killed(), "mean-24"), 24, 4)
    network = Counter()
    np.testing.assert_allclose(embed(images, Embedder("mean", network, "mean-24"), 24, 2), means(images), rtol=1e-5)
    assert network.seen == 2


def test_copies_share_an_embedding_and_unhashed_images_are_hashed(cache, images):
    network = Counter()
    double = pd.concat([images, images.assign(sha256="")], ignore_index=True)
    found = embed(double, Embedder("mean", network, "mean-24"), 24, 5)
    assert network.seen == 10
    np.testing.assert_array_equal(found[:10], found[10:])


def test_spectrum_is_the_cosine_transform_of_parts_of_the_face():
    """Against scipy's DCT, block by block, before the random mixing."""
    size, generator = 40, np.random.default_rng(0)
    network = spectrum(size)
    pixels = generator.uniform(0, 255, (2, size, size, 3)).astype(np.float32)
    before = keras.Model(network.input, network.get_layer("mix").input).predict_on_batch(pixels)
    red, green, blue = pixels.astype(float).transpose(3, 0, 1, 2)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    colours = np.stack([luma, 0.564 * (blue - luma), 0.713 * (red - luma)], axis=1)  # (B, 3, S, S)
    starts = range(0, size - 7, 2)
    cell = len(starts) // 4
    expected = np.zeros((2, 4, 4, 3, 64))
    for down in range(4 * cell):
        for across in range(4 * cell):
            block = colours[:, :, 2 * down : 2 * down + 8, 2 * across : 2 * across + 8]
            waves = np.abs(dctn(block, axes=(2, 3), norm="ortho")).reshape(2, 3, 64)
            expected[:, down // cell, across // cell] += waves / cell**2
    expected = np.log(expected + 0.1).reshape(2, 16, 3, 64)
    expected -= expected.mean(axis=(1, 3), keepdims=True)
    expected /= np.sqrt(expected.var(axis=(1, 3), keepdims=True) + 1e-3)
    np.testing.assert_allclose(before, expected.reshape(2, -1), atol=0.02)
    embedded = network.predict_on_batch(pixels)
    assert embedded.shape == (2, 512)
    np.testing.assert_allclose(np.linalg.norm(embedded, axis=1), 1, rtol=1e-5)


def test_a_saved_spectrum_is_the_same_network(tmp_path):
    pixels = np.random.default_rng(1).uniform(0, 255, (3, 80, 80, 3)).astype(np.float32)
    spectrum(80).save(tmp_path / "spectrum.keras")
    loaded = keras.models.load_model(tmp_path / "spectrum.keras")
    assert not loaded.trainable_weights
    np.testing.assert_allclose(loaded.predict_on_batch(pixels), spectrum(80).predict_on_batch(pixels), atol=1e-6)


def test_without_facenets_weights_quick_goes_on_and_paper_stops(monkeypatch, caplog):
    def unavailable(choice):
        raise WeightsUnavailable("no network; get FILE by other means")

    monkeypatch.setattr(embeddings, "find_facenet_weights", unavailable)
    with caplog.at_level(logging.WARNING, logger="deepfake"):
        assert find_embedder(PRESETS["quick"]) == ("spectrum", None)
    assert "spectrum stands in for FaceNet: no network" in caplog.text
    with pytest.raises(WeightsUnavailable):
        find_embedder(PRESETS["paper"])
    with pytest.raises(WeightsUnavailable):
        find_embedder(replace(PRESETS["quick"], embedder="facenet"))
    assert find_embedder(replace(PRESETS["paper"], embedder="spectrum")) == ("spectrum", None)


def test_weights_and_their_absence_by_choice(tmp_path):
    (tmp_path / "weights.h5").write_bytes(b"weights")
    chosen = replace(PRESETS["quick"], facenet_weights=str(tmp_path / "weights.h5"))
    assert find_embedder(chosen) == ("facenet", tmp_path / "weights.h5")
    assert find_embedder(replace(chosen, facenet_weights="none")) == ("spectrum", None)
    with pytest.raises(UserError, match="needs its weights"):
        find_embedder(replace(chosen, facenet_weights="none", embedder="facenet"))
    with pytest.raises(UserError, match="at least 75"):
        find_embedder(replace(chosen, image_size=64))


def test_a_stand_in_says_that_it_is_not_facenet():
    for name in ("spectrum", "random_facenet"):
        embedder = make_embedder(name, None, 80)
        assert "not FaceNet" in embedder.notes[0] and embedder.identity.startswith(name)
        assert embedder.network.output_shape == (None, 512)


def test_facenet_is_made_with_the_weights_of_a_keras_2_file(tmp_path, monkeypatch):
    keras.utils.set_random_seed(5)
    source = inception_resnet_v1(80)
    with h5py.File(tmp_path / "facenet.h5", "w") as file:
        layers = [layer for layer in source.layers if layer.weights]
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        for layer in layers:
            group, names = file.create_group(layer.name), [f"{weight.name}:0" for weight in layer.weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, values in zip(names, layer.get_weights(), strict=True):
                group[name] = values
    digest = sha256(tmp_path / "facenet.h5")
    embedder = make_embedder("facenet", tmp_path / "facenet.h5", 80)
    assert embedder.notes == (f"not FaceNet: weights of SHA-256 {digest[:16]}, not published",)
    assert embedder.identity == f"facenet-{digest[:16]}-80"
    monkeypatch.setattr(embeddings, "PUBLISHED", replace(embeddings.PUBLISHED, sha256=digest))
    assert make_embedder("facenet", tmp_path / "facenet.h5", 80).notes == ()
    pixels = np.random.default_rng(1).uniform(0, 255, (2, 80, 80, 3)).astype(np.float32)
    found = embedder.network.predict_on_batch(pixels)
    np.testing.assert_allclose(found, source.predict_on_batch(pixels), atol=1e-5)
    other = make_embedder("random_facenet", None, 80).network.predict_on_batch(pixels)
    assert np.abs(found - other).max() > 1e-3
