"""The two phases of training: their losses, the weight penalty, and when the learning rate falls and training ends.

Paper: Salpekar, "DeepFake Image Detection", sections 4 and 5.1; the author's code (cffn_tf/trainer.py) where named.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import keras
import pandas as pd
import tensorflow as tf
from keras import ops

from common.library_internals import losses_of_this_step
from common.losses import BatchAll, BatchHard
from common.losses.distances import Distance
from common.training.fit import TrainingPlan
from common.training.supervised import Training
from reproductions.cffn_resnet.config import Config
from reproductions.cffn_resnet.model import ENCODING, LOGITS, Networks

TRIPLET: Final = "triplet"  # the phases, as history.csv names them
CLASSIFIER: Final = "classifier"
PHASE_NUMBERS = {TRIPLET: 1, CLASSIFIER: 2}  # as the paper counts them

PhaseName = Literal["triplet", "classifier"]


@dataclass(frozen=True)
class Schedule:
    """Learning rate and end of training as functions of what has been trained, so that a resumed run continues both.

    The rate is `triplet_rate` in phase 1, and in the first `triplet_epochs` of a phase 2 that replaces it. Then it is
    `classifier_rate` (author's code), until `last_after` epochs of both phases are trained or a validation of phase 2
    has reached `last_accuracy` (section 5.1): `last_rate` from then on. Phase 2 ends early once a validation reaches
    `stop_accuracy` (section 5.1), not before `stop_after` epochs of both phases (author's code).
    """

    triplet_epochs: int = 5
    triplet_rate: float = 1e-4
    classifier_rate: float = 1e-5
    last_rate: float = 1e-6
    last_after: int = 16
    last_accuracy: float = 0.89
    stop_accuracy: float = 0.94
    stop_after: int = 15

    @classmethod
    def from_config(cls, config: Config) -> "Schedule":
        """Return the schedule of a config; with --no-schedule, phase 1's rate until the last epoch."""
        rate = config.learning_rate
        if not config.schedule:
            return cls(config.triplet_epochs, rate, rate, rate, stop_accuracy=float("inf"))
        return cls(
            config.triplet_epochs,
            rate,
            config.classifier_learning_rate,
            config.last_learning_rate,
            config.last_after,
            config.last_accuracy,
            config.stop_accuracy,
            config.stop_after,
        )

    def rate(self, phase: PhaseName, trained: int, accuracies: Sequence[float] = ()) -> float:
        """Return the learning rate of the next epoch.

        Args:
            phase: the phase of the next epoch.
            trained: epochs of both phases so far.
            accuracies: the validation accuracies of phase 2 so far.
        """
        if phase == TRIPLET or trained < self.triplet_epochs:
            return self.triplet_rate
        if trained >= self.last_after or any(accuracy >= self.last_accuracy for accuracy in accuracies):
            return self.last_rate
        return self.classifier_rate

    def is_over(self, phase: PhaseName, trained: int, accuracies: Sequence[float] = ()) -> bool:
        """Return whether training ends here, before its last epoch. The arguments are those of `rate`."""
        reached = len(accuracies) > 0 and accuracies[-1] >= self.stop_accuracy
        return phase == CLASSIFIER and trained >= self.stop_after and reached


@dataclass(frozen=True)
class Phase:
    """One phase of a training.

    Args:
        name: triplet or classifier.
        plan: how many epochs it has, and which of them is kept.
        schedule: of both phases.
        epochs_before: epochs of the other phase that were trained before it.
    """

    name: PhaseName
    plan: TrainingPlan
    schedule: Schedule
    epochs_before: int = 0


def fit_under_schedule(
    phase: Phase,
    network: keras.Model,
    batches: Callable[[int], tf.data.Dataset],
    validate: Callable[[keras.Model], dict[str, float]],
    training: Training,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> tuple[pd.DataFrame, list[str]]:
    """Train a compiled network for one phase under its schedule.

    Args:
        phase: the phase.
        network: the compiled network; its optimizer's rate is set in every epoch.
        batches, callbacks: as for `Training.fit`.
        validate: as for `Training.fit`; in phase 2 it returns `val_accuracy`.
        training: the phase's own devices, seed and folder.

    Returns:
        (history, notes): as `Training.fit`; the column `learning_rate` has the rate of each epoch.
    """
    rate = _LearningRate()

    def should_continue(history: pd.DataFrame) -> bool:
        progress = phase.name, phase.epochs_before + len(history), _accuracies(history)
        rate.next = phase.schedule.rate(*progress)
        return not phase.schedule.is_over(*progress)

    return training.fit(network, batches, validate, phase.plan, [*callbacks, rate], should_continue)


def triplet_loss(mining: str = "all", margin: float = 0.8, squared: bool = True) -> keras.losses.Loss:
    """Return the loss of phase 1, on labels (B,) and encodings (B, 128).

    Args:
        mining: all, the mean over every triplet of the batch (section 4, eq. 1), or hard, the farthest positive and the
            nearest negative of each anchor (author's code).
        margin: of eq. (1), at least 0.
        squared: whether distances are squared, as in eq. (1); those of the author's code are not.
    """
    distance: Distance = "squared" if squared else "euclidean"
    return BatchAll(margin, distance, mean_over="all") if mining == "all" else BatchHard(margin, distance)


class WholeNetwork(keras.Model):
    """The model of phase 2: pixels -> logits (B, 2) of the classifier, and the weight penalty in the loss.

    The penalty is penalty / 2 * ||W||^2 (section 5.1: 0.001) of two matrices, as in the author's code: the encoding's,
    which is not on the classifier's path and only decays, and the last one, 2x2. Phase 1 has no penalty. This model is
    for training; a run's folder stores the classifier, without the encoding.

    Args:
        networks: their weights are shared.
        penalty: the factor, at least 0.
    """

    def __init__(self, networks: Networks, penalty: float = 0.001):
        super().__init__(name="whole_network", autocast=False)  # pixels reach the classifier in float32
        self.classifier = networks.classifier
        self.encoding_matrix = networks.encoder.get_layer(ENCODING).kernel  # an attribute is trained and saved
        self.penalty = penalty
        self.build(self.classifier.input_shape)

    def call(self, images, training=None):
        return self.classifier(images, training=training)

    @property
    def losses(self):
        """Keras adds them to a step's loss, each divided among the replicas; outside of `call` they are float32."""
        if computed := losses_of_this_step(self):
            return computed
        matrices = self.encoding_matrix, self.classifier.get_layer(LOGITS).kernel
        return [*super().losses, *(self.penalty / 2 * ops.sum(ops.square(matrix)) for matrix in matrices)]


class _LearningRate(keras.callbacks.Callback):
    """Sets the learning rate of an epoch to `next`, and writes it into the epoch's logs."""

    next = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = self.next

    def on_epoch_end(self, epoch, logs=None):
        logs["learning_rate"] = self.next


def _accuracies(history):
    return history["val_accuracy"].tolist() if "val_accuracy" in history else []
