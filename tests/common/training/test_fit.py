"""The training loop: what it keeps, when it stops, and how it resumes."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.errors import UserError
from common.training.fit import TrainingPlan, best_epoch, fit, seed_dropout

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(64, 6)).astype(np.float32)
LABELS = (INPUTS[:, :1] > 0).astype(np.float32)


def network():
    keras.utils.set_random_seed(1)
    hidden, output = keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([keras.Input((6,)), hidden, keras.layers.Dropout(0.5), output], name="tiny")
    model.compile(keras.optimizers.Adam(0.01), keras.losses.MeanSquaredError())
    return model


def batches(epoch):
    order = np.random.default_rng([7, epoch]).permutation(64)
    return tf.data.Dataset.from_tensor_slices((INPUTS[order], LABELS[order])).batch(16, drop_remainder=True)


def validate(model):
    return {"val_loss": float(np.mean((model.predict(INPUTS, verbose=0) - LABELS) ** 2))}


def test_a_training_that_is_killed_between_epochs_ends_with_the_same_weights(tmp_path):
    whole = network()
    history = fit(whole, batches, validate, TrainingPlan(4, "val_loss"), tmp_path / "whole", seed=3)

    def interrupted(epoch):
        if epoch == 2:
            raise KeyboardInterrupt
        return batches(epoch)

    with pytest.raises(KeyboardInterrupt):
        fit(network(), interrupted, validate, TrainingPlan(4, "val_loss"), tmp_path / "killed", seed=3)
    resumed = network()
    after = fit(resumed, batches, validate, TrainingPlan(4, "val_loss"), tmp_path / "killed", seed=3)
    np.testing.assert_allclose(after["val_loss"], history["val_loss"], rtol=1e-5)
    for left, right in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)


def test_the_best_epoch_of_validation_is_kept(tmp_path):
    scores, kept = iter([0.6, 0.9, 0.9, 0.7]), []

    def scripted(model):
        kept.append(model.get_weights())
        return {"val_auc": next(scores)}

    model = network()
    history = fit(model, batches, scripted, TrainingPlan(4, "val_auc"), tmp_path)
    assert best_epoch(history, "val_auc") == 2
    for left, right in zip(model.get_weights(), kept[1], strict=True):
        np.testing.assert_array_equal(left, right)


def test_training_stops_when_validation_no_longer_improves(tmp_path):
    scores = iter([0.5, 0.4, 0.45, 0.43, 0.1, 0.1])
    history = fit(
        network(), batches, lambda _: {"val_loss": next(scores)}, TrainingPlan(6, "val_loss", patience=2), tmp_path
    )
    assert len(history) == 4  # the best is epoch 2; two more without improvement


def test_a_finished_training_does_not_train_again(tmp_path):
    fit(network(), batches, validate, TrainingPlan(2, "val_loss"), tmp_path)

    def refuse(epoch):
        raise AssertionError(f"epoch {epoch} was trained again")

    assert len(fit(network(), refuse, validate, TrainingPlan(2, "val_loss"), tmp_path)) == 2


def test_only_the_last_state_and_the_best_weights_are_kept(tmp_path):
    fit(network(), batches, validate, TrainingPlan(3, "val_loss"), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"best.weights.h5", "epoch-0003.weights.h5", "state.json"}
    assert json.loads((tmp_path / "state.json").read_text())["weights"] == "epoch-0003.weights.h5"


def test_a_step_is_traced_once(tmp_path):
    """Networks have hundreds of layers, and a short training spends most of its time on tracing them."""
    traced = []

    class Recorded(keras.layers.Dense):
        def call(self, inputs, training=None):
            traced.append(bool(training) and not tf.executing_eagerly())
            return super().call(inputs)

    model = keras.Sequential([keras.Input((6,)), Recorded(1)])
    model.compile("adam", "mse", metrics=["mae"])
    before = model.get_weights()
    history = fit(model, batches, validate, TrainingPlan(2, "val_loss"), tmp_path)
    assert sum(traced) == 1 and list(history["epoch"]) == [1, 2]
    assert any((one != other).any() for one, other in zip(before, model.get_weights(), strict=True))


def test_a_diverged_training_is_an_error(tmp_path):
    def without_labels(epoch):
        return tf.data.Dataset.from_tensor_slices((INPUTS, LABELS * np.nan)).batch(16)

    with pytest.raises(UserError, match="diverged in epoch 1: lower its learning rate"):
        fit(network(), without_labels, validate, TrainingPlan(2, "val_loss"), tmp_path)
    assert not (tmp_path / "state.json").exists()


def test_training_ends_when_the_caller_says_so(tmp_path):
    """The history so far is given before each epoch, also after a resume."""
    lengths = []

    def should_continue(history):
        lengths.append(len(history))
        return len(history) < 2

    plan = TrainingPlan(5, "val_loss")
    history = fit(network(), batches, validate, plan, tmp_path, should_continue=should_continue)
    assert len(history) == 2 and lengths == [0, 1, 2]
    resumed = fit(network(), batches, validate, plan, tmp_path, should_continue=should_continue)
    assert len(resumed) == 2 and lengths == [0, 1, 2, 2]


def test_dropout_masks_depend_on_seed_epoch_and_layer():
    def masks(seed, epoch):
        model = keras.Sequential([keras.Input((1000,)), keras.layers.Dropout(0.5), keras.layers.Dropout(0.5)])
        seed_dropout(model, seed, epoch)
        first = model.layers[0](np.ones((1, 1000), np.float32), training=True)
        return [np.asarray(output) != 0 for output in (first, model.layers[1](np.ones_like(first), training=True))]

    first, second = masks(3, 0)
    np.testing.assert_array_equal(first, masks(3, 0)[0])
    for other in (second, masks(3, 1)[0], masks(4, 0)[0]):
        assert 0.4 < (first != other).mean() < 0.6
