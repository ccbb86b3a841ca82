"""One training loop for every paper: Keras fit, epoch by epoch, that can be stopped and gone on with.

Everything random in an epoch is a function of (seed, epoch): the order and augmentation of images
(common.data.pipeline) and the dropout masks (set here). The state after an epoch is written whole or not at all, so a
killed training resumes after its last full epoch as if nothing had happened.
"""

import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from common.errors import UserError
from common.files import atomic_path, read_json, sha256, write_json

log = logging.getLogger("deepfake")
JIT = {"auto": "auto", "on": True, "off": False}  # of --jit, as Keras's compile takes it


@dataclass(frozen=True)
class Plan:
    """How long to train and which epoch to keep. patience: epochs without improvement before stopping; None: never."""

    epochs: int
    monitor: str = "val_accuracy"  # a key of what `validate` returns; one that ends in `loss` is minimised
    patience: int | None = None


def fit(model, batches, validate, plan, folder, seed=0, callbacks=(), proceed=None):
    """Train a compiled Keras model and leave it with the weights of its best epoch.

    batches: epoch number (from 0) -> a dataset of full batches. validate: model -> {"val_...": float}, called after
    each epoch; it alone decides which epoch is kept (the first of equals). folder: where the training's state lives;
    a state found there is gone on with. proceed: the history so far (a DataFrame) -> whether to train another epoch,
    asked before each. Returns the history, one row an epoch.
    UserError if the loss is no longer a finite number.
    """
    folder = Path(folder)
    state = _State.read(folder)
    if state.history:
        model.optimizer.build(model.trainable_variables)
        model.load_weights(folder / state.weights)
        log.info("%s: going on after epoch %d of %d", model.name, len(state.history), plan.epochs)
    for epoch in range(len(state.history), plan.epochs):
        if _is_over(state, plan) or (proceed and not proceed(pd.DataFrame(state.history))):
            break
        started = time.monotonic()
        data = batches(epoch)
        if not model.train_function:
            _make_variables(model, data)
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


def best_epoch(history, monitor):
    """The epoch, counted from 1, whose weights `fit` keeps: the best of `monitor`, the first of equals."""
    values = history[monitor].to_numpy(float)
    place = np.argmin(values) if monitor.endswith("loss") else np.argmax(values)
    return int(history["epoch"].iloc[place])


def validation_of(labels, scores):
    """{"val_loss", "val_accuracy", "val_auc"} of P(fake) (n,) by labels (n,), fake = 1: what most trainings watch."""
    return {
        "val_loss": log_loss(labels, np.clip(scores.astype(float), 1e-7, 1 - 1e-7)),
        "val_accuracy": accuracy_score(labels, scores >= 0.5),
        "val_auc": roc_auc_score(labels, scores),
    }


def start_from(model, file, flag):
    """Give a model the weights of a .keras file of this suite.

    UserError, naming flag=file, if they do not fit: other shapes of weights, input, or other activations.
    """
    try:
        given = keras.models.load_model(file, compile=False)
        for what, ours, theirs in (
            ("input", model.input_shape[1:], given.input_shape[1:]),
            ("activation", _activations(model), _activations(given)),
        ):
            if ours != theirs:
                raise ValueError(f"its {what} is {theirs}, here {ours}; give the flags that it was trained with")
        model.set_weights(given.get_weights())
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{flag}={file}: the file does not fit this network: {reason}") from error


def started_from(file):
    """The note on a network that starts from a weight file."""
    return f"started from {file.name} ({sha256(file)[:12]}), whose training images are not known"


def predict(model, batches, count):
    """The model's output for the first `count` images of `batches`, float32 (count, outputs)."""
    return np.asarray(model.predict(batches, verbose=0)[:count], np.float32)


def shorten_batch_norm(model, steps):
    """Let the moving statistics of batch normalisation follow in trainings with few steps an epoch.

    Keras's momentum 0.99 remembers about 100 steps; with 40 steps an epoch and weights that still move fast, the
    statistics lag, and a network that has learnt scores like chance. A layer's momentum is lowered to 1 - 5 / steps
    (not under 0.5) where that is less, so that one epoch renews the statistics; with 500 steps nothing changes.
    Call it before compiling. Returns the momentum in force, or None where nothing changed.
    """
    momentum = max(0.5, 1 - 5 / max(steps, 1))
    lowered = [
        layer
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.momentum > momentum
    ]
    for layer in lowered:
        layer.momentum = momentum
    return momentum if lowered else None


def _activations(model):
    """The kinds of activations in a network, in alphabetical order, as words."""
    layers = model._flatten_layers(include_self=False)
    found = {keras.activations.serialize(layer.activation) for layer in layers if hasattr(layer, "activation")}
    return " ".join(sorted(map(str, found)))


def seed_dropout(model, seed, epoch):
    """Set the state of every random layer of the model from (seed, epoch), different for each layer."""
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.Dropout)]
    for place, layer in enumerate(layers):
        state = np.random.default_rng([seed, epoch, 2, place]).integers(0, 2**32, size=2, dtype=np.uint32)
        layer.seed_generator.state.assign(state)


def _make_variables(model, data):
    """Let optimizer, loss and metrics make their variables before the first step.

    TensorFlow traces a step that makes some twice, which takes 10 more seconds where a network has 300 layers. On
    several replicas Keras does it by itself.
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
        """Weights first, then the small file that points to them: killed in between, the state before still stands."""
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
