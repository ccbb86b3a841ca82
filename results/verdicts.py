"""The verdict on a measured number beside a published one.

First it is decided whether both were measured in the same way: data, preset, protocol, weights. Only then are they
compared, by the 95 % interval of their difference (`results.differences`).

    reproduced    the interval lies within the margin (an equivalence test: Schuirmann 1987, doi:10.1007/BF01068419)
    better, worse it excludes 0, also after Holm's correction (1979, doi:10.2307/4615733) over all claims of the paper
    inconclusive  neither, and what n or how many seeds would decide it

A confusion matrix is one claim. It is tested by the two rates that determine it: reproduced if both are, which needs no
correction (an intersection-union test: Berger 1982, doi:10.1080/00401706.1982.10487790); better or worse if one is,
each at half the error.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose
from typing import Any

import pandas as pd

from common.conditions import (
    DATA_CONDITIONS,
    DEVICE_CONDITIONS,
    SYNTHETIC_DATA,
    WEIGHT_CONDITIONS,
    has_condition,
    is_synthetic,
)
from results.claims import CLAIMED_KINDS
from results.differences import ERROR, Difference
from results.tables import published_folder

MARGIN = 0.02  # of equivalence: 2 points
LOWER_IS_BETTER = frozenset(
    ("eer", "brier", "log_loss", "calibration_error", "false_alarm_rate", "miss_rate", "error_rate", "fp", "fn")
)
PART_OF_CLAIM = "part of a claim"
PROTOCOL_NOTE = re.compile(r"^protocol (\w+(?: or \w+)*)$")
ROUNDING_ERROR = 1e-12  # of the floating-point numbers that are compared

ProtocolsByRow = dict[tuple[str, str], tuple[str, ...]]


@dataclass(frozen=True)
class Rate:
    """A number that a claim is tested by.

    Args:
        row: the row of the table that it is in.
        metric: its metric, which gives its direction.
        difference: ours minus theirs.
        margin: within which it is reproduced.
    """

    row: str
    metric: str
    difference: Difference
    margin: float

    @property
    def advantage(self) -> int:
        """1 if ours is better, -1 if it is worse, 0 if the 95 % interval holds 0."""
        return self.difference.sign() * (-1 if self.metric in LOWER_IS_BETTER else 1)


def verdict_without_test(row: Any) -> str:
    """The verdict on one row of the comparison that needs no test; empty if the row is to be tested.

    Args:
        row: an object with the attributes

            published     the published value, NaN if the number is not in the paper
            below, above  how far the exact value may be from what is printed, downwards and upwards
            protocols     the protocols that the paper's number may be measured by, empty if unknown
            ours          whether we have measured the number
            kind          `metric`, `count`, `size` or `setting`; empty if the number is not in the paper
            value, n, dataset, protocol, preset, note: as `aggregate_seeds` returns them

    Returns:
        `not comparable: <why>`, `as published`, `not run`, `not published`, or an empty string.
    """
    if pd.isna(row.published):
        return "not published"
    if row.kind == "setting":  # chosen, not measured
        same = not row.ours or isclose(row.value, row.published)
        return "as published" if same else f"not comparable: set to {row.value:g}"
    if not row.ours:
        return "not run"
    if reasons := [reason for reason, applies in _obstacles(row).items() if applies]:
        return "not comparable: " + "; ".join(reasons)
    if row.kind in CLAIMED_KINDS:
        return ""
    difference = row.value - row.published  # of sizes, which have no error and no direction
    same = -row.below - ROUNDING_ERROR <= difference <= row.above + ROUNDING_ERROR
    return "as published" if same else f"not comparable: ours is {row.value:.10g}"


def joint_p_value(rates: Sequence[Rate]) -> float:
    """Return the p-value of no difference in any rate of one claim, by Bonferroni."""
    return min(1.0, len(rates) * min(rate.difference.p_value() for rate in rates))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number, so that one false rejection among all of them is as rare as one alone.

    Source: Holm 1979, doi:10.2307/4615733.

    Args:
        p_values: of m tests.

    Returns:
        The corrected p-values, in the same order.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected, largest = [1.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        corrected[index] = largest
    return corrected


def verdict(rates: Sequence[Rate], p_value: float, tests: int = 1) -> str:
    """The verdict on a claim.

    Args:
        rates: what it is tested by: itself, or the rates of a matrix.
        p_value: of no difference, corrected for all tests of the family.
        tests: how many tests the family has.

    Returns:
        `reproduced`, `better`, `worse` or `inconclusive: <why>`.
    """
    if all(rate.difference.within(rate.margin) for rate in rates):
        return "reproduced"
    advantages = {rate.advantage for rate in rates} - {0}
    if p_value <= ERROR and advantages == {1}:
        return "better"
    if p_value <= ERROR and advantages == {-1}:
        return "worse"
    if p_value <= ERROR:
        return "inconclusive: one rate is better, the other is worse"
    widest = max(rates, key=lambda rate: rate.difference.strain(rate.margin))
    needs = widest.difference.needs(widest.margin)
    if not advantages:
        return f"inconclusive: {needs}"
    return f"inconclusive: no difference that holds among {tests} tests; {needs}"


def read_protocols(paper: str) -> ProtocolsByRow:
    """Read by which protocols a paper's numbers were measured.

    They are the findings `protocol A` or `protocol A or B` in results/published/<paper>_notes.csv, each with its
    source. There is none where a paper does not say.

    Args:
        paper: one of `results.tables.known_papers()`.

    Returns:
        {(table, row): protocols}. An empty row stands for all rows of the table, an empty table for all tables.
    """
    path = published_folder() / f"{paper}_notes.csv"
    if not path.is_file():
        return {}
    notes = pd.read_csv(path, dtype=str, keep_default_na=False)
    found = notes["finding"].str.extract(PROTOCOL_NOTE, expand=False)
    named = zip(notes["table"], notes["row"], found, strict=True)
    return {(table, row): tuple(names.split(" or ")) for table, row, names in named if isinstance(names, str)}


def protocols_of(protocols: ProtocolsByRow, table: str, row: str) -> tuple[str, ...]:
    """The protocols of one row: those of the row itself, else of its table, else of the paper; empty if unknown.

    Args:
        protocols: what `read_protocols` returned.
        table: name of the table.
        row: name of the row.
    """
    return protocols.get((table, row)) or protocols.get((table, "")) or protocols.get(("", ""), ())


def _obstacles(row):
    """{why the row is not comparable: whether this applies}. A number over no images, as an epoch, has no protocol."""
    other_protocol = row.protocols and row.protocol not in row.protocols and not pd.isna(row.n)
    return {
        SYNTHETIC_DATA: is_synthetic(row.dataset),
        **{condition: has_condition(row.note, condition) for condition in DATA_CONDITIONS},
        f"preset {row.preset}": row.preset != "paper",
        f"protocol {row.protocol}, the paper's is {' or '.join(row.protocols)}": other_protocol,
        **{condition: has_condition(row.note, condition) for condition in (*WEIGHT_CONDITIONS, *DEVICE_CONDITIONS)},
        "no value": pd.isna(row.value),
    }
