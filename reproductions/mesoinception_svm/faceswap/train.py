"""The training of the two autoencoders, by the suite's own loop: progress, Ctrl-C, resume, the best epoch."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from common.training.distribution import set_up
from common.training.fit import TrainingPlan
from common.training.supervised import Training
from reproductions.mesoinception_svm.faceswap.config import FaceSwapOptions
from reproductions.mesoinception_svm.faceswap.faces import standardize
from reproductions.mesoinception_svm.faceswap.network import PERSONS, build_autoencoders, decode_as, masked_error
from reproductions.mesoinception_svm.faceswap.persons import Person
from reproductions.mesoinception_svm.faceswap.warping import training_batches


def train_autoencoders(
    persons: Sequence[Person], options: FaceSwapOptions, folder: Path
) -> tuple[keras.Model, pd.DataFrame]:
    """Train one encoder and two decoders to undo the distortion of faces.

    Args:
        persons: A and B.
        options: the flags.
        folder: of the training's state; a state found there is resumed.

    Returns:
        (the network of the epoch with the smallest error on held-out faces, history with one row an epoch). The columns
        val_error_a and val_error_b are mean absolute errors of undistorted faces, in [0, 1].
    """
    training = Training(set_up("none", seed=options.seed), folder, options.seed, jit="off")
    split = {person.key: person.split_faces(options.seed) for person in persons}
    train = {key: standardize(faces)[0] for key, (faces, _) in split.items()}
    with training.scope():
        network = build_autoencoders(options.size)
        loss = masked_error(options.size)
        training.compile(network, keras.optimizers.Adam(options.learning_rate, beta_1=0.5), [loss, loss])

    def validate(model: keras.Model) -> dict[str, float]:
        errors = {}
        for key in PERSONS:
            faces = split[key][1]
            error = np.abs(decode_as(model, key, faces) - faces) / 255
            errors[f"val_error_{key}"] = float(error.mean())
        return {"val_loss": sum(errors.values()) / 2, **errors}

    history, _ = training.fit(
        network,
        lambda epoch: training_batches(train, options.batch_size, options.steps, options.seed, epoch),
        validate,
        TrainingPlan(options.epochs, "val_loss"),
    )
    return network, history
