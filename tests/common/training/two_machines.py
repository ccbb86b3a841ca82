"""One machine's part of a small training, for test_multiworker: python two_machines.py STRATEGY FOLDER OUT KILL_AT."""

import os
import signal
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from common.data.order import epoch_order
from common.data.pipeline import batches_of_arrays
from common.training.distribution import set_up
from common.training.fit import TrainingPlan, predict
from common.training.multiworker import wait_for_all
from common.training.progress import ResumableCallback
from common.training.supervised import Training

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(100, 8, 8, 3)).astype(np.float32)
LABELS = (INPUTS.mean((1, 2, 3)) > 0).astype(int)
BATCH = 16  # 6 steps an epoch


class StepLosses(ResumableCallback):
    """The logged loss of each step of an epoch, written beside the checkpoints; ends the process before a step."""

    def __init__(self, folder, kill_at):
        super().__init__()
        self.folder, self.kill_at, self.losses = folder, kill_at, []

    def get_state(self):
        return self.losses

    def set_state(self, state):
        self.losses = list(state)

    def on_epoch_begin(self, epoch, logs=None):
        self.losses = []

    def on_train_batch_begin(self, batch, logs=None):
        if batch == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"])

    def on_epoch_end(self, epoch, logs=None):
        (self.folder / f"losses-{epoch}.txt").write_text("\n".join(map(str, self.losses)))


def train(strategy, folder, kill_at=None):
    """Train two epochs; return the weights, the output for all images, and the history."""
    training = Training(set_up(strategy, deterministic=strategy == "multiworker"), folder, 3, checkpoint_minutes=0)
    folder.mkdir(parents=True, exist_ok=True)
    with training.scope():
        network = keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                keras.layers.Conv2D(4, 3, use_bias=False),
                keras.layers.BatchNormalization(synchronized=training.synchronized),
                keras.layers.Activation("relu"),
                keras.layers.Flatten(),
                keras.layers.Dense(1, activation="sigmoid", kernel_regularizer=keras.regularizers.L2(0.01)),
            ]
        )
        optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
        training.compile(network, optimizer, keras.losses.BinaryCrossentropy(), ["accuracy"])

    def score():
        return predict(network, tf.data.Dataset.from_tensor_slices(INPUTS).batch(BATCH), len(INPUTS))

    history, _ = training.fit(
        network,
        lambda epoch: batches_of_arrays(INPUTS, LABELS, epoch_order(LABELS, BATCH, 3, epoch), BATCH),
        lambda _: {"val_loss": float(np.mean((score()[:, 0] - LABELS) ** 2))},
        TrainingPlan(2, "val_loss"),
        [StepLosses(folder, kill_at)],
    )
    wait_for_all(training.strategy)
    return network.get_weights(), score(), history


if __name__ == "__main__":
    from common.cli import run_main

    def main():
        strategy, folder, out, kill_at = sys.argv[1:]
        weights, scores, history = train(strategy, Path(folder), int(kill_at))
        np.savez(out, *weights, scores=scores, history=history.drop(columns="seconds").to_numpy())

    run_main(main)
