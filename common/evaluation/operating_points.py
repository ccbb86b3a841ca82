"""Where a detector is operated: at few false alarms, and at a threshold that was chosen on validation."""

from math import hypot

import numpy as np
from numpy.typing import NDArray

from common.evaluation.intervals import Interval, share_interval


def operating_point_interval(
    fake: NDArray[np.bool_], scores: NDArray[np.float64], clusters: NDArray[np.int64], inverse: int
) -> Interval:
    """Compute the 95 % interval of the true positive rate at a fixed false positive rate.

    The threshold is a quantile of the reals' scores, which is as uncertain as the share of reals above it (Woodruff
    1952, doi:10.1080/01621459.1952.10483443). The rates at both ends of that share are combined with the interval of
    the true positive rate at a known threshold (Zou and Donner 2008, doi:10.1002/sim.3095). If the share could be less
    than one real, no real bounds the threshold, and the interval begins at 0.

    Args:
        fake: bool (n,), with both classes.
        scores: float64 (n,), sorted from the highest to the lowest.
        clusters: int64 (n,), equal for images that are drawn together, numbered from 0.
        inverse: the rate is one false alarm in this many reals, of which there are at least as many.
    """
    ends = np.flatnonzero(np.diff(scores, prepend=np.inf, append=-np.inf))  # after each distinct score's last image
    tp, fp = (np.concatenate([[0], np.cumsum(images)])[ends] for images in (fake, ~fake))
    fakes, reals = int(tp[-1]), int(fp[-1])

    def corner(alarms):
        return int(np.searchsorted(fp, alarms, side="right")) - 1

    place = corner(reals // inverse)
    called = np.arange(len(fake)) < ends[place]
    value, (low, high) = tp[place] / fakes, share_interval(called, fake, clusters)
    fewest, most = (reals * end for end in share_interval(called, ~fake, clusters))
    stricter = tp[corner(np.floor(fewest))] / fakes if fewest >= 1 else 0.0
    looser = tp[corner(np.ceil(most))] / fakes
    return max(value - hypot(value - low, value - stricter), 0.0), min(value + hypot(high - value, looser - value), 1.0)


def choose_threshold(fake: NDArray[np.bool_], scores: NDArray[np.float64], default: float = 0.5) -> float:
    """Choose the threshold with the highest balanced accuracy on validation images.

    Of several that are equally good, it is the one nearest to the default, so that a detector that is well placed keeps
    the default.

    Args:
        fake: bool (n,).
        scores: float64 (n,), finite.
        default: what is returned without images of both classes.

    Returns:
        A threshold; an image with score >= threshold is called fake. Between two scores it is their middle.
    """
    if not 0 < fake.sum() < len(fake):
        return default
    order = np.argsort(scores, kind="stable")
    ranked, fakes = scores[order], fake[order]
    starts = np.flatnonzero(np.diff(ranked, prepend=-np.inf))  # the first image of each distinct score
    missed, kept = (np.concatenate([[0], np.cumsum(images)])[starts] / images.sum() for images in (fakes, ~fakes))
    balanced = kept - missed  # twice the balanced accuracy, less 1
    at_default = np.mean(scores[fake] >= default) - np.mean(scores[~fake] >= default)
    if at_default >= balanced.max() - 1e-12:
        return default
    best = starts[balanced >= balanced.max() - 1e-12]
    candidates = [(ranked[start - 1] + ranked[start]) / 2 if start else ranked[start] for start in best]
    chosen = int(np.argmin(np.abs(np.array(candidates) - default)))
    below = ranked[best[chosen] - 1] if best[chosen] else -np.inf
    return float(candidates[chosen] if candidates[chosen] > below else ranked[best[chosen]])  # neighbouring numbers
