"""95 % intervals: Wilson's for a proportion of independent images, the percentile bootstrap by video for the rest."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95


def wilson(successes: float, n: float) -> tuple[float, float]:
    """Compute Wilson's score interval of a proportion of independent images.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.

    Args:
        successes: a whole number from 0 to n.
        n: the number of images.

    Returns:
        The lower and upper end, in [0, 1]; NaN, NaN if n is 0.
    """
    if not n:
        return np.nan, np.nan
    from scipy.stats import binomtest  # here: half of the start-up time of results.compare

    interval = binomtest(int(successes), int(n)).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def bootstrap(
    measure: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    clusters: NDArray[np.int64],
    resamples: int,
    seed: int,
) -> NDArray[np.float64]:
    """Resample whole clusters with replacement, and measure each resample.

    Memory is a few arrays of length n, independent of `resamples`.

    Args:
        measure: weights, int64 (n,), to measurements, float64 (k,).
        clusters: int64 (n,), equal for images that are drawn together (the frames of one video), numbered 0, 1, 2, ...
            in the order of their first image.
        resamples: the number of resamples.
        seed: of the random numbers.

    Returns:
        float64 (resamples, k).
    """
    random = np.random.default_rng(seed)
    n = int(clusters.max(initial=0)) + 1
    samples = np.empty((resamples, len(measure(np.ones(len(clusters), dtype=np.int64)))))
    for sample in samples:
        times = np.bincount(random.integers(n, size=n), minlength=n)
        sample[:] = measure(times.take(clusters))
    return samples


def percentile(samples: NDArray[np.float64]) -> tuple[float, float]:
    """Compute the central 95 % of resampled values.

    Args:
        samples: float64 (resamples,); NaN is ignored.

    Returns:
        The lower and upper end; NaN, NaN if no value remains.
    """
    samples = samples[~np.isnan(samples)]
    if not len(samples):
        return np.nan, np.nan
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(samples, [tail, 100 - tail])
    return float(low), float(high)
