"""A network at work: the steps of a training, how long it will take, and the steps of a prediction."""

import logging
import time

import keras

from common.progress import ProgressBar, format_duration
from common.training.progress import Progress

log = logging.getLogger("deepfake")

MEASURED_SECONDS = 5.0  # of steps, from which the duration of a training is estimated


class StepProgress(keras.callbacks.Callback):
    """Shows the steps of an epoch, and logs once, by its first steps, how long the training will take.

    The first step is not measured: TensorFlow traces it. Like WithinEpoch, the callback acts before a step.

    Args:
        progress: of the training, at the start of the epoch.
        epochs: most epochs of the training.
        steps: of a whole epoch.
    """

    def __init__(self, progress: Progress, epochs: int, steps: int):
        super().__init__()
        self.progress, self.epochs, self.steps = progress, epochs, steps
        self.measures = not progress.history and not progress.step

    def on_epoch_begin(self, epoch, logs=None):
        title = f"{self.model.name}, epoch {epoch + 1} of {self.epochs}"
        self.bar = ProgressBar(title, self.steps - self.progress.step, "step")

    def on_train_batch_begin(self, batch, logs=None):
        if batch:
            self.bar.update()
        if batch == 1:
            self.second_step = time.monotonic()
        elif self.measures and batch and time.monotonic() - self.second_step >= MEASURED_SECONDS:
            self._estimate(batch - 1, time.monotonic() - self.second_step)

    def on_epoch_end(self, epoch, logs=None):
        self.bar.update()
        self.bar.close()

    def _estimate(self, measured, seconds):
        self.measures = False
        total = self.epochs * self.steps * seconds / measured
        log.info(
            "%s: at most %d epochs of %d steps, about %s without validation, by the first %d steps",
            *(self.model.name, self.epochs, self.steps, format_duration(total), measured),
        )


class PredictionProgress(keras.callbacks.Callback):
    """Shows the steps of `network.predict`. It acts before a step: Keras would wait for the device after each."""

    def on_predict_begin(self, logs=None):
        steps = self.params["steps"]  # None if unknown
        self.bar = ProgressBar(f"{self.model.name}, scoring", steps or 0, "step", shown=steps is not None)

    def on_predict_batch_begin(self, batch, logs=None):
        if batch:
            self.bar.update()

    def on_predict_end(self, logs=None):
        self.bar.update()
        self.bar.close()
