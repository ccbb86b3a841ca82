"""The two phases of training: their losses, the weight penalty, and when the learning rate falls and training ends.

Paper: Salpekar, "DeepFake Image Detection", sections 4 and 5.1; the author's code (cffn_tf/trainer.py) where named.
"""

from dataclasses import dataclass

import keras
from keras import ops

from common.losses import BatchAll, BatchHard
from common.training.fit import fit
from reproductions.cffn_resnet.model import ENCODING, LOGITS

TRIPLET, CLASSIFIER = 1, 2  # the phases


@dataclass(frozen=True)
class Schedule:
    """Learning rate and end of training as functions of what has been trained, so that a resumed run goes on with both.

    The rate is `triplet_rate` in phase 1, and in the first `triplet_epochs` of a phase 2 that stands in its place. Then
    it is `classifier_rate` (author's code), until `last_after` epochs of both phases are trained or a validation of
    phase 2 has reached `last_accuracy` (section 5.1): `last_rate` from then on. Phase 2 ends early once a validation
    reaches `stop_accuracy` (section 5.1), not before `stop_after` epochs of both phases (author's code).
    """

    triplet_epochs: int = 5
    triplet_rate: float = 1e-4
    classifier_rate: float = 1e-5
    last_rate: float = 1e-6
    last_after: int = 16
    last_accuracy: float = 0.89
    stop_accuracy: float = 0.94
    stop_after: int = 15

    def rate(self, phase, trained, accuracies=()):
        """The learning rate of the next epoch.

        trained: epochs of both phases so far; accuracies: the validation accuracies of phase 2 so far.
        """
        if phase == TRIPLET or trained < self.triplet_epochs:
            return self.triplet_rate
        if trained >= self.last_after or any(accuracy >= self.last_accuracy for accuracy in accuracies):
            return self.last_rate
        return self.classifier_rate

    def is_over(self, phase, trained, accuracies=()):
        """Whether training ends here, before its last epoch; arguments as for `rate`."""
        reached = len(accuracies) > 0 and accuracies[-1] >= self.stop_accuracy
        return phase == CLASSIFIER and trained >= self.stop_after and reached


def fit_phase(phase, schedule, before, model, batches, validate, plan, folder, seed=0, callbacks=()):
    """common.training.fit under a Schedule. Returns the history, whose column `learning_rate` tells of each epoch.

    before: epochs of the other phase trained before this one. validate must give `val_accuracy` in phase 2.
    """
    rate = _LearningRate()

    def proceed(history):
        so_far = phase, before + len(history), _accuracies(history)
        rate.of_epoch = schedule.rate(*so_far)
        return not schedule.is_over(*so_far)

    return fit(model, batches, validate, plan, folder, seed, [*callbacks, rate], proceed)


def triplet_loss(mining="all", margin=0.8, squared=True):
    """The loss of phase 1, on encodings (B, 128) and labels (B,).

    mining: all, every triplet of the batch with a share in the mean (section 4, eq. 1), or hard, the farthest positive
    and the nearest negative of each anchor. squared: whether distances are squared, as in eq. (1); the author's code
    has hard ones that are not.
    """
    return BatchAll(margin, squared=squared, mean_over="all") if mining == "all" else BatchHard(margin, squared=squared)


class WholeNetwork(keras.Model):
    """The model of phase 2: pixels -> logits (B, 2) of the classifier, and the penalty in the loss.

    penalty * 0.5 ||W||^2 (section 5.1: 0.001) is taken of two matrices, as in the author's code: that of the encoding,
    which is not on the classifier's path and only decays, and the last one, 2x2. The weights are those of `networks`;
    phase 1 does not feel the penalty. It is for training: what goes into a run's folder is the classifier,
    without the encoding.
    """

    def __init__(self, networks, penalty=0.001):
        super().__init__(name="whole_network", autocast=False)  # pixels reach the classifier in float32
        self.classifier = networks.classifier
        self.encoding_matrix = networks.encoder.get_layer(ENCODING).kernel  # an attribute is trained and saved
        self.penalty = penalty
        self.build(self.classifier.input_shape)

    def call(self, images, training=None):
        return self.classifier(images, training=training)

    @property
    def losses(self):
        """Keras adds them to a step's loss, each divided among the replicas; out of `call`, they are in float32."""
        matrices = self.encoding_matrix, self.classifier.get_layer(LOGITS).kernel
        return [*super().losses, *(self.penalty / 2 * ops.sum(ops.square(matrix)) for matrix in matrices)]


class _LearningRate(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = self.of_epoch

    def on_epoch_end(self, epoch, logs=None):
        logs["learning_rate"] = self.of_epoch


def _accuracies(history):
    return history["val_accuracy"].tolist() if "val_accuracy" in history else []
