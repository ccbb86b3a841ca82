"""The 95 % interval of each metric of one detector on one set of images, or the reason why there is none."""

import numpy as np
from numpy.typing import NDArray

from common.evaluation.calibration import calibration_interval
from common.evaluation.influence import cluster_variance, denominator, influences
from common.evaluation.intervals import (
    NO_INTERVAL,
    Interval,
    combine_halves,
    log_interval,
    logit_interval,
    narrower,
    share_interval,
    widest,
)
from common.evaluation.metrics import CURVE_METRICS, OPERATING_POINTS, PROBABILITY_METRICS, PROPORTIONS, from_counts
from common.evaluation.operating_points import operating_point_interval
from common.evaluation.perfect_ranking import perfect_ranking_bounds

BALANCED = ("balanced_accuracy", "macro_recall")  # the mean of recall and specificity
LEAST = {"kappa": -1.0, "auc_drop": -1.0}  # the least possible value of a metric, if it is not 0
AVERAGES = {  # of fakes and of reals
    f"{kind}_{name}": (name, f"{name}_real") for kind in ("macro", "weighted") for name in ("precision", "f1")
}
SAME_AS = {"weighted_recall": "accuracy"}  # two names of one number


class ClusterIntervals:
    """Intervals of the metrics of one set of images.

    Proportions of images that are drawn one by one get Wilson's interval. All others get Student's t on the logit
    scale, from influences summed within clusters; where a few clusters hold all errors, what clusters of equal images
    would give at most. Where every image of a class is right, so that the variance is 0, they get what the same number
    of independent clusters would give.

    Args:
        fake: bool (n,).
        scores: float64 (n,), sorted from the highest to the lowest.
        threshold: an image with score >= threshold is called fake.
        clusters: int64 (n,), numbered from 0, equal for images that are drawn together.
        unit: what a cluster is, in the singular, for reasons.
        values: {metric: value} of these images.
    """

    def __init__(
        self,
        fake: NDArray[np.bool_],
        scores: NDArray[np.float64],
        threshold: float,
        clusters: NDArray[np.int64],
        unit: str,
        values: dict[str, float],
    ) -> None:
        self._fake, self._called, self._clusters = fake, scores >= threshold, clusters
        self._scores, self._unit, self._values = scores, unit, values
        self._influences = influences(fake, scores, threshold) if 0 < fake.sum() < len(fake) else {}
        self._by_class = {"fake": self._count(fake), "real": self._count(~fake)}
        self._counts = {name: self._count(self._images(name)) for name in (*PROPORTIONS, "")}

    def clusters(self, name: str) -> int:
        """Return the number of clusters that a metric is computed from."""
        return self._counts.get(name, self._counts[""])

    def interval(self, name: str) -> tuple[Interval, str]:
        """Return the interval of a metric that has a value, and an empty string; or NaN, NaN and the reason."""
        name = SAME_AS.get(name, name)
        if self.clusters(name) < 2:
            return NO_INTERVAL, f"no interval: a single {self._unit}"
        if name in PROPORTIONS:
            return self._proportion(name), ""
        single = [word for word, count in self._by_class.items() if count < 2]
        if single:
            return NO_INTERVAL, f"no interval: the {single[0]} images are of a single {self._unit}"
        if name in BALANCED:
            halves = [(self._values[half], self._proportion(half)) for half in ("recall", "specificity")]
            return combine_halves(*halves[0], *halves[1]), ""
        if name in CURVE_METRICS and self._values["auc"] in (0.0, 1.0):
            return self._of_perfect_ranking(name)
        if name in OPERATING_POINTS:
            return self._of_operating_point(OPERATING_POINTS[name])
        variance, value, least = self._variance(name), self._values[name], LEAST.get(name, 0.0)
        if variance.value > 0 and value > least and (value < 1 or name == "log_loss"):
            return self._open_as_perfect(name, self._of_variance(name, value, variance)), ""
        if self._values["recall"] == self._values["specificity"] == 1 and name not in PROBABILITY_METRICS:
            return self._all_right(name), ""
        return NO_INTERVAL, "no interval: all images have the same error"

    def _variance(self, name):
        return cluster_variance(self._influences[name], self._clusters, [self._fake, ~self._fake])

    def _of_variance(self, name, value, variance):
        if name == "log_loss":
            return log_interval(value, variance)
        if name == "calibration_error":
            return calibration_interval(value, self._fake, self._scores, self._clusters, variance)
        interval = logit_interval(value, variance, LEAST.get(name, 0.0))
        bound = self._bound(name, value)
        return narrower(interval, bound) if bound else interval

    def _bound(self, name, value):
        """What no interval is wider than, if a few clusters hold all errors; None if there is no such bound."""
        if name in CURVE_METRICS:
            return widest(value, self._clusters[self._fake], self._clusters[~self._fake])
        if name == "brier":
            return widest(value, self._clusters)
        if name in ("f1", "f1_real"):  # 2 s / (1 + s), where s is the share of hits among hits and errors
            errors = self._called != self._fake
            counted = errors | (self._fake if name == "f1" else ~self._fake)
            ends = share_interval(~errors, counted, self._clusters)
            return 2 * ends[0] / (1 + ends[0]), 2 * ends[1] / (1 + ends[1])
        if name == "kappa":  # 1 - errors / errors by chance
            accuracy = self._values["accuracy"]
            low, high = (1 - (1 - end) * (1 - value) / (1 - accuracy) for end in self._proportion("accuracy"))
            return low, high
        if name in AVERAGES:
            first, second = (self.interval(part)[0] for part in AVERAGES[name])
            share = float(self._fake.mean()) if name.startswith("weighted") else 0.5
            low, high = (share * a + (1 - share) * b for a, b in zip(first, second, strict=True))
            return low, high
        return None

    def _of_operating_point(self, inverse):
        drawn = self._by_class["real"]
        if drawn < inverse:
            return NO_INTERVAL, f"no interval: one false alarm in {inverse} reals needs {inverse} {self._unit}s of them"
        return operating_point_interval(self._fake, self._scores, self._clusters, inverse), ""

    def _count(self, images):
        return int(np.count_nonzero(np.bincount(self._clusters[images])))

    def _images(self, name):
        if name in PROPORTIONS:
            return denominator(name, self._fake, self._called)
        return np.ones(len(self._fake), dtype=bool)

    def _proportion(self, name):
        variance = self._variance(name) if min(self._by_class.values()) >= 2 else None
        return share_interval(self._called == self._fake, self._images(name), self._clusters, variance)

    def _open_as_perfect(self, name, interval):
        """A curve's interval, opened as far as that of a perfect ranking: an error is no evidence for a better one.

        Near 1 the few errors vary too little: without this, 9 to 13 % of the intervals lie above the truth.
        """
        if name not in CURVE_METRICS:
            return interval
        (low, high), (perfect_low, perfect_high) = interval, self._perfect(name)
        if name == "average_precision":
            return min(low, perfect_low), high
        if name == "eer":
            return min(low, 1 - perfect_high), max(high, perfect_high)
        return min(low, perfect_low), max(high, 1 - perfect_low)

    def _perfect(self, name):
        return perfect_ranking_bounds(self._by_class["fake"], self._by_class["real"], self._fake.mean())[name]

    def _of_perfect_ranking(self, name):
        """The interval and the reason, of a detector that ranks every fake above every real, or every one below."""
        low, high = self._perfect(name)
        if self._values["auc"] == 1:
            return (low, high), ""
        if name == "average_precision":
            return NO_INTERVAL, "no interval: every fake is ranked below every real image"
        return (1 - high, 1 - low), ""

    def _all_right(self, name):
        """The metric at the lower ends of recall and specificity."""
        fakes, reals = int(self._fake.sum()), int((~self._fake).sum())
        recall, specificity = self._proportion("recall")[0], self._proportion("specificity")[0]
        worst = from_counts(fakes * recall, reals * (1 - specificity), reals * specificity, fakes * (1 - recall))
        return float(worst[name]), 1.0
