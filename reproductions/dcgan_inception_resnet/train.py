"""Stage 2: from a split table of real and generated images to a trained detector."""

from dataclasses import asdict

import keras

from common.data.pipeline import Images, Preprocessing
from common.detectors.store import Description, Detector, fake_score
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
from reproductions.dcgan_inception_resnet.config import PROPOSED
from reproductions.dcgan_inception_resnet.detector import detector, stand_in


def preprocessing(config):
    """Pixels stay in [0, 255]: every network brings its own scaling."""
    return Preprocessing(config.image_size, scale=1.0)


def train_detector(name, config, strategy, images, weights, imagenet, state, seed, faces):
    """Train one detector on the rows of `images` whose split is train; validation chooses the epoch.

    weights: a .keras file to start from, or None; imagenet: what the backbone starts from, and notes on that; state:
    the folder where the training can be gone on with; faces: how the real images' faces were found.
    Returns (detector, history or None, notes for the results).
    """
    keras.utils.set_random_seed(seed)
    start, notes = imagenet
    with strategy.scope():
        synchronized = strategy.num_replicas_in_sync > 1
        if name == PROPOSED:
            network = detector(config.image_size, start, synchronized)
        else:
            network = stand_in(config.image_size, synchronized)
        scoring = fake_score(network)
        if weights:
            start_from(scoring, weights, f"--weights {name}")
            notes = [started_from(weights)]
    description = Description(
        name=name, network=f"{name}.keras", preprocessing=asdict(preprocessing(config)), faces=faces,
        proposed=name == PROPOSED,
    )  # fmt: skip
    if config.epochs == 0:
        return Detector(description, scoring), None, [*notes, "not trained by this run"]
    train = Images(images[images["split"] == "train"], preprocessing(config))
    held = Images(images[images["split"] == "val"], preprocessing(config))
    with strategy.scope():
        momentum = shorten_batch_norm(network, train.steps(config.batch_size))
        network.compile(
            keras.optimizers.Adam(config.learning_rate),
            loss=keras.losses.SparseCategoricalCrossentropy(),
            metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy")],
            jit_compile=JIT[config.jit],
        )

    def validate(_):
        scores = predict(scoring, held.evaluation_batches(config.batch_size), len(held))[:, 0]
        return validation_of(held.labels, scores)

    plan = Plan(config.epochs, "val_loss")
    history = fit(
        network, lambda epoch: train.training_batches(config.batch_size, seed, epoch), validate, plan, state, seed,
        [keras.callbacks.TensorBoard(state.parents[1] / "tensorboard" / state.name)] if config.tensorboard else [],
    )  # fmt: skip
    notes = [*notes, f"epoch {best_epoch(history, plan.monitor)} of {len(history)} by {plan.monitor}"]
    notes += [f"batch-normalisation momentum {momentum:.2f}"] if momentum else []
    return Detector(description, scoring), history, notes
