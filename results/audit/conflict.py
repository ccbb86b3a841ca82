"""What is wrong with statements that no confusion matrix satisfies: the smallest clashes, and what would fix them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice

import numpy as np

from results.audit.intervals import false_positives
from results.audit.matrices import Sizes, Solutions, Statement
from results.audit.region import find_region, find_regions
from results.audit.solver import solve

MAX_SETS = 200  # of statements that are tried
MAX_BOXES = 48  # of the search whether a set leaves a region
MAX_EXAMINED = 300_000  # rows of matrices for each of them
EXCHANGED = {"precision": "recall", "recall": "precision", "fp": "fn", "fn": "fp"}
WITH_CLASSES_SWAPPED = {
    **{"tp": "tn", "tn": "tp", "fp": "fn", "fn": "fp", "precision": "precision_real", "precision_real": "precision"},
    **{"recall": "specificity", "specificity": "recall", "f1": "f1_real", "f1_real": "f1"},
    **{"miss_rate": "false_alarm_rate", "false_alarm_rate": "miss_rate"},
}
SYMMETRIC = ("accuracy", "error_rate", "kappa", "mcc", "balanced_accuracy", "fakes", "reals", "n", "auc")
WITH_REAL_POSITIVE = "with real as the positive class"
READINGS = {
    "with FP and FN (precision and recall) exchanged": EXCHANGED,
    WITH_REAL_POSITIVE: WITH_CLASSES_SWAPPED,
}


@dataclass(frozen=True)
class Conflict:
    """Why statements contradict each other.

    Args:
        clashes: the smallest sets of statements that no matrix satisfies, all of the same size. If there are very many
            sets to try, one set of which each statement is needed.
        left_out: the fewest statements without which a matrix fits.
        rest: the Solutions of the others; None if no statement is left.
        readings: {how the table may be misread: the Solutions of that reading}.
    """

    clashes: list[tuple[Statement, ...]]
    left_out: tuple[Statement, ...]
    rest: Solutions | None
    readings: dict[str, Solutions]


def explain(statements: Sequence[Statement], sizes: Sizes) -> Conflict:
    """Explain why no matrix fits these statements and sizes. If no size is known, matrices of any size are meant."""
    left_out = _fewest_left_out(statements, sizes)
    kept = [statement for statement in statements if statement not in left_out]
    rest = solve(kept, sizes, region=find_region(kept, sizes)) if kept else None
    clashes = _smallest_clashes(statements, sizes)
    clashes.sort(key=lambda clash: -len(set(clash) & set(left_out)))
    return Conflict(clashes, left_out, rest, misreadings(statements, sizes))


def misreadings(statements: Sequence[Statement], sizes: Sizes) -> dict[str, Solutions]:
    """The READINGS under which a matrix fits, with their Solutions."""
    found = {}
    for name, exchange in READINGS.items():
        unchanged = {metric: metric for metric in (*SYMMETRIC, "tp", "tn", "f1") if metric not in exchange}
        metrics = {**exchange, **unchanged}
        if not all(statement.metric in metrics for statement in statements):
            continue
        read = [replace(statement, metric=metrics[statement.metric]) for statement in statements]
        region = find_region(read, sizes)
        solutions = solve(read, sizes, region=region) if region else None
        if solutions and solutions.count:
            found[name] = solutions
    return found


def _satisfied(sets: list[tuple[Statement, ...]], sizes: Sizes) -> Iterator[bool]:
    """Whether a matrix satisfies each set."""
    for chosen, region in zip(sets, find_regions([(one, sizes) for one in sets], max_boxes=MAX_BOXES), strict=True):
        if region is None:
            yield False
        elif sizes.n is None and not sizes.known:
            yield True
        else:
            solutions = solve(chosen, sizes, first=True, region=region, max_examined=MAX_EXAMINED)
            yield bool(solutions.count or solutions.more)


def _smallest_clashes(statements, sizes):
    tried = 0
    for size in range(1, len(statements) + 1):
        sets = list(islice(combinations(statements, size), MAX_SETS + 1))
        tried += len(sets)
        if tried > MAX_SETS:
            return [_needed(statements, sizes)]
        clashes = [one for one, fits in zip(sets, _satisfied(sets, sizes), strict=True) if not fits]
        if clashes:
            return clashes
    return []


def _needed(statements, sizes):
    """A set that no matrix satisfies, and of which each statement is needed for that."""
    needed = tuple(statements)
    for statement in statements:
        others = tuple(one for one in needed if one is not statement)
        if others and not next(_satisfied([others], sizes)):
            needed = others
    return needed


def _fewest_left_out(statements, sizes):
    if sizes.known and sizes.fakes <= MAX_EXAMINED:
        kept = _largest_overlap(statements, sizes)
        return tuple(one for place, one in enumerate(statements) if place not in kept)
    tried = 0
    for size in range(1, len(statements)):
        sets = list(islice(combinations(range(len(statements)), size), MAX_SETS + 1))
        tried += len(sets)
        if tried > MAX_SETS:
            break
        rests = [tuple(one for place, one in enumerate(statements) if place not in places) for places in sets]
        for places, fits in zip(sets, _satisfied(rests, sizes), strict=True):
            if fits:
                return tuple(statements[place] for place in places)
    return tuple(statements)


def _largest_overlap(statements, sizes):
    """The places of the most statements that one matrix satisfies: of intervals, the most overlap at a lower end."""
    tp = np.arange(sizes.fakes + 1.0)
    rows = (np.full_like(tp, sizes.fakes), np.full_like(tp, sizes.reals), tp)
    intervals = [false_positives(statement, *rows) for statement in statements]
    best: tuple[int, ...] = ()
    for start, end in intervals:
        holds = np.stack([(low <= start) & (start <= high) & (start <= end) for low, high in intervals])
        number = holds.sum(0)
        for kept in np.unique(holds[:, number == number.max()].T, axis=0):
            best = max(best, tuple(np.flatnonzero(kept)), key=lambda places: (len(places), places))
    return best
