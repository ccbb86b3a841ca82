"""From a split table of images to trained detectors: the networks, and the SVM on their features."""

import math
from dataclasses import asdict, replace
from pathlib import Path

import keras
import pandas as pd
from sklearn.metrics import accuracy_score, roc_auc_score

from common.data.pipeline import Images, Preprocessing
from common.detectors.store import Description, Detector
from common.networks import mesonet
from common.training.fit import TrainingPlan, predict
from common.training.initial_weights import initial_weights_note, load_initial_weights
from common.training.supervised import NOT_TRAINED, Training
from reproductions.mesoinception_svm import model
from reproductions.mesoinception_svm.augmentation import choose_augmentation
from reproductions.mesoinception_svm.config import (
    BASE,
    FIRST,
    HINGE,
    LAST_LEARNING_RATE,
    NEXT_BEST,
    NEXT_BEST_DECAY_EPOCHS,
    PROPOSED,
    Config,
    augmentation_of,
    batch_size_of,
    epochs_of,
)

BUILDERS = {
    BASE: mesonet.mesoinception4,
    FIRST: mesonet.mesoinception4,
    NEXT_BEST: mesonet.mesoinception4,
    "meso4": mesonet.meso4,
    HINGE: model.meso4_hinge,
}


def preprocessing(config: Config) -> Preprocessing:
    """Return what happens to pixels before the network: Sec. 4.2, 256 x 256 x 3; [0, 1] as in MesoNet's code."""
    return Preprocessing(config.image_size, config.resize)


def train_network(
    name: str, config: Config, images: pd.DataFrame, weights: Path | None, training: Training
) -> tuple[Detector, pd.DataFrame | None, list[str]]:
    """Train one network on the rows of `images` whose split is train; validation chooses the epoch.

    Args:
        name: a key of BUILDERS.
        config: the run's config.
        images: with the columns file, label and split.
        weights: a .keras file, or MesoNet's published .h5, to start from; or None.
        training: its devices, seed and folder.

    Returns:
        (detector, history or None, notes for the results).
    """
    train = Images(images[images["split"] == "train"], preprocessing(config))
    batch_size, epochs = batch_size_of(name, config), epochs_of(name, config)
    with training.scope():
        network = BUILDERS[name](config.image_size, synchronized=training.synchronized)
        network.name = name
        notes = []
        if weights:
            load_initial_weights(network, weights, f"--weights {name}", mesonet.load_legacy_weights)
            notes.append(initial_weights_note(weights))
        if epochs:
            training.compile(
                network,
                keras.optimizers.Adam(learning_rate(name, config, train.steps(batch_size, config.fake_share))),
                loss=keras.losses.Hinge() if name == HINGE else keras.losses.MeanSquaredError(),  # Sec. 4.2, l(a, y)
                metrics=[keras.metrics.BinaryAccuracy("accuracy", threshold=_threshold(name))],
            )
    description = Description(name, asdict(preprocessing(config)), head="margin" if name == HINGE else "probability")
    detector = Detector(description, network)
    if epochs == 0:
        return detector, None, [*notes, NOT_TRAINED]
    augment = choose_augmentation(augmentation_of(name, config))
    history, training_notes = training.fit(
        network,
        lambda epoch: train.training_batches(batch_size, training.seed, epoch, augment, config.fake_share),
        _validate(images, config, name),
        TrainingPlan(epochs, config.monitor, config.patience),
    )
    return detector, history, notes + training_notes


def fit_proposed(base: Detector, config: Config, images: pd.DataFrame, seed: int) -> tuple[Detector, str]:
    """Fit the paper's proposal (Sec. 3), an RBF SVM on the 16 features of the training images.

    Args:
        base: the detector of MesoInception-4.
        config: the run's config.
        images: with the columns file, label and split; both classes are in the training split.
        seed: of Nystroem's approximation.

    Returns:
        (detector, what was fitted, in words).
    """
    table = Images(images[images["split"] == "train"], preprocessing(config))
    features = model.feature_network(base.network)
    vectors = predict(features, table.evaluation_batches(config.batch_size), len(table))
    svm, fitted = model.fit_svm(vectors, table.labels, config.svm_max, seed, config.fake_share)
    description = replace(
        base.description, model=PROPOSED, network=BASE, features=mesonet.FEATURES, head="margin", proposed=True
    )
    return Detector(description, features, svm), fitted


def learning_rate(name: str, config: Config, steps: int):
    """Return the learning rate by iteration, divided by 10 after a number of iterations.

    The number is --decay-every, down to 1e-6 (Sec. 4.2); 5 epochs for the next best model (Sec. 4.3.1); computed from
    the planned epochs for the first model (Sec. 4.3), and from the trained ones for meso4_hinge (authors' code).

    Args:
        name: the network.
        config: the run's config.
        steps: training steps in an epoch.
    """
    if name == NEXT_BEST:
        return _decay(config.learning_rate, NEXT_BEST_DECAY_EPOCHS * steps)
    falls = math.floor(math.log(LAST_LEARNING_RATE / config.learning_rate, 0.1) + 1e-9)  # from 1e-3 to 1e-6: 3
    if name in (FIRST, HINGE):
        epochs = config.planned_epochs if name == FIRST else config.epochs
        return _decay(config.learning_rate, max(1, epochs // max(1, falls)) * steps)
    rates = [config.learning_rate / 10**fall for fall in range(max(0, falls) + 1)]
    last = [config.decay_every * fall - 1 for fall in range(1, len(rates))]  # iterations count from 0
    return keras.optimizers.schedules.PiecewiseConstantDecay(last, rates) if last else config.learning_rate


def _decay(first, every):
    return keras.optimizers.schedules.ExponentialDecay(first, every, 0.1, staircase=True)


def _threshold(name):
    return 0.0 if name == HINGE else 0.5


def _validate(images, config, name):
    """Return a function of the network -> loss, accuracy and AUC on the validation split."""
    table = Images(images[images["split"] == "val"], preprocessing(config))

    def validate(network):
        outputs = predict(network, table.evaluation_batches(config.batch_size), len(table))
        return {
            "val_loss": float(network.loss(table.labels[:, None].astype("float32"), outputs)),
            "val_accuracy": float(accuracy_score(table.labels, outputs[:, 0] >= _threshold(name))),
            "val_auc": float(roc_auc_score(table.labels, outputs[:, 0])),
        }

    return validate
