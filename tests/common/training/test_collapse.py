"""A collapsed embedding is found by its distances, said once in the log, and noted with its epochs."""

import logging

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from common.losses import BatchAll, SemiHard
from common.training.collapse import collapse_notes, embedding_distance
from common.training.distribution import set_up
from common.training.fit import TrainingPlan
from common.training.supervised import Training


def test_the_distance_is_the_mean_over_all_ordered_pairs():
    embeddings = np.random.default_rng(0).normal(size=(7, 3))
    pairs = [((one - other) ** 2).sum() for one in embeddings for other in embeddings]
    assert embedding_distance(embeddings)["val_distance"] == pytest.approx(np.mean(pairs))


def test_at_the_threshold_the_losses_of_the_papers_are_at_their_margins():
    generator, labels = np.random.default_rng(1), np.arange(32) % 2
    embeddings = generator.normal(size=(32, 8))
    embeddings *= np.sqrt(1e-3 / embedding_distance(embeddings)["val_distance"])
    for loss, margin in ((BatchAll(0.8, "squared", "all"), 0.8), (SemiHard(1.0), 1.0)):
        assert float(loss(labels, embeddings.astype(np.float32))) == pytest.approx(margin, rel=3e-3)


def train(folder, distances, caplog):
    """Train a network for an epoch for each distance that its validation reports; the second epoch is the best."""
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)], name="encoder")
    training, values = Training(set_up("none"), folder), iter(distances)
    training.compile(network, keras.optimizers.SGD(0.0), SemiHard(1.0))

    def batches(epoch):
        return tf.data.Dataset.from_tensor_slices((np.ones((4, 2), np.float32), np.array([0.0, 0, 1, 1]))).batch(4)

    def validate(network):
        distance = next(values)
        return {"val_auc": float(distance == distances[1])} | ({} if distance is None else {"val_distance": distance})

    with caplog.at_level(logging.WARNING, logger="deepfake"):
        return training.fit(network, batches, validate, TrainingPlan(len(distances), "val_auc"))


@pytest.mark.parametrize(
    ("distances", "notes"),
    [
        ([0.5, 0.6, 0.002], []),
        ([0.5, 0.6, 1e-5, 0.0], ["collapsed embedding in 2 of 4 epochs, not the kept one: all distances are equal"]),
        ([1e-4, 1e-6], ["collapsed embedding in 2 of 2 epochs, the kept one too: all distances are equal"]),
        ([None, None], []),
    ],
)
def test_a_training_notes_a_collapse_and_says_so_once(distances, notes, tmp_path, caplog):
    history, found = train(tmp_path, distances, caplog)
    assert found[1:] == notes and len(history) == len(distances)
    said = [record.getMessage() for record in caplog.records if "collapsed" in record.getMessage()]
    assert len(said) == bool(notes)
    assert all(message.startswith("encoder: the embedding has collapsed") for message in said)


def test_a_history_without_distances_has_no_note():
    assert collapse_notes(pd.DataFrame({"epoch": [1], "val_loss": [0.8]}), 1) == []
