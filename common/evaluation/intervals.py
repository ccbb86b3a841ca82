"""95 % intervals: of a share of images, of a metric whose variance is known, of the mean of two metrics, and of a
detector that ranks every fake above every real. cluster_intervals.py says which metric gets which.
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
    from scipy.stats import t  # here: half of the start-up time of results.compare

    return float(t.ppf((1 + CONFIDENCE) / 2, max(freedom, 1.0)))


def share_interval(
    hits: NDArray[np.bool_], images: NDArray[np.bool_], clusters: NDArray[np.int64], variance: Variance | None = None
) -> Interval:
    """Compute the interval of a share of images: Wilson's if they are drawn one by one, else Student's t on the logit
    scale. Where all images are alike, it is what as many independent clusters would give.

    If few clusters hold all errors, Student's t has hardly a degree of freedom. Then it is Wilson's of as many images
    as the clusters are worth if all images of each are alike (Kish 1965, Survey Sampling), the widest.

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
    sizes = np.bincount(clusters[images])
    least = count**2 / float(sizes @ sizes)  # independent images that tell as much if all of a cluster are alike
    bound = wilson(value * least, least)
    interval = logit_interval(value, variance) if variance.value > 0 else bound
    return interval if interval[1] - interval[0] < bound[1] - bound[0] else bound


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


@lru_cache(maxsize=4096)
def perfect_ranking(fakes: int, reals: int) -> float:
    """Compute the least distance between two normal distributions that still separates samples of them by chance.

    All `fakes` drawn from N(d, 1) are above all `reals` drawn from N(0, 1) with a probability of 5 % at the d that is
    returned, and less at a smaller one: the one-sided 95 % bound. The AUC at d is Phi(d / sqrt 2), the equal error rate
    Phi(-d / 2).

    Args:
        fakes: the number of fakes (persons or videos, where their images resemble each other), at least 1.
        reals: likewise.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    x = _grid()

    def excess(distance):
        lowest_fake = norm.logpdf(x - distance) + (fakes - 1) * norm.logsf(x - distance)
        return fakes * np.exp(lowest_fake + reals * norm.logcdf(x)).sum() * (x[1] - x[0]) - (1 - CONFIDENCE)

    return float(brentq(excess, -3.0, 12.0))


def perfect_ranking_bounds(fakes: int, reals: int, share: float) -> dict[str, Interval]:
    """Compute the intervals of a perfect ranking's metrics.

    Args:
        fakes: as of `perfect_ranking`.
        reals: likewise.
        share: of fakes among the images, on which average precision depends.

    Returns:
        {metric: interval} of auc, average_precision and eer; one end is the value itself.
    """
    from scipy.stats import norm

    distance, x = perfect_ranking(fakes, reals), _grid()
    above = share * norm.sf(x - distance)
    precision = above / (above + (1 - share) * norm.sf(x))
    area = float((precision * norm.pdf(x - distance)).sum() * (x[1] - x[0]))
    return {
        "auc": (float(norm.cdf(distance / sqrt(2))), 1.0),
        "average_precision": (min(area, 1.0), 1.0),
        "eer": (0.0, float(norm.cdf(-distance / 2))),
    }


def _grid():
    return np.linspace(-9.0, 17.0, 5201)


@lru_cache(maxsize=1)
def _normal_quantile():
    from statistics import NormalDist

    return NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
