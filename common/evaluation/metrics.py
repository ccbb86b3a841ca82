"""The suite's metrics, written so that a thousand weightings of a million images cost seconds.

`from_counts` takes the four counts of one confusion matrix or of many; `Ranking` sorts the scores once and then finds
ROC AUC, average precision, equal error rate and Brier score under any weights in O(n). The value and the resamples of
a bootstrap go through the same code, and scikit-learn is its test oracle. Positive class: fake.
"""

from bisect import bisect_left

import numpy as np

PROPORTIONS = {  # metric: the counts of its numerator, the counts that its denominator adds
    "accuracy": (("tp", "tn"), ("fp", "fn")),
    "precision": (("tp",), ("fp",)),
    "recall": (("tp",), ("fn",)),
    "specificity": (("tn",), ("fp",)),
    "precision_real": (("tn",), ("fn",)),
}
COUNTS = ("tp", "fp", "tn", "fn")
OF_CURVE = ("auc", "average_precision", "eer")
OF_SCORES = (*OF_CURVE, "brier")
METRICS = (
    *("accuracy", "precision", "recall", "specificity", "f1", "precision_real", "f1_real"),
    *("macro_precision", "macro_recall", "macro_f1", "weighted_precision", "weighted_recall", "weighted_f1"),
    *("balanced_accuracy", "kappa", *OF_SCORES, *COUNTS),
)
BLOCK = 1 << 15  # corners of a curve at a time, so that what is computed of them stays in the cache


def from_counts(tp, fp, tn, fn):
    """All metrics of a confusion matrix, as {name: float64 array of the counts' shape}; NaN where undefined.

    Recall needs a fake, specificity a real image, accuracy any image, everything else both classes: a precision
    without real images is 1 whatever the detector does. `macro_` and `weighted_` are the averages over the two classes
    of scikit-learn's classification_report; kappa is Cohen's (1960, DOI 10.1177/001316446002000104).
    """
    tp, fp, tn, fn = (np.asarray(count, dtype=np.float64) for count in (tp, fp, tn, fn))
    fakes, reals = tp + fn, tn + fp
    both = (fakes > 0) & (reals > 0)
    recall, specificity = _ratio(tp, fakes), _ratio(tn, reals)
    precision, precision_real = _ratio(tp, (tp + fp) * both), _ratio(tn, (tn + fn) * both)
    f1, f1_real = _ratio(2 * tp, (2 * tp + fp + fn) * both), _ratio(2 * tn, (2 * tn + fp + fn) * both)
    agreement = _ratio(2 * (tp * tn - fp * fn), ((tp + fp) * reals + fakes * (fn + tn)) * both)

    def weighted(of_fake, of_real):
        return _ratio(fakes * of_fake + reals * of_real, fakes + reals)

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

    fake: bool (n,); scores: float64 (n,), finite; an image with score >= threshold is called fake.
    `order` (n,) sorts the caller's arrays into this ranking.
    """

    def __init__(self, fake, scores, threshold):
        self.order = np.argsort(-scores, kind="stable")
        ranked = scores[self.order]
        self.fake = fake[self.order].astype(np.int64)
        self.called = int((scores >= threshold).sum())
        self.squared_error = (ranked - self.fake) ** 2
        ends = np.flatnonzero(np.diff(ranked, prepend=np.inf, append=-np.inf))  # after each distinct score's last image
        self.corners = slice(None) if len(ends) == len(ranked) + 1 else ends
        self._seen, self._tp = (np.zeros(len(ranked) + 1, dtype=np.int64) for _ in range(2))

    def measure(self, weights):
        """tp, fp, tn, fn, auc, average_precision, eer, brier as float64 (8,) under `weights`, int64 (n,), ranked.

        A weight is the number of times an image is drawn. Without both classes the three of the curve are NaN.
        """
        np.cumsum(weights, out=self._seen[1:])
        np.cumsum(weights * self.fake, out=self._tp[1:])
        total, fakes = self._seen[-1], self._tp[-1]
        tp, called = self._tp[self.called], self._seen[self.called]
        fp = called - tp
        curve = (np.nan,) * 3
        if 0 < fakes < total:
            self._seen -= self._tp
            curve = curve_metrics(self._tp[self.corners], self._seen[self.corners])
        brier = _dot(weights, self.squared_error) / total if total else np.nan
        return np.array([tp, fp, total - fakes - fp, fakes - tp, *curve, brier], dtype=np.float64)


def named(measured):
    """What `Ranking.measure` returned, float64 (..., 8), as {metric: float64 (...)} with all of METRICS."""
    tp, fp, tn, fn, *of_scores = np.moveaxis(measured, -1, 0)
    return from_counts(tp, fp, tn, fn) | dict(zip(OF_SCORES, of_scores, strict=True))


def curve_metrics(tp, fp):
    """ROC AUC, average precision and equal error rate of a ROC curve given by its corners.

    tp, fp: int64 (k + 1,), fakes and reals at or above each of k falling distinct scores, after a leading 0.
    AUC is the trapezoid's (ties count half); average precision is sum (R_i - R_(i-1)) P_i; EER is where the straight
    lines between the corners cross false positive rate = false negative rate.
    """
    fakes, reals = int(tp[-1]), int(fp[-1])
    area = precision = 0.0
    for start in range(0, len(tp) - 1, BLOCK):
        above, beside = tp[start : start + BLOCK + 1], fp[start : start + BLOCK + 1]
        new_tp, new_fp, above, beside = np.diff(above), np.diff(beside), above[1:], beside[1:]
        area += _dot(new_fp, above) - _dot(new_fp, new_tp) / 2
        precision += _dot(new_tp, above / np.maximum(above + beside, 1))

    def excess(corner):  # (false positive rate - false negative rate) * fakes * reals: rises along the curve
        return int(fp[corner]) * fakes + int(tp[corner]) * reals - fakes * reals

    after = bisect_left(range(len(tp)), 0, key=excess)
    share = excess(after - 1) / (excess(after - 1) - excess(after))
    eer = (fp[after - 1] + share * (fp[after] - fp[after - 1])) / reals
    return area / (fakes * reals), precision / fakes, eer


def _dot(a, b):
    return float(np.einsum("i,i", a, b))  # no BLAS: its threads wait for each other longer than the sum takes


def _ratio(part, whole):
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)
