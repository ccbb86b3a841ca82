"""The 95 % intervals of a detector that ranks every fake above every real: bounds on one side."""

from functools import lru_cache
from math import sqrt

import numpy as np

from common.evaluation.intervals import CONFIDENCE, Interval


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
