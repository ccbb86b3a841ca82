"""95 % intervals: of a share of images, of a metric whose variance is known, and of the mean of two metrics.
cluster_intervals.py says which metric gets which.
"""

from functools import lru_cache
from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray

from common.evaluation.influence import Variance, cluster_variance

CONFIDENCE = 0.95
Interval = tuple[float, float]
NO_INTERVAL = (np.nan, np.nan)


def wilson(successes: float, n: float) -> Interval:
    """Compute Wilson's score interval of a proportion of independent images.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.

    Args:
        successes: from 0 to n.
        n: the number of images.

    Returns:
        The lower and upper end, in [0, 1]; NaN, NaN if n is 0.
    """
    if not n:
        return NO_INTERVAL
    z2 = _normal_quantile() ** 2
    centre = (successes + z2 / 2) / (n + z2)
    reach = sqrt(z2 * (successes * (n - successes) / n + z2 / 4)) / (n + z2)
    return (
        0.0 if successes == 0 else max(centre - reach, 0.0),
        1.0 if successes == n else min(centre + reach, 1.0),
    )


def logit_interval(value: float, variance: Variance, low: float = 0.0, high: float = 1.0) -> Interval:
    """Compute an interval by Student's t on the logit scale, which keeps it within the metric's range.

    Args:
        value: the metric, strictly between low and high.
        variance: of the metric.
        low: the least possible value of the metric.
        high: the greatest.
    """
    share = (value - low) / (high - low)
    centre = np.log(share / (1 - share))
    error = sqrt(variance.value) / (high - low) / (share * (1 - share))
    reach = student_quantile(variance.freedom) * error
    ends = low + (high - low) / (1 + np.exp(-(centre + np.array([-reach, reach]))))
    return float(ends[0]), float(ends[1])


def log_interval(value: float, variance: Variance) -> Interval:
    """Compute an interval by Student's t on the logarithmic scale, for a metric without an upper limit.

    Args:
        value: the metric, above 0.
        variance: of the metric.
    """
    reach = student_quantile(variance.freedom) * sqrt(variance.value) / value
    return float(value * np.exp(-reach)), float(value * np.exp(reach))


def student_quantile(freedom: float) -> float:
    """Return how many standard errors a 95 % interval reaches to either side.

    Args:
        freedom: degrees of freedom; below 1 they are 1.
    """
    from scipy.special import stdtrit  # here: a part of the start-up time of results.compare

    return float(stdtrit(max(freedom, 1.0), (1 + CONFIDENCE) / 2))


def share_interval(
    hits: NDArray[np.bool_], images: NDArray[np.bool_], clusters: NDArray[np.int64], variance: Variance | None = None
) -> Interval:
    """Compute the interval of a share of images: Wilson's if they are drawn one by one, else Student's t on the logit
    scale. Where all images are alike, it is what as many independent clusters would give.

    If few clusters hold all errors, Student's t has hardly a degree of freedom. Then it is the `widest`.

    Args:
        hits: bool (n,), the images that count.
        images: bool (n,), those that they are a share of; at least one.
        clusters: int64 (n,), equal for images that are drawn together, numbered from 0.
        variance: of the share; None: that of its own images alone.
    """
    count, found = int(images.sum()), int((hits & images).sum())
    units = int(np.count_nonzero(np.bincount(clusters[images])))
    value = found / count
    if units == count:
        return wilson(found, count)
    if found in (0, count) or units < 2:
        return wilson(value * units, units)
    if variance is None:
        variance = cluster_variance((hits - value) * images / count, clusters, [images])
    bound = widest(value, clusters[images])
    return narrower(logit_interval(value, variance), bound) if variance.value > 0 else bound


def widest(value: float, *classes: NDArray[np.int64]) -> Interval:
    """Compute Wilson's interval of as many images as the clusters are worth if all images of each are alike (Kish 1965,
    Survey Sampling).

    Of a mean of values within [0, 1] no variance is larger than value (1 - value) / n (Bhatia and Davis 2000,
    doi:10.1080/00029890.2000.12005203). Of the AUC it is so with the smaller n of the two classes (van Dantzig 1951;
    Birnbaum and Klose 1957, doi:10.1214/aoms/1177706774).

    Args:
        value: a metric within [0, 1].
        classes: of each class, or of all images together, their clusters, int64 (n,).
    """
    sizes = [np.bincount(clusters) for clusters in classes]
    least = min(float(of_class.sum()) ** 2 / float(of_class @ of_class) for of_class in sizes)
    return wilson(value * least, least)


def narrower(first: Interval, second: Interval) -> Interval:
    """Return the shorter of two intervals; the first if they are equally long, or if the second is NaN."""
    return second if second[1] - second[0] < first[1] - first[0] else first


def combine_halves(first: float, of_first: Interval, second: float, of_second: Interval) -> Interval:
    """Compute the interval of the mean of two independent metrics from theirs.

    Source: the method of variance estimates recovery, Zou and Donner 2008, doi:10.1002/sim.3095.

    Args:
        first: a metric.
        of_first: its interval.
        second: the other metric.
        of_second: its interval.
    """
    middle = (first + second) / 2
    below = hypot(first - of_first[0], second - of_second[0])
    above = hypot(of_first[1] - first, of_second[1] - second)
    return middle - below / 2, middle + above / 2


def nested_interval(value: float, low: float, high: float, deviation: float, seeds: int) -> Interval:
    """Compute the interval of a mean over seeds: what their test images leave open, and the trainings.

    Seeds share test images, so that more of them make only the second part smaller: t(k - 1) s / sqrt(k). Both are
    added in quadrature, at each end by itself (Zou and Donner 2008, doi:10.1002/sim.3095).

    Args:
        value: the mean.
        low: the mean of the lower ends of the seeds' own intervals; NaN if one has none.
        high: likewise of the upper ends.
        deviation: the standard deviation over the seeds.
        seeds: how many.
    """
    if seeds < 2:
        return low, high
    training = student_quantile(seeds - 1) * deviation / sqrt(seeds)
    return value - hypot(value - low, training), value + hypot(high - value, training)


@lru_cache(maxsize=1)
def _normal_quantile():
    from statistics import NormalDist

    return NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
