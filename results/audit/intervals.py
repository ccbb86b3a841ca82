"""Which numbers of false positives a printed number allows, for given class sizes and true positives.

Exact while 2 n^2 times 10 to the power of the digits is below 2^53. Beyond, an interval may be one too wide at either
end, so that no matrix that fits is lost.
"""

from math import ceil, floor

import numpy as np

from results.audit.forms import NOT_LINEAR, linear, value
from results.audit.matrices import Statement
from results.audit.printed import Range

EXACT = 2.0**53  # float64 represents all integers up to here
EMPTY = (1.0, 0.0)  # an interval without numbers
AVERAGE_SLACK = 1e-12  # more than the rounding errors of an average, so that no matrix that fits is lost


def false_positives(
    statement: Statement, fakes: np.ndarray, reals: np.ndarray, tp: np.ndarray, rule: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The false positives that a statement allows in each row.

    Args:
        statement: a printed metric.
        fakes, reals, tp: class sizes and true positives, float64 (rows,), whole numbers.
        rule: one of printed.RULES; None: any of them.

    Returns:
        The smallest and the largest number of false positives, float64 (rows,), whole numbers. If none is allowed, the
        first is greater than the second.
    """
    allowed = statement.printed.range(rule)
    if statement.metric == "auc":
        return _for_auc(allowed, statement.ties, fakes, reals, tp)
    if statement.metric in NOT_LINEAR:
        return _for_average(statement.metric, allowed, fakes, reals, tp)
    a, b, c, e = linear(statement.metric, fakes, reals, tp)
    low, high = _at_least(a, b, c, e, allowed.low, allowed.low_closed, reals)
    lower, upper = _at_least(-a, -b, c, e, -allowed.high, allowed.high_closed, reals)
    low, high = np.maximum(low, lower), np.minimum(high, upper)
    if statement.metric == "precision":  # without true positives: 0 / 0 or 0, whatever the false positives are
        low, high = _replace(tp == 0, (0, reals) if 0 in allowed else EMPTY, low, high)
    elif statement.metric == "precision_real":  # without false negatives: 1, and 0 / 0 if all are called fake
        ends = (0 if 1 in allowed else reals, reals if 0 in allowed else reals - 1)
        low, high = _replace(tp == fakes, ends, low, high)
    return low, high


def auc_exists(allowed: Range, ties: bool, pairs: np.ndarray) -> np.ndarray:
    """Whether an AUC in the range is possible: it is a whole number of pairs, or with ties of half pairs, by all pairs.

    Args:
        allowed: the values that the printed AUC may have.
        ties: whether pairs of images with equal scores count half.
        pairs: fakes * reals, float64 (rows,).

    Returns:
        bool (rows,).
    """
    if pairs.size == 1:
        return np.array([_share_exists(allowed, int(pairs[0]) * (2 if ties else 1))])
    steps = pairs * (2 if ties else 1)
    low, high = (_times(steps, bound) for bound in (allowed.low, allowed.high))
    first = np.ceil(low) if allowed.low_closed else np.floor(low) + 1
    return np.minimum(first, steps) <= high if allowed.high_closed else np.minimum(first, steps) < high


def _share_exists(allowed, steps):
    """Whether k / steps is in the range for a whole k, in exact arithmetic."""
    low, high = allowed.low * steps, allowed.high * steps
    first = min(ceil(low) if allowed.low_closed else floor(low) + 1, steps)
    return first <= high if allowed.high_closed else first < high


def _at_least(a, b, c, e, bound, closed, reals):
    """The whole x from 0 to reals with (a + b x) / (c + e x) >= bound (> if not closed), for c + e x > 0."""
    numerator, denominator = float(bound.numerator), float(bound.denominator)
    k = np.asarray(b * denominator - numerator * e, float)  # k x >= r, in whole numbers
    r = np.asarray(numerator * c - a * denominator + (0 if closed else 1), float)
    with np.errstate(divide="ignore", invalid="ignore"):
        edge = r / k
    slack = 0 if max(np.abs(k).max(initial=0), np.abs(r).max(initial=0)) < EXACT else 1
    low = np.where(k > 0, np.ceil(edge) - slack, 0.0)
    high = np.where(k < 0, np.floor(edge) + slack, reals)
    low, high = _replace((k == 0) & (r > slack), EMPTY, low, high)
    return np.maximum(low, 0), np.minimum(high, reals)


def _for_average(metric, allowed, fakes, reals, tp):
    """By bisection: averages and Matthews' correlation fall when the false positives rise."""

    def first_below(bound):
        """The smallest x in 0..reals+1 at which the metric is below the bound."""
        low, high = np.zeros_like(tp), reals + 1
        while (low < high).any():
            middle = np.floor((low + high) / 2)
            metric_value = value(metric, fakes, reals, tp, np.minimum(middle, reals))
            below = (middle > reals) | ~(metric_value >= bound)
            high, low = np.where(below, middle, high), np.where(below, low, np.minimum(middle + 1, high))
        return low

    return first_below(float(allowed.high) + AVERAGE_SLACK), first_below(float(allowed.low) - AVERAGE_SLACK) - 1


def _for_auc(allowed, ties, fakes, reals, tp):
    """An AUC counts pairs, and a ROC curve through the matrix' point stays between the two bounds that it gives."""
    pairs, fn, zero = fakes * reals, fakes - tp, 0.0
    low, high = _at_least(-tp * reals, tp, pairs, zero, -allowed.high, True, reals)  # tp tn / pairs <= AUC
    lower, upper = _at_least(pairs, -fn, pairs, zero, allowed.low, True, reals)  # 1 - fp fn / pairs >= AUC
    low, high = np.maximum(low, lower), np.minimum(high, upper)
    return _replace(~auc_exists(allowed, ties, pairs), EMPTY, low, high)


def _replace(rows, ends, low, high):
    return np.where(rows, ends[0], low), np.where(rows, ends[1], high)


def _times(steps, bound):
    """steps * bound, exact if it is a whole number."""
    return steps * float(bound.numerator) / float(bound.denominator)
