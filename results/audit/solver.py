"""Which confusion matrices print a set of numbers? All of them, exactly, without looking at each.

A matrix is (fakes, reals, true positives, false positives), four integers. For each (fakes, reals, true positives), a
row, a statement allows one interval of false positives (see forms); the intervals' intersections are the answer.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np

from results.audit.forms import AVERAGES, linear, value, words
from results.audit.printed import Printed

EXACT = 2.0**53  # integers of a float64 are exact up to here
BLOCK = 1 << 18  # rows at a time, so that they stay in the cache
BATCH = 1 << 14  # pairs of class sizes at a time
MAX_N = 1000
MOST = 5_000_000  # rows with solutions after which nobody needs the rest
EMPTY = (1.0, 0.0)
SLACK = 1e-6


@dataclass(frozen=True)
class Statement:
    """A metric of forms.METRICS and the number that is printed for it; `name` is how a report calls it."""

    metric: str
    printed: Printed
    name: str = ""
    ties: bool = False
    """Of an AUC: pairs with equal scores count half."""

    def __str__(self):
        return f"{self.label} {self.printed.text}"

    @property
    def label(self):
        return self.name or words(self.metric)


@dataclass(frozen=True)
class Sizes:
    """What is given about the class sizes; None is unknown. Nothing known: all totals up to max_n are tried."""

    fakes: int | None = None
    reals: int | None = None
    n: int | None = None
    max_n: int = MAX_N

    @property
    def known(self):
        return self.fakes is not None and self.reals is not None

    def pairs(self):
        """Yield arrays (fakes, reals) of the class sizes to try; those that are not given are at least 1."""
        if self.known:
            yield np.array([float(self.fakes)]), np.array([float(self.reals)])
        elif self.fakes is not None or self.reals is not None:
            other = np.arange(1.0, self.max_n + 1)
            given = np.full_like(other, self.reals if self.fakes is None else self.fakes)
            yield (other, given) if self.fakes is None else (given, other)
        else:
            for n in [self.n] if self.n is not None else range(2, self.max_n + 1):
                fakes = np.arange(1.0, n)
                yield fakes, n - fakes


@dataclass(frozen=True)
class Solutions:
    """The matrices that fit, as rows (fakes, reals, tp) with intervals low..high of fp; int64 arrays (rows,)."""

    fakes: np.ndarray
    reals: np.ndarray
    tp: np.ndarray
    low: np.ndarray
    high: np.ndarray
    more: bool = False
    """The search was stopped at MOST rows: there may be more."""

    @property
    def count(self):
        return int((self.high - self.low + 1).sum())

    @property
    def totals(self):
        """The numbers of images, ascending."""
        return np.unique(self.fakes + self.reals)

    def at(self, n):
        """Only the solutions with n images."""
        keep = self.fakes + self.reals == n
        return Solutions(*(column[keep] for column in self._columns))

    def range(self, metric):
        """The least and the largest value of a metric over all solutions: monotone in fp, so the ends suffice."""
        ends = np.array([value(metric, self.fakes, self.reals, self.tp, fp) for fp in (self.low, self.high)])
        ends = ends[~np.isnan(ends)]
        return (float(ends.min()), float(ends.max())) if len(ends) else (np.nan, np.nan)

    def matrix(self):
        """The first solution as {tp, fp, fn, tn}."""
        fakes, reals, tp, fp = (int(column[0]) for column in self._columns[:4])
        return {"tp": tp, "fp": fp, "fn": fakes - tp, "tn": reals - fp}

    @property
    def _columns(self):
        return self.fakes, self.reals, self.tp, self.low, self.high


def solve(statements, sizes, rule=None, within=None, first=False):
    """Return the Solutions: every matrix whose metrics print as the statements say.

    rule: one of printed.RULES for all numbers, None for any rule number by number. within: Solutions of a weaker
    question, to search only there. first: stop at the first block of rows with a solution. Exact while 2 n^2 times
    10 to the digits is below 2^53; beyond, an interval may be one too wide, so that no matrix that fits is ever lost.
    """
    found, rows = [], 0
    for block in _blocks(statements, sizes, rule) if within is None else [within._columns[:3]]:
        block = tuple(np.asarray(column, float) for column in block)
        low, high = np.zeros_like(block[2]), block[1].copy()
        for statement in statements:
            bounds = interval(statement, *block, rule)
            low, high = np.maximum(low, bounds[0]), np.minimum(high, bounds[1])
            keep = low <= high
            if not keep.all():
                block, low, high = tuple(column[keep] for column in block), low[keep], high[keep]
            if not len(low):
                break
        if len(low):
            found.append((*block, low, high))
            rows += len(low)
            if first or rows > MOST:
                break
    columns = [np.concatenate(column) for column in zip(*found, strict=True)] if found else [np.empty(0)] * 5
    return Solutions(*(column.astype(np.int64) for column in columns), more=rows > MOST)


def interval(statement, fakes, reals, tp, rule=None):
    """The false positives that a statement allows in each row: float64 arrays low, high of whole numbers.

    fakes, reals, tp: float64 arrays (rows,) of whole numbers. Nothing allowed: low > high.
    """
    allowed = statement.printed.range(rule)
    if statement.metric == "auc":
        return _auc_interval(allowed, statement.ties, fakes, reals, tp)
    if statement.metric in AVERAGES:
        return _average_interval(statement.metric, allowed, fakes, reals, tp)
    a, b, c, e = linear(statement.metric, fakes, reals, tp)
    low, high = _at_least(a, b, c, e, allowed.low, allowed.low_closed, reals)
    lower, upper = _at_least(-a, -b, c, e, -allowed.high, allowed.high_closed, reals)
    low, high = np.maximum(low, lower), np.minimum(high, upper)
    if statement.metric == "precision":  # 0 / 0, or 0 however many false positives
        low, high = _where(tp == 0, (0, reals) if 0 in allowed else EMPTY, low, high)
    elif statement.metric == "precision_real":  # 1 until all is called fake, then 0 / 0
        ends = (0 if 1 in allowed else reals, reals if 0 in allowed else reals - 1)
        low, high = _where(tp == fakes, ends, low, high)
    return low, high


def _blocks(statements, sizes, rule):
    """Yield blocks (fakes, reals, tp) of the rows that the statements, taken as real inequalities, do not exclude."""
    for fakes, reals in _batches(sizes):
        for statement in statements:
            if statement.metric == "auc":
                keep = _pairs_exist(statement.printed.range(rule), statement.ties, fakes * reals)
                fakes, reals = fakes[keep], reals[keep]
        low, high = true_positives(statements, fakes, reals, rule)
        counts = np.maximum(high - low + 1, 0).astype(np.int64)
        for start, stop in _chunks(counts):
            times = counts[start:stop]
            first = np.repeat(np.cumsum(times) - times, times)
            tp = np.repeat(low[start:stop], times) + np.arange(times.sum()) - first
            if len(tp):
                yield np.repeat(fakes[start:stop], times), np.repeat(reals[start:stop], times), tp


def _batches(sizes):
    """The pairs of class sizes, many totals at a time."""
    waiting, number = [], 0
    for pair in sizes.pairs():
        waiting.append(pair)
        number += len(pair[0])
        if number >= BATCH:
            yield tuple(np.concatenate(column) for column in zip(*waiting, strict=True))
            waiting, number = [], 0
    if waiting:
        yield tuple(np.concatenate(column) for column in zip(*waiting, strict=True))


def _chunks(counts):
    """Cut the class sizes so that a chunk has about BLOCK rows."""
    edges = np.searchsorted(np.cumsum(counts), np.arange(BLOCK, counts.sum(), BLOCK))
    edges = np.unique([0, *(edges + 1), len(counts)])
    return zip(edges[:-1], edges[1:], strict=True)


def true_positives(statements, fakes, reals, rule=None):
    """The least and the largest tp that the statements leave possible for each pair of class sizes; float64 (pairs,).

    With the sizes given, each statement is two linear inequalities g tp + h x >= w; x is eliminated from each pair of
    them (Fourier and Motzkin). A little too wide, never too narrow: `interval` decides.
    """
    low, high, zero = np.zeros_like(fakes), fakes.copy(), np.zeros_like(fakes)
    inequalities = [(zero, zero + 1, zero), (zero, zero - 1, -reals)]  # 0 <= x <= reals
    for statement in statements:
        if statement.metric != "auc" and statement.metric not in AVERAGES:
            inequalities += _inequalities(statement, fakes, reals, rule)
    for g, h, w in inequalities:
        low, high = _narrow(low, high, h == 0, g, w)
    for g, h, w in inequalities:
        for other_g, other_h, other_w in inequalities:
            opposed = (h > 0) & (other_h < 0)
            if opposed.any():
                low, high = _narrow(low, high, opposed, h * other_g - other_h * g, h * other_w - other_h * w)
    return np.ceil(low - SLACK), np.floor(high + SLACK)


def _inequalities(statement, fakes, reals, rule):
    at_none, at_one = (np.broadcast_arrays(fakes, *linear(statement.metric, fakes, reals, tp))[1:] for tp in (0.0, 1.0))
    (a, b, c, e), (da, _, dc, _) = at_none, (after - before for before, after in zip(at_none, at_one, strict=True))
    allowed = statement.printed.range(rule)
    for sign, bound in ((1, float(allowed.low)), (-1, float(allowed.high))):
        yield sign * (da - bound * dc), sign * (b - bound * e), sign * (bound * c - a)


def _narrow(low, high, rows, g, w):
    """Apply g tp >= w to the chosen rows."""
    with np.errstate(divide="ignore", invalid="ignore"):
        edge = w / g
    low = np.where(rows & (g > 0), np.maximum(low, edge), low)
    high = np.where(rows & (g < 0), np.minimum(high, edge), high)
    return low, np.where(rows & (g == 0) & (w > SLACK * (1 + np.abs(w))), EMPTY[1] - 1, high)


def _at_least(a, b, c, e, bound, closed, reals):
    """The whole x from 0 to reals with (a + b x) / (c + e x) >= bound (> if not closed), the denominator above 0."""
    numerator, denominator = float(bound.numerator), float(bound.denominator)
    k = np.asarray(b * denominator - numerator * e, float)  # k x >= r, in whole numbers
    r = np.asarray(numerator * c - a * denominator + (0 if closed else 1), float)
    with np.errstate(divide="ignore", invalid="ignore"):
        edge = r / k
    slack = 0 if max(np.abs(k).max(initial=0), np.abs(r).max(initial=0)) < EXACT else 1
    low = np.where(k > 0, np.ceil(edge) - slack, 0.0)
    high = np.where(k < 0, np.floor(edge) + slack, reals)
    low, high = _where((k == 0) & (r > slack), EMPTY, low, high)
    return np.maximum(low, 0), np.minimum(high, reals)


def _where(rows, ends, low, high):
    return np.where(rows, ends[0], low), np.where(rows, ends[1], high)


def _average_interval(metric, allowed, fakes, reals, tp):
    """By bisection: the averages of precision and of F1 fall as the false positives rise."""
    tiny = 1e-12  # beyond rounding errors, so that no matrix that fits is lost

    def first_below(bound):
        """The least x in 0..reals+1 at which the metric is below the bound."""
        low, high = np.zeros_like(tp), reals + 1
        while (low < high).any():
            middle = np.floor((low + high) / 2)
            at = value(metric, fakes, reals, tp, np.minimum(middle, reals))
            below = (middle > reals) | ~(at >= bound)
            high, low = np.where(below, middle, high), np.where(below, low, np.minimum(middle + 1, high))
        return low

    return first_below(float(allowed.high) + tiny), first_below(float(allowed.low) - tiny) - 1


def _auc_interval(allowed, ties, fakes, reals, tp):
    """An AUC is a count of pairs, and no ROC curve through the matrix' point leaves the two corners that it bounds."""
    pairs, fn, zero = fakes * reals, fakes - tp, 0.0
    low, high = _at_least(-tp * reals, tp, pairs, zero, -allowed.high, True, reals)  # tp tn / pairs <= AUC
    lower, upper = _at_least(pairs, -fn, pairs, zero, allowed.low, True, reals)  # 1 - fp fn / pairs >= AUC
    low, high = np.maximum(low, lower), np.minimum(high, upper)
    return _where(~_pairs_exist(allowed, ties, pairs), EMPTY, low, high)


def _pairs_exist(allowed, ties, pairs):
    """Is there a whole (with ties: half) number of pairs whose share is allowed?"""
    if pairs.size == 1:
        steps = Fraction(int(pairs[0])) * (2 if ties else 1)
        low, high = allowed.low * steps, allowed.high * steps
        first = ceil(low) if allowed.low_closed else floor(low) + 1
        return np.array([min(first, steps) <= high if allowed.high_closed else min(first, steps) < high])
    steps = pairs * (2 if ties else 1)
    low, high = (_times(steps, bound) for bound in (allowed.low, allowed.high))
    first = np.ceil(low) if allowed.low_closed else np.floor(low) + 1
    return np.minimum(first, steps) <= high if allowed.high_closed else np.minimum(first, steps) < high


def _times(steps, bound):
    """steps * bound, exact where it is a whole number."""
    return steps * float(bound.numerator) / float(bound.denominator)
