"""Collapsed embeddings: all of them are one point, all distances are equal, and a triplet loss is at its margin.

The loss does not tell: at the margin it is less than that of many embeddings that have not collapsed. So the distances
themselves are measured, on validation images after each epoch.
"""

import logging
from collections.abc import Callable

import keras
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

log = logging.getLogger("deepfake")

DISTANCE = "val_distance"  # a key of what a training's `validate` returns, and a column of its history
COLLAPSED_BELOW = 1e-3  # margins are 0.4 to 1: a loss of such squared distances is within 0.3 % of its margin


def embedding_distance(embeddings: ArrayLike) -> dict[str, float]:
    """Return {"val_distance": mean squared distance of two embeddings}, for what a training's `validate` returns.

    Args:
        embeddings: float (n, d). The mean over all ordered pairs, an image with itself among them, is twice the sum of
            the variances.
    """
    return {DISTANCE: float(2 * np.var(np.asarray(embeddings, np.float64), axis=0).sum())}


def warn_of_collapse(
    validate: Callable[[keras.Model], dict[str, float]], name: str
) -> Callable[[keras.Model], dict[str, float]]:
    """Return `validate` with a warning in the log, once, when it measures a collapsed embedding.

    Args:
        validate: network -> {"val_...": number}; without `val_distance` nothing is checked.
        name: of the training.
    """
    warned = False

    def watched(network: keras.Model) -> dict[str, float]:
        nonlocal warned
        values = validate(network)
        if not warned and values.get(DISTANCE, np.inf) < COLLAPSED_BELOW:
            warned = True
            log.warning(
                "%s: the embedding has collapsed, all distances are equal (mean square %.2g) and a triplet loss is at "
                "its margin; it no longer tells the classes apart", name, values[DISTANCE],
            )  # fmt: skip
        return values

    return watched


def collapse_notes(history: pd.DataFrame, kept: int) -> list[str]:
    """Return a note on the epochs in which the embedding was collapsed; none if there were none.

    Args:
        history: one row an epoch, with the column epoch, and `val_distance` if embeddings were measured.
        kept: the epoch whose weights are kept, from 1.
    """
    if DISTANCE not in history:
        return []
    collapsed = history["epoch"][history[DISTANCE] < COLLAPSED_BELOW].to_list()
    if not collapsed:
        return []
    which = "the kept one too" if kept in collapsed else "not the kept one"
    return [f"collapsed embedding in {len(collapsed)} of {len(history)} epochs, {which}: all distances are equal"]
