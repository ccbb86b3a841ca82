"""From a split table of images to a trained detector: both phases on one pair of networks."""

import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from common.data.augmentation import one_by_one
from common.data.pipeline import Images, Preprocessing
from common.detectors.store import Description, Detector
from common.files import write_csv
from common.training.collapse import embedding_distance
from common.training.fit import TrainingPlan, predict
from common.training.initial_weights import initial_weights_note, load_initial_weights
from common.training.progress import ResumableCallback, best_epoch
from common.training.supervised import NOT_TRAINED, Training, validate_classifier
from reproductions.cffn_resnet.config import PAPER_BATCH, PAPER_SIZE, PROPOSED, Config
from reproductions.cffn_resnet.model import Networks, build_networks, fake_score
from reproductions.cffn_resnet.phases import (
    CLASSIFIER,
    PHASE_NUMBERS,
    TRIPLET,
    Phase,
    Schedule,
    WholeNetwork,
    fit_under_schedule,
    triplet_loss,
)
from reproductions.cffn_resnet.sampling import training_images

WAIT_SECONDS = 600.0  # for the values of a step that the device still computes


def preprocessing(config: Config) -> Preprocessing:
    """Return what happens to pixels before the network: they stay in [0, 255], the network divides by 255 itself."""
    return Preprocessing(config.image_size, scale=1.0)


def train_model(
    name: str, config: Config, images: pd.DataFrame, weights: Path | None, training: Training
) -> tuple[Detector, pd.DataFrame | None, pd.DataFrame | None, list[str]]:
    """Train one model on the rows of `images` whose split is train; validation chooses the epochs.

    Args:
        name: the model, one of --models.
        config: the model's own, of `config_of`.
        images: with the columns file, label and split.
        weights: a .keras file to start from, or None.
        training: its devices, seed and folder.

    Returns:
        (detector, history, values of each step, notes for the results). History and steps are None if nothing is
        trained.
    """
    with training.scope():
        networks = build_networks(config, training.synchronized)
        scoring = fake_score(networks.classifier)
        if weights:
            load_initial_weights(scoring, weights, f"--weights {name}")
    notes = [initial_weights_note(weights)] if weights else []
    notes += [f"width {config.width:g}"] if config.width != 1 else []
    notes += [f"images of {config.image_size} px"] if config.image_size != PAPER_SIZE else []
    description = Description(name, asdict(preprocessing(config)), proposed=name == PROPOSED, width=config.width)
    detector = Detector(description, scoring)
    if config.epochs == 0:
        return detector, None, None, [*notes, NOT_TRAINED]
    tables = training_images(images, config, training.seed), images[images["split"] == "val"]
    train, validation = (Images(table, preprocessing(config)) for table in tables)
    phases = TwoPhaseTraining(config, train, validation, training)
    if config.batch_size != PAPER_BATCH:
        triplets = ", triplets are mined in them" if phases.has_triplets else ""
        notes.append(f"batches of {config.batch_size}{triplets}")
    if phases.has_triplets:
        phases.train_encoder(networks)
    phases.train_classifier(networks, scoring)
    history, steps = (pd.concat(parts, ignore_index=True) for parts in (phases.histories, phases.steps))
    return detector, history, steps, notes + phases.notes


