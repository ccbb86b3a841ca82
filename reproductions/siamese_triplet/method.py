"""From a split table of images to trained detectors: the siamese networks with their classifier, and the baselines."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, roc_auc_score

from common.classifiers import NearestCentroid
from common.data.pipeline import Images, Preprocessing
from common.detectors.store import Description, Detector, load_classifier
from common.errors import UserError
from common.losses import TripletHinge, TripletLogExp
from common.training.collapse import embedding_distance
from common.training.fit import TrainingPlan, predict
from common.training.initial_weights import initial_weights_note, load_initial_weights, stored_network
from common.training.supervised import NOT_TRAINED, Training, validate_classifier
from reproductions.siamese_triplet import model
from reproductions.siamese_triplet.config import CONTROL, PROPOSED, SIAMESE, Config

REFERENCE_IMAGES = 2000  # training images whose embeddings make the centroids by which an epoch is judged


@dataclass(frozen=True)
class InitialWeights:
    """What a network starts from: a run's .keras file, or ImageNet's weights for its backbone; and notes."""

    file: Path | None = None
    imagenet: str = "none"
    notes: tuple[str, ...] = ()


def preprocessing(config: Config, name: str) -> Preprocessing:
    """Return what happens to pixels before a network: they stay in [0, 255], each scales them itself."""
    baseline = name not in SIAMESE and name != CONTROL
    return Preprocessing(config.baseline_size if baseline and config.baseline_size else config.image_size, scale=1.0)


def train_model(
    name: str, config: Config, images: pd.DataFrame, initial: InitialWeights, training: Training
) -> tuple[Detector, pd.DataFrame | None, list[str]]:
    """Train one model on the rows of `images` whose split is train; validation chooses the epoch.

    Args:
        name: the model, one of --models.
        config: the run's config.
        images: with the columns file, label and split.
        initial: what it starts from.
        training: its devices, seed and folder.

    Returns:
        (detector, history or None, notes for the results).

    Raises:
        UserError: if nothing is trained, and there is nothing to fit a siamese network's classifier on.
    """
    tables = {part: images[images["split"] == part] for part in ("train", "val")}
    reference = min(REFERENCE_IMAGES, len(tables["train"]))
    tables["reference"] = tables["train"].sample(reference, random_state=training.seed)
    parts = {part: Images(table, preprocessing(config, name)) for part, table in tables.items()}
    with training.scope():
        network = _build(name, config, parts["train"], training.synchronized, initial)
        if initial.file:
            load_initial_weights(network, initial.file, f"--weights {name}")
    notes = [initial_weights_note(initial.file)] if initial.file else list(initial.notes)
    notes += [f"width {config.width:g}"] if _has_width(name) and config.width != 1 else []
    history = None
    if config.epochs:
        train = _train_siamese if name in SIAMESE else _train_baseline
        history, training_notes = train(name, network, parts, config, training)
        notes += training_notes
    else:
        notes.append(NOT_TRAINED)
    return _as_detector(name, network, parts["train"], config, initial.file), history, notes


def epoch_triplets(labels: np.ndarray, batch_size: int, seed: int, epoch: int) -> np.ndarray:
    """Draw the triplets of one epoch.

    Every image is the anchor once; its positive is another image of its class, its negative one of the other class,
    drawn for each (seed, epoch). Anchors of the two classes alternate, so that any slice of a batch has both.

    Args:
        labels: int (n,), fake = 1.
        batch_size: triplets in a step.
        seed: of the run.
        epoch: from 0.

    Returns:
        Places in `labels`, int (triplets, 3): anchor, positive, negative.

    Raises:
        UserError: if a class has fewer than two images.
    """
    generator = np.random.default_rng([seed, epoch, 0])
    classes = [np.flatnonzero(labels == label) for label in (0, 1)]
    if min(map(len, classes)) < 2:
        raise UserError(
            f"triplets need two training images of each class, got {len(classes[1])} fake, {len(classes[0])} real"
        )
    groups = []
    for own, other in (classes, classes[::-1]):
        order = generator.permutation(len(own))
        step = generator.integers(1, len(own), len(own))  # to another image than the anchor itself
        positives = own[(order + step) % len(own)]
        groups.append(np.stack([own[order], positives, generator.choice(other, len(own))], axis=1))
    shorter = min(map(len, groups))
    both = np.stack([group[:shorter] for group in groups], axis=1).reshape(-1, 3)
    rest = max(groups, key=len)[shorter:]
    full = len(both) // batch_size * batch_size
    return np.concatenate([both[:full], generator.permutation(np.concatenate([both[full:], rest]))])


def _has_width(name):
    """Return whether --width is a factor on the network's filters."""
    return name == CONTROL or (name in SIAMESE and name != "siamese_resnet50")


