"""The base network's training, its classifiers, and what is stored of them."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from common.detectors import store
from common.errors import UserError
from common.training.distribution import set_up
from common.training.supervised import NOT_TRAINED, Training
from reproductions.facenet_embeddings import classifier_files, phase2
from reproductions.facenet_embeddings.config import BASE, ON_UNTRAINED, PRESETS
from reproductions.facenet_embeddings.embeddings import Embedder
from reproductions.facenet_embeddings.vectors import Vectors
from reproductions.splitting import Split

QUICK = PRESETS["quick"]
NOTHING = Vectors(np.zeros((0, 512), np.float32), np.zeros(0, int))


@pytest.fixture
def training(tmp_path):
    return Training(tf.distribute.get_strategy(), tmp_path / "state")


@pytest.fixture(scope="module")
def result(blobs, tmp_path_factory):
    """(parts, the result of 12 epochs on them)."""
    parts = {"train": blobs(160, 0.25), "val": blobs(80, 0.25, 1), "test": blobs(80, 0.25, 2)}
    training = Training(tf.distribute.get_strategy(), tmp_path_factory.mktemp("state"))
    return parts, phase2.train(parts, replace(QUICK, epochs=12), None, training)


@pytest.fixture
def stored(result, tmp_path):
    """models/base_network.keras of a run, with its classifiers beside it."""
    pixels = keras.Input((75, 75, 3))
    numbers = keras.layers.Dense(512)(keras.layers.GlobalAveragePooling2D()(pixels))
    embedder = Embedder("any", 75, trained=keras.Model(pixels, numbers, name="embedder"))
    for detector in phase2.as_detectors(result[1], embedder):
        description = detector.description.placed("-video-seed1", has_classifier=True)
        store.save(replace(detector, description=description), tmp_path / "models")
    return tmp_path / "models" / f"{BASE}-video-seed1.keras"


@pytest.mark.slow
def test_the_base_network_learns_and_scores_are_the_classifiers_own(result):
    parts, trained = result
    found = phase2.scores(trained, parts["test"])
    assert roc_auc_score(parts["test"].labels, found["sgd"]) > 0.8
    forest = trained.classifiers["random_forest"]
    embedded = trained.base.predict(parts["test"].values, verbose=0)
    np.testing.assert_allclose(found["random_forest"], forest.predict_proba(embedded)[:, 1], atol=1e-6)
    plain = trained.classifiers["sgd_on_embeddings"]
    np.testing.assert_allclose(found["sgd_on_embeddings"], plain.predict_proba(parts["test"].values)[:, 1], atol=1e-6)
    margins = trained.classifiers["perceptron"].decision_function(embedded)
    assert ((found["perceptron"] >= 0.5) == (margins >= 0)).all()
    moved = [np.abs(a - b).max() for a, b in zip(trained.base.weights, trained.untrained.weights, strict=True)]
    assert min(moved) > 0
    best = trained.history["val_separation"].to_numpy().argmax() + 1
    assert trained.notes == [f"epoch {best} of 12 by val_separation"]


@pytest.mark.slow
def test_two_devices_step_like_one_except_for_dropout(blobs, tmp_path):
    parts = {"train": blobs(64), "val": blobs(32, seed=1)}
    losses = []
    for strategy in (tf.distribute.get_strategy(), set_up("mirrored")):
        training = Training(strategy, tmp_path / str(len(losses)))
        _, _, history, _ = phase2.train_base(parts, replace(QUICK, epochs=1), None, training)
        losses.append(history["loss"].item())
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


def test_separation_by_hand():
    """Means 3 and 1, variances 1 and 4: 2 / sqrt(2.5)."""
    labels, margins = np.array([1, 1, 0, 0]), np.array([2.0, 4.0, -1.0, 3.0])
    assert phase2.separation(labels, margins) == pytest.approx(2 / 2.5**0.5)
    assert np.isfinite(phase2.separation(labels, np.ones(4)))


@pytest.mark.slow
def test_the_last_epoch_can_be_kept_instead(blobs, training):
    """The weights after three epochs are those of a training of three, whatever the validation says."""
    parts = {"train": blobs(64), "val": blobs(32, 0.0, 1)}
    _, base, history, notes = phase2.train_base(parts, replace(QUICK, epochs=3, keep="last"), None, training)
    assert notes == [] and len(history) == 3
    last = keras.models.clone_model(base)
    last.load_weights(training.folder / "epoch-0003" / "network.weights.h5")
    for ours, expected in zip(base.get_weights(), last.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.slow
def test_a_stored_run_starts_the_base_network_behind_its_embedder(result, stored, training):
    """The file holds pixels to features; without training images of both classes its classifiers are used."""
    parts, trained = result
    again = phase2.train({**parts, "train": NOTHING}, replace(QUICK, epochs=0), stored, training)
    assert again.notes[0].startswith("started from base_network-video-seed1.keras")
    assert again.notes[1:] == [NOT_TRAINED, "classifiers as stored beside its file"]
    found, expected = phase2.scores(again, parts["test"]), phase2.scores(trained, parts["test"])
    assert set(found) == set(expected) - {ON_UNTRAINED}
    for name, scores in found.items():
        np.testing.assert_allclose(scores, expected[name], atol=1e-6)
    refitted = phase2.train(parts, replace(QUICK, epochs=0), stored, training)
    assert refitted.notes[1:] == [NOT_TRAINED] and set(refitted.classifiers) == set(expected)


def test_another_file_is_refused_in_one_line(training, blobs, tmp_path):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "other.keras")
    with pytest.raises(UserError, match="--weights base_network=.*other.keras: the file does not fit"):
        phase2.train_base({"train": blobs(8)}, QUICK, tmp_path / "other.keras", training)


def test_a_run_that_can_fit_no_classifier_needs_stored_ones(clips, stored, tmp_path):
    both = Split("frame", 0, {"": clips.assign(split="train")})
    none = Split("frame", 0, {"": clips.assign(split="test")})
    classifier_files.require_classifiers([both], tmp_path / "other.keras")
    classifier_files.require_classifiers([none], stored)
    with pytest.raises(UserError, match="random_forest.skops beside that file"):
        classifier_files.require_classifiers([both, none], tmp_path / "other.keras")


def test_saved_detectors_round_no_embedding_under_mixed_precision(result):
    """The classifiers were fitted on float32 embeddings; the layers between must not cast them to bfloat16."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        pixels = keras.Input((75, 75, 3))
        network = keras.Model(pixels, keras.layers.Dense(512, dtype="float32")(keras.layers.Flatten()(pixels)))
        detectors = phase2.as_detectors(result[1], Embedder("any", 75, trained=network))
    finally:
        keras.config.set_dtype_policy("float32")
    network = detectors[0].network
    assert {network.get_layer(name).output.dtype for name in ("face_embedding", "features")} == {"float32"}


def test_no_embeddings_give_no_outputs(result):
    assert NOTHING.embed(result[1].base).shape == (0, 64)
