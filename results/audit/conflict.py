"""What is wrong with statements that no confusion matrix satisfies: the smallest clashes, and what would fix them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from results.audit.intervals import false_positives
from results.audit.matrices import Sizes, Solutions, Statement
from results.audit.printed import RULES
from results.audit.solver import BLOCK, solve

MAX_SIZES_SCANNED = 60  # class sizes (totals, if none is known) that are scanned for statements that hold together
EXCHANGED = {"precision": "recall", "recall": "precision", "fp": "fn", "fn": "fp"}
WITH_CLASSES_SWAPPED = {
    **{"tp": "tn", "tn": "tp", "fp": "fn", "fn": "fp", "precision": "precision_real", "precision_real": "precision"},
    **{"recall": "specificity", "specificity": "recall", "f1": "f1_real", "f1_real": "f1"},
}
SYMMETRIC = ("accuracy", "error_rate", "kappa", "balanced_accuracy", "fakes", "reals", "n", "auc")
READINGS = {
    "with FP and FN (precision and recall) exchanged": EXCHANGED,
    "with real as the positive class": WITH_CLASSES_SWAPPED,
}


@dataclass(frozen=True)
class Conflict:
    """Why statements contradict each other.

    Args:
        clashes: the smallest sets of statements that no matrix satisfies, all of the same size.
        left_out: the fewest statements without which a matrix fits.
        rest: the Solutions of the others; None if no statement is left.
        readings: {how the table may be misread: the Solutions of that reading}.
    """

    clashes: list[tuple[Statement, ...]]
    left_out: tuple[Statement, ...]
    rest: Solutions | None
    readings: dict[str, Solutions]


def explain(statements: Sequence[Statement], sizes: Sizes) -> Conflict:
    """Explain why `solve` finds no matrix for these statements and sizes."""
    consistent = _consistent_sets(statements, sizes)
    clashes, consistent = _smallest_clashes(statements, sizes, consistent)
    kept: frozenset[int] = max(consistent, key=lambda places: (len(places), sorted(places)), default=frozenset())
    left_out = tuple(statement for place, statement in enumerate(statements) if place not in kept)
    rest = solve([statements[place] for place in sorted(kept)], sizes) if kept else None
    clashes.sort(key=lambda clash: -len(set(clash) & set(left_out)))
    return Conflict(clashes, left_out, rest, _readings(statements, sizes))


def not_half_up(statements: Sequence[Statement], sizes: Sizes) -> tuple[Statement, ...]:
    """The fewest statements that were not rounded half-up, if all others were.

    Returns:
        The smallest such set, the first one in the table's order; empty if no matrix fits.
    """
    for size in range(1, len(statements) + 1):
        for exceptions in combinations(statements, size):
            others = [statement for statement in statements if statement not in exceptions]
            within = solve(exceptions, sizes)
            if within.count and _fit_both(others, exceptions, within):
                return exceptions
    return ()


def one_class_sizes(solutions: Solutions) -> Sizes | None:
    """The class sizes, if all solutions have the same; otherwise None."""
    pairs = np.unique(np.stack([solutions.fakes, solutions.reals], 1), axis=0)
    return Sizes(*map(int, pairs[0])) if len(pairs) == 1 else None


def _fit_both(half_up, exceptions, within):
    """Whether a matrix on the rows of `within` satisfies the one set rounded half-up and the other in any way."""
    narrowed = solve(half_up, None, RULES[0], within)
    rows = tuple(column.astype(float) for column in narrowed.columns[:3])
    low, high = narrowed.low, narrowed.high
    for statement in exceptions:
        lower, upper = false_positives(statement, *rows)
        low, high = np.maximum(low, lower), np.minimum(high, upper)
    return bool((low <= high).any())


def _consistent_sets(statements, sizes):
    """The largest sets of statements (frozensets of places) that one matrix satisfies, from the intervals' overlaps.

    These are all such sets if the class sizes are known, otherwise those of some sizes or of small totals.
    """
    sizes_unknown = sizes.n is None and sizes.fakes is None and sizes.reals is None
    scanned = replace(sizes, max_n=min(sizes.max_n, MAX_SIZES_SCANNED)) if sizes_unknown else sizes
    masks = set()
    for fakes, reals in scanned.pairs():
        sample = np.unique(np.linspace(0, len(fakes) - 1, MAX_SIZES_SCANNED).astype(int))
        fakes, reals = fakes[sample], reals[sample]
        times = (fakes + 1).astype(int)
        tp = np.concatenate([np.arange(number) for number in times])
        rows = (np.repeat(fakes, times), np.repeat(reals, times), tp)
        for start in range(0, len(tp), BLOCK):
            block = (column[start : start + BLOCK].astype(float) for column in rows)
            masks |= set(_overlaps(statements, *block))
    sets = {frozenset(place for place in range(len(statements)) if mask >> place & 1) for mask in masks}
    return {places for places in sets if not any(places < others for others in sets)}


def _overlaps(statements, fakes, reals, tp):
    """Which statements hold together at the lower ends of the intervals, where most overlap, as bit masks."""
    intervals = [false_positives(statement, fakes, reals, tp) for statement in statements]
    masks = []
    for low, high in intervals:
        mask = np.zeros(len(tp), np.int64)
        for place, (other_low, other_high) in enumerate(intervals):
            mask |= ((other_low <= low) & (low <= other_high) & (low <= high)).astype(np.int64) << place
        masks.append(np.unique(mask))
    return np.unique(np.concatenate(masks)).tolist()


def _smallest_clashes(statements, sizes, consistent):
    """The smallest sets that no matrix satisfies, and `consistent` with the sets that were found on the way."""
    consistent = set(consistent)
    for size in range(1, len(statements) + 1):
        clashes = []
        for places in combinations(range(len(statements)), size):
            if any(known.issuperset(places) for known in consistent):
                continue
            chosen = [statements[place] for place in places]
            if not sizes.known and solve(chosen, sizes, first=True).count:
                consistent.add(frozenset(places))
            else:
                clashes.append(tuple(chosen))
        if clashes:
            return clashes, consistent
    return [], consistent


def _readings(statements, sizes):
    found = {}
    for name, exchange in READINGS.items():
        unchanged = {metric: metric for metric in (*SYMMETRIC, "tp", "tn", "f1") if metric not in exchange}
        metrics = {**exchange, **unchanged}
        if not all(statement.metric in metrics for statement in statements):
            continue
        solutions = solve([replace(statement, metric=metrics[statement.metric]) for statement in statements], sizes)
        if solutions.count:
            found[name] = solutions
    return found
