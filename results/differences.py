"""The difference between a number of ours and a published one: its 95 % interval, and what would narrow it.

Three errors are combined in quadrature, at each end by itself (the method of variance estimates recovery, Zou and
Donner 2008, doi:10.1002/sim.3095):

    our test images     the interval of each seed, averaged over the seeds: they have one test set, or parts of one
    their test images   Wilson's interval at the paper's n, divided by our own design effect
    the trainings       t(k - 1) s sqrt(1 + 1/k): theirs is one training, ours is the mean of k, with deviation s

The design effect is how many of our images tell as much as one that is drawn alone. It contains the resemblance of
frames, and what a metric such as AUC or F1 varies more, or less, than a share. So the published value of every metric
has an error, of the relative size of ours.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, hypot, inf, isinf, isnan, log10, nan, sqrt

from common.evaluation.intervals import wilson

ERROR = 0.05  # of a 95 % interval
PLANNED_DEVIATION = 0.005  # over seeds, where there is only one: to plan how many are needed
MAX_SEEDS = 1000
POWER = 0.8
LEAST_P = 1e-9


@dataclass(frozen=True)
class Measured:
    """A number of ours.

    Args:
        value: the mean over the seeds.
        low: the mean of the lower ends of the seeds' 95 % intervals; NaN if there is no interval.
        high: likewise of the upper ends.
        n: the number of images.
        clusters: of what was drawn independently; 0 if unknown.
        sd: standard deviation over the seeds; NaN for one seed.
        seeds: how many.
    """

    value: float
    low: float
    high: float
    n: int
    clusters: int
    sd: float
    seeds: int


@dataclass(frozen=True)
class Published:
    """A published number.

    Args:
        value: the number.
        below: how far the exact value may be below what is printed; infinite for `less than`.
        above: likewise above; infinite for `more than`.
        n: the paper's number of images; 0 if it is unknown.
    """

    value: float
    below: float
    above: float
    n: int


class Difference:
    """Ours minus theirs, of a metric from `least` to 1.

    Args:
        ours: our number.
        theirs: the published one.
        least: the least possible value of the metric.
    """

    def __init__(self, ours: Measured, theirs: Published, least: float = 0.0):
        self.ours, self.theirs, self.least = ours, theirs, least
        self.value = ours.value - theirs.value
        self._ours = (ours.value - ours.low, ours.high - ours.value)
        self._theirs = self._published_reach()

    @property
    def unknown(self) -> str:
        """Why there is no interval, or empty."""
        if self.ours.seeds < 2:
            return "one seed"
        if isnan(self.ours.low):
            return "our number has no interval"
        return "" if self.theirs.n else "the paper's n is unknown"

    def interval(self, error: float = ERROR) -> tuple[float, float]:
        """Return the interval that misses the true difference with a probability of `error`; NaN, NaN if unknown.

        It includes what the printed digits leave open. Of `more than 67 %` it is the difference from 67 %.
        """
        if self.unknown:
            return nan, nan
        ours = quantile(error, max(self.ours.clusters, 0) - 1) / quantile(ERROR, max(self.ours.clusters, 0) - 1)
        theirs, training = quantile(error) / quantile(ERROR), self._training_reach(self.ours.seeds, error)
        below, above = (0.0 if isinf(reach) else reach for reach in (self.theirs.below, self.theirs.above))
        down = hypot(ours * self._ours[0], theirs * self._theirs[1], training)
        up = hypot(ours * self._ours[1], theirs * self._theirs[0], training)
        return (
            max(self.value - above - down, self.least - self.theirs.value - above),
            min(self.value + below + up, 1 - self.theirs.value + below),
        )

    def within(self, margin: float) -> bool:
        """Return whether the 95 % interval lies within -margin to margin; `more than` has no upper end."""
        low, high = self.interval()
        return (low >= -margin or isinf(self.theirs.below)) and (high <= margin or isinf(self.theirs.above))

    def beyond(self, margin: float) -> bool:
        """Return whether the 95 % interval is wholly outside of -margin to margin."""
        low, high = self.interval()
        return (low > margin and not isinf(self.theirs.above)) or (high < -margin and not isinf(self.theirs.below))

    def sign(self, error: float = ERROR) -> int:
        """Return 1 or -1 if the interval is wholly above or below 0, otherwise 0."""
        low, high = self.interval(error)
        if low > 0 and not isinf(self.theirs.above):
            return 1
        return -1 if high < 0 and not isinf(self.theirs.below) else 0

    def p_value(self) -> float:
        """Return the least error at which the interval excludes 0; 1 if the 95 % interval holds 0."""
        if not self.sign():
            return 1.0
        few, many = log10(LEAST_P), log10(ERROR)
        for _ in range(24):
            middle = (few + many) / 2
            few, many = (few, middle) if self.sign(10**middle) else (middle, many)
        return 10**many

    def strain(self, margin: float) -> float:
        """Return how many times too wide the interval is for any decision; infinite if it is unknown."""
        if self.unknown:
            return inf
        target, (low, high) = self._target(margin), self.interval()
        return (high - low) / 2 / target if target > 0 else inf

    def needs(self, margin: float) -> str:
        """Return which n of ours, or how many seeds, would decide between inside and outside of the margin.

        Args:
            margin: of equivalence.
        """
        one = self.ours.seeds < 2
        return ("one seed; " if one else "") + self._needs(margin, PLANNED_DEVIATION if one else self.ours.sd)

    def _needs(self, margin, deviation):
        if isnan(self.ours.low):
            return "our number has no interval"
        if not self.theirs.n:
            return "the paper's n is unknown"
        room = self._target(margin) ** 2 - (sum(self._theirs) / 2) ** 2
        if self._target(margin) <= 0:
            return "the paper prints too few digits"
        training = (quantile(ERROR) * deviation) ** 2  # of the paper's single training, and of ever more of ours
        if room > training:
            planned = f", if their sd is {deviation:g}" if self.ours.seeds < 2 else ""
            return f"it takes {self._plan(room, deviation)}{planned}"
        if room <= max(0.0, self._target(margin) ** 2 - training):
            return f"more images of ours cannot decide: the paper has {self.theirs.n}"
        return f"no n decides, if the seeds differ by a deviation of {deviation:.3f}"

    def _plan(self, room, deviation):
        """The n, the seeds or both that leave an interval of half the width sqrt(room)."""
        ours = (sum(self._ours) / 2) ** 2
        training = self._training_reach(self.ours.seeds, ERROR, deviation) ** 2
        by_seeds = _seeds_for(deviation, room - ours) if ours < room else 0
        by_n = _rounded_up(self.ours.n * max(ours / (room - training), 1.1)) if training < room else 0
        ways = [f"n = {by_n}"] * (by_n > 0) + [f"{by_seeds} seeds"] * (by_seeds > self.ours.seeds)
        if ways:
            return " or ".join(ways)
        seeds = _seeds_for(deviation, (room + (quantile(ERROR) * deviation) ** 2) / 2)
        left = room - self._training_reach(seeds, ERROR, deviation) ** 2
        return f"{seeds} seeds and n = {_rounded_up(self.ours.n * ours / left)}"

    def _target(self, margin):
        """Half the width at which an interval would be within the margin, or exclude 0, whichever is wider."""
        rounding = max([reach for reach in (self.theirs.below, self.theirs.above) if not isinf(reach)], default=0.0)
        return max(abs(self.value), margin - abs(self.value)) - rounding

    def _training_reach(self, seeds, error, deviation=None):
        deviation = self.ours.sd if deviation is None else deviation
        return quantile(error, seeds - 1) * deviation * sqrt(1 + 1 / seeds) if seeds > 1 else inf

    def _published_reach(self):
        """How far the published value may be below and above its own expectation, at 95 %."""
        if isnan(self.ours.low) or not self.theirs.n or not self.ours.n:
            return nan, nan
        span = 1 - self.least
        share = min(max((self.theirs.value - self.least) / span, 0.0), 1.0)
        ours = [(end - self.least) / span for end in (self.ours.value, self.ours.low, self.ours.high)]
        n = self.theirs.n * effective_n(*ours) / self.ours.n
        low, high = wilson(share * n, n)
        return (share - low) * span, (high - share) * span


def detectable_difference(n: int, accuracy: float = 0.9) -> float:
    """Compute the least difference from a given accuracy that n independent images show in 4 of 5 cases.

    Args:
        n: the number of images, videos or persons that were drawn independently, at least 1.
        accuracy: near which.

    Returns:
        The difference, at an error of 5 % and a power of 80 %; at most 1.
    """
    return min(1.0, (quantile(ERROR) + quantile(2 * (1 - POWER))) * sqrt(accuracy * (1 - accuracy) / n))


def effective_n(value: float, low: float, high: float) -> float:
    """Compute how many independent images would give Wilson's interval of a share this width.

    Args:
        value: the share, 0 to 1.
        low: the lower end of its 95 % interval.
        high: the upper end.
    """
    reach, z = max((high - low) / 2, 1e-9), quantile(ERROR)
    middle = z**2 * (value * (1 - value) - 2 * reach**2)
    return max((middle + sqrt(middle**2 + reach**2 * z**4 * (1 - 4 * reach**2))) / (2 * reach**2), 1e-9)


@lru_cache(maxsize=4096)
def quantile(error: float, freedom: float = inf) -> float:
    """Return Student's t, two-sided: the reach that is exceeded with a probability of `error`.

    Args:
        error: above 0, up to 1.
        freedom: degrees of freedom; below 1: as many as there can be.
    """
    from scipy.special import ndtri, stdtrit  # here: a part of the start-up time of results.compare

    return float(-ndtri(error / 2) if freedom < 1 or isinf(freedom) else -stdtrit(freedom, error / 2))


def _seeds_for(deviation, room):
    """The least number of seeds whose trainings have at most this squared reach."""
    for seeds in range(2, MAX_SEEDS):
        if (quantile(ERROR, seeds - 1) * deviation) ** 2 * (1 + 1 / seeds) <= room:
            return seeds
    return 0


def _rounded_up(n):
    """A whole number with two significant digits, not below n."""
    unit = 10 ** max(len(str(ceil(n))) - 2, 0)
    return ceil(n / unit) * unit
