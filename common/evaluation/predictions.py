"""predictions.csv, the waist of the suite: everything after it can be recomputed without a model."""

import pandas as pd
from numpy.typing import ArrayLike

from common.conditions import RESUBSTITUTION

COLUMNS = (
    "path", "video", "identity", "source", "frame", "dataset", "split", "label", "score", "model", "protocol", "seed",
)  # fmt: skip


def prediction_table(images: pd.DataFrame, scores: ArrayLike, model: str, protocol: str, seed: int) -> pd.DataFrame:
    """Return one row per image: its manifest columns and a model's score.

    Args:
        images: n rows of a manifest with the columns `dataset` and `split`.
        scores: float (n,) in [0, 1], increasing with P(fake).
        model: the name of the model.
        protocol: the protocol of the split.
        seed: the seed of the split and the training.

    Returns:
        n rows with the columns COLUMNS.
    """
    return images.assign(score=scores, model=model, protocol=protocol, seed=seed)[list(COLUMNS)]


def name_training_images(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return predictions as predictions.csv has them: the split of training images is called RESUBSTITUTION.

    Args:
        predictions: with the columns COLUMNS.
    """
    return predictions.assign(split=predictions["split"].replace("train", RESUBSTITUTION))
