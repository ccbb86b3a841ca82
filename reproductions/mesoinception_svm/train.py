"""From a split table of images to trained detectors: the networks, and the SVM on their features."""

from dataclasses import asdict, replace

import keras
from sklearn.metrics import accuracy_score, roc_auc_score

from common.data.pipeline import Images, Preprocessing
from common.detectors.store import Description, Detector
from common.errors import UserError
from common.training.fit import JIT, Plan, best_epoch, fit, predict, shorten_batch_norm, start_from, started_from
from reproductions.mesoinception_svm import model
from reproductions.mesoinception_svm.augmentation import choose_augmentation
from reproductions.mesoinception_svm.config import PROPOSED

BUILDERS = {
    "mesoinception4": model.mesoinception4,
    "mesoinception4_next_best": model.mesoinception4,
    "meso4": model.meso4,
    "meso4_hinge": model.meso4_hinge,
}
HINGE, NEXT_BEST = "meso4_hinge", "mesoinception4_next_best"


def preprocessing(config):
    """What happens to pixels before the network: Sec. 4.2, images of 256 x 256 x 3; [0, 1] as in MesoNet's code."""
    return Preprocessing(config.image_size, config.resize)


def train_network(name, config, strategy, images, weights, state, seed):
    """Train one network on the rows of `images` whose split is train; validation chooses the epoch.

    weights: a file to start from, or None; state: the folder where the training can be gone on with.
    Returns (network, history, notes for the results).
    """
    train = Images(images[images["split"] == "train"], preprocessing(config))
    batch_size = 64 if name == NEXT_BEST else config.batch_size  # Sec. 4.3.1
    epochs = config.epochs
    if name.startswith("meso4") and config.baseline_epochs is not None:
        epochs = min(epochs, config.baseline_epochs)
    steps = train.steps(batch_size, config.fake_share)
    if epochs and not steps:
        raise UserError(f"{name} needs at least one batch of {batch_size} training images, got {len(train)} images")
    notes = []
    keras.utils.set_random_seed(seed)  # each network's first weights, whatever was trained before it
    with strategy.scope():
        network = BUILDERS[name](config.image_size, synchronized=strategy.num_replicas_in_sync > 1)
        network.name = name
        if weights:
            load_weights(network, weights)
            notes.append(started_from(weights))
        if epochs == 0:
            return network, None, [*notes, "not trained by this run"]
        momentum = shorten_batch_norm(network, steps)
        network.compile(
            keras.optimizers.Adam(_schedule(name, config, steps), beta_1=0.9, beta_2=0.999),  # Sec. 4.2
            loss=keras.losses.Hinge() if name == HINGE else keras.losses.MeanSquaredError(),  # Sec. 4.2, l(a, y)
            metrics=[keras.metrics.BinaryAccuracy("accuracy", threshold=0.0 if name == HINGE else 0.5)],
            jit_compile=JIT[config.jit],
        )
    if momentum:
        notes.append(f"batch-normalisation momentum {momentum:.2f} for {steps} steps an epoch")
    history = fit(
        network,
        lambda epoch: train.training_batches(
            batch_size, seed, epoch, choose_augmentation(config.augmentation), config.fake_share
        ),
        _validator(images, config, name),
        Plan(epochs, config.monitor, config.patience),
        state,
        seed,
        _callbacks(config, state),
    )
    notes.append(f"epoch {best_epoch(history, config.monitor)} of {epochs} by {config.monitor}")
    return network, history, notes


def as_detector(name, network, config, suffix, faces):
    """The detector that a trained network is by itself."""
    description = Description(
        name=name + suffix,
        network=f"{name}{suffix}.keras",
        preprocessing=asdict(preprocessing(config)),
        head="margin" if name == HINGE else "probability",
        faces=faces,
    )
    return Detector(description, network)


def fit_proposed(base, config, images, seed, suffix):
    """The paper's proposal (Sec. 3): an RBF SVM on the 16 features of the training images.

    base: the detector of MesoInception-4. Returns (detector, what was fitted, in words).
    """
    table = Images(images[images["split"] == "train"], preprocessing(config))
    features = model.feature_network(base.network)
    vectors = predict(features, table.evaluation_batches(config.batch_size), len(table))
    svm, fitted = model.fit_svm(vectors, table.labels, config.svm_max, seed, config.fake_share)
    description = replace(
        base.description,
        name=PROPOSED + suffix,
        features=model.FEATURES,
        classifier=f"{PROPOSED}{suffix}.skops",
        head="margin",
        proposed=True,
    )
    return Detector(description, features, svm), fitted


def load_weights(network, file):
    """Load a run's own .keras file, or MesoNet's published .h5; UserError if the file does not fit the network."""
    flag = f"--weights {network.name}"
    if file.suffix == ".keras":
        return start_from(network, file, flag)
    try:
        return model.load_legacy_weights(network, file)
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{flag}={file}: the file does not fit this network: {reason}") from error


def _schedule(name, config, steps):
    """The learning rate by iteration: divided by 10 every 1000 iterations down to 1e-6 (Sec. 4.2), or every 5 epochs
    (Sec. 4.3.1, the next best model)."""
    if name == NEXT_BEST:
        return keras.optimizers.schedules.ExponentialDecay(config.learning_rate, 5 * steps, 0.1, staircase=True)
    rates = [config.learning_rate]
    while rates[-1] / 10 >= 1e-6 * (1 - 1e-9):
        rates.append(rates[-1] / 10)
    last = [config.decay_every * (place + 1) - 1 for place in range(len(rates) - 1)]  # iterations count from 0
    return keras.optimizers.schedules.PiecewiseConstantDecay(last, rates) if last else config.learning_rate


def _validator(images, config, name):
    """A function of the network -> loss, accuracy and AUC on the validation split, for choosing the epoch."""
    table = Images(images[images["split"] == "val"], preprocessing(config))
    threshold = 0.0 if name == HINGE else 0.5

    def validate(network):
        outputs = predict(network, table.evaluation_batches(config.batch_size), len(table))
        return {
            "val_loss": float(network.loss(table.labels[:, None].astype("float32"), outputs)),
            "val_accuracy": float(accuracy_score(table.labels, outputs[:, 0] >= threshold)),
            "val_auc": float(roc_auc_score(table.labels, outputs[:, 0])),
        }

    return validate


def _callbacks(config, state):
    return [keras.callbacks.TensorBoard(state.parents[1] / "tensorboard" / state.name)] if config.tensorboard else []
