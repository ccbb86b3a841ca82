"""What the numbers of a row may be if they are of no single confusion matrix: averages over classes, folds or seeds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import sqrt

from results.audit.averages import Restriction, is_mean, least_spread
from results.audit.forms import COUNTS
from results.audit.matrices import Sizes, Solutions, Statement
from results.audit.region import find_region
from results.audit.solver import solve

SAME = ("accuracy", "error_rate", "kappa", "mcc", "balanced_accuracy")  # of either class, and on average
ONE_CLASS = ("specificity", "miss_rate", "false_alarm_rate")  # also printed of one class beside averages
CLASS_AVERAGES = {
    "macro averages": {"precision": "macro_precision", "recall": "balanced_accuracy", "f1": "macro_f1"},
    "weighted averages": {"precision": "weighted_precision", "recall": "accuracy", "f1": "weighted_f1"},
    "macro averages, with F1 of the averaged precision and recall": {
        **{"precision": "macro_precision", "recall": "balanced_accuracy", "f1": "f1_of_macro"},
    },
    "weighted averages, with F1 of the averaged precision and recall": {
        **{"precision": "weighted_precision", "recall": "accuracy", "f1": "f1_of_weighted"},
    },
    "micro averages": dict.fromkeys(("precision", "recall", "f1"), "accuracy"),
}
SPECIFICITIES = {"macro": "balanced_accuracy", "weighted": "weighted_specificity", "micro": "accuracy"}
MAX_EXAMINED = 2_000_000  # matrices' rows for each of them
FOLD_SHARES = ("any", "random", "same")
MOST_FOLDS = 10  # whose class shares are random
SIGMAS = 4


@dataclass(frozen=True)
class Reading:
    """How the numbers may be read.

    Args:
        name: `macro averages`, ..., `means of folds or seeds`.
        solutions: the matrices of averages over classes; None for means.
        spread: how far a number of a fold or seed is off its mean, at least; 0 if that is not known.
    """

    name: str
    solutions: Solutions | None = None
    spread: float = 0.0


def class_averages(
    statements: Sequence[Statement], sizes: Sizes, rules: Sequence[str | None] = (None,)
) -> Reading | None:
    """The averages over the two classes that one matrix prints, rounded by one of the rules; None if there are none."""
    for name, read in _as_class_averages(statements):
        region = find_region(read, sizes)
        for rule in rules if region is not None else ():
            solutions = solve(read, sizes, rule, region=region, max_examined=MAX_EXAMINED)
            if solutions.count or solutions.more or not (sizes.known or sizes.n or rule):
                return Reading(name, solutions)
    return None


def means(
    statements: Sequence[Statement], sizes: Sizes, fold_shares: str, explain: bool = True, strict: bool = False
) -> Reading | None:
    """Means over folds, seeds or data sets, of one class or averaged over both; None if there are none.

    Args:
        statements: the printed metrics.
        sizes: what is known about the class sizes.
        fold_shares: the share of fakes in a fold, one of FOLD_SHARES: `any`, as in `random` folds of one test set, or
            the `same` in all.
        explain: whether to search for the spread that it takes.
        strict: whether the means were rounded once, and random folds are stratified.
    """
    if not counts_agree(statements, sizes):
        return None
    zero = tuple(one.metric for one in statements if one.metric in COUNTS[:4] and not one.printed.value)
    restriction = Restriction(_shares(sizes, fold_shares, strict), zero)
    candidates = [("means of folds or seeds", list(statements))]
    if fold_shares != "any":  # otherwise the matrices of other class shares include them
        candidates += [(f"means of folds or seeds of {name}", read) for name, read in _as_class_averages(statements)]
        candidates = [(name, _with_counts(read, sizes)) for name, read in candidates]
    for name, read in candidates:
        if is_mean(read, restriction, "inner" if strict else "mean"):
            return Reading(name, spread=least_spread(read, restriction) if explain else 0.0)
    return None


def counts_agree(statements: Sequence[Statement], sizes: Sizes) -> bool:
    """Whether the counts, which add up over folds too, agree with each other and with the class sizes."""
    counts = [one for one in statements if one.metric in COUNTS and one.printed.exact]
    if not counts:
        return True
    region = find_region([], sizes)
    solutions = solve(counts, sizes, first=True, region=None if len(counts) > 1 else region)
    return bool(solutions.count or solutions.more)


def _as_class_averages(statements: Sequence[Statement]) -> Iterator[tuple[str, list[Statement]]]:
    """Each of CLASS_AVERAGES, with a specificity of one class and with an averaged one, as (name, statements)."""
    metrics = {one.metric for one in statements}
    for name, averaged in CLASS_AVERAGES.items():
        if not metrics & set(averaged) or not metrics <= {*averaged, *SAME, *ONE_CLASS, *COUNTS}:
            continue
        if "F1 of the" in name and "f1" not in metrics:
            continue
        options = [averaged]
        if "specificity" in metrics:
            options.append({**averaged, "specificity": SPECIFICITIES[name.split()[0]]})
        for option in options:
            yield name, [replace(one, metric=option.get(one.metric, one.metric)) for one in statements]


def _with_counts(statements, sizes):
    """The statements, with the rates that counts of known class sizes are."""
    if not sizes.known:
        return statements
    rates = {"tp": ("recall", sizes.fakes), "fp": ("false_alarm_rate", sizes.reals)}
    added = []
    for one in statements:
        if one.metric in rates and one.printed.exact and rates[one.metric][1]:
            metric, size = rates[one.metric]
            printed = replace(one.printed, value=one.printed.value / size)
            added.append(replace(one, metric=metric, printed=replace(printed, unit=printed.unit / size)))
    return [*statements, *added]


def _shares(sizes, fold_shares, strict):
    """The smallest and the largest share of fakes in a fold."""
    if fold_shares == "any" or not sizes.known:
        return (0.0, 1.0)
    n = sizes.fakes + sizes.reals
    share = sizes.fakes / n
    off = SIGMAS * sqrt(share * (1 - share) * MOST_FOLDS / n) if fold_shares == "random" and not strict else 0.0
    return max(0.0, share - off), min(1.0, share + off)
