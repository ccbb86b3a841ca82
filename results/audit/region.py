"""Can numbers be those of one confusion matrix of any size? A search through class shares, recalls and specificities.

A confusion matrix of shares is a point of the unit cube: share of fakes, recall, specificity. Every metric rises, or
falls, with recall and with specificity; in the share of fakes it is monotone or has one extreme. So a metric's bounds
over a box are exact, and a box whose bounds exclude a printed number holds no matrix. Boxes are halved until none is
left, or until some are small. Rows of a table are searched together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from results.audit.forms import COUNTS, MISTAKES, PARTS
from results.audit.matrices import Sizes, Statement

CUBE = ((0.0, 1.0), (0.0, 1.0), (0.0, 1.0))  # share of fakes, recall, specificity
MAX_BOXES = 192  # of a row; with more, its numbers leave a wide region
FEW_ROWS = 200  # of a table; with more, their regions are found less narrowly
MAX_STEPS = 60  # halvings of a box: 20 in each direction, to 1e-6
SLACK = 1e-9  # more than rounding errors, so that no matrix is lost
EDGE = 1e-300  # instead of 0 / 0


@dataclass(frozen=True)
class Region:
    """What may print the numbers of one row.

    Args:
        low, high: bounds of the share of fakes, recall and specificity, float64 (3,).
    """

    low: np.ndarray
    high: np.ndarray


def find_region(statements: Sequence[Statement], sizes: Sizes, rule: str | None = None) -> Region | None:
    """The region of one row, see `find_regions`."""
    return find_regions([(statements, sizes)], rule)[0]


def find_regions(
    rows: Sequence[tuple[Sequence[Statement], Sizes]], rule: str | None = None, max_boxes: int = MAX_BOXES
) -> list[Region | None]:
    """The region of each row.

    Args:
        rows: statements about one matrix, and what is known about its class sizes. Counts and AUCs are not used.
        rule: how numbers are rounded, see Printed.range.
        max_boxes: the boxes of a row at which its search ends; fewer for tables of very many rows.

    Returns:
        For each row bounds of all matrices that print its numbers, of any size; None if there is no such matrix.
    """
    metrics = sorted({one.metric for statements, _ in rows for one in statements} - {*COUNTS, "auc"})
    bounds = np.stack([np.full((len(rows), len(metrics)), sign * np.inf) for sign in (-1, 1)])
    boxes = np.tile(np.array(CUBE), (len(rows), 1, 1))  # (rows, 3, 2)
    for place, (statements, sizes) in enumerate(rows):
        for one in statements:
            if one.metric in metrics:
                column, allowed = metrics.index(one.metric), one.printed.range(rule)
                bounds[0, place, column] = max(bounds[0, place, column], float(allowed.low) - SLACK)
                bounds[1, place, column] = min(bounds[1, place, column], float(allowed.high) + SLACK)
        if sizes.fakes is not None and sizes.reals is not None and sizes.fakes + sizes.reals:
            boxes[place, 0] = sizes.fakes / (sizes.fakes + sizes.reals)
    _exclude_other_means(metrics, bounds)
    return _search(metrics, bounds, boxes, max_boxes if len(rows) <= FEW_ROWS else min(max_boxes, MAX_BOXES // 8))


def metric_bounds(metric: str, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and the largest value of a metric over boxes.

    Args:
        metric: one of forms.SHARES, but not `auc`.
        low, high: share of fakes, recall, specificity: float64 (3, boxes).

    Returns:
        Two float64 arrays (boxes,). For averages they may be too wide, but shrink to the value with the box.
    """
    if metric in MISTAKES:
        lower, upper = metric_bounds(MISTAKES[metric], low, high)
        return 1 - upper, 1 - lower
    shares = (low[0], high[0])
    if metric.startswith("weighted"):
        parts = [metric_bounds(part, low, high) for part in PARTS[metric]]
        ends = [[share * parts[0][end] + (1 - share) * parts[1][end] for share in shares] for end in (0, 1)]
        return np.minimum(*ends[0]), np.maximum(*ends[1])
    if metric.startswith(("macro", "f1_of")):
        first, second = (metric_bounds(part, low, high) for part in PARTS[metric])
        mean = _harmonic if metric.startswith("f1_of") else lambda one, other: (one + other) / 2
        return mean(first[0], second[0]), mean(first[1], second[1])
    ends = [[share_value(metric, share, *corner) for share in (*shares, _turn(metric, low[0], high[0], *corner))]
            for corner in (low[1:], high[1:])]  # fmt: skip
    return np.minimum.reduce(ends[0]), np.maximum.reduce(ends[1])


