"""Two detectors on the same images: do they differ by more than chance?

Both tests assume independent images. Frames of one video are not independent: for them, use the level `video`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from common.errors import UserError
from common.evaluation.evaluate import has_videos, is_fake, to_videos, video_numbers
from common.evaluation.intervals import CONFIDENCE


@dataclass(frozen=True)
class McNemar:
    """McNemar's test.

    Args:
        only_a: the number of images that only A classifies correctly.
        only_b: the number of images that only B classifies correctly.
        p: the p-value of both being correct equally often.
    """

    only_a: int
    only_b: int
    p: float


@dataclass(frozen=True)
class DeLong:
    """DeLong's test.

    Args:
        auc_a: the ROC AUC of A; NaN without images of both classes.
        auc_b: the ROC AUC of B.
        difference: A - B.
        low: the lower end of its 95 % interval; NaN if the variance is 0 or unknown (fewer than two images of a class).
        high: its upper end.
        p: the p-value of no difference; NaN as for low, unless the AUCs are equal.
    """

    auc_a: float
    auc_b: float
    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Comparison:
    """Two models on the images or videos that both have scored.

    Args:
        level: `frame` or `video`.
        n: the number of images or videos.
        accuracy_a: the accuracy of A.
        accuracy_b: the accuracy of B.
        mcnemar: the test of equal accuracies.
        delong: the test of equal ROC AUCs.
    """

    level: str
    n: int
    accuracy_a: float
    accuracy_b: float
    mcnemar: McNemar
    delong: DeLong


def compare_models(a: pd.DataFrame, b: pd.DataFrame) -> list[Comparison]:
    """Compare two models on the images that both have scored, equal in dataset and path.

    A score of at least 0.5 is called fake; at least 0 for a model whose scores are not all in [0, 1].

    Args:
        a: predictions of one model, protocol, seed and split.
        b: predictions of another one.

    Returns:
        One Comparison of level frame, and one of level video if a video has several images; none without shared images.

    Raises:
        UserError: if labels differ, or an image is listed twice.
    """
    for predictions in (a, b):
        if predictions.duplicated(["dataset", "path"]).any():
            raise UserError("predictions list an image twice: compare one model, protocol, seed and split at a time")
    shared = a.merge(b[["dataset", "path", "label", "score"]], on=["dataset", "path"], suffixes=("", "_b"))
    conflicts = shared[shared["label"] != shared["label_b"]]
    if len(conflicts):
        first = conflicts.iloc[0]
        raise UserError(
            f"the labels of {len(conflicts)} of {len(shared)} shared images differ, first {first['path']}: "
            f"{first['label']} in A, {first['label_b']} in B"
        )
    if shared.empty:
        return []
    shared_a, shared_b = shared, shared.assign(score=shared["score_b"])
    thresholds = [0.5 if predictions["score"].between(0, 1).all() else 0 for predictions in (a, b)]
    comparisons = [_compare("frame", shared_a, shared_b, thresholds)]
    if has_videos(shared) and video_numbers(shared).max() + 1 < len(shared):
        comparisons.append(_compare("video", to_videos(shared_a), to_videos(shared_b), thresholds))
    return comparisons


def mcnemar(correct_a: ArrayLike, correct_b: ArrayLike) -> McNemar:
    """Compute McNemar's test, exact (binomial) for every number of images.

    Source: McNemar 1947, doi:10.1007/BF02295996.

    Args:
        correct_a: bool (n,), which images A classifies correctly.
        correct_b: bool (n,), which images B classifies correctly.
    """
    from scipy.stats import binomtest  # here: half of the start-up time of results.compare

    a, b = np.asarray(correct_a), np.asarray(correct_b)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    p = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    return McNemar(only_a, only_b, float(p))


def delong(fake: ArrayLike, scores_a: ArrayLike, scores_b: ArrayLike) -> DeLong:
    """Compute DeLong's test for the AUCs of two detectors on the same images, by midranks in O(n log n).

    Source: DeLong et al. 1988, doi:10.2307/2531595; midranks: Sun and Xu 2014, doi:10.1109/LSP.2014.2337313.

    Args:
        fake: bool (n,).
        scores_a: float (n,), increasing with P(fake).
        scores_b: float (n,).
    """
    from scipy.stats import norm, rankdata  # here: half of the start-up time of results.compare

    mask, scores = np.asarray(fake, dtype=bool), np.array([scores_a, scores_b], dtype=np.float64)
    fakes, reals = int(mask.sum()), int((~mask).sum())
    if not fakes or not reals:
        return DeLong(*[np.nan] * 6)
    ranks = rankdata(scores, axis=1)
    below = (ranks[:, mask] - rankdata(scores[:, mask], axis=1)) / reals  # (2, fakes) share of reals below each
    above = 1 - (ranks[:, ~mask] - rankdata(scores[:, ~mask], axis=1)) / fakes  # (2, reals) share of fakes above
    auc_a, auc_b = below.mean(axis=1)
    difference = float(auc_a - auc_b)
    if min(fakes, reals) < 2:
        return DeLong(float(auc_a), float(auc_b), difference, *[np.nan] * 3)
    variance = np.var(below[0] - below[1], ddof=1) / fakes + np.var(above[0] - above[1], ddof=1) / reals
    error = float(np.sqrt(variance))
    if not error:  # equal detectors, or both AUCs 0 or 1: no p-value unless they agree
        return DeLong(float(auc_a), float(auc_b), difference, np.nan, np.nan, 1.0 if not difference else np.nan)
    margin = error * norm.ppf((1 + CONFIDENCE) / 2)
    p = 2 * norm.sf(abs(difference) / error)
    return DeLong(float(auc_a), float(auc_b), difference, difference - margin, difference + margin, float(p))


def _compare(level, a, b, thresholds):
    fake = is_fake(a)
    correct_a, correct_b = (
        (predictions["score"] >= threshold).to_numpy() == fake
        for predictions, threshold in zip((a, b), thresholds, strict=True)
    )
    tests = mcnemar(correct_a, correct_b), delong(fake, a["score"], b["score"])
    return Comparison(level, len(a), float(correct_a.mean()), float(correct_b.mean()), *tests)
