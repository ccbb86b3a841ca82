"""The suite's metrics.

`from_counts` takes the four counts of one confusion matrix or of many. `Ranking` sorts the scores once, and computes
what depends on the scores (ROC AUC, operating points, calibration, ...) under any weights in O(n). Its tests compare it
with scikit-learn. The positive class is fake.
"""

from bisect import bisect_left

import numpy as np
from numpy.typing import ArrayLike, NDArray

PROPORTIONS = {  # metric: (counts of its numerator, further counts of its denominator)
    "accuracy": (("tp", "tn"), ("fp", "fn")),
    "precision": (("tp",), ("fp",)),
    "recall": (("tp",), ("fn",)),
    "specificity": (("tn",), ("fp",)),
    "precision_real": (("tn",), ("fn",)),
}
COUNTS = ("tp", "fp", "tn", "fn")
CURVE_METRICS = ("auc", "average_precision", "eer")
OPERATING_POINTS = {"tpr_at_fpr_0.01": 100, "tpr_at_fpr_0.001": 1000}  # the rate is one false alarm in as many reals
PROBABILITY_METRICS = ("brier", "log_loss", "calibration_error")
SCORE_METRICS = (*CURVE_METRICS, *OPERATING_POINTS, *PROBABILITY_METRICS)
METRICS = (
    *("accuracy", "precision", "recall", "specificity", "f1", "precision_real", "f1_real"),
    *("macro_precision", "macro_recall", "macro_f1", "weighted_precision", "weighted_recall", "weighted_f1"),
    *("balanced_accuracy", "kappa", *SCORE_METRICS, *COUNTS),
)
BINS = 15  # of the expected calibration error, as in Guo et al. 2017, arXiv:1706.04599
BLOCK_SIZE = 1 << 15  # corners of a curve at a time, so that intermediate arrays fit into the cache


