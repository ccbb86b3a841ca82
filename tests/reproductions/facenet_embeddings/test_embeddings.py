"""The embedders, their cache, and which of them is taken."""

import io
from dataclasses import replace
from types import SimpleNamespace

import h5py
import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.fft import dctn

from common.data.datasets import open_dataset
from common.data.pipeline import Preprocessing
from common.errors import UserError
from common.files import sha256
from common.networks.weights import WeightsUnavailable
from common.runs.options import read_config
from reproductions.facenet_embeddings import embeddings
from reproductions.facenet_embeddings.config import PRESETS
from reproductions.facenet_embeddings.embeddings import Embedder, embed, find_embedder
from reproductions.facenet_embeddings.inception_resnet_v1 import inception_resnet_v1
from reproductions.facenet_embeddings.spectrum import spectrum


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPFAKE_REPRODUCTIONS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "embeddings"


@pytest.fixture
def images(make_prepared, tmp_path):
    return open_dataset("celebdf", make_prepared(tmp_path / "data", per_class=5, size=24)).images


def mean_embedder(network, identity="mean-24"):
    return SimpleNamespace(name="mean", network=network, identity=identity, size=24, dimensions=3)


class Counter:
    """An embedder's network that counts what it embeds: the mean of each colour, three numbers."""

    def __init__(self):
        self.seen = 0

    def predict_on_batch(self, batch):
        self.seen += len(batch)
        return np.asarray(batch).mean(axis=(1, 2))


def resized(file):
    """The pixels of an image file at 80 x 80, as the pipeline resizes them."""
    pixels = np.asarray(Image.open(file).convert("RGB"), np.float32)
    return Preprocessing(80, scale=1.0).resize_image(pixels).numpy().astype(np.float32)


def means(images):
    return np.array([np.asarray(Image.open(file), float).mean(axis=(0, 1)) for file in images["file"]])


def test_embeddings_are_in_the_tables_order_and_are_computed_once(cache, images):
    network = Counter()
    shuffled = images.sample(frac=1, random_state=0)
    found = embed(shuffled, mean_embedder(network), 4)
    np.testing.assert_allclose(found, means(shuffled), rtol=1e-5)
    assert network.seen == 12  # 10 images in full batches of 4
    again = embed(images, mean_embedder(network), 4)
    np.testing.assert_allclose(again, means(images), rtol=1e-5)
    assert network.seen == 12
    embed(images, mean_embedder(network, "other-24"), 5)
    assert network.seen == 22


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:100],
        lambda data: b"\x80\x04K\x01.",
        lambda data: with_vectors(data, np.zeros((10, 7), np.float32)),
        lambda data: with_vectors(data, np.full((10, 3), np.nan, np.float32)),
        lambda data: with_vectors(data, np.zeros((9, 3), np.float32)),
    ],
)
def test_a_damaged_file_of_the_cache_is_computed_again(cache, images, damage):
    network = Counter()
    embed(images, mean_embedder(network), 2)
    (file,) = cache.rglob("*.npz")
    file.write_bytes(damage(file.read_bytes()))
    np.testing.assert_allclose(embed(images, mean_embedder(network), 2), means(images), rtol=1e-5)
    assert network.seen == 20, "10 images, twice"
    np.testing.assert_allclose(embed(images, mean_embedder(network), 2), means(images), rtol=1e-5)
    assert network.seen == 20, "the new file is sound"


def with_vectors(data, vectors):
    """A file of the cache with other vectors."""
    file = io.BytesIO()
    with np.load(io.BytesIO(data)) as stored:
        np.savez(file, digests=stored["digests"], vectors=vectors)
    return file.getvalue()


def test_a_killed_embedding_resumes_after_its_last_shard(cache, images, monkeypatch):
    monkeypatch.setattr(embeddings, "SHARD", 4)

    class Killed(Counter):
        def predict_on_batch(self, batch):
            if self.seen == 8:
                raise KeyboardInterrupt
            return super().predict_on_batch(batch)

    with pytest.raises(KeyboardInterrupt):
        embed(images, mean_embedder(Killed()), 4)
    network = Counter()
    np.testing.assert_allclose(embed(images, mean_embedder(network), 2), means(images), rtol=1e-5)
    assert network.seen == 2


def test_a_cache_that_cannot_be_written_stops_no_run(cache, images, monkeypatch, caplog):
    """The folder of the cache is a file; with a read-only one or a full disk the error is an OSError too."""
    cache.parent.mkdir()
    cache.write_text("")
    np.testing.assert_allclose(embed(images, mean_embedder(Counter()), 4), means(images), rtol=1e-5)
    assert "10 embeddings are not kept in" in caplog.text


