"""One supervised training of one network: where it runs, how it is compiled, which epoch is kept, what is noted."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from common.data.pipeline import Images
from common.labels import FAKE
from common.library_internals import all_layers, initial_values_of_tensorflow
from common.training.checkpoints import MINUTES
from common.training.collapse import collapse_notes, warn_of_collapse
from common.training.fit import TrainingPlan, fit, predict
from common.training.multiworker import lost_machines
from common.training.progress import best_epoch

JIT = {"auto": "auto", "on": True, "off": False}  # of --jit, as Keras's compile takes it
NOT_TRAINED = "not trained by this run"


@dataclass(frozen=True)
class Training:
    """The devices, the seed and the folder of one network's training.

    Args:
        strategy: the tf.distribute.Strategy of the run.
        folder: where the training's state is stored until the run ends; its name is the training's.
        seed: of initial weights, order, augmentation and dropout.
        jit: the value of --jit.
        tensorboard: a folder for TensorBoard's logs, or None.
        checkpoint_minutes: between checkpoints within an epoch.
    """

    strategy: tf.distribute.Strategy
    folder: Path
    seed: int = 0
    jit: str = "auto"
    tensorboard: Path | None = None
    checkpoint_minutes: float = MINUTES

    @property
    def synchronized(self) -> bool:
        """Whether batch normalisation must take its statistics over several replicas."""
        return self.strategy.num_replicas_in_sync > 1

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Build a network here: on the devices of the strategy, with initial weights that depend on the seed alone."""
        keras.utils.set_random_seed(self.seed)
        with lost_machines(self.strategy), self.strategy.scope(), initial_values_of_tensorflow():
            yield

    def part(self, name: str) -> "Training":
        """Return the training of one of several phases, with its state in a sub-folder."""
        logs = self.tensorboard / name if self.tensorboard else None
        return replace(self, folder=self.folder / name, tensorboard=logs)

    def compile(self, network: keras.Model, optimizer: Any, loss: Any, metrics: Sequence[Any] = ()) -> None:
        """Compile a network under the run's --jit. The arguments are Keras's, created in `scope`."""
        network.compile(optimizer, loss=loss, metrics=list(metrics), jit_compile=JIT[self.jit])

    def fit(
        self,
        network: keras.Model,
        batches: Callable[[int], tf.data.Dataset],
        validate: Callable[[keras.Model], dict[str, float]],
        plan: TrainingPlan,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        should_continue: Callable[[pd.DataFrame], bool] | None = None,
    ) -> tuple[pd.DataFrame, list[str]]:
        """Train a compiled network and leave it with the weights of its best epoch.

        Args:
            network, batches, validate, plan, callbacks, should_continue: as for `common.training.fit.fit`.

        Returns:
            (history, notes): one row an epoch; the epoch that was kept, what was adapted to the number of steps, and
            whether the embedding collapsed.
        """
        momentum = adapt_batch_norm_momentum(network, int(batches(0).cardinality()))
        if self.tensorboard:
            callbacks = [*callbacks, keras.callbacks.TensorBoard(self.tensorboard)]
        validate = warn_of_collapse(validate, network.name)
        with lost_machines(self.strategy):
            history = fit(
                network, batches, validate, plan, self.folder, self.seed, callbacks, should_continue,
                self.checkpoint_minutes,
            )  # fmt: skip
        kept = best_epoch(history, plan.monitor)
        notes = [f"epoch {kept} of {len(history)} by {plan.monitor}"]
        notes += [f"batch-normalisation momentum {momentum:.2f}"] if momentum else []
        return history, notes + collapse_notes(history, kept)


def validate_classifier(
    images: Images, batch_size: int, scoring: keras.Model | None = None
) -> Callable[[keras.Model], dict[str, float]]:
    """Return a function for `Training.fit` that measures a classifier on validation images.

    Args:
        images: the validation images.
        batch_size: images in a step of prediction.
        scoring: the network that outputs P(fake), if it is not the one that is trained. Of two outputs the one for fake
            is taken.
    """

    def validate(network: keras.Model) -> dict[str, float]:
        outputs = predict(scoring or network, images.evaluation_batches(batch_size), len(images))
        return validation_metrics(images.labels, outputs[:, FAKE if outputs.shape[1] > 1 else 0])

    return validate


def validation_metrics(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Return {"val_loss", "val_accuracy", "val_auc"} of P(fake).

    Args:
        labels: int (n,), fake = 1.
        scores: P(fake), (n,), in [0, 1].
    """
    return {
        "val_loss": log_loss(labels, np.clip(scores.astype(float), 1e-7, 1 - 1e-7)),
        "val_accuracy": accuracy_score(labels, scores >= 0.5),
        "val_auc": roc_auc_score(labels, scores),
    }


def adapt_batch_norm_momentum(network: keras.Model, steps: int) -> float | None:
    """Lower the batch-normalisation momentum if an epoch has fewer than 500 steps.

    Keras's momentum 0.99 averages over about 100 steps. With 40 steps an epoch and weights that still move fast, the
    moving statistics lag, and a network that has learnt scores like chance. The momentum is lowered to 1 - 5 / steps,
    at least 0.5, so that one epoch renews the statistics.

    Args:
        network: a network that has not taken a training step.
        steps: training steps in an epoch.

    Returns:
        The momentum in force, or None if nothing changed.
    """
    momentum = max(0.5, 1 - 5 / max(steps, 1))
    lowered = [
        layer
        for layer in all_layers(network)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.momentum > momentum
    ]
    for layer in lowered:
        layer.momentum = momentum
    return momentum if lowered else None