class TwoPhaseTraining:
    """Phase 1 and phase 2 of one model, on the same images (Sec. 5.1).

    Args:
        config: the model's own.
        train, validation: the images.
        training: the model's devices, seed and folder; each phase has a sub-folder.

    Attributes:
        histories, steps: a table for each phase that was trained, with the column `phase`.
        notes: what a reader of the model's numbers must know.
    """

    def __init__(self, config: Config, train: Images, validation: Images, training: Training):
        self.config, self.train, self.validation, self.training = config, train, validation, training
        self.schedule = Schedule.from_config(config)
        self.histories: list[pd.DataFrame] = []
        self.steps: list[pd.DataFrame] = []
        self.notes: list[str] = []

    @property
    def has_triplets(self) -> bool:
        """Whether phase 1 is trained under the triplet loss."""
        return self.config.phase_1 == "triplet" and self.config.triplet_epochs > 0

    def train_encoder(self, networks: Networks) -> None:
        """Train phase 1: the encoder under the triplet loss."""
        config = self.config
        loss = triplet_loss(config.mining, config.margin, config.squared)
        with self.training.strategy.scope():
            self.training.compile(networks.encoder, keras.optimizers.Adam(), loss)
        phase = Phase(TRIPLET, TrainingPlan(config.triplet_epochs, "val_auc"), self.schedule)
        self._fit(phase, networks.encoder, validate_encoder(self.validation, loss, config.batch_size))

    def train_classifier(self, networks: Networks, scoring: keras.Model) -> None:
        """Train phase 2: the whole network under cross-entropy. Validation takes P(fake) from `scoring`."""
        config = self.config
        epochs = max(1, config.epochs // config.epochs_divided_by)
        epochs += config.triplet_epochs if config.phase_1 == "classifier" else 0
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        with self.training.strategy.scope():
            whole = WholeNetwork(networks, config.penalty or 0)
            self.training.compile(whole, keras.optimizers.Adam(), loss, ["accuracy"])
        phase = Phase(CLASSIFIER, TrainingPlan(epochs, config.monitor), self.schedule, sum(map(len, self.histories)))
        self._fit(phase, whole, validate_classifier(self.validation, config.batch_size, scoring))

    def _fit(self, phase, network, validate):
        training, number = self.training.part(phase.name), PHASE_NUMBERS[phase.name]
        network.name = f"{self.training.folder.name}-phase{number}"
        file = training.folder / "steps.csv"

        def batches(epoch):  # phase 2 continues with orders that phase 1 has not used
            return self._batches(phase.epochs_before + epoch)

        history, notes = fit_under_schedule(phase, network, batches, validate, training, [StepValues(file)])
        kept, *adapted = notes
        best = history[phase.plan.monitor].iloc[best_epoch(history, phase.plan.monitor) - 1]
        self.notes.append(f"phase {number}: {kept}" + (f" {best:.3f} of pairs" if phase.name == TRIPLET else ""))
        self.notes += [] if self.histories else adapted
        steps = pd.read_csv(file, float_precision="round_trip")
        self.histories.append(history.assign(phase=phase.name))
        self.steps.append(steps[steps["epoch"] <= len(history)].assign(phase=phase.name))

    def _batches(self, epoch):
        config = self.config
        function = augment if config.augmentation else None
        return self.train.training_batches(config.batch_size, self.training.seed, epoch, function, config.fake_share)


def validate_encoder(
    images: Images, loss: keras.losses.Loss, batch_size: int
) -> Callable[[keras.Model], dict[str, float]]:
    """Return a function for `Training.fit` that measures an encoder on validation images.

    It returns `val_loss`, the triplet loss, and `val_auc`, `pair_auc` of the encodings: means over batches of the
    training's size, each with the classes' shares; and `val_distance` of all encodings. The AUC chooses the epoch:
    encodings that have collapsed to a point have a loss equal to the margin, less than that of many encodings that have
    not, and the AUC 0.5.

    Args:
        images: the validation images.
        loss: the loss of phase 1.
        batch_size: images in a batch.
    """
    order = np.argsort(images.labels, kind="stable")
    count = -(-len(order) // batch_size)
    batches = [order[number::count] for number in range(count)]

    def validate(encoder: keras.Model) -> dict[str, float]:
        encodings = predict(encoder, images.evaluation_batches(batch_size), len(images))
        values = [
            (
                float(loss(images.labels[batch], encodings[batch])),
                pair_auc(images.labels[batch], encodings[batch]),
            )
            for batch in batches
        ]
        means = np.average(values, axis=0, weights=[len(batch) for batch in batches])
        return dict(zip(("val_loss", "val_auc"), means, strict=True)) | embedding_distance(encodings)

    return validate


def pair_auc(labels: np.ndarray, encodings: np.ndarray) -> float:
    """Return the probability that two images of different classes are farther apart than two images of one class.

    Args:
        labels: int (n,).
        encodings: float (n, d).

    Returns:
        A number in [0, 1]; 0.5 if there are no pairs of one of the two kinds.
    """
    first, second = np.triu_indices(len(labels), 1)
    differ = labels[first] != labels[second]
    if not 0 < differ.sum() < len(differ):
        return 0.5
    return roc_auc_score(differ, ((encodings[first] - encodings[second]) ** 2).sum(axis=1))


class StepValues(ResumableCallback):
    """Write loss and accuracy of every step into a CSV file, for Figure 3. An epoch that is repeated replaces its rows.

    Args:
        path: the file, with the columns epoch and step, from 1, and the values.
    """

    async_safe = True  # Keras fetches the values from the device in threads, while the next steps are computed

    def __init__(self, path: Path):
        super().__init__()
        self.path = path
        self._changed = threading.Condition()

    def get_state(self) -> list[dict[str, float]]:
        """Return the values of the steps that this epoch has begun. Waits until the device has computed them."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._means) == self._begun, WAIT_SECONDS):
                raise RuntimeError(f"step {len(self._means) + 1} of {self._begun} has no values")
            return self._before + [self._means[batch] for batch in range(self._begun)]

    def set_state(self, state: list[dict[str, float]]) -> None:
        """Continue an epoch of which some steps were trained."""
        self._before = list(state)

    def on_epoch_begin(self, epoch, logs=None):
        self._before: list[dict[str, float]] = []
        self._means: dict[int, dict[str, float]] = {}  # over the epoch so far, by batch
        self._begun = 0

    def on_train_batch_begin(self, batch, logs=None):
        self._begun = batch

    def on_train_batch_end(self, batch, logs=None):
        with self._changed:
            self._means[batch] = logs
            self._changed.notify_all()

    def on_epoch_end(self, epoch, logs=None):
        self._begun = len(self._means)
        means = pd.DataFrame(self.get_state())
        count = np.arange(1, len(means) + 1)[:, None]
        steps = pd.DataFrame(np.diff(means * count, axis=0, prepend=0), columns=means.columns)
        steps = steps.assign(epoch=epoch + 1, step=count)
        if self.path.is_file():
            before = pd.read_csv(self.path, float_precision="round_trip")
            steps = pd.concat([before[before["epoch"] <= epoch], steps])
        write_csv(steps[["epoch", "step", *means.columns]], self.path)


@one_by_one
def augment(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Change images at random: mirroring, contrast and saturation by 5 %, brightness by 0.05 (Sec. 3, author's code).

    Args:
        image: float32 (S, S, 3) in [0, 255], of a batch (B, S, S, 3). Brightness is on the scale of [0, 1]; on the
            code's, [0, 255], 0.05 does nothing.
        seed: int (2,), of tf.random, of a batch (B, 2).

    Returns:
        float32 (S, S, 3) in [0, 255], of a batch (B, S, S, 3).
    """
    seeds = tf.random.split(seed, 4)
    image = tf.image.stateless_random_flip_left_right(image, seeds[0]) / 255
    image = tf.image.stateless_random_brightness(image, 0.05, seeds[1])
    image = tf.image.stateless_random_contrast(image, 0.95, 1.05, seeds[2])
    image = tf.image.stateless_random_saturation(tf.clip_by_value(image, 0, 1), 0.95, 1.05, seeds[3])
    return tf.clip_by_value(255 * image, 0.0, 255.0)
