"""Phase I: Xception on single frames, and an LSTM on what it makes of a video's frames."""

import hashlib
import logging
from dataclasses import asdict, dataclass, field

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from common.data.pipeline import Images, Preprocessing
from common.detectors.store import Description, Detector, fake_score
from common.errors import UserError
from common.evaluation.evaluate import video_numbers
from common.labels import FAKE, to_numbers
from common.training import distribution
from common.training.fit import (
    JIT,
    Plan,
    best_epoch,
    fit,
    predict,
    shorten_batch_norm,
    start_from,
    started_from,
    validation_of,
)
from reproductions.facenet_embeddings import model
from reproductions.facenet_embeddings.augmentation import augment
from reproductions.facenet_embeddings.config import LSTM, TRIALS
from reproductions.facenet_embeddings.nadam import ScheduledNadam
from reproductions.facenet_embeddings.phase2 import callbacks

log = logging.getLogger("deepfake")

NADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "schedule_decay": 0.004}  # Sec. VIII


@dataclass(frozen=True)
class Trained:
    """A training of phase I. probabilities: P(fake) of the frames in `images`, (n,)."""

    network: object
    images: object  # of val and test
    probabilities: np.ndarray
    history: object = None
    notes: list = field(default_factory=list)


def preprocessing(config):
    """Pixels stay in [0, 255]: the network brings its own scaling."""
    return Preprocessing(config.phase1_size, scale=1.0)


def settings(name, config):
    """(epochs, most frames) of a training."""
    trial = TRIALS[name]
    epochs = trial.epochs if config.phase1_epochs is None else config.phase1_epochs
    return epochs if config.epochs else 0, config.phase1_frames or trial.frames


def thinned(images, frames):
    """Images with at most so many frames in training and validation together, in their proportion, drawn by hash."""
    tested = images["split"] == "test"
    if frames is None or (~tested).sum() <= frames:
        return images
    order = (images["dataset"] + "\n" + images["path"]).map(lambda name: hashlib.sha256(name.encode()).hexdigest())
    kept = [
        some.sort_values("order").head(round(frames * len(some) / (~tested).sum()))
        for _, some in images.assign(order=order)[~tested].groupby(["split", "label"])
    ]
    chosen = {place for some in kept for place in some.index}
    return images[tested | images.index.isin(chosen)]


def train_xception(name, images, config, strategy, weights, imagenet, state, seed):
    """Train Xception with a trial's settings on the rows of `images` whose split is train: Trained.

    weights: a .keras file to start from, or None; imagenet: (what Xception starts from, notes); state: where the
    training can be gone on with.
    """
    epochs, _ = settings(name, config)
    parts = {split: Images(images[images["split"] == split], preprocessing(config)) for split in ("train", "val")}
    train, batch_size = parts["train"], config.phase1_batch_size
    if epochs and len(train) < batch_size:
        raise UserError(f"--phase1-batch-size {batch_size}: {name} has only {len(train)} training frames")
    keras.utils.set_random_seed(seed)
    with distribution.quick_arithmetic(config) as arithmetic, strategy.scope():
        start, notes = imagenet
        network = model.xception(config.phase1_size, start, strategy.num_replicas_in_sync > 1)
        network.name = name
        notes = list(notes)
        if weights:
            start_from(network, weights, "--weights xception")
            notes = [started_from(weights)]
        notes += arithmetic
        momentum = shorten_batch_norm(network, train.steps(batch_size)) if epochs else None
        _compile(network, TRIALS[name].learning_rate, config)

    def probabilities(network, images):
        return predict(network, images.evaluation_batches(batch_size), len(images))

    history = None
    if epochs:
        history = fit(
            network,
            lambda epoch: train.training_batches(batch_size, seed, epoch, augment if config.augment else None),
            lambda network: validation_of(parts["val"].labels, probabilities(network, parts["val"])[:, FAKE]),
            Plan(epochs, "val_accuracy"), state, seed, callbacks(config, state),
        )  # fmt: skip
    held_out = images[images["split"] != "train"]
    found = probabilities(network, Images(held_out, preprocessing(config)))[:, FAKE]
    return Trained(network, held_out, found, history, notes + _told(history, momentum))


