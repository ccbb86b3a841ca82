"""Confusion matrices, ranges and lists of printed numbers, in words."""

from collections.abc import Sequence

import numpy as np

from common.evaluation.intervals import wilson
from results.audit.forms import SHARES, metric_text
from results.audit.matrices import Sizes, Solutions, Statement

IMPLIED = ("accuracy", "balanced_accuracy", "kappa", "precision", "recall", "false_alarm_rate")
NARROW_RANGE = 0.1  # the width below which a range is worth a headline


def counts_text(solutions: Solutions) -> str:
    """The first matrix: `TP 12, FP 3, FN 0, TN 9`."""
    return ", ".join(f"{metric_text(name)} {count}" for name, count in solutions.first_matrix().items())


def range_text(solutions: Solutions, metric: str) -> str:
    """The range of a metric over all matrices, in digits of its kind."""
    low, high = solutions.range(metric)
    text = (lambda number: f"{number:.4f}") if metric in SHARES else (lambda number: f"{number:.0f}")
    return text(low) if text(low) == text(high) else f"{text(low)} to {text(high)}"


def solutions_text(solutions: Solutions) -> str:
    """What the matrices are, as a sentence."""
    if solutions.more:
        return (
            f"More than {solutions.count:,} matrices." if solutions.count else "Too many matrices to search them all."
        )
    if not solutions.count:
        return "No test set of up to 1000 images, but larger ones."
    if solutions.count == 1:
        return f"{counts_text(solutions)}."
    if len(solutions.totals) > 1:
        return totals_text(solutions)
    ranges = ", ".join(f"{metric_text(name)} {range_text(solutions, name)}" for name in ("tp", "fp", "fn", "tn"))
    return f"{solutions.count:,} matrices, {ranges}."


def totals_text(solutions: Solutions) -> str:
    """The totals of images that fit, and the smallest of them, as sentences."""
    totals = solutions.totals
    smallest = solutions.of_total(totals[0])
    unequal = (solutions.fakes + solutions.reals)[solutions.fakes != solutions.reals].min(initial=totals[-1] + 1)
    classes = ", all with equal classes" if unequal > totals[-1] else f", below n = {unequal} with equal classes"
    classes = "" if unequal == totals[0] else classes
    low, high = wilson(round(smallest.range("accuracy")[0] * totals[0]), int(totals[0]))
    return (
        f"{len(totals)} totals up to {totals[-1]} fit ({first_few(totals, 12)}){classes}. "
        f"The smallest, n = {totals[0]}: {solutions_text(smallest)} "
        f"The 95 % interval of its accuracy is {low:.4f} to {high:.4f}."
    )


def implied_metrics(solutions: Solutions) -> str:
    """What the matrices say, also if the paper does not: metrics, the majority baseline, Wilson's interval."""
    if len(solutions.totals) != 1 or solutions.more:
        return ""
    implied = [f"{metric_text(metric)} {range_text(solutions, metric)}" for metric in IMPLIED]
    n = int(solutions.totals[0])
    larger = max(solutions.range("fakes")[1], solutions.range("reals")[1])
    if solutions.range("fakes")[0] == solutions.range("fakes")[1]:
        implied.append(f"majority baseline {larger / n:.4f}")
    low, high = solutions.range("accuracy")
    interval = wilson(round(low * n), n)[0], wilson(round(high * n), n)[1]
    return f"It follows: {', '.join(implied)}; 95 % interval of the accuracy {interval[0]:.4f} to {interval[1]:.4f}."


def implied_value(rest: Solutions, statement: Statement) -> str:
    """The value that the solutions of the other numbers imply for one that was left out; empty if it says little."""
    if statement.metric == "auc" or len(rest.totals) > 1 or rest.more:
        return ""
    low, high = rest.range(statement.metric)
    return f"{statement.label} is {range_text(rest, statement.metric)}" if high - low < NARROW_RANGE else ""


def one_class_sizes(solutions: Solutions) -> Sizes | None:
    """The class sizes, if all solutions have the same; otherwise None."""
    pairs = np.unique(np.stack([solutions.fakes, solutions.reals], 1), axis=0)
    return Sizes(*map(int, pairs[0])) if len(pairs) == 1 else None


def sizes_text(sizes: Sizes) -> str:
    """The images of a test set: `of 24 images`."""
    if sizes.known:
        return f"of {sizes.fakes} fake and {sizes.reals} real images"
    return f"of {sizes.n} images" if sizes.n else "of any number of images"


def list_text(statements: Sequence[Statement]) -> str:
    """Statements as `accuracy 0.9, recall 0.8 and f1 0.7`."""
    return " and ".join([", ".join(map(str, statements[:-1])), str(statements[-1])]).removeprefix(" and ")


def first_few(numbers: Sequence, most: int = 6) -> str:
    """The first numbers, and dots if there are more."""
    return ", ".join(map(str, numbers[:most])) + (", ..." if len(numbers) > most else "")
