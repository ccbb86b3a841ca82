"""Phase II: the base network on frozen embeddings, trained by semi-hard triplets, and classifiers on its output."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, roc_auc_score

from common.classifiers import NearestCentroid
from common.data.pipeline import Preprocessing
from common.detectors.store import Description, Detector, load_classifier
from common.labels import FAKE, REAL
from common.losses import SemiHard
from common.training.collapse import embedding_distance
from common.training.fit import TrainingPlan
from common.training.initial_weights import initial_weights_note, load_initial_weights
from common.training.supervised import NOT_TRAINED, Training
from reproductions.facenet_embeddings import model
from reproductions.facenet_embeddings.classifier_files import has_both_classes, stored_classifiers
from reproductions.facenet_embeddings.config import BASE, ON_EMBEDDINGS, ON_UNTRAINED, PROPOSED, Config
from reproductions.facenet_embeddings.embeddings import Embedder
from reproductions.facenet_embeddings.vectors import Vectors

log = logging.getLogger("deepfake")

EMBEDDING, FEATURES = "face_embedding", "features"  # layers of the saved network


@dataclass(frozen=True)
class BaseNetworkResult:
    """What phase II gives on one part.

    Args:
        untrained: the base network with its initial weights.
        base: the same network, trained or started from a file.
        classifiers: {name: fitted classifier}.
        history: one row an epoch; None if it was not trained.
        notes: what a reader of its numbers must know.
    """

    untrained: keras.Model
    base: keras.Model
    classifiers: dict[str, Any]
    history: pd.DataFrame | None
    notes: list[str]


def train(
    parts: Mapping[str, Vectors], config: Config, weights: Path | None, training: Training
) -> BaseNetworkResult:  # fmt: skip
    """Train the base network on one part, and fit the classifiers on its output (Sec. VIII and IX).

    Args:
        parts: of `vectors.vectors_by_split`.
        config: the run's config.
        weights: a .keras file to start from, or None.
        training: its devices, seed and folder.
    """
    untrained, base, history, notes = train_base(parts, config, weights, training)
    if has_both_classes(parts["train"].labels):
        classifiers = _fit_classifiers(untrained, base, parts["train"], training.seed)
    else:
        classifiers = {name: load_classifier(file) for name, file in stored_classifiers(weights).items()}
        notes.append("classifiers as stored beside its file")
        log.info("%s: skipped, no training images of both classes to fit it on", ON_UNTRAINED)
    return BaseNetworkResult(untrained, base, classifiers, history, notes)


def train_base(
    parts: Mapping[str, Vectors], config: Config, weights: Path | None, training: Training
) -> tuple[keras.Model, keras.Model, pd.DataFrame | None, list[str]]:
    """Train the base network by semi-hard triplets. The arguments are those of `train`.

    Returns:
        (untrained network, trained network, history or None, notes).
    """
    untrained = untrained_network(config, training)
    with training.strategy.scope():
        base = keras.models.clone_model(untrained)
        base.set_weights(untrained.get_weights())
        notes = []
        if weights:
            load_initial_weights(base, weights, f"--weights {BASE}")
            notes.append(initial_weights_note(weights))
        if not config.epochs:
            return untrained, base, None, [*notes, NOT_TRAINED]
        training.compile(base, keras.optimizers.Adam(config.learning_rate), SemiHard(config.margin))
    train, batch_size = parts["train"], config.batch_size
    best = config.keep == "best"
    history, training_notes = training.fit(
        base,
        lambda epoch: train.training_batches(batch_size, training.seed, epoch),
        _validate(train, parts["val"]),
        TrainingPlan(config.epochs, "val_separation" if best else "epoch"),  # the largest number of an epoch: the last
    )
    return untrained, base, history, notes + (training_notes if best else training_notes[1:])  # first the kept epoch


def untrained_network(config: Config, training: Training) -> keras.Model:
    """Return the base network with the initial weights of a training."""
    with training.scope():
        return model.base_network(dropouts=config.dropouts)


def separation(labels: np.ndarray, margins: np.ndarray) -> float:
    """Return how far the classes' mean margins are apart, in standard deviations within the classes: d'.

    An AUC is 1 for any larger distance, which it reaches early with few videos, or with frames of one on both sides.

    Args:
        labels: int (n,), fake = 1.
        margins: (n,), larger for fakes.
    """
    fake, real = margins[labels == FAKE], margins[labels == REAL]
    spread = np.sqrt((fake.var() + real.var()) / 2)
    return float((fake.mean() - real.mean()) / max(spread, 1e-12))


def scores(result: BaseNetworkResult, vectors: Vectors) -> dict[str, np.ndarray]:
    """Return {classifier: scores (n,) in [0, 1]}."""
    outputs = {ON_EMBEDDINGS: vectors.values, ON_UNTRAINED: vectors.embed(result.untrained)}
    features = vectors.embed(result.base)
    return {
        name: Detector(Description(name, {}, _head(classifier)), None, classifier).score_outputs(
            outputs.get(name, features)
        )
        for name, classifier in result.classifiers.items()
    }


def as_detectors(result: BaseNetworkResult, embedder: Embedder) -> list[Detector]:
    """Return the detectors from pixels on, for predict; first the one whose network all share.

    Embedder and base network are in one file; a classifier of the 512 numbers takes the output of the embedder there.

    Args:
        result: of `train`.
        embedder: what made the embeddings.
    """
    image = keras.Input((embedder.size, embedder.size, 3), name="image")
    base = keras.Model.from_config(result.base.get_config())  # without the loss, which predict does not know
    base.set_weights(result.base.get_weights())
    # Identity layers: an inner network's layer output cannot be requested by name. In float32: it must round nothing.
    embedding = keras.layers.Identity(name=EMBEDDING, dtype="float32")(embedder.network(image))
    features = keras.layers.Identity(name=FEATURES, dtype="float32")(base(embedding))
    network = keras.Model(image, features, name="faces_to_features")
    return [
        Detector(
            Description(
                name,
                asdict(Preprocessing(embedder.size, scale=1.0)),
                head=_head(result.classifiers[name]),
                features={PROPOSED: "", ON_EMBEDDINGS: EMBEDDING}.get(name, FEATURES),
                proposed=name == PROPOSED,
                network=BASE,
            ),
            network,
            result.classifiers[name],
        )
        for name in sorted(result.classifiers, key=lambda name: name != PROPOSED)
        if name != ON_UNTRAINED
    ]


def _validate(train, validation):
    """Return a function of the base network that measures the nearer class centroid on the validation embeddings."""

    def validate(network):
        classifier = NearestCentroid().fit(train.embed(network), train.labels)
        embedded = validation.embed(network)
        margins = classifier.decision_function(embedded)
        return embedding_distance(embedded) | {
            "val_accuracy": accuracy_score(validation.labels, margins >= 0),
            "val_auc": roc_auc_score(validation.labels, margins),
            "val_separation": separation(validation.labels, margins),
        }

    return validate


def _fit_classifiers(untrained, base, train, seed):
    """Return the notebook's classifiers on the base network's output, and SGD on two outputs before it."""
    features = train.embed(base)
    fitted = {name: each.fit(features, train.labels) for name, each in model.classifiers(seed).items()}
    for name, values in ((ON_EMBEDDINGS, train.values), (ON_UNTRAINED, train.embed(untrained))):
        fitted[name] = model.classifiers(seed)["sgd"].fit(values, train.labels)
    return fitted


def _head(classifier):
    return "probability" if hasattr(classifier, "predict_proba") else "margin"
