"""From a split table of images to a trained detector: both phases on one pair of networks."""

from dataclasses import asdict

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from common.data.pipeline import Images, Preprocessing
from common.detectors.store import Description, Detector
from common.files import write_csv
from common.training.fit import (
    JIT,
    Plan,
    best_epoch,
    predict,
    shorten_batch_norm,
    start_from,
    started_from,
    validation_of,
)
from reproductions.cffn_resnet.config import PAPER_BATCH, PAPER_SIZE, PROPOSED
from reproductions.cffn_resnet.model import fake_score, networks
from reproductions.cffn_resnet.phases import CLASSIFIER, TRIPLET, Schedule, WholeNetwork, fit_phase, triplet_loss

PHASES = {TRIPLET: "triplet", CLASSIFIER: "classifier"}  # as history.csv names them


def preprocessing(config):
    """Pixels stay in [0, 255]: the network divides by 255 itself."""
    return Preprocessing(config.image_size, scale=1.0)


def training_images(images, config, seed):
    """The rows of `images` that are trained on: the split train, or --training-share of it, in each class alike."""
    table = images[images["split"] == "train"]
    if config.training_share == 1:
        return table
    return table.groupby("label").sample(frac=config.training_share, random_state=seed)


def augment(image, seed):
    """Section 3, in the ranges of the author's code: mirroring, contrast and saturation by 5 %, brightness by 0.05.

    image: float32 (S, S, 3) in [0, 255]; brightness is on the scale of [0, 1] (on the code's, of 255, it does nothing).
    """
    seeds = tf.random.split(seed, 4)
    image = tf.image.stateless_random_flip_left_right(image, seeds[0]) / 255
    image = tf.image.stateless_random_brightness(image, 0.05, seeds[1])
    image = tf.image.stateless_random_contrast(image, 0.95, 1.05, seeds[2])
    image = tf.image.stateless_random_saturation(tf.clip_by_value(image, 0, 1), 0.95, 1.05, seeds[3])
    return 255 * image


def train_model(name, config, strategy, images, weights, state, seed, faces):
    """Train one model on the rows of `images` whose split is train; validation chooses the epochs.

    config: the model's own, from `settings`; weights: a .keras file to start from, or None; state: the folder where the
    training can be gone on with; faces: how the images' faces were found.
    Returns (detector, history or None, values of each step or None, notes for the results).
    """
    keras.utils.set_random_seed(seed)
    with strategy.scope():
        both = networks(
            config.image_size, config.width, config.kernels, config.activation, config.initializer, config.added_units,
            synchronized=strategy.num_replicas_in_sync > 1,
        )  # fmt: skip
        scoring = fake_score(both.classifier)
        if weights:
            start_from(scoring, weights, f"--weights {name}")
    notes = [started_from(weights)] if weights else []
    notes += [f"width {config.width:g}"] if config.width != 1 else []
    notes += [f"images of {config.image_size} px"] if config.image_size != PAPER_SIZE else []
    description = Description(
        name=name, network=f"{name}.keras", preprocessing=asdict(preprocessing(config)), faces=faces,
        proposed=name == PROPOSED,
    )  # fmt: skip
    detector = Detector(description, scoring)
    if config.epochs == 0:
        return detector, None, None, [*notes, "not trained by this run"]
    parts = [training_images(images, config, seed), images[images["split"] == "val"]]
    training = _Training(config, strategy, *(Images(part, preprocessing(config)) for part in parts), state, seed)
    history, steps = training.both_phases(both, scoring)
    if config.batch_size != PAPER_BATCH:
        triplets = ", triplets are mined in them" if TRIPLET in training.kept else ""
        notes.append(f"batches of {config.batch_size}{triplets}")
    return detector, history, steps, notes + training.notes


def pair_auc(labels, encodings):
    """The chance that two images of different classes are farther apart than two of one; 0.5 where that is undefined.

    labels: (n,); encodings: float (n, d).
    """
    first, second = np.triu_indices(len(labels), 1)
    differ = labels[first] != labels[second]
    if not 0 < differ.sum() < len(differ):
        return 0.5
    return roc_auc_score(differ, ((encodings[first] - encodings[second]) ** 2).sum(axis=1))


