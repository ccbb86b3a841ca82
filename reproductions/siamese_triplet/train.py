"""From a split table of images to trained detectors: the siamese networks with their classifier, and the baselines."""

from dataclasses import asdict

import keras
import numpy as np
from sklearn.metrics import accuracy_score, roc_auc_score

from common.classifiers import NearestCentroid
from common.data.pipeline import Images, Preprocessing
from common.detectors.store import Description, Detector
from common.errors import UserError
from common.losses import TripletHinge, TripletLogExp
from common.training.fit import JIT, Plan, best_epoch, fit, predict, shorten_batch_norm, started_from, validation_of
from reproductions.siamese_triplet import model
from reproductions.siamese_triplet.config import CONTROL, PROPOSED, SIAMESE

REFERENCE = 2000  # training images whose embeddings make the centroids by which an epoch is judged


def preprocessing(config, name):
    """Pixels stay in [0, 255]: every network brings its own scaling."""
    baseline = name not in SIAMESE and name != CONTROL
    return Preprocessing(config.baseline_size if baseline and config.baseline_size else config.image_size, scale=1.0)


def train_model(name, config, strategy, images, weights, imagenet, state, seed, faces):
    """Train one model on the rows of `images` whose split is train; validation chooses the epoch.

    weights: a .keras file to start from, or None; imagenet: what its backbone starts from, and notes on that, if it has
    one; state: the folder where the training can be gone on with; faces: how the images' faces were found.
    Returns (detector, history or None, notes for the results).
    """
    tables = {part: images[images["split"] == part] for part in ("train", "val")}
    tables["reference"] = tables["train"].sample(min(REFERENCE, len(tables["train"])), random_state=seed)
    parts = {part: Images(table, preprocessing(config, name)) for part, table in tables.items()}
    keras.utils.set_random_seed(seed)
    with strategy.scope():
        network, notes = _build(name, config, parts["train"], strategy.num_replicas_in_sync > 1, imagenet)
        if weights:
            network, notes = _started(network, weights, name), [started_from(weights)]
    train = _train_siamese if name in SIAMESE else _train_baseline
    history = None
    if config.epochs:
        history, told = train(name, network, parts, config, strategy, state, seed)
        notes += told
    else:
        notes.append("not trained by this run")
    return _as_detector(name, network, parts["train"], config, faces), history, notes


def epoch_triplets(labels, batch_size, seed, epoch):
    """The triplets of one epoch as places in `labels` (n,): int (triplets, 3), anchor, positive, negative.

    Every image is the anchor once; its positive is another image of its class, its negative one of the other class,
    drawn anew for each (seed, epoch). Anchors of the two classes alternate, so that any slice of a batch has both.
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
    whole = len(both) // batch_size * batch_size
    return np.concatenate([both[:whole], generator.permutation(np.concatenate([both[whole:], rest]))])


def _build(name, config, train, synchronized, imagenet):
    """The network of `name`, and notes on what it started from."""
    size = train.preprocessing.size
    if name in ("siamese", "siamese_loss1", "siamese_loss2", CONTROL):
        statistics = model.channel_statistics(train.evaluation_batches(config.batch_size), len(train))
        build = model.control if name == CONTROL else model.siamese
        notes = [f"width {config.width:g}"] if config.width != 1 else []
        return build(statistics, size, config.width), notes
    weights, notes = imagenet
    if name in SIAMESE:
        return model.siamese_resnet50(size, weights, synchronized), notes
    return model.transfer(name, size, weights, synchronized, config.dense_units), notes


def _started(network, file, name):
    """A whole model from a run: the constants of the Z-score are no weights, so copying weights would lose them."""
    try:
        started = keras.models.load_model(file, compile=False)
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"--weights {name}={file}: expected a .keras file of this suite: {reason}") from error
    if (started.input_shape, started.output_shape) != (network.input_shape, network.output_shape):
        raise UserError(
            f"--weights {name}={file}: expected a network {network.input_shape} -> {network.output_shape}, got "
            f"{started.input_shape} -> {started.output_shape}"
        )
    return started


def _train_siamese(name, network, parts, config, strategy, state, seed):
    loss = {
        "loss1": TripletHinge(margin=0.0),  # eq. 13
        "loss2": TripletHinge(margin=config.margin),  # eq. 14
        "loss3": TripletLogExp(),  # eq. 15
    }[SIAMESE[name]]
    train, batch_size = parts["train"], config.batch_size
    with strategy.scope():
        triplets = model.triplet_network(network)
        triplets.name = name
        momentum = shorten_batch_norm(triplets, len(train) // batch_size)
        optimizer = keras.optimizers.Adam(config.learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8)  # eqs. 3, 4
        triplets.compile(optimizer, loss=loss, jit_compile=JIT[config.jit])

    def validate(_):
        reference = parts["reference"]
        classifier = NearestCentroid().fit(_outputs(network, reference, config), reference.labels)
        margins = classifier.decision_function(_outputs(network, parts["val"], config))
        labels = parts["val"].labels
        return {"val_accuracy": accuracy_score(labels, margins >= 0), "val_auc": roc_auc_score(labels, margins)}

    plan = Plan(config.epochs, "val_auc")
    history = fit(
        triplets,
        lambda epoch: train.grouped_batches(epoch_triplets(train.labels, batch_size, seed, epoch), batch_size),
        validate, plan, state, seed, _callbacks(config, state),
    )  # fmt: skip
    return history, _told(history, plan, momentum)


def _train_baseline(name, network, parts, config, strategy, state, seed):
    train = parts["train"]
    rate = config.learning_rate if name == CONTROL else config.baseline_learning_rate
    with strategy.scope():
        momentum = shorten_batch_norm(network, train.steps(config.batch_size))
        network.compile(
            keras.optimizers.Adam(rate), loss=keras.losses.BinaryCrossentropy(), metrics=["accuracy"],
            jit_compile=JIT[config.jit],
        )  # fmt: skip

    def validate(network):
        return validation_of(parts["val"].labels, _outputs(network, parts["val"], config)[:, 0])

    plan = Plan(config.epochs if name == CONTROL else config.baseline_epochs, "val_loss", config.patience)
    history = fit(
        network, lambda epoch: train.training_batches(config.batch_size, seed, epoch), validate, plan, state, seed,
        _callbacks(config, state),
    )  # fmt: skip
    return history, _told(history, plan, momentum)


def _as_detector(name, network, train, config, faces):
    """The trained network with the classifier that turns embeddings into classes."""
    description = {"name": name, "network": f"{name}.keras", "preprocessing": asdict(preprocessing(config, name))}
    if name not in SIAMESE:
        return Detector(Description(**description, faces=faces), network)
    embeddings = _outputs(network, train, config)
    knn = config.classifier == "knn"
    classifier = (
        model.fit_neighbours(embeddings, train.labels) if knn else NearestCentroid().fit(embeddings, train.labels)
    )
    head = "probability" if knn else "margin"
    description |= {"classifier": f"{name}.skops", "head": head, "proposed": name == PROPOSED}
    return Detector(Description(**description, faces=faces), network, classifier)


def _outputs(network, images, config):
    return predict(network, images.evaluation_batches(config.batch_size), len(images))


def _callbacks(config, state):
    return [keras.callbacks.TensorBoard(state.parents[1] / "tensorboard" / state.name)] if config.tensorboard else []


def _told(history, plan, momentum):
    told = [f"epoch {best_epoch(history, plan.monitor)} of {len(history)} by {plan.monitor}"]
    return told + ([f"batch-normalisation momentum {momentum:.2f}"] if momentum else [])
