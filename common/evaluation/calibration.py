"""Calibration: whether of the images that a detector calls fake with 0.7, seven in ten are."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.evaluation.influence import Variance
from common.evaluation.intervals import Interval, share_interval, student_quantile
from common.evaluation.metrics import BINS, score_bins


class Bin(NamedTuple):
    """The images of one bin of scores.

    Args:
        score: their mean score.
        share: the share of fakes among them.
        low: the lower end of its 95 % interval.
        high: the upper end.
        n: their number.
    """

    score: float
    share: float
    low: float
    high: float
    n: int


def reliability(fake: NDArray[np.bool_], scores: NDArray[np.float64], clusters: NDArray[np.int64]) -> list[Bin]:
    """Compute the share of fakes in each bin of scores that has images.

    Args:
        fake: bool (n,).
        scores: float64 (n,), P(fake).
        clusters: int64 (n,), equal for images that are drawn together, numbered from 0.
    """
    bins, found = score_bins(scores), []
    for place in range(BINS):
        inside = bins == place
        if inside.any():
            interval = share_interval(fake, inside, clusters)
            found.append(Bin(float(scores[inside].mean()), float(fake[inside].mean()), *interval, int(inside.sum())))
    return found


def calibration_interval(
    value: float,
    fake: NDArray[np.bool_],
    scores: NDArray[np.float64],
    clusters: NDArray[np.int64],
    variance: Variance,
) -> Interval:
    """Compute the 95 % interval of the expected calibration error.

    Chance makes the gap of each bin larger than it is in truth. The upper end is corrected by the bias that the gaps as
    measured would have, the lower end by the bias of a calibrated detector, which is the largest.

    Args:
        value: the expected calibration error.
        fake: bool (n,).
        scores: float64 (n,), P(fake).
        clusters: int64 (n,), with at least two clusters.
        variance: of the error, by influences.
    """
    from scipy.stats import norm  # here: half of the start-up time of results.compare

    count = int(clusters.max()) + 1
    sums = np.bincount(
        clusters * BINS + score_bins(scores), (fake - scores) / len(scores), minlength=count * BINS
    ).reshape(count, BINS)
    gaps = np.abs(sums.sum(axis=0))
    error = np.sqrt(count * sums.var(axis=0, ddof=1))
    distance = np.divide(gaps, error, out=np.zeros(BINS), where=error > 0)
    bias = (2 * error * (norm.pdf(distance) - distance * norm.sf(distance))).sum()
    most = (2 * error * norm.pdf(0)).sum()
    reach = student_quantile(variance.freedom) * np.sqrt(variance.value)
    return max(float(value - most - reach), 0.0), min(max(float(value - bias + reach), value), 1.0)
