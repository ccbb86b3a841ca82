"""Phase I: Xception on single frames, and an LSTM on its embeddings of a video's frames."""

from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from common.data.pipeline import Images, Preprocessing
from common.detectors.store import Description, Detector, fake_score
from common.errors import UserError
from common.labels import FAKE
from common.training.fit import TrainingPlan, predict
from common.training.initial_weights import initial_weights_note, load_initial_weights
from common.training.supervised import NOT_TRAINED, Training, validate_classifier, validation_metrics
from reproductions.facenet_embeddings import model
from reproductions.facenet_embeddings.augmentation import augment
from reproductions.facenet_embeddings.config import BACKBONE, LSTM, TRIALS, Config
from reproductions.facenet_embeddings.nadam import ScheduledNadam
from reproductions.facenet_embeddings.sequences import VideoSequences, order_frames
from reproductions.facenet_embeddings.trials import trial_epochs

NADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "schedule_decay": 0.004}  # Sec. VIII
MONITOR = "val_accuracy"


@dataclass(frozen=True)
class Phase1Model:
    """A network of phase I with its scores.

    Args:
        network: outputs the probabilities (B, 2) of [real, fake].
        images: its images of validation and test.
        scores: P(fake) of these images, (n,).
        history: one row an epoch; None if it was not trained.
        notes: what a reader of its numbers must know.
    """

    network: keras.Model
    images: pd.DataFrame
    scores: np.ndarray
    history: pd.DataFrame | None
    notes: list[str]

    @property
    def validation_accuracy(self) -> float:
        """The accuracy at the epoch that was kept; 0 if it was not trained."""
        return 0.0 if self.history is None else float(self.history[MONITOR].max())


def preprocessing(config: Config) -> Preprocessing:
    """Return what happens to pixels before the network: they stay in [0, 255], it scales them itself."""
    return Preprocessing(config.phase1_size, scale=1.0)


def train_xception(
    trial: str, images: pd.DataFrame, config: Config, weights: Path | None, imagenet: tuple[str, list[str]],
    training: Training,
) -> Phase1Model:  # fmt: skip
    """Train Xception with a trial's settings on the rows of `images` whose split is train.

    Args:
        trial: a key of XCEPTION.
        images: with the columns file, label and split.
        config: the run's config.
        weights: a .keras file to start from, or None.
        imagenet: (what Xception starts from otherwise, notes on that).
        training: its devices, seed and folder.
    """
    epochs, batch_size = trial_epochs(trial, config), config.phase1_batch_size
    start, notes = imagenet[0], list(imagenet[1])
    with training.scope():
        network = model.xception(config.phase1_size, start, training.synchronized)
        network.name = trial
        if weights:
            load_initial_weights(fake_score(network), weights, f"--weights {BACKBONE}")  # a run stores its fake score
            notes = [initial_weights_note(weights)]
        _compile(network, trial, training)
    history = None
    if epochs:
        train, validation = (_of_split(images, split, config) for split in ("train", "val"))
        augmentation = augment if config.augment else None
        history, training_notes = training.fit(
            network,
            lambda epoch: train.training_batches(batch_size, training.seed, epoch, augmentation),
            validate_classifier(validation, batch_size),
            TrainingPlan(epochs, MONITOR),
        )
        notes += training_notes
    else:
        notes.append(NOT_TRAINED)
    scored = images[images["split"] != "train"]
    return Phase1Model(network, scored, _scores(network, scored, config), history, notes)


def train_lstm(
    xception: keras.Model, images: pd.DataFrame, config: Config, training: Training
) -> Phase1Model:  # fmt: skip
    """Train the LSTM on an Xception's embeddings of each video's frames (Sec. IX).

    A sequence is what a split has of a video: its frames in their order; an image without a video is one of length 1.

    Args:
        xception: the trained network of phase I, whose last layer is removed.
        images: with the columns file, label, split, video and frame; training and validation have both classes.
        config: the run's config.
        training: its devices, seed and folder.

    Raises:
        UserError: if there are fewer training videos than devices.
    """
    images = order_frames(images)
    pixels = Images(images, preprocessing(config)).evaluation_batches(config.phase1_batch_size)
    embeddings = predict(model.frame_embedder(xception), pixels, len(images))
    sequences = {split: VideoSequences.of_split(images, embeddings, split) for split in ("train", "val", "test")}
    train, validation = sequences["train"], sequences["val"]
    replicas = training.strategy.num_replicas_in_sync
    fitting = len(train.labels) // replicas * replicas  # videos are fewer than frames
    if not fitting:
        raise UserError(f"{LSTM} needs a training video for each of {replicas} devices: add data, or --strategy none")
    batch_size = min(config.phase1_batch_size, fitting)
    with training.scope():
        network = model.xception_lstm(units=config.lstm_units)
        _compile(network, LSTM, training)
    history, notes = training.fit(
        network,
        lambda epoch: train.training_batches(batch_size, training.seed, epoch),
        lambda network: validation_metrics(validation.labels, validation.scores(network, batch_size)),
        TrainingPlan(trial_epochs(LSTM, config), MONITOR),
    )
    tested = [(images[images["split"] == split], sequences[split]) for split in ("val", "test")]
    scores = [videos.scores(network, batch_size)[videos.video_of_frame] for _, videos in tested]
    scored = pd.concat([table for table, _ in tested]).drop(columns=["number", "place"])
    return Phase1Model(network, scored, np.concatenate(scores), history, notes)


def as_detector(trial: str, network: keras.Model, config: Config, datasets: str) -> Detector:
    """Return the detector that a trained Xception is: its second output is P(fake).

    Args:
        trial: a key of XCEPTION.
        network: of `train_xception`.
        config: the run's config.
        datasets: the data sets that it was trained on, joined by `+`; the session adds their fingerprints.
    """
    trained_on = dict.fromkeys(datasets.split("+"), "")
    return Detector(Description(trial, asdict(preprocessing(config)), trained_on=trained_on), fake_score(network))


def _scores(network, images, config):
    """Return P(fake) of images, float32 (n,)."""
    if images.empty:
        return np.zeros(0, np.float32)
    table = Images(images, preprocessing(config))
    return predict(network, table.evaluation_batches(config.phase1_batch_size), len(table))[:, FAKE]


def _of_split(images, split, config):
    return Images(images[images["split"] == split], preprocessing(config))


def _compile(network, trial, training):
    """Compile by Sec. VIII; cross-entropy of labels (B, 1) is the categorical one of the paper's one-hot pairs."""
    optimizer = ScheduledNadam(TRIALS[trial].learning_rate, **NADAM)
    training.compile(network, optimizer, keras.losses.SparseCategoricalCrossentropy(), ["accuracy"])
