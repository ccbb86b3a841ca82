"""A group that fits no single confusion matrix: which reading fits instead, or that none does."""

from dataclasses import dataclass
from math import inf

from results.audit.conflict import WITH_REAL_POSITIVE, explain, misreadings
from results.audit.groups import Group
from results.audit.readings import Reading, class_averages, counts_agree, means
from results.audit.verdicts import CONTRADICTION, NO_SINGLE, RANGE, UNIQUE
from results.audit.wording import counts_text, implied_metrics, implied_value, list_text, sizes_text, solutions_text

MAX_CLASHES = 3  # that a finding names
UNUSUAL = 0.25  # a spread, relative to the mean, that folds or seeds of one detector seldom have
NAMED = ("name", "The row or a metric is named a mean")
UNTRIED = (
    "Whether averages over classes, folds or seeds fit was not searched, because too many rows of the table fit no "
    "single matrix: audit them in a table of their own."
)


@dataclass(frozen=True)
class Effort:
    """How much is searched: other readings, and the smallest clash and the spread that means take."""

    readings: bool = True
    details: bool = True


def explain_unfit(
    group: Group, effort: Effort, remark: str = "", reading: Reading | None = None
) -> tuple[str, list[str], str]:
    """Explain a group of statements that no single matrix prints.

    Args:
        group: the statements.
        effort: what to search for.
        remark: what is known about single matrices, as a sentence.
        reading: what fits, if that is known.

    Returns:
        The headline, the sentences of the detail, and the verdict.
    """
    if group.of_means:
        return _of_printed_means(group, effort)
    if not effort.readings:
        text = f"{group.title}: {list_text(group.statements)} are of no single confusion matrix"
        return text, [remark, UNTRIED], NO_SINGLE
    swapped = None if remark else misreadings(group.statements, group.sizes).get(WITH_REAL_POSITIVE)
    if swapped is not None and group.fold_shares == "any":
        return _with_real_positive(group, swapped)
    unless = " unless digits were cut" if reading else ""
    reading = reading or _find_reading(group, effort)
    clash = _clash(group, remark, effort)
    if reading:
        fit = "they fit" if len(group.statements) > 1 else "it fits"
        text = f"{clash[0]} {clash[1]} of no single confusion matrix{unless}; {fit} as {reading.name}"
        return f"{group.title}: {text}", [*clash[2], _what_it_takes(reading)], NO_SINGLE
    return _contradiction(group, clash)


def _find_reading(group, effort) -> Reading | None:
    if not group.averages:
        return None
    return class_averages(group.statements, group.sizes) or means(
        group.statements, group.sizes, group.fold_shares, effort.details
    )


def _of_printed_means(group, effort):
    """Numbers with a plus-minus sign, or named means: no single matrix is looked for."""
    shown = list_text(group.statements)
    with_spread = any(one.printed.spread for one in group.statements)
    by, why = ("\u00b1", "A number with \u00b1 is a mean, or has a margin of error") if with_spread else NAMED
    why += f"; it was compared with {'means of' if with_spread else 'averages over classes,'} folds or seeds."
    if not effort.readings:
        return f"{group.title}: means by their {by}, {shown}", [why, UNTRIED], NO_SINGLE
    reading = None if with_spread else class_averages(group.statements, group.sizes)
    reading = reading or means(group.statements, group.sizes, group.fold_shares, effort.details)
    if reading:
        headline = f"{group.title}: means by their {by}, so of no single confusion matrix; they fit as {reading.name}"
        unusual = inf if with_spread else UNUSUAL  # the table prints how far they differ
        return headline, [why, _what_it_takes(reading, unusual)], NO_SINGLE
    return f"{group.title}: {shown} cannot hold together", [why, "No averages print them."], CONTRADICTION


def _with_real_positive(group, solutions):
    detail = ["With fake as the positive class no matrix fits.", solutions_text(solutions), implied_metrics(solutions)]
    if solutions.count == 1 and not solutions.more:
        matrix = counts_text(solutions)
        return f"{group.title}: with real as the positive class one confusion matrix fits, {matrix}", detail, UNIQUE
    return f"{group.title}: with real as the positive class {solutions.count:,} confusion matrices fit", detail, RANGE


def _clash(group, remark, effort):
    """The smallest clash in words: the statements, `are` or `is`, sentences; and the Conflict."""
    if remark:
        return list_text(group.statements), "are" if len(group.statements) > 1 else "is", [remark], None
    if not effort.details:
        detail = [f"No confusion matrix {sizes_text(group.sizes)} satisfies them."]
        return list_text(group.statements), "are", detail, None
    conflict = explain(group.statements, group.sizes)
    first, *others = conflict.clashes or [tuple(group.statements)]
    satisfies = "satisfies"
    if len(first) == 1:
        first, others = sum(conflict.clashes, ()), []
        satisfies = "satisfies" if len(first) == 1 else "satisfies any of"
    detail = [f"No confusion matrix {sizes_text(group.sizes)} {satisfies} {list_text(first)}."]
    if others:
        more = f", nor {len(others) - MAX_CLASHES + 1} more such sets" if len(others) >= MAX_CLASHES else ""
        detail.append(f"Nor {'; nor '.join(map(list_text, others[: MAX_CLASHES - 1]))}{more}.")
    return list_text(first), "are" if len(first) > 1 else "is", detail, conflict


def _what_it_takes(reading, unusual=UNUSUAL):
    if reading.solutions is not None:
        return f"As {reading.name}: {solutions_text(reading.solutions)} {implied_metrics(reading.solutions)}".strip()
    takes = f"a run in which some number is about {reading.spread:.0%} or more off its mean"
    takes += ", far more than folds or seeds usually differ" if reading.spread >= unusual else ""
    return f"As {reading.name}: it takes {takes}." if reading.spread else ""


def _contradiction(group, clash):
    numbers, _, detail, conflict = clash
    together = "cannot hold together" if len(group.statements) > 1 else "cannot be true"
    if conflict is None:
        return f"{group.title}: {numbers} {together}", [*detail, _readings_tried(group)], CONTRADICTION
    if conflict.clashes and len(conflict.clashes[0]) == 1:
        together = "cannot be true"
    headline = f"{group.title}: {numbers} {together}"
    for reading, solutions in conflict.readings.items():
        headline += f"; all fits {reading}"
        detail.append(f"With {reading.removeprefix('with ')}: {solutions_text(solutions)} {implied_metrics(solutions)}")
    if conflict.rest is not None and conflict.rest.count and not conflict.readings:
        detail.append(f"Without {list_text(conflict.left_out)} the rest fits: {solutions_text(conflict.rest)}")
        implied = [implied_value(conflict.rest, statement) for statement in conflict.left_out]
        if all(implied):
            headline += f"; by the rest {implied[0]}"
            detail.append(f"Then {', '.join(implied)}.")
    return headline, [*detail, _readings_tried(group)], CONTRADICTION


def _readings_tried(group):
    if not group.averages:
        return "By its source it is one run, so averages were not tried."
    if not counts_agree(group.statements, group.sizes):
        return "The counts do not add up, nor do sums or means over folds."
    return "Nor do macro, weighted or micro averages, or means over folds or seeds, print them together."
