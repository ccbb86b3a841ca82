"""Phase II: the base network on frozen embeddings, trained by semi-hard triplets, and classifiers on its output."""

from dataclasses import asdict, dataclass

import keras
import numpy as np
import tensorflow as tf
from sklearn.metrics import accuracy_score, roc_auc_score

from common.classifiers import NearestCentroid
from common.data.pipeline import Preprocessing, epoch_order
from common.detectors.store import Description, Detector
from common.errors import UserError
from common.labels import to_numbers
from common.losses import SemiHard
from common.training.fit import JIT, Plan, best_epoch, fit, predict, started_from
from reproductions.facenet_embeddings import model
from reproductions.facenet_embeddings.config import BASE, ON_EMBEDDINGS, ON_UNTRAINED, PROPOSED

BATCH = 840  # embeddings in a step of prediction: any number of devices up to eight divides it
MONITOR = "val_separation"
EMBEDDING, FEATURES = "face_embedding", "features"  # layers of the saved network


@dataclass(frozen=True)
class Vectors:
    """Embeddings (n, 512) with their labels, int (n,), fake = 1."""

    values: np.ndarray
    labels: np.ndarray

    def training_batches(self, batch_size, seed, epoch):
        """One epoch in a new order, full batches only: a tf.data.Dataset of ((B, 512), (B, 1) float32)."""
        order = epoch_order(self.labels, batch_size, seed, epoch)
        pairs = self.values[order], self.labels[order, None].astype(np.float32)
        return tf.data.Dataset.from_tensor_slices(pairs).batch(batch_size, drop_remainder=True)

    def some(self, most, seed):
        """At most so many, drawn at random."""
        chosen = np.random.default_rng(seed).permutation(len(self.labels))[:most]
        return Vectors(self.values[chosen], self.labels[chosen])

    def through(self, network):
        """The network's output for all, (n, d)."""
        count = len(self.labels)
        surplus = -count % BATCH  # full batches, as tf.distribute needs them
        values = np.concatenate([self.values, np.repeat(self.values[-1:], surplus, axis=0)])
        return predict(network, tf.data.Dataset.from_tensor_slices(values).batch(BATCH), count)


@dataclass(frozen=True)
class Trained:
    """What phase II gave on one part: networks, fitted classifiers by name, history or None, notes."""

    untrained: object
    base: object
    classifiers: dict
    history: object
    notes: list


def vectors_of(images, embeddings):
    """{split: Vectors} of images whose embeddings (n, 512) are in the same order."""
    splits = images["split"].to_numpy()
    labels = to_numbers(images["label"])
    return {split: Vectors(embeddings[splits == split], labels[splits == split]) for split in ("train", "val", "test")}


def train_base(parts, config, strategy, weights, state, seed):
    """The base network untrained and trained: (untrained, trained, history or None, notes).

    parts: of `vectors_of`; weights: a .keras file to start from, or None; state: where it can be gone on with.
    """
    keras.utils.set_random_seed(seed)
    with strategy.scope():
        untrained = model.base_network(dropouts=config.dropouts)
        base = keras.models.clone_model(untrained)
        base.set_weights(untrained.get_weights())
        notes = []
        if weights:
            _start(base, weights)
            notes.append(started_from(weights))
        if not config.epochs:
            return untrained, base, None, [*notes, "not trained by this run"]
        base.compile(
            keras.optimizers.Adam(config.learning_rate), loss=SemiHard(config.margin), jit_compile=JIT[config.jit]
        )
    train, batch_size = parts["train"], config.batch_size

    def validate(network):
        classifier = NearestCentroid().fit(train.through(network), train.labels)
        margins = classifier.decision_function(parts["val"].through(network))
        return {
            "val_accuracy": accuracy_score(parts["val"].labels, margins >= 0),
            "val_auc": roc_auc_score(parts["val"].labels, margins),
            "val_separation": separation(parts["val"].labels, margins),
        }

    plan = Plan(config.epochs, MONITOR if config.keep == "best" else "epoch")  # the number of the epoch: the last
    history = fit(
        base, lambda epoch: train.training_batches(batch_size, seed, epoch), validate, plan, state, seed,
        callbacks(config, state),
    )  # fmt: skip
    if config.keep == "best":
        notes.append(f"epoch {best_epoch(history, plan.monitor)} of {len(history)} by {plan.monitor}")
    return untrained, base, history, notes


