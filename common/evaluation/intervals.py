"""95 % intervals: Wilson's for a proportion of independent images, the percentile bootstrap by video for the rest."""

import numpy as np

CONFIDENCE = 0.95


def wilson(successes, n):
    """Wilson's score interval (low, high) of the proportion successes / n; NaN, NaN at n = 0.

    It assumes n independent images (Wilson 1927, DOI 10.1080/01621459.1927.10502953).
    """
    if not n:
        return np.nan, np.nan
    from scipy.stats import binomtest

    interval = binomtest(int(successes), int(n)).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def bootstrap(measure, clusters, resamples, seed):
    """Resample whole clusters with replacement and measure each time.

    measure: int64 weights (n,) -> float64 (k,); clusters: int64 (n,), equal for images that are drawn together (the
    frames of one video), numbered 0, 1, 2, ... in order of their first image. Returns float64 (resamples, k).
    Memory stays at a few arrays of n, whatever `resamples`.
    """
    random = np.random.default_rng(seed)
    n = int(clusters.max(initial=0)) + 1
    samples = np.empty((resamples, len(measure(np.ones(len(clusters), dtype=np.int64)))))
    for sample in samples:
        times = np.bincount(random.integers(n, size=n), minlength=n)
        sample[:] = measure(times.take(clusters))
    return samples


def percentile(samples):
    """The central 95 % (low, high) of samples (resamples,), those that are NaN left out; NaN, NaN if none is left."""
    samples = samples[~np.isnan(samples)]
    if not len(samples):
        return np.nan, np.nan
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(samples, [tail, 100 - tail])
    return float(low), float(high)
