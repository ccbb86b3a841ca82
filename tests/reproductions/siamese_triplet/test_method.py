"""Triplets of an epoch, the classifier on the embeddings, and how a network starts from a run's file."""

import keras
import numpy as np
import pytest

from common.classifiers import NearestCentroid
from common.data.datasets import read_data
from common.errors import UserError
from common.training.distribution import set_up
from common.training.supervised import NOT_TRAINED, Training
from reproductions.siamese_triplet import model
from reproductions.siamese_triplet.config import PRESETS
from reproductions.siamese_triplet.method import InitialWeights, epoch_triplets, train_model


def test_triplets_hold_both_classes_and_are_new_each_epoch():
    labels = np.array([0] * 13 + [1] * 21)
    first, again, second = (epoch_triplets(labels, 8, seed=3, epoch=epoch) for epoch in (0, 0, 1))
    assert (first == again).all() and not (first == second).all()
    anchor, positive, negative = first.T
    assert sorted(anchor) == list(range(34)) and (anchor != positive).all()
    assert (labels[anchor] == labels[positive]).all() and (labels[anchor] != labels[negative]).all()
    for start in range(0, 24, 4):  # any half of the first batches: both classes as anchor, for replicas
        assert set(labels[anchor[start : start + 4]]) == {0, 1}


@pytest.fixture
def images(prepared):
    """The images of a prepared folder, a quarter of them for validation."""
    table = read_data((f"stylegan={prepared}",), {"stylegan": "stylegan"})[0].images
    return table.assign(split=["val" if place % 4 == 0 else "train" for place in range(len(table))])


@pytest.fixture
def config():
    return PRESETS["smoke"].__class__(preset="smoke", epochs=0, image_size=40, width=0.25, batch_size=8)


def siamese_file(path, mean=100.0):
    network = model.siamese(model.Statistics((mean,) * 3, (50.0,) * 3), 40, 0.25)
    network.save(path)
    return network


@pytest.mark.slow
def test_a_given_network_keeps_its_own_z_score_and_the_note_on_its_width(images, config, tmp_path):
    """The constants of the Z-score are not weights: with those of other images the network would differ."""
    given = siamese_file(tmp_path / "siamese.keras")
    initial = InitialWeights(tmp_path / "siamese.keras")
    training = Training(set_up("none"), tmp_path / "state")
    detector, history, notes = train_model("siamese", config, images, initial, training)
    assert history is None and NOT_TRAINED in notes and "width 0.25" in notes
    pixels = np.random.default_rng(0).uniform(0, 255, (3, 40, 40, 3)).astype(np.float32)
    np.testing.assert_allclose(
        detector.network.predict(pixels, verbose=0), given.predict(pixels, verbose=0), rtol=1e-5, atol=1e-6
    )


@pytest.mark.slow
def test_batch_normalisation_of_a_given_network_is_synchronised_under_a_strategy(images, config, tmp_path):
    model.siamese_resnet50(40).save(tmp_path / "given.keras")
    initial = InitialWeights(tmp_path / "given.keras")
    training = Training(set_up("mirrored"), tmp_path / "state")
    detector, _, _ = train_model("siamese_resnet50", config, images, initial, training)
    layers = [each for each in detector.network.layers if isinstance(each, keras.layers.BatchNormalization)]
    assert layers and all(layer.synchronized for layer in layers)


def test_without_training_images_the_classifier_beside_the_weight_file_is_used(images, config, tmp_path):
    import skops.io

    siamese_file(tmp_path / "siamese.keras")
    real = images[images["label"] == "real"].assign(split="test")
    training = Training(set_up("none"), tmp_path / "state")
    initial = InitialWeights(tmp_path / "siamese.keras")
    with pytest.raises(UserError, match=r"siamese needs training images of both classes .* siamese\.skops"):
        train_model("siamese", config, real, initial, training)
    stored = NearestCentroid().fit(np.eye(100)[:2], np.array([0, 1]))
    skops.io.dump(stored, tmp_path / "siamese.skops")
    detector, _, _ = train_model("siamese", config, real, initial, training)
    np.testing.assert_array_equal(
        detector.classifier.decision_function(np.eye(100)), stored.decision_function(np.eye(100))
    )
