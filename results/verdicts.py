"""The verdict on a measured number beside a published one.

First it is decided whether both were measured in the same way: data, preset, protocol, weights. Only then are they
compared, by the 95 % interval of their difference, which follows from the interval of each (Newcombe 1998, DOI
10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I; Zou and Donner 2008, DOI 10.1002/sim.3095).

Of several seeds, the mean is judged. The published number is that of one training on one test set. So ours may differ
by what a test set allows (the mean of the seeds' intervals) or by what a training does (2 standard deviations),
whichever is wider. The two are not added up: a seed also draws the splits, so the deviation includes sampling error.
"""

import re
from math import hypot, isclose, isnan
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
from common.evaluation.intervals import wilson
from common.evaluation.metrics import PROPORTIONS
from results.tables import published_folder

DEVIATIONS = 2  # standard deviations over seeds that a number may differ by
PROTOCOL_NOTE = re.compile(r"^protocol (\w+(?: or \w+)*)$")
ROUNDING_ERROR = 1e-12  # of the floating-point numbers that are compared

ProtocolsByRow = dict[tuple[str, str], tuple[str, ...]]


def verdict(row: Any) -> str:
    """The verdict on one row of the comparison.

    Args:
        row: an object with the attributes

            published     the published value, NaN if the number is not in the paper
            published_n   its number of images or videos, missing if unknown
            below, above  how far the exact value may be from what is printed, downwards and upwards
            protocols     the protocols that the paper's number may be measured by, empty if unknown
            ours          whether we have measured the number
            kind          `metric`, `count`, `size` or `setting`; empty if the number is not in the paper
            value, sd, ci_low, ci_high, n, metric, dataset, protocol, preset, note: as `aggregate_seeds` returns them

    Returns:
        `reproduced`, `higher`, `lower`, `not comparable: <why>`, `as published`, `not run`, or `not published`.
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
    down, up = _reach(row.value, row.ci_low, row.ci_high, row.sd)
    published_down, published_up = _published_reach(row)
    difference = row.value - row.published
    not_above = difference - hypot(down, published_up) <= row.above + ROUNDING_ERROR
    not_below = difference + hypot(up, published_down) >= -row.below - ROUNDING_ERROR
    if not_above and not_below:
        return "reproduced"
    return "higher" if difference > 0 else "lower"


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


def _reach(value, low, high, sd):
    """How far the number may be below and above its value; 0 if nothing is known."""
    spread = 0.0 if isnan(sd) else DEVIATIONS * sd
    if isnan(low) or isnan(high):
        return spread, spread
    return max(value - low, spread), max(high - value, spread)


def _published_reach(row):
    """The same for the published value: Wilson's interval of a proportion at the paper's n, or at ours if unknown."""
    n = row.n if pd.isna(row.published_n) else row.published_n
    if row.metric not in PROPORTIONS or pd.isna(n):
        return 0.0, 0.0
    return _reach(row.published, *wilson(round(row.published * n), n), float("nan"))