def test_copies_share_an_embedding_and_unhashed_images_are_hashed(cache, images):
    network = Counter()
    double = pd.concat([images, images.assign(sha256="")], ignore_index=True)
    found = embed(double, mean_embedder(network), 5)
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


def test_a_run_stops_without_the_weights_of_facenet_that_it_asks_for(monkeypatch):
    """quick asks for none, so it never looks for them: with and without a network it gives the same numbers."""

    def unavailable(choice):
        raise WeightsUnavailable("no network; get FILE by other means")

    assert find_embedder(PRESETS["quick"]) == Embedder("spectrum", 160)
    monkeypatch.setattr(embeddings, "find_facenet_weights", unavailable)
    for asking in (PRESETS["paper"], replace(PRESETS["quick"], facenet_weights="download")):
        with pytest.raises(WeightsUnavailable):
            find_embedder(asking)
    assert find_embedder(replace(PRESETS["paper"], embedder="spectrum")) == Embedder("spectrum", 160)


def test_weights_and_their_absence_by_choice(tmp_path):
    (tmp_path / "weights.h5").write_bytes(b"weights")
    chosen = replace(PRESETS["quick"], facenet_weights=str(tmp_path / "weights.h5"))
    assert find_embedder(chosen) == Embedder("facenet", 160, tmp_path / "weights.h5")
    assert find_embedder(replace(chosen, facenet_weights="none")) == Embedder("spectrum", 160)
    with pytest.raises(UserError, match="needs its weights"):
        find_embedder(replace(chosen, facenet_weights="none", embedder="facenet"))


def test_smaller_images_than_facenet_takes_are_refused():
    with pytest.raises(UserError, match="at least 75"):
        inception_resnet_v1(74)
    with pytest.raises(UserError, match="--image-size: expected a number of at least 75, got 74"):
        read_config(PRESETS, ["--image-size", "74"])


@pytest.mark.slow
def test_a_stand_in_says_that_it_is_not_facenet():
    for name in ("spectrum", "random_facenet"):
        embedder = Embedder(name, 80)
        assert "not FaceNet" in embedder.notes[0] and embedder.identity == f"{name}-v1-80-float32"
        assert embedder.network.output_shape == (None, 512)


@pytest.mark.slow
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
    embedder = Embedder("facenet", 80, tmp_path / "facenet.h5")
    assert embedder.notes == [f"not FaceNet: weights of SHA-256 {digest[:16]}, not published"]
    assert embedder.identity == f"facenet-{digest[:16]}-80-float32"
    monkeypatch.setattr(embeddings, "FACENET_FILE", replace(embeddings.FACENET_FILE, digest=digest))
    assert Embedder("facenet", 80, tmp_path / "facenet.h5").notes == []
    pixels = np.random.default_rng(1).uniform(0, 255, (2, 80, 80, 3)).astype(np.float32)
    found = embedder.network.predict_on_batch(pixels)
    np.testing.assert_allclose(found, source.predict_on_batch(pixels), atol=1e-5)
    other = Embedder("random_facenet", 80).network.predict_on_batch(pixels)
    assert np.abs(found - other).max() > 1e-3


def test_embeddings_are_float32_whatever_the_precision_of_the_run(cache, images, monkeypatch):
    """A run in mixed precision fills the cache with what a float32 run computes, and the latter reads it."""
    expected = spectrum(80).predict_on_batch(np.stack([resized(file) for file in images["file"]]))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = embed(images, Embedder("spectrum", 80), 5)
        assert keras.config.dtype_policy().name == "mixed_bfloat16", "the run's own policy is restored"
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(mixed, expected, atol=1e-6)
    monkeypatch.setattr(embeddings, "spectrum", None)  # nothing is computed again
    np.testing.assert_array_equal(embed(images, Embedder("spectrum", 80), 5), mixed)


def test_entries_of_the_cache_that_do_not_name_their_arithmetic_are_not_read(cache, images):
    """Earlier versions wrote `spectrum-v1-80`, in whatever precision the run had."""
    (cache / "spectrum-v1-80").mkdir(parents=True)
    np.savez(
        cache / "spectrum-v1-80" / "0.npz", digests=images["sha256"].to_numpy(str), vectors=np.zeros((10, 512), "f4")
    )
    found = embed(images, Embedder("spectrum", 80), 5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)


def test_a_missing_image_is_one_line(cache, images, tmp_path):
    harmed = images.assign(file=str(tmp_path / "missing.png"))
    with pytest.raises(UserError, match="python -m data_prep verify"):
        embed(harmed, Embedder("spectrum", 80), 5)