def _build(name, config, train, synchronized, initial):
    """Return the network of `name`, with the Z-score constants of the training images or of the given file."""
    size = train.preprocessing.size
    if _has_width(name):
        if initial.file:
            statistics = _stored_statistics(name, initial.file)
        else:
            statistics = model.channel_statistics(train.evaluation_batches(config.batch_size), len(train))
        build = model.control if name == CONTROL else model.siamese
        return build(statistics, size, config.width)
    if name in SIAMESE:
        return model.siamese_resnet50(size, initial.imagenet, synchronized)
    return model.transfer(name, size, initial.imagenet, synchronized, config.dense_units)


def _stored_statistics(name, file):
    try:
        return model.stored_statistics(stored_network(file))
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"--weights {name}={file}: expected a .keras file of this suite: {reason}") from error


def _train_siamese(name, network, parts, config, training):
    loss = {
        "loss1": TripletHinge(margin=0.0),  # eq. 13
        "loss2": TripletHinge(margin=config.margin),  # eq. 14
        "loss3": TripletLogExp(),  # eq. 15
    }[SIAMESE[name]]
    train, validation, batch_size, seed = parts["train"], parts["val"], config.batch_size, training.seed
    with training.strategy.scope():
        triplets = model.triplet_network(network)
        triplets.name = name
        rate = config.resnet_learning_rate if name == "siamese_resnet50" else config.learning_rate
        optimizer = keras.optimizers.Adam(rate, beta_1=config.beta_1, beta_2=0.999, epsilon=1e-8)  # eqs. 3, 4
        training.compile(triplets, optimizer, loss)

    def validate(_):
        reference = parts["reference"]
        classifier = NearestCentroid().fit(_outputs(network, reference, config), reference.labels)
        embeddings, labels = _outputs(network, validation, config), validation.labels
        margins = classifier.decision_function(embeddings)
        values = {"val_accuracy": accuracy_score(labels, margins >= 0), "val_auc": roc_auc_score(labels, margins)}
        return values | embedding_distance(embeddings)

    def batches(epoch):
        return train.grouped_batches(epoch_triplets(train.labels, batch_size, seed, epoch), batch_size)

    return training.fit(triplets, batches, validate, TrainingPlan(config.epochs, "val_auc"))


def _train_baseline(name, network, parts, config, training):
    train, batch_size = parts["train"], config.batch_size
    rate, epochs = config.baseline_learning_rate, config.baseline_epochs
    if name == CONTROL:
        rate, epochs = config.learning_rate, config.epochs
    with training.strategy.scope():
        training.compile(network, keras.optimizers.Adam(rate), keras.losses.BinaryCrossentropy(), ["accuracy"])
    return training.fit(
        network,
        lambda epoch: train.training_batches(batch_size, training.seed, epoch),
        validate_classifier(parts["val"], batch_size),
        TrainingPlan(epochs, "val_loss", config.patience),
    )


def _as_detector(name, network, train, config, file):
    """Return the trained network with the classifier that turns embeddings into classes."""
    description = Description(
        name,
        asdict(preprocessing(config, name)),
        head="margin" if name in SIAMESE and config.classifier == "centroid" else "probability",
        proposed=name == PROPOSED,
        width=config.width if _has_width(name) else None,
    )
    classifier = _fit_classifier(name, network, train, config, file) if name in SIAMESE else None
    return Detector(description, network, classifier)


def _fit_classifier(name, network, train, config, file):
    """Return the classifier on the training images' embeddings, or the one stored beside a given weight file."""
    if len(set(train.labels)) == 2:
        embeddings = _outputs(network, train, config)
        fit: Callable = model.fit_neighbours if config.classifier == "knn" else NearestCentroid().fit
        return fit(embeddings, train.labels)
    stored = file.with_suffix(".skops") if file else None
    if stored and stored.is_file():
        return load_classifier(stored)
    raise UserError(
        f"{name} needs training images of both classes for its classifier, or {stored.name if stored else 'a .skops'} "
        f"beside its weight file: give --data stylegan=DIR with both, or RUN/models/{name}.keras of a run"
    )


def _outputs(network, images, config):
    return predict(network, images.evaluation_batches(config.batch_size), len(images))
