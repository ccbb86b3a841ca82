"""Rows of what the paper says in its text: numbers of images, minutes of an epoch, the batch where the losses meet."""

from collections.abc import Mapping, Sequence
from math import nan

import pandas as pd

from common.evaluation.evaluate import Value
from common.labels import FAKE, REAL, WORDS
from reproductions.dcgan_inception_resnet.config import PROPOSED
from reproductions.dcgan_inception_resnet.dcgan import LOSSES
from reproductions.rows import device_note, number_row, result_row

# The paper's row -> (its GPU, the metric in which it prints an epoch's time, that unit in seconds): Secs. IV-A, IV-B.
TIMES = {
    "DCGAN": [("K80", "minutes_per_epoch", 60), ("P100", "minutes_per_epoch", 60), ("T4", "minutes_per_epoch", 60)],
    "detector": [("K80", "minutes_per_epoch", 60), ("P100", "seconds_per_epoch", 1), ("T4", "minutes_per_epoch", 60)],
}
WINDOW = 25  # batches over whose mean the losses of an epoch are compared
MEETING = f"where the means of {WINDOW} batches of both losses are nearest to each other; a definition of ours"


def image_rows(images: pd.DataFrame, own: str) -> list[dict]:
    """Return the rows on numbers of images: the real ones of the run, and those `to train and test` the detector.

    There are none if nothing was trained.

    Args:
        images: of one protocol and seed, with the columns dataset, label and split.
        own: the data set of the DCGAN's fakes; empty if there are none.
    """
    real, fake = images["label"] == WORDS[REAL], images["dataset"] == own
    detector = images["split"].isin(["train", "val"])
    rows = {
        ("Celeb 100k", "images"): images[real],
        ("detector", "reals"): images[real & detector],
        ("detector", "fakes"): images[fake & detector & (images["label"] == WORDS[FAKE])],
    }
    return [
        result_row(("text", *key), "data", Value(float(len(chosen)), nan, nan, len(chosen)), chosen["dataset"].iloc[0])
        for key, chosen in rows.items()
        if len(chosen) and detector.any()
    ]


def training_rows(
    histories: Mapping[str, pd.DataFrame], losses: pd.DataFrame | None, dataset: str, devices: Sequence[str]
) -> list[dict]:
    """Return the rows on the two trainings of a seed.

    Args:
        histories: {dcgan or a detector: one row an epoch, with the column seconds}.
        losses: the DCGAN's, by epoch and batch; None if it was not trained.
        dataset: what was trained on, as the results name it.
        devices: the names of the devices that trained.
    """
    rows = []
    for title, model in (("DCGAN", "dcgan"), ("detector", PROPOSED)):
        if model not in histories:
            continue
        seconds = histories[model]["seconds"].mean()
        for gpu, metric, unit in TIMES[title]:
            key = ("text", f"{title}, {gpu}", metric)
            note = f"mean of {len(histories[model])} epochs"
            rows.append(number_row(key, seconds / unit, dataset, note, device_note(devices, gpu), model=model))
    if losses is not None:
        first = losses[losses["epoch"] == losses["epoch"].min()]
        key = ("text", "DCGAN, epoch 1", "convergence_batch")
        rows.append(number_row(key, convergence_batch(first), dataset, MEETING, model="dcgan"))
    return rows


def convergence_batch(losses: pd.DataFrame) -> int:
    """Return the batch of an epoch at which the generator's and the discriminator's loss are nearest to each other.

    Args:
        losses: of one epoch, with the columns batch, generator_loss and discriminator_loss.
    """
    means = losses[LOSSES].rolling(WINDOW, center=True, min_periods=1).mean()
    return int(losses["batch"].iloc[means[LOSSES[0]].sub(means[LOSSES[1]]).abs().to_numpy().argmin()])