def separation(labels, margins):
    """How far the classes' mean margins (n,) are apart, in standard deviations within the classes: d'.

    An AUC says the same until it is 1, which it is early where there are few videos, or frames of one on both sides.
    """
    fake, real = margins[labels == 1], margins[labels == 0]
    spread = np.sqrt((fake.var() + real.var()) / 2)
    return float((fake.mean() - real.mean()) / max(spread, 1e-12))


def train(parts, config, strategy, weights, state, seed):
    """Base network and classifiers on one part: Trained. The arguments are those of `train_base`."""
    untrained, base, history, notes = train_base(parts, config, strategy, weights, state, seed)
    labels, embedded = parts["train"].labels, parts["train"].through(base)
    fitted = {name: each.fit(embedded, labels) for name, each in model.classifiers(seed).items()}
    for name, values in ((ON_EMBEDDINGS, parts["train"].values), (ON_UNTRAINED, parts["train"].through(untrained))):
        fitted[name] = model.classifiers(seed)["sgd"].fit(values, labels)
    return Trained(untrained, base, fitted, history, notes)


def scores(trained, vectors):
    """{classifier: scores (n,) in [0, 1]} of Vectors."""
    outputs = {ON_EMBEDDINGS: vectors.values, ON_UNTRAINED: vectors.through(trained.untrained)}
    embedded = vectors.through(trained.base)
    return {
        name: Detector(Description(name, "", {}, _head(each)), None, each).score_outputs(outputs.get(name, embedded))
        for name, each in trained.classifiers.items()
    }


def saved_detectors(trained, embedder, config, faces, suffix):
    """The detectors that predict can use, from pixels on, the one that brings the network's file along first.

    Embedder and base network lie in one file; a classifier of the 512 numbers takes the output of the embedder there.
    """
    image = keras.Input((config.image_size, config.image_size, 3), name="image")
    base = keras.Model.from_config(trained.base.get_config())  # without the loss, which predict does not know
    base.set_weights(trained.base.get_weights())
    # Identity layers: of a network within a network, a layer's output cannot be asked for by name.
    embedding = keras.layers.Identity(name=EMBEDDING)(embedder.network(image))
    network = keras.Model(image, keras.layers.Identity(name=FEATURES)(base(embedding)), name="faces_to_features")
    return [
        Detector(
            Description(
                name=name + suffix,
                network=f"{BASE}{suffix}.keras",
                preprocessing=asdict(Preprocessing(config.image_size, scale=1.0)),
                head=_head(trained.classifiers[name]),
                features={PROPOSED: "", ON_EMBEDDINGS: EMBEDDING}.get(name, FEATURES),
                classifier=f"{name}{suffix}.skops",
                faces=faces,
                proposed=name == PROPOSED,
            ),
            network,
            trained.classifiers[name],
        )
        for name in sorted(trained.classifiers, key=lambda name: name != PROPOSED)
        if name != ON_UNTRAINED
    ]


def callbacks(config, state):
    return [keras.callbacks.TensorBoard(state.parents[1] / "tensorboard" / state.name)] if config.tensorboard else []


def _head(classifier):
    return "probability" if hasattr(classifier, "predict_proba") else "margin"


def _start(base, file):
    """Give the base network the weights of a run's file, which may hold it behind an embedder."""
    try:
        stored = keras.models.load_model(file, compile=False)
        if any(layer.name == base.name for layer in stored.layers):
            stored = stored.get_layer(base.name)
        base.set_weights(stored.get_weights())
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"--weights {BASE}={file}: expected {BASE}.keras of a run: {reason}") from error
