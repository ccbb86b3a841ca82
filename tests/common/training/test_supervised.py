"""One supervised training: where it runs, which epoch it keeps and what it notes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from common.data.datasets import open_dataset
from common.data.pipeline import Images, Preprocessing
from common.training.distribution import set_up
from common.training.fit import TrainingPlan
from common.training.supervised import (
    Training,
    adapt_batch_norm_momentum,
    validate_classifier,
    validation_metrics,
)

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(5, 3, (384, 4)).astype(np.float32)
LABELS = (INPUTS[:, :1] > 5).astype(np.float32)


def batches(epoch):
    return tf.data.Dataset.from_tensor_slices((INPUTS, LABELS)).batch(32, drop_remainder=True)  # 12 steps


def normalised_network():
    layers = [keras.Input((4,)), keras.layers.BatchNormalization(), keras.layers.Dense(1, activation="sigmoid")]
    return keras.Sequential(layers)


@pytest.fixture
def training(tmp_path):
    return Training(set_up("none"), tmp_path / "checkpoints" / "model", seed=3)


def test_initial_weights_depend_on_the_seed_alone(training):
    def initial_weights(seed):
        with Training(training.strategy, training.folder, seed).scope():
            return keras.layers.Dense(3).build((None, 4)) or normalised_network().get_weights()[-2]

    np.testing.assert_array_equal(initial_weights(3), initial_weights(3))
    assert (initial_weights(3) != initial_weights(4)).any()


def test_a_phase_has_a_folder_and_logs_of_its_own(tmp_path):
    training = Training(set_up("none"), tmp_path / "model", 3, "off", tmp_path / "logs")
    part = training.part("triplet")
    assert part.folder == tmp_path / "model" / "triplet" and part.tensorboard == tmp_path / "logs" / "triplet"
    assert (part.strategy, part.seed, part.jit) == (training.strategy, 3, "off")
    assert Training(set_up("none"), tmp_path).part("triplet").tensorboard is None


def test_several_replicas_synchronise_batch_normalisation(tmp_path):
    synchronized = [Training(set_up(name), tmp_path).synchronized for name in ("none", "mirrored")]
    assert synchronized == [False, True]


@pytest.mark.parametrize(("jit", "expected"), [("on", True), ("off", False)])
def test_jit_is_compiled_in(tmp_path, jit, expected):
    network = normalised_network()
    Training(set_up("none"), tmp_path, jit=jit).compile(network, "sgd", "mse")
    assert network.jit_compile is expected


def test_a_training_notes_the_epoch_it_keeps_and_the_momentum(training):
    """12 steps in an epoch: the momentum is 1 - 5 / 12."""
    values = iter([0.5, 0.9, 0.7])
    network = normalised_network()
    training.compile(network, "sgd", "mse")
    plan = TrainingPlan(3, "val_auc")
    history, notes = training.fit(network, batches, lambda _: {"val_auc": next(values)}, plan)
    assert history["val_auc"].tolist() == [0.5, 0.9, 0.7]
    assert notes == ["epoch 2 of 3 by val_auc", "batch-normalisation momentum 0.58"]
    assert list(training.folder.glob("epoch-*/state.json"))


def test_a_resumed_training_has_the_same_notes(training):
    def train():
        network = normalised_network()
        training.compile(network, "sgd", "mse")
        return training.fit(network, batches, lambda _: {"val_loss": 0.5}, TrainingPlan(2, "val_loss"))

    (first, notes), (second, again) = train(), train()
    assert notes == again and first.equals(second)


def test_batch_normalisation_keeps_up_in_a_short_epoch():
    """Data of mean 5, standard deviation 3: after 12 steps momentum 0.99 has replaced 11 % of the initial 0."""
    inputs = np.random.default_rng(1).normal(5, 3, (384, 4)).astype(np.float32)

    def means_after_one_epoch(adapt):
        network = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)])
        momentum = adapt_batch_norm_momentum(network, 12) if adapt else None
        network.compile("sgd", "mse")
        network.fit(inputs, inputs[:, :1] * 0, batch_size=32, epochs=1, verbose=0, shuffle=False)  # no other order
        return momentum, network.layers[0].moving_mean.numpy()

    momentum, means = means_after_one_epoch(True)
    assert momentum == pytest.approx(1 - 5 / 12)
    np.testing.assert_allclose(means, inputs.mean(axis=0), atol=0.5)
    assert np.all(means_after_one_epoch(False)[1] < 1)


def test_long_epochs_do_not_change_batch_normalisation():
    network = normalised_network()
    assert adapt_batch_norm_momentum(network, 500) is None
    assert network.layers[0].momentum == 0.99


def test_the_momentum_is_never_below_one_half_and_reaches_nested_networks():
    inner = normalised_network()
    outer = keras.Sequential([keras.Input((4,)), inner])
    assert adapt_batch_norm_momentum(outer, 1) == 0.5
    assert inner.layers[0].momentum == 0.5


def test_validation_metrics_equal_those_of_scikit_learn():
    labels = np.array([0, 1, 1, 0, 1])
    scores = np.array([0.2, 0.5, 0.4, 0.6, 1.0], np.float32)
    values = validation_metrics(labels, scores)
    assert values["val_accuracy"] == accuracy_score(labels, [0, 1, 0, 1, 1])
    assert values["val_auc"] == roc_auc_score(labels, scores)
    assert values["val_loss"] == pytest.approx(log_loss(labels, scores), rel=1e-6)


def test_a_classifier_is_validated_on_its_own_output_or_on_another_networks(prepared):
    """Of the outputs [real, fake] the second is P(fake)."""
    images = Images(open_dataset("dfdc", prepared).images, Preprocessing(16))
    scores = np.linspace(0, 1, len(images))[:, None].astype(np.float32)  # (n, 1) P(fake), in the order of the images

    class Constant:
        def __init__(self, outputs):
            self.outputs = outputs

        def predict(self, batches, verbose, callbacks):
            assert sum(1 for _ in batches) == -(-len(images) // 8)
            return self.outputs

    expected = validation_metrics(images.labels, scores[:, 0])
    assert validate_classifier(images, 8)(Constant(scores)) == expected
    assert validate_classifier(images, 8)(Constant(np.hstack([1 - scores, scores]))) == expected
    assert validate_classifier(images, 8, Constant(scores))(Constant(1 - scores)) == expected