def train_lstm(xception, images, config, strategy, state, seed):
    """Train the LSTM on an Xception's embeddings of each video's frames: Trained.

    A sequence is what a split has of a video: its frames in their order; an image without a video is one of length 1.
    """
    epochs, _ = settings(LSTM, config)
    images = images.assign(number=video_numbers(images), place=_frame_numbers(images))
    images = images.sort_values(["number", "place"], kind="stable")
    embedder = model.frame_embedder(xception)
    pixels = Images(images, preprocessing(config)).evaluation_batches(config.phase1_batch_size)
    embedded = predict(embedder, pixels, len(images))
    sequences = {split: _Sequences(images, embedded, split) for split in ("train", "val", "test")}
    replicas = strategy.num_replicas_in_sync
    fitting = len(sequences["train"].labels) // replicas * replicas  # videos are fewer than frames
    if not fitting:
        raise UserError(f"{LSTM} needs a training video for each of {replicas} devices: add data, or --strategy none")
    batch_size = min(config.phase1_batch_size, fitting)
    keras.utils.set_random_seed(seed)
    with strategy.scope():
        network = model.xception_lstm(units=config.lstm_units)
        _compile(network, TRIALS[LSTM].learning_rate, config)

    history = fit(
        network,
        lambda epoch: sequences["train"].training_batches(batch_size, seed, epoch),
        lambda network: validation_of(
            sequences["val"].labels, sequences["val"].probabilities(network, batch_size)[:, FAKE]
        ),
        Plan(epochs, "val_accuracy"), state, seed, callbacks(config, state),
    )  # fmt: skip
    tables, found = [], []
    for split in ("val", "test"):
        tables.append(images[images["split"] == split])
        found.append(sequences[split].probabilities(network, batch_size)[sequences[split].of_frame, FAKE])
    held_out = pd.concat(tables).drop(columns=["number", "place"])
    return Trained(network, held_out, np.concatenate(found), history, _told(history, None))


def as_detector(name, trained, config, faces):
    """The detector that a trained Xception is: its second output is P(fake)."""
    description = Description(name, f"{name}.keras", asdict(preprocessing(config)), faces=faces)
    return Detector(description, fake_score(trained.network))


class _Sequences:
    """The videos of one split: embeddings (videos, T, 512), padded; labels (videos,); of_frame: a frame's video."""

    def __init__(self, images, embedded, split):
        chosen = (images["split"] == split).to_numpy()
        self.of_frame = np.unique(images["number"].to_numpy()[chosen], return_inverse=True)[1]
        count = self.of_frame.max() + 1
        self.frames = model.padded([embedded[chosen][self.of_frame == video] for video in range(count)])
        first = np.unique(self.of_frame, return_index=True)[1]
        self.labels = to_numbers(images["label"])[chosen][first]

    def training_batches(self, batch_size, seed, epoch):
        order = np.random.default_rng([seed, epoch, 0]).permutation(len(self.labels))
        pairs = self.frames[order], self.labels[order, None].astype(np.float32)
        return tf.data.Dataset.from_tensor_slices(pairs).batch(batch_size, drop_remainder=True)

    def probabilities(self, network, batch_size):
        """(videos, 2)"""
        count = len(self.labels)
        frames = np.concatenate([self.frames, np.repeat(self.frames[-1:], -count % batch_size, axis=0)])
        return predict(network, tf.data.Dataset.from_tensor_slices(frames).batch(batch_size), count)


def _compile(network, learning_rate, config):
    """Sec. VIII's optimizer; cross-entropy of labels (B, 1) is the categorical one of the paper's one-hot pairs."""
    network.compile(
        ScheduledNadam(learning_rate, **NADAM),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
        jit_compile=JIT[config.jit],
    )


def _frame_numbers(images):
    return images["frame"].where(images["frame"] != "", "0").astype(int)


def _told(history, momentum):
    if history is None:
        return ["not trained by this run"]
    told = [f"epoch {best_epoch(history, 'val_accuracy')} of {len(history)} by val_accuracy"]
    return told + ([f"batch-normalisation momentum {momentum:.2f}"] if momentum else [])
