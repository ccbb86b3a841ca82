"""Two detectors on the same images: do they differ by more than chance?

Both tests take images as independent. Frames of one video are not: there the level `video` is the one to trust.
"""

from dataclasses import dataclass

import numpy as np

from common.errors import UserError
from common.evaluation.evaluate import has_videos, is_fake, to_videos, video_numbers
from common.evaluation.intervals import CONFIDENCE


@dataclass(frozen=True)
class McNemar:
    """Images that only A, and that only B, calls rightly, and the p-value of both being equally often right."""

    only_a: int
    only_b: int
    p: float


@dataclass(frozen=True)
class DeLong:
    """Two ROC AUCs, their difference A - B with a 95 % interval, and the p-value of no difference.

    low, high and p are NaN where the variance cannot be told: fewer than two images of a class, or none.
    """

    auc_a: float
    auc_b: float
    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Comparison:
    """A and B on `n` images (level `frame`) or videos (level `video`) that both have scored."""

    level: str
    n: int
    accuracy_a: float
    accuracy_b: float
    mcnemar: McNemar
    delong: DeLong


def compare_models(a, b):
    """Compare two models' predictions on the images of both, equal in dataset and path: a list of Comparison.

    One of level frame, one of level video where a video has several images, none without shared images. Called fake is
    a score of at least 0.5, or 0 if a model's scores are no probabilities. UserError if labels differ or an image is
    listed twice.
    """
    for part in (a, b):
        if part.duplicated(["dataset", "path"]).any():
            raise UserError("predictions list an image twice: compare one model, protocol, seed and split at a time")
    shared = a.merge(b[["dataset", "path", "label", "score"]], on=["dataset", "path"], suffixes=("", "_b"))
    other = shared[shared["label"] != shared["label_b"]]
    if len(other):
        first = other.iloc[0]
        raise UserError(
            f"the labels of {len(other)} of {len(shared)} shared images differ, first {first['path']}: "
            f"{first['label']} in A, {first['label_b']} in B"
        )
    if shared.empty:
        return []
    of_a, of_b = shared, shared.assign(score=shared["score_b"])
    several = has_videos(shared) and video_numbers(shared).max() + 1 < len(shared)
    thresholds = [0.5 if part["score"].between(0, 1).all() else 0 for part in (a, b)]
    videos = [_compare("video", to_videos(of_a), to_videos(of_b), thresholds)] if several else []
    return [_compare("frame", of_a, of_b, thresholds), *videos]


def mcnemar(right_a, right_b):
    """McNemar's test, exact (binomial) at every size; right_a, right_b: bool (n,), which images each calls rightly.

    McNemar 1947, DOI 10.1007/BF02295996.
    """
    from scipy.stats import binomtest

    right_a, right_b = np.asarray(right_a), np.asarray(right_b)
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    p = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    return McNemar(only_a, only_b, float(p))


def delong(fake, scores_a, scores_b):
    """DeLong's test for the AUCs of two detectors on the same images, by midranks in O(n log n).

    fake: bool (n,); scores_a, scores_b: float (n,), growing with P(fake). DeLong et al. 1988, DOI 10.2307/2531595;
    the midranks: Sun and Xu 2014, DOI 10.1109/LSP.2014.2337313.
    """
    from scipy.stats import norm, rankdata

    fake, scores = np.asarray(fake, dtype=bool), np.array([scores_a, scores_b], dtype=np.float64)
    fakes, reals = int(fake.sum()), int((~fake).sum())
    if not fakes or not reals:
        return DeLong(*[np.nan] * 6)
    ranks = rankdata(scores, axis=1)
    of_fakes = (ranks[:, fake] - rankdata(scores[:, fake], axis=1)) / reals  # (2, fakes) share of reals below each
    of_reals = 1 - (ranks[:, ~fake] - rankdata(scores[:, ~fake], axis=1)) / fakes  # (2, reals) share of fakes above
    auc_a, auc_b = of_fakes.mean(axis=1)
    difference = float(auc_a - auc_b)
    if min(fakes, reals) < 2:
        return DeLong(float(auc_a), float(auc_b), difference, *[np.nan] * 3)
    variance = np.var(of_fakes[0] - of_fakes[1], ddof=1) / fakes + np.var(of_reals[0] - of_reals[1], ddof=1) / reals
    error = float(np.sqrt(variance))
    if not error:  # equal detectors, or both at a bound: the test knows nothing unless they agree
        return DeLong(float(auc_a), float(auc_b), difference, np.nan, np.nan, 1.0 if not difference else np.nan)
    margin = error * norm.ppf((1 + CONFIDENCE) / 2)
    p = 2 * norm.sf(abs(difference) / error)
    return DeLong(float(auc_a), float(auc_b), difference, difference - margin, difference + margin, float(p))


def _compare(level, a, b, thresholds):
    fake = is_fake(a)
    right_a, right_b = (
        (part["score"] >= threshold).to_numpy() == fake for part, threshold in zip((a, b), thresholds, strict=True)
    )
    tests = mcnemar(right_a, right_b), delong(fake, a["score"], b["score"])
    return Comparison(level, len(a), float(right_a.mean()), float(right_b.mean()), *tests)
