"""One training loop for every paper: Keras fit, epoch by epoch, that can be stopped and resumed.

Everything random in an epoch is a function of (seed, epoch): the order and augmentation of images
(common.data.pipeline) and the dropout masks (set here). A checkpoint is written after each epoch, and within an epoch
every few minutes, so a killed training resumes from its last one as if nothing had happened.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from common.data.image_reader import explain_damaged_images
from common.data.sharding import Shard, sharded
from common.library_internals import without_strategy
from common.progress import format_duration
from common.training.checkpoints import MINUTES, Checkpoints
from common.training.multiworker import EpochLoop, SharedCheckpoints, agree
from common.training.progress import Progress, WithinEpoch, check_loss, dropout_generators
from common.training.step_progress import PredictionProgress, StepProgress

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
    checkpoint_minutes: float = MINUTES,
) -> pd.DataFrame:
    """Train a compiled Keras model and leave it with the weights of its best epoch.

    Args:
        model: the compiled model.
        batches: epoch (from 0) -> a dataset of full batches.
        validate: model -> {"val_...": number}, called after each epoch. It alone decides which epoch is kept, the first
            of equals.
        plan: how long to train, and what to monitor.
        folder: the folder of the training's checkpoints; the newest one found there is resumed.
        seed: of the dropout masks.
        callbacks: for each epoch's `model.fit`. What a `ResumableCallback` has gathered in an epoch is in its
            checkpoints.
        should_continue: the history so far -> whether to train another epoch, asked before each.
        checkpoint_minutes: between checkpoints within an epoch; 0: after each step.

    Returns:
        The history, one row an epoch.

    Raises:
        UserError: if the loss is no longer a finite number, or an image is damaged.
    """
    strategy = getattr(model, "distribute_strategy", None)  # TensorFlow's models have one
    shard = Shard.of(strategy)
    several = shard.machines > 1
    arguments = Path(folder), [model], checkpoint_minutes
    checkpoints = SharedCheckpoints(strategy, *arguments) if several else Checkpoints(*arguments)
    train_epoch = EpochLoop(model).train if several else partial(_train_epoch, model)
    progress = _resume(model, checkpoints, plan)
    history = progress.history
    for epoch in range(len(history), plan.epochs):
        if _is_over(progress, plan) or (should_continue and not should_continue(pd.DataFrame(history))):
            break
        progress.started = time.monotonic()
        with sharded(shard):
            data = batches(epoch)
        seed_dropout(model, seed, epoch)
        shown = StepProgress(progress, plan.epochs, int(data.cardinality()))
        within = WithinEpoch(checkpoints, progress, callbacks)  # last: it restores what the others hold
        data = data.skip(progress.step) if progress.step else data
        values = train_epoch(data, epoch, [*callbacks, shown, within])
        check_loss(values["loss"], model, epoch)
        values |= agree(strategy, lambda: {name: float(value) for name, value in validate(model).items()})
        progress.end_epoch(values, plan.monitor)
        checkpoints.save(epoch + 1, 0, progress.facts(), progress.kept)
        left = _time_left(history, plan)
        log.info("%s: epoch %d of %d: %s%s", model.name, epoch + 1, plan.epochs, _in_words(values), left)
    if history:
        checkpoints.load_weights(progress.best)
    return pd.DataFrame(history)


@explain_damaged_images()
def predict(model: keras.Model, batches: Any, count: int) -> np.ndarray:
    """Return the model's output for the first `count` images of `batches`, float32 (count, outputs).

    Of several machines that train together, each computes all of it by itself.

    Raises:
        UserError: if an image is damaged.
    """
    with without_strategy(model):
        outputs = model.predict(batches, verbose=0, callbacks=[PredictionProgress()])
    return np.asarray(outputs[:count], np.float32)


def seed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Set the state of every random layer of the model from (seed, epoch), different for each layer."""
    for place, generator in enumerate(dropout_generators(model)):
        state = np.random.default_rng([seed, epoch, 2, place]).integers(0, 2**32, size=2, dtype=np.uint32)
        generator.state.assign(state)


def _train_epoch(model, data, epoch, callbacks):
    """Train an epoch on one machine, and return its logs."""
    if not model.train_function:
        _create_variables(model, data)
    logs = model.fit(
        data,
        epochs=epoch + 1,
        initial_epoch=epoch,
        shuffle=False,  # the order is ours
        verbose=0,
        callbacks=callbacks,
    ).history
    return {name: float(value[-1]) for name, value in logs.items()}


def _create_variables(model, data):
    """Create the variables of loss and metrics before the first step; `_resume` has created the optimizer's.

    TensorFlow traces a step that creates variables twice, which costs a minute for Inception-ResNet-v2. On several
    replicas, and under JAX, Keras creates them itself.
    """
    if keras.config.backend() != "tensorflow" or model.distribute_strategy.num_replicas_in_sync > 1:
        return
    images, labels = next(iter(data))
    outputs = model(images, training=False)
    model.compute_loss(images, labels, outputs)
    model.compute_metrics(images, labels, outputs)
    model.reset_metrics()


def _resume(model, checkpoints, plan):
    """Return the progress of the newest checkpoint, whose weights and optimizer the model gets."""
    on_tensorflow = keras.config.backend() == "tensorflow"
    with model.distribute_strategy.scope() if on_tensorflow else nullcontext():  # of the optimizer's variables
        model.optimizer.build(model.trainable_variables)
    facts = checkpoints.restore()
    progress = Progress(**facts) if facts else Progress()
    if facts:
        place = f"step {progress.step} of epoch" if progress.step else "epoch"
        number = len(progress.history) + bool(progress.step)
        log.info("%s: resuming after %s %d of %d", model.name, place, number, plan.epochs)
    return progress


def _is_over(progress, plan):
    return plan.patience is not None and len(progress.history) - progress.best >= plan.patience


def _time_left(history, plan):
    """In words, the epochs that are left and the time of the last one; the first took longer, TensorFlow traced it."""
    left = plan.epochs - len(history)
    return f"; up to {left} more, about {format_duration(history[-1]['seconds'])} each" if left and history[1:] else ""


def _in_words(values):
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())
