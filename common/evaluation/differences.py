"""Two detectors on the same images: the difference of a metric, its interval, and tests that count clusters.

Frames of one video, and videos of one person, are right or wrong together. A test that takes them as independent finds
differences where there are none, so everything here is summed within clusters before it is squared or permuted.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.evaluation.influence import auc_influence, cluster_variance
from common.evaluation.intervals import student_quantile

DIRECT = 2000  # up to this length a convolution is summed, not transformed, and exact


@dataclass(frozen=True)
class PairedDifference:
    """A metric of A less that of B, on the same images.

    Args:
        value: A - B; NaN if the metric is undefined.
        low: the lower end of the 95 % interval; NaN without an interval.
        high: its upper end.
        p: the p-value of no difference; NaN if it is unknown.
        reason: why there is no interval, or empty.
    """

    value: float
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan
    reason: str = ""


def accuracy_difference(
    fake: NDArray[np.bool_], correct_a: NDArray[np.bool_], correct_b: NDArray[np.bool_], clusters: NDArray[np.int64]
) -> PairedDifference:
    """Compare two accuracies by an interval. It has no p-value: `accuracy_p` computes that, which takes longer.

    Args:
        fake: bool (n,).
        correct_a: bool (n,), which images A classifies correctly.
        correct_b: bool (n,), likewise of B.
        clusters: int64 (n,), equal for images that are drawn together, numbered from 0.
    """
    if not len(fake):
        return PairedDifference(np.nan, reason="no images")
    change = correct_a.astype(np.int64) - correct_b
    groups = [fake, ~fake] if min(_count(clusters[fake]), _count(clusters[~fake])) >= 2 else [np.ones_like(fake)]
    influence = (change - change.mean()) / len(change)
    return _with_interval(float(change.mean()), influence, clusters, groups)


def accuracy_p(correct_a: NDArray[np.bool_], correct_b: NDArray[np.bool_], clusters: NDArray[np.int64]) -> float:
    """Test the difference of two accuracies by permuting A and B within clusters; of single images McNemar's, exact.

    Args:
        correct_a, correct_b, clusters: as for `accuracy_difference`.

    Returns:
        The two-sided p-value; NaN with fewer than two clusters.
    """
    if not len(clusters) or _count(clusters) < 2:
        return np.nan
    change = correct_a.astype(np.int64) - correct_b
    return permutation_p(np.bincount(clusters, change).round().astype(np.int64))


def auc_difference(
    fake: NDArray[np.bool_], scores_a: NDArray[np.float64], scores_b: NDArray[np.float64], clusters: NDArray[np.int64]
) -> tuple[float, float, PairedDifference]:
    """Compare two ROC AUCs by DeLong's test under clusters.

    Source: DeLong et al. 1988, doi:10.2307/2531595; clusters: Obuchowski 1997, doi:10.2307/2533958.

    Args:
        fake: bool (n,).
        scores_a: float64 (n,), increasing with P(fake).
        scores_b: float64 (n,), likewise.
        clusters: int64 (n,), equal for images that are drawn together, numbered from 0.

    Returns:
        The AUC of A, that of B, and their difference; all NaN without images of both classes.
    """
    if not 0 < fake.sum() < len(fake):
        return np.nan, np.nan, PairedDifference(np.nan, reason="no images of both classes")
    (auc_a, of_a), (auc_b, of_b) = auc_influence(fake, scores_a), auc_influence(fake, scores_b)
    return auc_a, auc_b, _with_interval(auc_a - auc_b, of_a - of_b, clusters, [fake, ~fake], _student_p)


def permutation_p(sums: NDArray[np.int64]) -> float:
    """Compute the two-sided p-value of a sum of differences whose signs are exchangeable, over all 2^k of them.

    Args:
        sums: int64 (k,), the difference of A and B in each cluster, in images.
    """
    from scipy.signal import fftconvolve  # here: half of the start-up time of results.compare
    from scipy.stats import binom

    observed, probabilities = abs(int(sums.sum())), np.ones(1)  # of the sums -reach, ..., reach
    for size, count in zip(*np.unique(np.abs(sums[sums != 0]), return_counts=True), strict=True):
        signs = np.zeros(2 * size * count + 1)
        signs[:: 2 * size] = binom.pmf(np.arange(count + 1), count, 0.5)
        convolve = np.convolve if min(len(signs), len(probabilities)) <= DIRECT else fftconvolve
        probabilities = convolve(probabilities, signs)
    reach = len(probabilities) // 2
    extreme = np.abs(np.arange(-reach, reach + 1)) >= observed
    return float(np.clip(probabilities[extreme].sum(), 0.0, 1.0))


def _with_interval(value, influence, clusters, groups, test=None):
    """A PairedDifference; its p-value is test(value / standard error, degrees of freedom)."""
    single = min(_count(clusters[group]) for group in groups) < 2
    if single:
        return PairedDifference(value, reason="no interval: the images of a class are of a single cluster")
    variance = cluster_variance(influence, clusters, groups)
    error = float(np.sqrt(variance.value))
    if error < 1e-12:  # equal detectors, or both without an error
        p = 1.0 if test and abs(value) < 1e-12 else np.nan
        return PairedDifference(value, p=p, reason="no interval: they never differ")
    reach = student_quantile(variance.freedom) * error
    p = test(value / error, variance.freedom) if test else np.nan
    return PairedDifference(value, value - reach, value + reach, p)


def _student_p(ratio, freedom):
    from scipy.stats import t  # here: half of the start-up time of results.compare

    return float(2 * t.sf(abs(ratio), max(freedom, 1.0)))


def _count(clusters):
    return int(np.count_nonzero(np.bincount(clusters)))
