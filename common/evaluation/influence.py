"""How much each image moves each metric, and from that the variance of a metric over clusters of images.

The influence of image i on a metric is its derivative with respect to the weight of i. The metric's error is about the
sum of influences over what was drawn (the infinitesimal jackknife: Efron 1982, doi:10.1137/1.9781611970319; for the
AUC under clusters Obuchowski 1997, doi:10.2307/2533958). Summed within persons or videos, the influences of images that
resemble each other add up before they are squared.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.evaluation.metrics import COUNTS, METRICS, PROPORTIONS, from_counts, log_losses, score_bins

STEP = 1e-4  # of numerical derivatives with respect to counts
EER_WINDOW = 0.15  # of false positive rates around the equal error rate, for the slope of the ROC curve there
MAX_SLOPE = 5.0


def influences(fake: NDArray[np.bool_], scores: NDArray[np.float64], threshold: float) -> dict[str, NDArray]:
    """Compute the influence of each image on each metric.

    Args:
        fake: bool (n,), with both classes.
        scores: float64 (n,), finite, sorted from the highest to the lowest.
        threshold: an image with score >= threshold is called fake.

    Returns:
        {metric: float64 (n,)} for all of metrics.METRICS but the counts and the operating points, which have their own
        intervals; NaN where the metric is undefined.
    """
    called = scores >= threshold
    cells = np.where(fake, np.where(called, 0, 3), np.where(called, 1, 2))  # of tp, fp, tn, fn
    counts = np.bincount(cells, minlength=4).astype(float)[:, None]
    more, less = (from_counts(*(counts + sign * STEP * np.eye(4))) for sign in (1, -1))
    found = {name: ((more[name] - less[name]) / (2 * STEP))[cells] for name in more if name not in COUNTS}
    first = np.searchsorted(-scores, -scores, side="left")  # of the images with the same score
    after = np.searchsorted(-scores, -scores, side="right")
    above = np.concatenate([[0], np.cumsum(fake)])  # fakes before each place
    found["auc"] = _of_auc(fake, first, after, above)[1]
    found["average_precision"] = _of_average_precision(fake, first, after, above)
    found["eer"] = _of_eer(fake, after, above)
    gap = np.sign(np.bincount(bins := score_bins(scores), fake - scores))[bins] * (fake - scores)
    for name, error in (
        ("brier", (scores - fake) ** 2),
        ("log_loss", log_losses(fake, scores)),
        ("calibration_error", gap),
    ):
        found[name] = (error - error.mean()) / len(error)
    return {name: found[name] for name in METRICS if name in found}


def auc_influence(fake: NDArray[np.bool_], scores: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Compute the ROC AUC and the influence of each image on it, in the order of the images.

    Args:
        fake: bool (n,), with both classes.
        scores: float64 (n,), finite.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, labels, influence = scores[order], fake[order], np.empty(len(fake))
    first, after = (np.searchsorted(-ranked, -ranked, side=side) for side in ("left", "right"))
    auc, influence[order] = _of_auc(labels, first, after, np.concatenate([[0], np.cumsum(labels)]))
    return auc, influence


@dataclass(frozen=True)
class Variance:
    """The variance of a metric.

    Args:
        value: the variance.
        freedom: its degrees of freedom.
    """

    value: float
    freedom: float


def cluster_variance(
    influence: NDArray[np.float64], clusters: NDArray[np.int64], groups: list[NDArray[np.bool_]]
) -> Variance:
    """Compute the variance of a metric from influences.

    The degrees of freedom are those of the sum of squares by its own kurtosis, at most the number of clusters less one,
    and of several groups together by Satterthwaite's rule (1946, doi:10.2307/3002019). If a few clusters hold all the
    errors, they are few, and an interval by Student's t is wide.

    Args:
        influence: float64 (n,).
        clusters: int64 (n,), equal for images that are drawn together, numbered from 0.
        groups: masks, bool (n,), of images that were drawn apart, such as fakes and reals; together they are all
            images. Each has at least two clusters.
    """
    sums, variances, freedoms = [], [], []
    for group in groups:
        inside = np.bincount(clusters[group], minlength=clusters.max() + 1) > 0
        count = int(inside.sum())
        total = np.bincount(clusters[group], influence[group], minlength=len(inside))
        total[inside] -= total[inside].mean()
        squares = float((total**2).sum())
        sums.append(total)
        variances.append((count + 2) / (count - 1) * squares)  # a little above count: few clusters underestimate
        kurtosis = count * float((total**4).sum()) / squares**2 if squares else 1.0
        freedoms.append(min(count - 1, 2 * count / max(kurtosis - 1, 1e-9)))
    together = 2 * float(sums[0] @ sums[1]) if len(sums) == 2 else 0.0  # a person with real and fake videos
    share = sum(variance**2 / freedom for variance, freedom in zip(variances, freedoms, strict=True))
    return Variance(max(sum(variances) + together, 0.0), sum(variances) ** 2 / share if share else np.inf)


def denominator(name: str, fake: NDArray[np.bool_], called: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which images a proportion is a share of.

    Args:
        name: one of metrics.PROPORTIONS.
        fake: bool (n,).
        called: bool (n,), which images are called fake.
    """
    masks = {"tp": fake & called, "fp": ~fake & called, "tn": ~fake & ~called, "fn": fake & ~called}
    numerator, others = PROPORTIONS[name]
    return np.logical_or.reduce([masks[count] for count in (*numerator, *others)])


def _of_auc(fake, first, after, above):
    """The AUC, and (share of reals below a fake - AUC) / fakes, and likewise for reals; ties count half."""
    place = np.arange(len(fake) + 1)
    fakes, reals = above[-1], len(fake) - above[-1]
    beside = place - above  # reals before each place
    below = (reals - (beside[first] + beside[after]) / 2) / reals
    over = (above[first] + above[after]) / 2 / fakes
    share = np.where(fake, below, over)
    auc = float(below[fake].mean())
    return auc, (share - auc) / np.where(fake, fakes, reals)


def _of_average_precision(fake, first, after, above):
    """The derivative of sum over fakes of TP / (TP + FP) at their score, divided by the number of fakes."""
    fakes, positives = fake.astype(float), above[-1]
    precision = above[after] / after
    value = fakes @ precision / positives
    gained = np.cumsum((fakes / after)[::-1])[::-1][first]  # over the fakes that are not ranked higher
    lost = np.cumsum((fakes * above[after] / after**2)[::-1])[::-1][first]
    return (fakes * precision + fakes * gained - lost - fakes * value) / positives


def _of_eer(fake, after, above):
    """A mean of the derivatives of both error rates at the threshold where they meet, weighed by the ROC's slope."""
    fakes, reals = above[-1], len(fake) - above[-1]
    corners = np.concatenate([[0], np.unique(after)])
    missed, alarms = 1 - above[corners] / fakes, (corners - above[corners]) / reals
    corner = int(np.argmax(alarms >= missed))
    step = np.diff((alarms - missed)[corner - 1 : corner + 1])[0]
    share = (missed - alarms)[corner - 1] / step
    eer = alarms[corner - 1] + share * (alarms[corner] - alarms[corner - 1])
    left, right = max(eer - EER_WINDOW, 0.0), min(eer + EER_WINDOW, 1.0)
    slope = np.diff(np.interp([left, right], alarms, 1 - missed))[0] / (right - left)
    slope = np.clip(slope, 1 / MAX_SLOPE, MAX_SLOPE)
    called = np.arange(len(fake)) < corners[corner - 1]
    rates = np.where(fake, (~called - eer) / fakes, slope * (called - eer) / reals)
    return rates / (1 + slope)
