"""Which printed numbers were not rounded half-up, if a confusion matrix fits only then."""

from collections.abc import Sequence

import numpy as np

from results.audit.forms import SHARES
from results.audit.intervals import false_positives
from results.audit.matrices import Sizes, Solutions, Statement
from results.audit.printed import RULES
from results.audit.solver import solve

PLAUSIBLE_SHARE = 0.2  # of a table's numbers that may differ from the rule of the others, but one may in any table


def not_half_up(
    statements: Sequence[Statement], sizes: Sizes, solutions: Solutions | None = None
) -> tuple[Statement, ...]:
    """The fewest statements that were not rounded half-up, if all others were.

    Args:
        statements: the printed metrics.
        sizes: what is known about the class sizes.
        solutions: all matrices that fit under any rule; None: they are searched.

    Returns:
        The smallest such set, in the table's order; empty if no matrix fits.
    """
    return _exceptions(statements, solutions or solve(statements, sizes), RULES[0])


def is_plausible(statements: Sequence[Statement], solutions: Solutions) -> bool:
    """Whether one rule printed all numbers, but for a few: all were rounded, or all were cut.

    Args:
        statements: the printed metrics.
        solutions: all matrices that fit under any rule.
    """
    allowed = max(1, int(PLAUSIBLE_SHARE * sum(statement.metric in SHARES for statement in statements)))
    return any(len(_exceptions(statements, solutions, rule)) <= allowed for rule in (RULES[0], RULES[2]))


def _exceptions(statements, solutions, rule):
    """The fewest statements that a matrix of the solutions does not print under the rule.

    The most intervals of false positives overlap at the lower end of one of them, or of the solution's own.
    """
    if not solutions.count:
        return ()
    rows = tuple(column.astype(float) for column in solutions.columns[:3])
    intervals = [false_positives(statement, *rows, rule) for statement in statements]
    best: tuple[Statement, ...] = tuple(statements)
    for start in (solutions.low, *(low for low, _ in intervals)):
        fp = np.clip(start, solutions.low, solutions.high)
        printed = np.stack([(low <= fp) & (fp <= high) for low, high in intervals])
        row = printed.sum(0).argmax()
        exceptions = tuple(one for one, fits in zip(statements, printed[:, row], strict=True) if not fits)
        best = min(best, exceptions, key=len)
    return best
