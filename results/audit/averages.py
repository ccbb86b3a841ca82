"""Can numbers be means over several confusion matrices, such as folds, seeds or data sets?

The means of metrics over any number of matrices are the convex hull of the metrics of one matrix. Whether a point is in
it is a linear program over matrices, which are added where they help most (column generation). The answer `no` holds
for any number of matrices and any weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from results.audit.forms import COUNTS
from results.audit.matrices import Statement
from results.audit.region import metric_bounds

TICKS = np.array([0, 0.001, 0.004, 0.01, 0.02, 0.035, 0.06, 0.1, 0.15, 0.21, 0.28, 0.36, 0.43])
GRID = np.unique(np.concatenate([TICKS, [0.5], 1 - TICKS]))
SHARE_STEPS = 7  # of a narrow range of class shares
START, ADDED = 60, 16  # matrices of the grid in the first linear program, and added to each further one
MAX_PROGRAMS = 25
SCALES = (0.5, 0.25, 0.12, 0.06, 0.03, 0.015, 0.007, 0.003, 0.001)  # of the clouds around the nearest single matrix
CLOUD = 40  # matrices in a cloud
FITS, MISSES = 0.02, 0.05  # steps of the last digit: at most, and at least, what a fit, and a misfit, is off
ROUNDS, NEIGHBOURS = 10, 12  # of the search near the best matrices of the grid
SPREADS = (0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.45, 0.7, 1.0)


@dataclass(frozen=True)
class Restriction:
    """Which matrices a mean may be over.

    Args:
        shares: the smallest and the largest share of fakes.
        zero: cells (tp, fp, fn, tn) that are empty in all matrices.
        spread: the most that a metric of a matrix is off its mean.
    """

    shares: tuple[float, float] = (0.0, 1.0)
    zero: tuple[str, ...] = ()
    spread: float = 1.0


def is_mean(statements: Sequence[Statement], restriction: Restriction, rule: str = "mean") -> bool:
    """Whether the printed numbers may be means over matrices.

    Args:
        statements: the printed metrics; counts and AUCs are not used.
        restriction: which matrices are allowed.
        rule: how the means are rounded, see Printed.range.

    Returns:
        Whether a set of matrices with weights prints them; True if that could not be decided.
    """
    program = _Program([one for one in statements if one.metric not in (*COUNTS, "auc")], restriction, rule)
    return program.solve() < MISSES


def least_spread(statements: Sequence[Statement], restriction: Restriction) -> float:
    """The least spread of SPREADS, how far a metric of one matrix is off its mean, with which numbers may be means."""
    low, high = 0, len(SPREADS) - 1
    while low < high:
        middle = (low + high) // 2
        narrow = Restriction(restriction.shares, restriction.zero, SPREADS[middle])
        low, high = (low, middle) if is_mean(statements, narrow) else (middle + 1, high)
    return SPREADS[low]


class _Program:
    """The linear program: the least misfit of a mean, in steps of the last digits."""

    def __init__(self, statements, restriction, rule):
        self.metrics = [one.metric for one in statements]
        allowed = [one.printed.range(rule) for one in statements]
        self.low = np.array([float(one.low) for one in allowed])
        self.high = np.array([float(one.high) for one in allowed])
        self.unit = np.array([float(one.printed.unit) for one in statements])
        self.restriction = restriction
        self.points = self._allowed(_grid(restriction))
        self.values = self._metrics(self.points)

    def solve(self):
        """The misfit: 0 if the numbers may be means."""
        if not len(self.points):
            return np.inf
        columns = self._start()
        misfit = np.inf
        for _ in range(MAX_PROGRAMS):
            misfit, direction, offset = self._linear_program(columns)
            if misfit <= FITS:
                return misfit
            added = self._best(direction)
            helps = (added * direction).sum(1) - offset < -1e-9 * max(1, np.abs(direction).max())
            if not helps.any():
                return misfit
            columns = np.concatenate([columns, added[helps]])
        return 0.0  # undecided

    def _start(self):
        """Metrics of the matrices nearest to the printed numbers, and of clouds around the very nearest."""
        middle = (self.low + self.high) / 2
        order = np.argsort(np.abs(self.values - middle).max(1))[:START]
        random, nearest = np.random.default_rng(0), self.points[order[:1]]
        clouds = []
        for scale in SCALES:
            near = np.concatenate([nearest, nearest + scale * random.uniform(-1, 1, (2 * CLOUD, 3))])
            near = self._allowed(near.clip(*self._box().T), keep=True)
            near = near[self._in_spread(near)]
            if len(near):
                clouds.append(near)
                nearest = near[np.abs(self._metrics(near) - middle).max(1).argmin()][None]
        return self._metrics(np.concatenate([self.points[order], *clouds]))

    def _linear_program(self, columns):
        number = len(columns)
        below = np.concatenate([-columns.T, columns.T])
        matrix = np.concatenate([below, -np.tile(self.unit, 2)[:, None]], 1)
        solved = linprog(
            np.append(np.zeros(number), 1.0),
            A_ub=matrix / np.tile(self.unit, 2)[:, None],
            b_ub=np.concatenate([-self.low, self.high]) / np.tile(self.unit, 2),
            A_eq=np.append(np.ones(number), 0.0)[None],
            b_eq=[1.0],
            method="highs",
        )
        prices = solved.ineqlin.marginals.reshape(2, -1) / self.unit
        return solved.fun, prices[0] - prices[1], solved.eqlin.marginals[0]

    def _best(self, direction):
        """Metrics of the matrices that lower the misfit most: those of the grid, and better ones near them."""
        costs = (self.values * direction).sum(1)
        order = np.argsort(costs)[:ADDED]
        points, best = self.points[order], costs[order]
        step = 0.08
        random = np.random.default_rng(0)
        for _ in range(ROUNDS):
            near = points[:, None] + step * random.uniform(-1, 1, (len(points), NEIGHBOURS, 3))
            near = self._allowed(near.reshape(-1, 3).clip(*self._box().T), keep=True).reshape(len(points), -1, 3)
            near_costs = (self._metrics(near.reshape(-1, 3)) * direction).sum(1).reshape(len(points), -1)
            near_costs = np.where(self._in_spread(near.reshape(-1, 3)).reshape(near_costs.shape), near_costs, np.inf)
            place = near_costs.argmin(1)
            rows = np.arange(len(points))
            better = near_costs[rows, place] < best
            points = np.where(better[:, None], near[rows, place], points)
            best = np.where(better, near_costs[rows, place], best)
            step *= 0.6
        return self._metrics(np.unique(np.concatenate([points, self.points[order]]), axis=0))

    def _box(self):
        return np.array([self.restriction.shares, (0, 1), (0, 1)], float)

    def _allowed(self, points, keep=False):
        """The points that the restriction allows, or (keep) the nearest ones as far as empty cells are concerned."""
        points = points.copy()
        for cell, axis, end in (("fn", 1, 1), ("tp", 1, 0), ("fp", 2, 1), ("tn", 2, 0)):
            if cell in self.restriction.zero:
                points[:, axis] = end
        return points if keep else np.unique(points[self._in_spread(points)], axis=0)

    def _in_spread(self, points):
        if self.restriction.spread >= 1:
            return np.ones(len(points), bool)
        off = np.abs(self._metrics(points) - (self.low + self.high) / 2)
        return (off <= self.restriction.spread).all(1)

    def _metrics(self, points):
        columns = points.T
        return np.stack([metric_bounds(metric, columns, columns)[0] for metric in self.metrics], 1)


def _grid(restriction):
    low, high = restriction.shares
    shares = low + (high - low) * (GRID if high - low > 0.3 else np.linspace(0, 1, SHARE_STEPS))
    return np.stack(np.meshgrid(np.unique(shares), GRID, GRID, indexing="ij"), -1).reshape(-1, 3)
