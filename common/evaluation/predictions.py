"""predictions.csv, the waist of the suite: everything after it can be recomputed without a model.

What a test set was drawn by (`common.evaluation.sampling`) is also decided by the originals of its fakes, which are in
the splits.csv beside it.
"""

from pathlib import Path

import pandas as pd
from numpy.typing import ArrayLike

from common.conditions import RESUBSTITUTION
from common.data.text_tables import read_text_table

COLUMNS = (
    "path", "video", "identity", "source", "frame", "dataset", "split", "label", "score", "model", "protocol", "seed",
)  # fmt: skip
IMAGE = ["dataset", "path"]
ORIGINS = ("original", "scope")  # of an image: what it was made from, and within what equal names mean the same
SPLITS = "splits.csv"


def prediction_table(images: pd.DataFrame, scores: ArrayLike, model: str, protocol: str, seed: int) -> pd.DataFrame:
    """Return one row per image: its manifest columns and a model's score.

    Args:
        images: n rows of a manifest with the columns `dataset` and `split`, and perhaps those of ORIGINS.
        scores: float (n,) in [0, 1], increasing with P(fake).
        model: the name of the model.
        protocol: the protocol of the split.
        seed: the seed of the split and the training.

    Returns:
        n rows with the columns COLUMNS, then those of ORIGINS that `images` has.
    """
    columns = [*COLUMNS, *(name for name in ORIGINS if name in images)]
    return images.assign(score=scores, model=model, protocol=protocol, seed=seed)[columns]


def name_training_images(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as a run's files have it: the split of training images that were scored is RESUBSTITUTION.

    Args:
        table: with the column split.
    """
    return table.assign(split=table["split"].replace("train", RESUBSTITUTION))


def add_origins(predictions: pd.DataFrame, folder: str | Path) -> pd.DataFrame:
    """Add the columns ORIGINS to predictions that were read from a file, from the splits.csv beside it.

    Args:
        predictions: n rows.
        folder: of the file, e.g. a run folder.

    Returns:
        The predictions with ORIGINS, empty where splits.csv does not have an image; unchanged if they have originals,
        if there is no splits.csv with originals (runs of earlier versions have none), or if it has none of the images.

    Raises:
        UserError: if splits.csv is not a CSV file.
    """
    path = Path(folder) / SPLITS
    if "original" in predictions or not set(IMAGE) <= set(predictions) or not path.is_file():
        return predictions
    splits = read_text_table(path)
    if not {*IMAGE, "original"} <= set(splits):
        return predictions
    known = splits[[*IMAGE, *(name for name in ORIGINS if name in splits)]].drop_duplicates(IMAGE)
    found = predictions[IMAGE].merge(known, how="left", on=IMAGE).drop(columns=IMAGE)
    if found["original"].isna().all():
        return predictions
    return predictions.assign(**{name: found[name].fillna("").to_numpy() for name in found})