class StepValues(keras.callbacks.Callback):
    """Writes loss and accuracy of every step into a CSV file, for Figure 3; an epoch that is trained anew replaces its
    rows."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_epoch_begin(self, epoch, logs=None):
        self.means = []

    def on_train_batch_end(self, batch, logs=None):
        self.means.append(logs)  # over the epoch so far

    def on_epoch_end(self, epoch, logs=None):
        means = pd.DataFrame(self.means)
        count = np.arange(1, len(means) + 1)[:, None]
        steps = pd.DataFrame(np.diff(means * count, axis=0, prepend=0), columns=means.columns)
        steps = steps.assign(epoch=epoch + 1, step=count)
        if self.path.is_file():
            before = pd.read_csv(self.path)
            steps = pd.concat([before[before["epoch"] <= epoch], steps])
        write_csv(steps[["epoch", "step", *means.columns]], self.path)


class _Training:
    """What both phases share. kept: {phase: the epoch whose weights were kept}."""

    def __init__(self, config, strategy, train, held, state, seed):
        self.config, self.strategy, self.train, self.held = config, strategy, train, held
        self.state, self.seed, self.kept, self.notes = state, seed, {}, []
        rate = config.learning_rate
        self.schedule = Schedule(
            config.triplet_epochs, rate, config.classifier_learning_rate, config.last_learning_rate, config.last_after,
            config.last_accuracy, config.stop_accuracy, config.stop_after,
        ) if config.schedule else Schedule(config.triplet_epochs, rate, rate, rate, stop_accuracy=np.inf)  # fmt: skip

    def both_phases(self, both, scoring):
        """The history of both phases, column `phase`, and the values of their steps."""
        config, before = self.config, 0
        histories, steps = [], []
        if config.phase_1 == "triplet" and config.triplet_epochs:
            loss = triplet_loss(config.mining, config.margin, config.squared)
            validate = self._separation(both.encoder, loss)
            plan = Plan(config.triplet_epochs, "val_auc")
            histories.append(self._phase(TRIPLET, 0, both.encoder, loss, (), validate, plan))
            before = len(histories[0])
        with self.strategy.scope():
            whole = WholeNetwork(both, config.penalty or 0)
        epochs = max(1, config.epochs // config.epochs_divided_by)
        epochs += config.triplet_epochs if config.phase_1 == "classifier" else 0
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        plan = Plan(epochs, config.monitor)
        histories.append(self._phase(CLASSIFIER, before, whole, loss, ("accuracy",), self._scores(scoring), plan))
        for phase, history in zip(self.kept, histories, strict=True):
            table = pd.read_csv(self.state / PHASES[phase] / "steps.csv")
            steps.append(table[table["epoch"] <= len(history)].assign(phase=PHASES[phase]))
        return pd.concat(histories, ignore_index=True), pd.concat(steps, ignore_index=True)

    def _phase(self, phase, before, model, loss, metrics, validate, plan):
        config, folder = self.config, self.state / PHASES[phase]
        folder.mkdir(parents=True, exist_ok=True)
        with self.strategy.scope():
            momentum = shorten_batch_norm(model, self.train.steps(config.batch_size, config.fake_share))
            model.compile(keras.optimizers.Adam(), loss, metrics=list(metrics), jit_compile=JIT[config.jit])
        model.name = f"{self.state.name}-phase{phase}"
        callbacks = [StepValues(folder / "steps.csv")]
        if config.tensorboard:
            callbacks.append(
                keras.callbacks.TensorBoard(self.state.parents[1] / "tensorboard" / self.state.name / PHASES[phase])
            )
        history = fit_phase(
            phase, self.schedule, before, model, lambda epoch: self._batches(before + epoch), validate, plan, folder,
            self.seed, callbacks,
        )  # fmt: skip
        self.kept[phase] = best_epoch(history, plan.monitor)
        best = history[plan.monitor].iloc[self.kept[phase] - 1]
        told = f" {best:.3f} of pairs" if phase == TRIPLET else ""
        self.notes.append(f"phase {phase}: epoch {self.kept[phase]} of {len(history)} by {plan.monitor}{told}")
        if momentum and len(self.kept) == 1:
            self.notes.append(f"batch-normalisation momentum {momentum:.2f}")
        return history.assign(phase=PHASES[phase])

    def _batches(self, epoch):
        config = self.config
        function = augment if config.augmentation else None
        return self.train.training_batches(config.batch_size, self.seed, epoch, function, config.fake_share)

    def _separation(self, encoder, loss):
        """Of the validation images, in batches of the training's size with the classes' shares: the triplet loss, and
        the AUC by which the distance of two encodings tells pairs of two classes from pairs of one.

        The AUC chooses the epoch: encodings that have all fallen together have a loss at the margin, better than that
        of many that have not, and the AUC 0.5.
        """
        order = np.argsort(self.held.labels, kind="stable")
        parts = -(-len(order) // self.config.batch_size)

        def validate(_):
            encodings = predict(encoder, self.held.evaluation_batches(self.config.batch_size), len(self.held))
            batches = [order[part::parts] for part in range(parts)]
            found = [
                (
                    float(loss(self.held.labels[batch], encodings[batch])),
                    pair_auc(self.held.labels[batch], encodings[batch]),
                )
                for batch in batches
            ]
            means = np.average(found, axis=0, weights=[len(batch) for batch in batches])
            return dict(zip(("val_loss", "val_auc"), means, strict=True))

        return validate

    def _scores(self, scoring):
        def validate(_):
            labels, batches = self.held.labels, self.held.evaluation_batches(self.config.batch_size)
            scores = predict(scoring, batches, len(labels))[:, 0]
            return validation_of(labels, scores)

        return validate