def share_value(metric: str, share: np.ndarray, recall: np.ndarray, specificity: np.ndarray) -> np.ndarray:
    """A metric of matrices of shares; 0 where it is undefined, as in scikit-learn.

    Args:
        metric: accuracy, precision, recall, specificity, f1, precision_real, f1_real, balanced_accuracy, kappa, mcc.
        share: share of fakes.
        recall, specificity: of equal shape.
    """
    tp, tn = share * recall, (1 - share) * specificity
    fn, fp = share - tp, 1 - share - tn
    above, below = {
        "accuracy": lambda: (tp + tn, 1.0),
        "precision": lambda: (tp, tp + fp),
        "recall": lambda: (recall, 1.0),
        "specificity": lambda: (specificity, 1.0),
        "f1": lambda: (2 * tp, 2 * tp + fp + fn),
        "precision_real": lambda: (tn, tn + fn),
        "f1_real": lambda: (2 * tn, 2 * tn + fp + fn),
        "balanced_accuracy": lambda: (recall + specificity, 2.0),
        "kappa": lambda: (2 * (tp * tn - fp * fn), (tp + fp) * (1 - share) + (fn + tn) * share),
        "mcc": lambda: (tp * tn - fp * fn, np.sqrt(np.abs((tp + fp) * (fn + tn) * share * (1 - share)))),
    }[metric]()
    return above / np.maximum(below, EDGE)


def _turn(metric, low, high, recall, specificity):
    """The share of fakes, within its bounds, at which kappa or Matthews' correlation is extreme."""
    if metric not in ("kappa", "mcc"):
        return low
    misses, alarms = 1 - recall, 1 - specificity
    ratio = (alarms, misses) if metric == "kappa" else (alarms * specificity, misses * recall)
    first, second = map(np.sqrt, ratio)
    turn = np.where(first + second > 0, first / np.maximum(first + second, EDGE), 0.5)  # 0.5: constant between 0 and 1
    return np.clip(turn, low, high)


def _harmonic(first, second):
    return 2 * first * second / np.maximum(first + second, EDGE)


def _exclude_other_means(metrics, bounds):
    """Exclude rows whose F1 is not the harmonic mean of precision and recall, which boxes of few fakes do not show."""
    for names in (("precision", "recall", "f1"), ("precision_real", "specificity", "f1_real")):
        if set(names) <= set(metrics):
            *parts, f1 = (np.clip(bounds[..., metrics.index(name)], 0, 1) for name in names)
            least, most = _harmonic(parts[0][0], parts[1][0]), _harmonic(parts[0][1], parts[1][1])
            bounds[0, (least > f1[1] + SLACK) | (most < f1[0] - SLACK), metrics.index(names[2])] = np.inf


def _search(metrics, bounds, boxes, max_boxes):
    rows = len(boxes)
    found: list[Region | None] = [None] * rows
    owner = np.arange(rows)
    for _ in range(MAX_STEPS):
        if not len(owner):
            break
        keep = _may_print(metrics, bounds, boxes, owner)
        boxes, owner = boxes[keep], owner[keep]
        crowded = np.bincount(owner, minlength=rows)[owner] > max_boxes
        _collect(found, boxes[crowded], owner[crowded])
        boxes, owner = boxes[~crowded], owner[~crowded]
        widths = boxes[..., 1] - boxes[..., 0]
        widest = widths.argmax(1)
        middle = boxes.mean(2)[np.arange(len(boxes)), widest]
        halves = np.concatenate([boxes, boxes])
        halves[np.arange(len(boxes)), widest, 1] = middle
        halves[len(boxes) + np.arange(len(boxes)), widest, 0] = middle
        boxes, owner = halves, np.concatenate([owner, owner])
    keep = _may_print(metrics, bounds, boxes, owner) if len(owner) else np.zeros(0, bool)
    _collect(found, boxes[keep], owner[keep])
    return found


def _may_print(metrics, bounds, boxes, owner):
    """Which boxes no metric excludes."""
    alive = np.arange(len(boxes))
    for column, metric in enumerate(metrics):
        low, high = boxes[alive, :, 0].T, boxes[alive, :, 1].T
        lower, upper = metric_bounds(metric, low, high)
        at_least, at_most = bounds[0, owner[alive], column], bounds[1, owner[alive], column]
        alive = alive[(upper >= at_least) & (lower <= at_most)]
    keep = np.zeros(len(boxes), bool)
    keep[alive] = True
    return keep


def _collect(found, boxes, owner):
    for row in np.unique(owner):
        own = boxes[owner == row]
        found[row] = Region(own[..., 0].min(0), own[..., 1].max(0))
