"""The training loop: what it keeps, when it stops, and how it resumes."""

import logging

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from common.errors import UserError
from common.training.distribution import set_up
from common.training.fit import TrainingPlan, fit, seed_dropout
from common.training.progress import ResumableCallback, best_epoch

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


def constant_auc(model):
    """What `validate` returns, and an AUC that never changes: the first epoch is kept."""
    return validate(model) | {"val_auc": 0.5}


class Gathered(ResumableCallback):
    """Keeps the losses of an epoch's steps, and ends the process's part of the training before a step."""

    def __init__(self, stop=None):
        super().__init__()
        self.stop, self.losses, self.epochs = stop, [], {}

    def get_state(self):
        return self.losses

    def set_state(self, state):
        self.losses = state

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.losses = epoch, []

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == self.stop:
            raise KeyboardInterrupt

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(float(logs["loss"]))

    def on_epoch_end(self, epoch, logs=None):
        self.epochs[epoch] = self.losses


def train(folder, stop=None, minutes=0.0):
    """(weights, optimizer, history, losses of each step) of three epochs of four steps, or None if it was stopped."""
    model, gathered = network(), Gathered(stop)
    plan = TrainingPlan(3, "val_auc")
    try:
        history = fit(model, batches, constant_auc, plan, folder, 3, [gathered], checkpoint_minutes=minutes)
    except KeyboardInterrupt:
        return None
    optimizer = [np.asarray(variable) for variable in model.optimizer.variables]
    return model.get_weights(), optimizer, history.drop(columns="seconds"), gathered.epochs


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return train(tmp_path_factory.mktemp("whole"), minutes=1000)


def assert_same(one, other):
    for left, right in zip([*one[0], *one[1]], [*other[0], *other[1]], strict=True):
        np.testing.assert_array_equal(left, right)
    pd.testing.assert_frame_equal(one[2], other[2], check_exact=True)
    assert 2 in one[3] and all(other[3][epoch] == losses for epoch, losses in one[3].items())


@pytest.mark.parametrize(
    ("stop", "minutes"),
    [
        ((1, 2), 0),
        pytest.param((0, 1), 0, marks=pytest.mark.slow),
        pytest.param((2, 3), 0, marks=pytest.mark.slow),
        pytest.param((1, 0), 1000, marks=pytest.mark.slow),
        pytest.param((2, 3), 1000, marks=pytest.mark.slow),
    ],
)
def test_a_training_that_is_killed_at_any_step_ends_the_same(tmp_path, uninterrupted, stop, minutes):
    """Weights, optimizer, history and what a callback gathers, bit for bit."""
    assert train(tmp_path, stop, minutes) is None
    assert_same(train(tmp_path, minutes=minutes), uninterrupted)


@pytest.mark.slow
@pytest.mark.parametrize("file", ["network.weights.h5", "state.json"])
def test_a_truncated_checkpoint_gives_way_to_the_one_before(tmp_path, uninterrupted, file, caplog):
    """The newest two, of step 2 and of step 1 of the second epoch: cut, cut, and cut both."""
    steps = ["epoch-0001-step-000001", "epoch-0001-step-000002"]
    for damaged, resumed in ((steps[1:], "step 1 of epoch 2"), (steps, "epoch 1")):
        folder = tmp_path / str(len(damaged))
        train(folder, (1, 3))
        assert {path.name for path in folder.iterdir()} >= set(damaged)
        for name in damaged:
            path = folder / name / file
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        caplog.clear()
        with caplog.at_level("INFO", "deepfake"):
            assert_same(train(folder), uninterrupted)
        messages = [record.getMessage() for record in caplog.records]
        assert sum("is damaged: resuming from the one before it" in message for message in messages) == len(damaged)
        assert any(f"resuming after {resumed} of 3" in message for message in messages)


@pytest.mark.slow
def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(tmp_path, uninterrupted, monkeypatch):
    """The process ends before the rename: what it leaves behind is removed by the next one."""
    train(tmp_path, (1, 2))
    half = tmp_path / ("." + "0" * 32 + "-epoch-0001-step-000002")
    half.mkdir()
    (half / "network.weights.h5").write_bytes(b"half")
    assert_same(train(tmp_path), uninterrupted)
    assert not half.exists()


@pytest.mark.slow
def test_two_replicas_resume_within_an_epoch(tmp_path):
    strategy = set_up("mirrored")
    results = []
    for name, stop in (("whole", None), ("killed", (1, 2))):
        with strategy.scope():
            train(tmp_path / name, stop)
            results.append(train(tmp_path / name))
    for left, right in zip(results[0][0], results[1][0], strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-6)


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


def test_only_the_last_two_checkpoints_and_the_best_are_kept(tmp_path):
    losses = iter([0.3, 0.1, 0.4, 0.2, 0.5])
    fit(network(), batches, lambda _: {"val_loss": next(losses)}, TrainingPlan(5, "val_loss"), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"epoch-0002", "epoch-0004", "epoch-0005"}


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
    assert not list(tmp_path.iterdir())


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


def test_from_the_second_epoch_on_the_time_that_is_left_is_said(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="deepfake"):
        history = fit(network(), batches, validate, TrainingPlan(3, "val_loss"), tmp_path)
    ends = [message.partition("; ")[2] for message in caplog.messages if ": epoch " in message]
    assert ends == ["", f"up to 1 more, about {round(history['seconds'][1])} s each", ""]
