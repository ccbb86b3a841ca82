"""Which confusion matrices print a set of numbers? All of them, exactly, without looking at each one.

A matrix is (fakes, reals, true positives, false positives), four integers. For each (fakes, reals, true positives), a
row, a statement allows one interval of false positives (results.audit.intervals). The intersections are the answer.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from results.audit.forms import NOT_LINEAR, linear
from results.audit.intervals import EMPTY, auc_exists, false_positives
from results.audit.matrices import Sizes, Solutions, Statement
from results.audit.region import Region

BLOCK = 1 << 18  # rows at a time, so that they fit into the cache
BATCH = 1 << 14  # pairs of class sizes at a time
MAX_ROWS = 5_000_000  # of solutions; with more, the printed numbers say too little to be worth a longer search
MAX_EXAMINED = 20_000_000  # rows; a longer search would take more than seconds
FEW_ROWS = 100_000  # whose examination costs less than narrower bounds of the true positives
SLACK = 1e-6  # more than the rounding errors of the bounds of the true positives


def solve(
    statements: Sequence[Statement],
    sizes: Sizes | None,
    rule: str | None = None,
    within: Solutions | None = None,
    first: bool = False,
    region: Region | None = None,
    max_examined: int = MAX_EXAMINED,
) -> Solutions:
    """Find every matrix whose metrics print as the statements say.

    Args:
        statements: the printed metrics.
        sizes: what is known about the class sizes; not used if `within` is given.
        rule: one of printed.RULES, for all numbers; None: each number may have been rounded by any of them.
        within: Solutions of some of the statements, to search only among these.
        first: stop at the first block of rows with a solution.
        region: where all solutions are, from results.audit.region.
        max_examined: rows after which the search stops; `more` is then set.

    Returns:
        The Solutions. Very large numbers may give too many (see results.audit.intervals), but never too few.
    """
    blocks: Iterable[tuple[np.ndarray, ...]]
    if within is not None:
        blocks = [tuple(column.astype(float) for column in within.columns[:3])]
    else:
        blocks = row_blocks(statements, sizes or Sizes(), rule, region)
    found, rows, examined = [], 0, 0
    for block in blocks:
        if examined > max_examined:
            break
        examined += len(block[0])
        solved = _solve_block(statements, block, rule)
        if len(solved[0]):
            found.append(solved)
            rows += len(solved[0])
            if first or rows > MAX_ROWS:
                break
    columns = [np.concatenate(column) for column in zip(*found, strict=True)] if found else [np.empty(0)] * 5
    fakes, reals, tp, low, high = (column.astype(np.int64) for column in columns)
    return Solutions(fakes, reals, tp, low, high, more=rows > MAX_ROWS or (within is None and examined > max_examined))


def row_blocks(
    statements: Sequence[Statement], sizes: Sizes, rule: str | None = None, region: Region | None = None
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield the rows that the statements, taken as inequalities of real numbers, do not exclude.

    Args:
        statements: the printed metrics.
        sizes: what is known about the class sizes.
        rule: one of printed.RULES; None: any of them.
        region: where all solutions are; None: anywhere.

    Yields:
        Blocks of rows: fakes, reals, tp, float64 (rows,).
    """
    shares = (region.low[0], region.high[0]) if region else (0.0, 1.0)
    for fakes, reals in _batches(sizes.pairs(shares)):
        for statement in statements:
            if statement.metric == "auc":
                keep = auc_exists(statement.printed.range(rule), statement.ties, fakes * reals)
                fakes, reals = fakes[keep], reals[keep]
        low, high = _within(region, fakes)
        if not region or (high - low).sum() > FEW_ROWS:
            lower, upper = true_positives(statements, fakes, reals, rule)
            low, high = np.maximum(low, lower), np.minimum(high, upper)
        counts = np.maximum(high - low + 1, 0).astype(np.int64)
        for start, stop in _chunks(counts):
            times = counts[start:stop]
            first = np.repeat(np.cumsum(times) - times, times)
            tp = np.repeat(low[start:stop], times) + np.arange(times.sum()) - first
            if len(tp):
                yield np.repeat(fakes[start:stop], times), np.repeat(reals[start:stop], times), tp


def true_positives(
    statements: Sequence[Statement], fakes: np.ndarray, reals: np.ndarray, rule: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the true positives that the statements allow.

    With the sizes given, each statement is two linear inequalities g tp + h fp >= w. The false positives are eliminated
    from each pair of inequalities (Fourier and Motzkin). The bounds may be too wide, but never too narrow.

    Args:
        statements: the printed metrics.
        fakes, reals: class sizes, float64 (pairs,).
        rule: one of printed.RULES; None: any of them.

    Returns:
        The smallest and the largest number of true positives, float64 (pairs,).
    """
    low, high, zero = np.zeros_like(fakes), fakes.copy(), np.zeros_like(fakes)
    inequalities = [(zero, zero + 1, zero), (zero, zero - 1, -reals)]  # 0 <= fp <= reals
    for statement in statements:
        if statement.metric != "auc" and statement.metric not in NOT_LINEAR:
            inequalities += _inequalities(statement, fakes, reals, rule)
    for g, h, w in inequalities:
        low, high = _narrow(low, high, h == 0, g, w)
    for g, h, w in inequalities:
        for other_g, other_h, other_w in inequalities:
            opposed = (h > 0) & (other_h < 0)
            if opposed.any():
                low, high = _narrow(low, high, opposed, h * other_g - other_h * g, h * other_w - other_h * w)
    return np.ceil(low - SLACK), np.floor(high + SLACK)


def _within(region, fakes):
    """The bounds of the true positives that a region sets."""
    if not region:
        return np.zeros_like(fakes), fakes
    low, high = np.ceil(region.low[1] * fakes - SLACK), np.floor(region.high[1] * fakes + SLACK)
    return np.maximum(low, 0), np.minimum(high, fakes)


def _solve_block(statements, block, rule):
    """The rows of a block that satisfy all statements: fakes, reals, tp, and the bounds of the false positives."""
    low, high = np.zeros_like(block[2]), block[1].copy()
    for statement in statements:
        lower, upper = false_positives(statement, *block, rule)
        low, high = np.maximum(low, lower), np.minimum(high, upper)
        keep = low <= high
        if not keep.all():
            block, low, high = tuple(column[keep] for column in block), low[keep], high[keep]
        if not len(low):
            break
    return *block, low, high


def _batches(pairs: Iterable[tuple[np.ndarray, np.ndarray]]):
    """The pairs of class sizes, many totals at a time."""
    pending, number = [], 0
    for pair in pairs:
        pending.append(pair)
        number += len(pair[0])
        if number >= BATCH:
            yield tuple(np.concatenate(column) for column in zip(*pending, strict=True))
            pending, number = [], 0
    if pending:
        yield tuple(np.concatenate(column) for column in zip(*pending, strict=True))


def _chunks(counts):
    """Cut the class sizes so that a chunk has about BLOCK rows."""
    edges = np.searchsorted(np.cumsum(counts), np.arange(BLOCK, counts.sum(), BLOCK))
    edges = np.unique([0, *(edges + 1), len(counts)])
    return zip(edges[:-1], edges[1:], strict=True)


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
