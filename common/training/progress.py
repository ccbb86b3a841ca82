"""How far a training is, to the step, and the callback that saves and restores it within an epoch."""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import pandas as pd

from common.errors import UserError
from common.library_internals import all_layers
from common.training.checkpoints import Checkpoints

LOSS_EVERY = 100  # steps between two looks at the loss: each makes us wait for the device


class ResumableCallback(keras.callbacks.Callback, ABC):
    """A callback that gathers something over an epoch's steps."""

    @abstractmethod
    def get_state(self) -> Any:
        """Return what was gathered in this epoch, in JSON's types."""

    @abstractmethod
    def set_state(self, state: Any) -> None:
        """Continue from what `get_state` returned; called after `on_epoch_begin`."""


@dataclass
class Progress:
    """How far a training is.

    Args:
        history: a dictionary for each full epoch.
        best: the epoch whose weights are kept so far, from 1; 0 before the first has ended.
        step: steps of the next epoch that were trained before this process resumed it.
        seconds_before: that these steps took.
        variables: the values of `_variables` after them.
        gathered: the state of each ResumableCallback after them.

    Attributes:
        started: the clock when this process began to train the epoch.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best: int = 0
    step: int = 0
    seconds_before: float = 0.0
    variables: list[Any] = field(default_factory=list)
    gathered: list[Any] = field(default_factory=list)

    def __post_init__(self):
        self.started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds of training of the current epoch so far."""
        return self.seconds_before + time.monotonic() - self.started

    @property
    def kept(self) -> list[int]:
        """The epochs whose checkpoint is kept."""
        return [self.best] if self.best else []

    def end_epoch(self, values: dict[str, float], monitor: str) -> None:
        """Add an epoch to the history, with its seconds, and forget its steps.

        Args:
            values: what was measured.
            monitor: the key that decides which epoch is the best.
        """
        self.history.append({"epoch": len(self.history) + 1, **values, "seconds": round(self.seconds, 2)})
        self.best = best_epoch(pd.DataFrame(self.history), monitor)
        self.step, self.seconds_before, self.variables, self.gathered = 0, 0.0, [], []

    def facts(self, **changed: Any) -> dict[str, Any]:
        """Return the arguments of the same progress, some of them changed, for a checkpoint."""
        names = ("history", "best", "step", "seconds_before", "variables", "gathered")
        return {name: getattr(self, name) for name in names} | changed


class WithinEpoch(keras.callbacks.Callback):
    """Starts an epoch where a checkpoint left it, and writes checkpoints within the epoch when they are due.

    It acts before a step and not after one: Keras would fetch the logs of each step from the device for a callback that
    acts after it.

    Args:
        checkpoints: of the training.
        progress: of the training, at the start of the epoch.
        callbacks: the others; what the resumable ones gather is in the checkpoints.
    """

    def __init__(self, checkpoints: Checkpoints, progress: Progress, callbacks: Sequence[keras.callbacks.Callback]):
        super().__init__()
        self.checkpoints, self.progress = checkpoints, progress
        self.gathering = [callback for callback in callbacks if isinstance(callback, ResumableCallback)]

    def on_epoch_begin(self, epoch, logs=None):
        """Restore what Keras has reset."""
        if not self.progress.step:
            return
        for variable, value in zip(_variables(self.model), self.progress.variables, strict=True):
            variable.assign(np.asarray(value, variable.dtype))
        for callback, state in zip(self.gathering, self.progress.gathered, strict=True):
            callback.set_state(state)

    def on_train_batch_begin(self, batch, logs=None):
        """Write a checkpoint of the steps before this one, if it is due."""
        due = self.checkpoints.is_due
        if not batch or not (due or batch % LOSS_EVERY == 0):
            return
        model, epochs = self.model, len(self.progress.history)
        check_loss(float(model.get_metrics_result()["loss"]), model, epochs)
        if due:
            step = self.progress.step + batch
            facts = self.progress.facts(
                step=step,
                seconds_before=self.progress.seconds,
                variables=[keras.ops.convert_to_numpy(variable).tolist() for variable in _variables(model)],
                gathered=[callback.get_state() for callback in self.gathering],
            )
            self.checkpoints.save(epochs, step, facts, self.progress.kept)


def best_epoch(history: pd.DataFrame, monitor: str) -> int:
    """Return the epoch, from 1, whose weights are kept: the best of `monitor`, the first of equals.

    Args:
        history: one row an epoch, with the column epoch.
        monitor: a column; one that ends in `loss` is minimised, any other is maximised.
    """
    values = history[monitor].to_numpy(float)
    place = np.argmin(values) if monitor.endswith("loss") else np.argmax(values)
    return int(history["epoch"].iloc[place])


def check_loss(loss: float, model: keras.Model, epoch: int) -> None:
    """Check that a training has not diverged.

    Args:
        loss: the mean over an epoch's steps so far, which stays NaN once it is.
        model: what is trained.
        epoch: from 0.

    Raises:
        UserError: if the loss is not a finite number.
    """
    if not np.isfinite(loss):
        raise UserError(f"training of {model.name} diverged in epoch {epoch + 1}: lower its learning rate")


def dropout_generators(model: keras.Model) -> list[keras.random.SeedGenerator]:
    """Return the random generators of the model's dropout layers, in the order of its layers."""
    return [layer.seed_generator for layer in all_layers(model) if isinstance(layer, keras.layers.Dropout)]


def _variables(model):
    """Return the variables that change in an epoch and that no weight file has: metrics and random generators."""
    return [*model.metrics_variables, *(generator.state for generator in dropout_generators(model))]
