"""predictions.csv, the waist of the suite: everything after it can be recomputed without a model."""

import numpy as np
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
        protocol: the protocol of the split; of training images it is called RESUBSTITUTION.
        seed: the seed of the split and the training.

    Returns:
        n rows with the columns COLUMNS.
    """
    names = np.where(images["split"] == "train", RESUBSTITUTION, protocol)
    return images.assign(score=scores, model=model, protocol=names, seed=seed)[list(COLUMNS)]