def from_counts(tp: ArrayLike, fp: ArrayLike, tn: ArrayLike, fn: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Compute all metrics of a confusion matrix, or of many.

    Recall needs a fake image, specificity a real image, accuracy any image, and everything else both classes: precision
    without real images is 1 for every detector. `macro_` and `weighted_` are the averages over the two classes of
    scikit-learn's classification_report; kappa is Cohen's (1960, doi:10.1177/001316446002000104).

    Args:
        tp: fakes called fake, numbers of any one shape.
        fp: reals called fake.
        tn: reals called real.
        fn: fakes called real.

    Returns:
        {metric: float64 of the shape of the counts}; NaN if undefined.
    """
    tp, fp, tn, fn = (np.asarray(count, dtype=np.float64) for count in (tp, fp, tn, fn))
    fakes, reals = tp + fn, tn + fp
    both = (fakes > 0) & (reals > 0)
    recall, specificity = _ratio(tp, fakes), _ratio(tn, reals)
    precision, precision_real = _ratio(tp, (tp + fp) * both), _ratio(tn, (tn + fn) * both)
    f1, f1_real = _ratio(2 * tp, (2 * tp + fp + fn) * both), _ratio(2 * tn, (2 * tn + fp + fn) * both)
    agreement = _ratio(2 * (tp * tn - fp * fn), ((tp + fp) * reals + fakes * (fn + tn)) * both)

    def weighted(fake_value, real_value):
        return _ratio(fakes * fake_value + reals * real_value, fakes + reals)

    return {
        "accuracy": _ratio(tp + tn, fakes + reals),
        "precision": precision,
        "recall": recall,
        "specificity": specificity,
        "f1": f1,
        "precision_real": precision_real,
        "f1_real": f1_real,
        "macro_precision": (precision + precision_real) / 2,
        "macro_recall": (recall + specificity) / 2,
        "macro_f1": (f1 + f1_real) / 2,
        "weighted_precision": weighted(precision, precision_real),
        "weighted_recall": weighted(recall, specificity),
        "weighted_f1": weighted(f1, f1_real),
        "balanced_accuracy": (recall + specificity) / 2,
        "kappa": agreement,
        "tp": tp,
        "fp": fp,
        "tn": tn,
        "fn": fn,
    }


class Ranking:
    """Images sorted once by score, highest first.

    Args:
        fake: bool (n,).
        scores: float64 (n,), finite.
        threshold: an image with score >= threshold is called fake.

    Attributes:
        order: int64 (n,), sorts the caller's arrays into this ranking.
    """

    def __init__(self, fake: NDArray[np.bool_], scores: NDArray[np.float64], threshold: float):
        self.order = np.argsort(-scores, kind="stable")
        ranked = scores[self.order]
        self.fake = fake[self.order].astype(np.int64)
        self.called_fake = int((scores >= threshold).sum())
        self.squared_error = (ranked - self.fake) ** 2
        self.log_loss = log_losses(self.fake, ranked)
        self.bins, self.residual = score_bins(ranked), self.fake - ranked
        ends = np.flatnonzero(np.diff(ranked, prepend=np.inf, append=-np.inf))  # after each distinct score's last image
        self.corners = slice(None) if len(ends) == len(ranked) + 1 else ends
        self._seen, self._tp = (np.zeros(len(ranked) + 1, dtype=np.int64) for _ in range(2))

    def measure(self, weights: NDArray[np.int64]) -> NDArray[np.float64]:
        """Compute counts and score metrics under weights.

        Args:
            weights: int64 (n,) in the order of the ranking: the number of times that each image is drawn.

        Returns:
            float64 (12,): tp, fp, tn, fn and SCORE_METRICS. The metrics of the curve are NaN without both classes, an
            operating point also with fewer reals than one false alarm needs.
        """
        np.cumsum(weights, out=self._seen[1:])
        np.cumsum(weights * self.fake, out=self._tp[1:])
        total, fakes = self._seen[-1], self._tp[-1]
        tp = self._tp[self.called_fake]
        fp = self._seen[self.called_fake] - tp
        curve = [np.nan] * (len(CURVE_METRICS) + len(OPERATING_POINTS))
        if 0 < fakes < total:
            self._seen -= self._tp
            corners = self._tp[self.corners], self._seen[self.corners]
            curve = [*curve_metrics(*corners), *operating_points(*corners)]
        probability = [np.nan] * len(PROBABILITY_METRICS)
        if total:
            gaps = np.bincount(self.bins, weights * self.residual)
            sums = _dot(weights, self.squared_error), _dot(weights, self.log_loss), np.abs(gaps).sum()
            probability = [value / total for value in sums]
        return np.array([tp, fp, total - fakes - fp, fakes - tp, *curve, *probability], dtype=np.float64)


def as_metrics(measured: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Convert the numbers of `Ranking.measure` to metrics.

    Args:
        measured: float64 (..., 12).

    Returns:
        {metric: float64 (...)} with all of METRICS.
    """
    tp, fp, tn, fn, *score_metrics = np.moveaxis(measured, -1, 0)
    return from_counts(tp, fp, tn, fn) | dict(zip(SCORE_METRICS, score_metrics, strict=True))


def curve_metrics(tp: NDArray[np.int64], fp: NDArray[np.int64]) -> tuple[float, float, float]:
    """Compute the metrics of a ROC curve given by its corners.

    AUC is the area of trapezoids (ties count half). Average precision is sum (R_i - R_(i-1)) P_i. The equal error rate
    is where the straight lines between the corners cross false positive rate = false negative rate.

    Args:
        tp: int64 (k + 1,), the fakes at or above each of k decreasing distinct scores, after a leading 0.
        fp: int64 (k + 1,), the reals at or above each of these scores, after a leading 0.

    Returns:
        ROC AUC, average precision and equal error rate, each in [0, 1].
    """
    fakes, reals = int(tp[-1]), int(fp[-1])
    area = precision = 0.0
    for start in range(0, len(tp) - 1, BLOCK_SIZE):
        above, beside = tp[start : start + BLOCK_SIZE + 1], fp[start : start + BLOCK_SIZE + 1]
        new_tp, new_fp, above, beside = np.diff(above), np.diff(beside), above[1:], beside[1:]
        area += _dot(new_fp, above) - _dot(new_fp, new_tp) / 2
        precision += _dot(new_tp, above / np.maximum(above + beside, 1))

    def excess(corner):  # (false positive rate - false negative rate) * fakes * reals, increasing along the curve
        return int(fp[corner]) * fakes + int(tp[corner]) * reals - fakes * reals

    after = bisect_left(range(len(tp)), 0, key=excess)
    share = excess(after - 1) / (excess(after - 1) - excess(after))
    eer = (fp[after - 1] + share * (fp[after] - fp[after - 1])) / reals
    return area / (fakes * reals), precision / fakes, eer


def operating_points(tp: NDArray[np.int64], fp: NDArray[np.int64]) -> list[float]:
    """Compute the share of fakes that is found if at most one real in 100, or in 1,000, is called fake.

    Args:
        tp: int64 (k + 1,), as for `curve_metrics`.
        fp: int64 (k + 1,), likewise.

    Returns:
        The true positive rate of each of OPERATING_POINTS; NaN with fewer reals than one false alarm needs.
    """
    fakes, reals = int(tp[-1]), int(fp[-1])
    return [
        tp[np.searchsorted(fp, reals // inverse, side="right") - 1] / fakes if reals >= inverse else np.nan
        for inverse in OPERATING_POINTS.values()
    ]


def log_losses(fake: NDArray, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -log of the probability that each image's own class got; as in scikit-learn, at least the machine's
    epsilon.

    Args:
        fake: bool or int (n,).
        scores: float64 (n,), P(fake).
    """
    least = np.finfo(np.float64).eps
    own = np.where(fake, scores, 1 - scores)
    return -np.log(np.clip(own, least, 1 - least))


def score_bins(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return which of BINS bins of equal width in [0, 1] each score is in, int64 (n,)."""
    return np.clip((scores * BINS).astype(np.int64), 0, BINS - 1)


def _dot(a, b):
    return float(np.einsum("i,i", a, b))  # not BLAS: its threads wait for each other longer than the sum takes


def _ratio(part, whole):
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)
