"""One training loop for every paper: Keras fit, epoch by epoch, that can be stopped and resumed.

Everything random in an epoch is a function of (seed, epoch): the order and augmentation of images
(common.data.pipeline) and the dropout masks (set here). The state after an epoch is written whole or not at all, so a
killed training resumes after its last full epoch as if nothing had happened.
"""

import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from common.data.image_reader import explain_damaged_images
from common.errors import UserError
from common.files import atomic_path, read_json, write_json
from common.library_internals import all_layers

log = logging.getLogger("deepfake")


@dataclass(frozen=True)
class TrainingPlan:
    """How long to train and which epoch to keep.

    Args:
        epochs: most epochs.
        monitor: a key of what `validate` returns; one that ends in `loss` is minimised, any other is maximised.
        patience: epochs without improvement before training stops; None: it never stops early.
    """

    epochs: int
    monitor: str = "val_accuracy"
    patience: int | None = None


@explain_damaged_images()
def fit(
    model: keras.Model,
    batches: Callable[[int], tf.data.Dataset],
    validate: Callable[[keras.Model], dict[str, float]],
    plan: TrainingPlan,
    folder: str | Path,
    seed: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    should_continue: Callable[[pd.DataFrame], bool] | None = None,
) -> pd.DataFrame:
    """Train a compiled Keras model and leave it with the weights of its best epoch.

    Args:
        model: the compiled model.
        batches: epoch (from 0) -> a dataset of full batches.
        validate: model -> {"val_...": number}, called after each epoch. It alone decides which epoch is kept, the first
            of equals.
        plan: how long to train, and what to monitor.
        folder: the folder of the training's state; a state found there is resumed.
        seed: of the dropout masks.
        callbacks: for each epoch's `model.fit`.
        should_continue: the history so far -> whether to train another epoch, asked before each.

    Returns:
        The history, one row an epoch.

    Raises:
        UserError: if the loss is no longer a finite number, or an image is damaged.
    """
    folder = Path(folder)
    state = _State.read(folder)
    if state.history:
        model.optimizer.build(model.trainable_variables)
        model.load_weights(folder / state.weights)
        log.info("%s: resuming after epoch %d of %d", model.name, len(state.history), plan.epochs)
    for epoch in range(len(state.history), plan.epochs):
        if _is_over(state, plan) or (should_continue and not should_continue(pd.DataFrame(state.history))):
            break
        started = time.monotonic()
        data = batches(epoch)
        if not model.train_function:
            _create_variables(model, data)
        seed_dropout(model, seed, epoch)
        logs = model.fit(
            data,
            epochs=epoch + 1,
            initial_epoch=epoch,
            shuffle=False,  # the order is ours
            verbose=1 if sys.stderr.isatty() else 0,
            callbacks=[keras.callbacks.TerminateOnNaN(), *callbacks],
        ).history
        values = {name: float(value[-1]) for name, value in logs.items()}
        if not np.isfinite(values["loss"]):
            raise UserError(f"training of {model.name} diverged in epoch {epoch + 1}: lower its learning rate")
        values |= validate(model)
        state.history.append({"epoch": epoch + 1, **values, "seconds": round(time.monotonic() - started, 2)})
        state.save(model, folder, plan)
        log.info("%s: epoch %d of %d: %s", model.name, epoch + 1, plan.epochs, _in_words(values))
    if state.history:
        model.load_weights(folder / "best.weights.h5")
    return pd.DataFrame(state.history)


def best_epoch(history: pd.DataFrame, monitor: str) -> int:
    """Return the epoch, from 1, whose weights `fit` keeps: the best of `monitor`, the first of equals."""
    values = history[monitor].to_numpy(float)
    place = np.argmin(values) if monitor.endswith("loss") else np.argmax(values)
    return int(history["epoch"].iloc[place])


@explain_damaged_images()
def predict(model: keras.Model, batches: Any, count: int) -> np.ndarray:
    """Return the model's output for the first `count` images of `batches`, float32 (count, outputs).

    Raises:
        UserError: if an image is damaged.
    """
    return np.asarray(model.predict(batches, verbose=0)[:count], np.float32)


def seed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Set the state of every random layer of the model from (seed, epoch), different for each layer."""
    layers = [layer for layer in all_layers(model) if isinstance(layer, keras.layers.Dropout)]
    for place, layer in enumerate(layers):
        state = np.random.default_rng([seed, epoch, 2, place]).integers(0, 2**32, size=2, dtype=np.uint32)
        layer.seed_generator.state.assign(state)


def _create_variables(model, data):
    """Create the variables of optimizer, loss and metrics before the first step.

    TensorFlow traces a step that creates variables twice, which costs 10 seconds for a network of 300 layers. On
    several replicas Keras creates them itself.
    """
    if model.distribute_strategy.num_replicas_in_sync > 1:
        return
    model.optimizer.build(model.trainable_variables)
    images, labels = next(iter(data))
    outputs = model(images, training=False)
    model.compute_loss(images, labels, outputs)
    model.compute_metrics(images, labels, outputs)
    model.reset_metrics()


@dataclass
class _State:
    """The history so far and the file of the weights and optimizer that belong to its end."""

    history: list
    weights: str

    @classmethod
    def read(cls, folder):
        path = folder / "state.json"
        return cls(**read_json(path)) if path.is_file() else cls([], "")

    def save(self, model, folder, plan):
        """Write the weights, then the small file that points to them: a kill in between leaves the previous state."""
        if best_epoch(pd.DataFrame(self.history), plan.monitor) == self.history[-1]["epoch"]:
            _save_weights(model, folder / "best.weights.h5")
        before, self.weights = self.weights, f"epoch-{len(self.history):04d}.weights.h5"
        _save_weights(model, folder / self.weights)
        write_json({"history": self.history, "weights": self.weights}, folder / "state.json")
        if before:
            (folder / before).unlink(missing_ok=True)


def _save_weights(model, path):
    with atomic_path(path) as temporary:
        model.save_weights(temporary, overwrite=True)


def _is_over(state, plan):
    if plan.patience is None or not state.history:
        return False
    best = best_epoch(pd.DataFrame(state.history), plan.monitor)
    return state.history[-1]["epoch"] - best >= plan.patience


def _in_words(values):
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())
