"""What is wrong with statements that no confusion matrix satisfies: the smallest clash, and what would mend it."""

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from results.audit.printed import RULES
from results.audit.solver import BLOCK, Sizes, Solutions, interval, solve

SEEDS = 60  # class sizes, and totals where none is given, that are looked at whole for what can hold together
EXCHANGED = {"precision": "recall", "recall": "precision", "fp": "fn", "fn": "fp"}
TURNED = {
    **{"tp": "tn", "tn": "tp", "fp": "fn", "fn": "fp", "precision": "precision_real", "precision_real": "precision"},
    **{"recall": "specificity", "specificity": "recall", "f1": "f1_real", "f1_real": "f1"},
}
SYMMETRIC = ("accuracy", "error_rate", "kappa", "balanced_accuracy", "fakes", "reals", "n", "auc")
READINGS = {"with FP and FN (precision and recall) exchanged": EXCHANGED, "with real as the positive class": TURNED}


@dataclass(frozen=True)
class Conflict:
    """clashes: the smallest sets of statements that cannot hold together, tuples of equal length.

    left_out: the fewest statements without which the rest fits, rest: the Solutions then (None if nothing is left).
    readings: {how the table may be misread: the Solutions of that reading}.
    """

    clashes: list
    left_out: tuple
    rest: Solutions | None
    readings: dict


def explain(statements, sizes):
    """Return the Conflict of statements for which `solve` finds nothing."""
    sets = _sets_that_hold(statements, sizes)
    clashes, sets = _smallest_clashes(statements, sizes, sets)
    kept = max(sets, key=lambda held: (len(held), sorted(held)), default=frozenset())
    left_out = tuple(statement for place, statement in enumerate(statements) if place not in kept)
    rest = solve([statements[place] for place in sorted(kept)], sizes) if kept else None
    clashes.sort(key=lambda clash: -len(set(clash) & set(left_out)))
    return Conflict(clashes, left_out, rest, _readings(statements, sizes))


def odd_ones(statements, sizes):
    """The fewest statements that must have been printed otherwise than half-up, where all others were; () if none fits.

    The smallest such set of all, the first in the table's order.
    """
    for size in range(1, len(statements) + 1):
        for odd in combinations(statements, size):
            others = [statement for statement in statements if statement not in odd]
            within = solve(odd, sizes)
            if within.count and _both(others, within, odd).count:
                return odd
    return ()


def _both(rounded, within, odd):
    """Solutions of the statements `rounded` half-up that also satisfy `odd` in any way, on the rows of `within`."""
    narrowed = solve(rounded, None, RULES[0], within)
    if not narrowed.count:
        return narrowed
    block = tuple(column.astype(float) for column in (narrowed.fakes, narrowed.reals, narrowed.tp))
    low, high = narrowed.low, narrowed.high
    for statement in odd:
        bounds = interval(statement, *block)
        low, high = np.maximum(low, bounds[0]), np.minimum(high, bounds[1])
    keep = low <= high
    columns = (*block, low, high)
    return Solutions(*(column[keep].astype(np.int64) for column in columns))


def _sets_that_hold(statements, sizes):
    """The largest sets of statements (frozensets of places) that one matrix satisfies, from the intervals' overlaps.

    All of them where the class sizes are known, otherwise those of some sizes, or of small totals.
    """
    anything = sizes.n is None and sizes.fakes is None and sizes.reals is None
    seeds = replace(sizes, max_n=min(sizes.max_n, SEEDS)) if anything else sizes
    masks = set()
    for fakes, reals in seeds.pairs():
        some = np.unique(np.linspace(0, len(fakes) - 1, SEEDS).astype(int))
        fakes, reals = fakes[some], reals[some]
        times = (fakes + 1).astype(int)
        block = (np.repeat(fakes, times), np.repeat(reals, times), np.concatenate([np.arange(each) for each in times]))
        for start in range(0, len(block[0]), BLOCK):
            masks |= set(_overlaps(statements, *(column[start : start + BLOCK].astype(float) for column in block)))
    sets = {frozenset(place for place in range(len(statements)) if mask >> place & 1) for mask in masks}
    return {one for one in sets if not any(one < other for other in sets)}


def _overlaps(statements, fakes, reals, tp):
    """The statements that hold together at the lower ends of the intervals, where most overlap, as bit masks."""
    bounds = [interval(statement, fakes, reals, tp) for statement in statements]
    masks = []
    for low, high in bounds:
        held = np.zeros(len(tp), np.int64)
        for place, (other_low, other_high) in enumerate(bounds):
            held |= ((other_low <= low) & (low <= other_high) & (low <= high)).astype(np.int64) << place
        masks.append(np.unique(held))
    return np.unique(np.concatenate(masks)).tolist()


def _smallest_clashes(statements, sizes, sets):
    """The smallest sets that no matrix satisfies, and `sets` with what was found to hold on the way."""
    sets = set(sets)
    for size in range(1, len(statements) + 1):
        clashes = []
        for places in combinations(range(len(statements)), size):
            if any(held.issuperset(places) for held in sets):
                continue
            chosen = [statements[place] for place in places]
            if not sizes.known and solve(chosen, sizes, first=True).count:
                sets.add(frozenset(places))
            else:
                clashes.append(tuple(chosen))
        if clashes:
            return clashes, sets
    return [], sets


def _readings(statements, sizes):
    found = {}
    for name, exchange in READINGS.items():
        known = {**exchange, **{metric: metric for metric in (*SYMMETRIC, "tp", "tn", "f1") if metric not in exchange}}
        if not all(statement.metric in known for statement in statements):
            continue
        turned = [replace(statement, metric=known[statement.metric]) for statement in statements]
        solutions = solve(turned, sizes)
        if solutions.count:
            found[name] = solutions
    return found


def one_class_sizes(solutions):
    """The class sizes (fakes, reals) if all solutions have the same, else None."""
    pairs = np.unique(np.stack([solutions.fakes, solutions.reals], 1), axis=0)
    return Sizes(*map(int, pairs[0])) if len(pairs) == 1 else None
