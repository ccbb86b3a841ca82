"""The rows of the comparison, prepared for the page: drawn intervals, numbered notes."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pandas as pd

from common.conditions import is_synthetic
from common.evaluation.metrics import COUNTS, METRICS
from results.compare import NUMBER
from results.judging import JOINT_TEST
from results.rendering import KINDS
from results.seeds import count_seeds
from results.tables import KINDS as NUMBER_KINDS
from results.tables import read_published
from results.verdicts import PART_OF_CLAIM

KEY = ("paper", *NUMBER)
VERDICTS = (*KINDS[:-1], PART_OF_CLAIM, "not published", "not run")  # of rows; settings are in no count
AXIS_WIDTH, MARGIN = 120, 5  # the drawn axis and the space at its ends, in SVG units


@dataclass(frozen=True)
class Bar:
    """Positions on a drawn axis, in SVG units; None for what is missing. `zero`: the position of 0 if it is inside."""

    published: float | None
    value: float | None
    low: float | None
    high: float | None
    zero: float | None


def page_rows(comparison: pd.DataFrame) -> tuple[list[SimpleNamespace], list[str]]:
    """Prepare rows of the comparison for the page.

    Args:
        comparison: rows of what `results.compare.compare` returned.

    Returns:
        The rows as objects with the comparison's columns and

            kind, why    the verdict and its reason
            number_kind  metric, count, size or setting: as published, else by the metric's name
            whole        whether the number is whole, also if ours is the mean of several seeds' whole numbers
            synthetic    whether the data are drawn
            bar          its Bar, or None
            note_number  which of the notes is the row's, from 1; None if it has none

        in the order of these kinds, each kind in that of the comparison, and the distinct notes.
    """
    notes: dict[str, int] = {}
    rows: list[SimpleNamespace] = []
    kinds = _published_kinds(comparison["paper"].unique())
    for row in comparison.to_dict("records"):
        kind, _, why = row["verdict"].partition(": ")
        row |= {
            "kind": kind,
            "why": why,
            "number_kind": kinds.get(tuple(row[name] for name in KEY)) or _kind_by_name(row, rows),
            "whole": is_whole(row),
            "synthetic": is_synthetic(row["dataset"]),
            "bar": bar(row),
            "note_number": notes.setdefault(row["note"], len(notes) + 1) if row["note"] else None,
        }
        rows.append(SimpleNamespace(**row))
    return sorted(rows, key=lambda row: NUMBER_KINDS.index(row.number_kind)), list(notes)


def is_whole(row: Mapping[str, Any]) -> bool:
    """Return whether a row's number is whole: the published one and, for every seed, ours.

    The sum over the seeds tells: of 500, 498 and 504 images the mean is 500.6667, and the sum is 1502.

    Args:
        row: metric, published, value, seeds.
    """
    if row["metric"] in METRICS and row["metric"] not in COUNTS:
        return False
    numbers = [row["published"], row["value"] * max(count_seeds(row["seeds"]), 1)]
    return all(abs(number - round(number)) < 1e-6 * max(1, abs(number)) for number in numbers if pd.notna(number))


def bar(row: Mapping[str, Any]) -> Bar | None:
    """Draw a measured share on an axis from 0 to 1, or from -1 if a number is negative.

    Args:
        row: metric, published, value, ci_low, ci_high. A share is a metric of the suite, or a number with an interval.

    Returns:
        The Bar; None if the row is not a share, or was not measured.
    """
    numbers = {name: row[name] for name in ("published", "value", "ci_low", "ci_high") if pd.notna(row[name])}
    share = (row["metric"] in METRICS or "ci_low" in numbers) and row["metric"] not in COUNTS
    if "value" not in numbers or not share or any(abs(number) > 1 for number in numbers.values()):
        return None
    start = -1 if min(numbers.values()) < 0 else 0

    def position(number):
        return None if number is None else round(MARGIN + AXIS_WIDTH * (number - start) / (1 - start), 1)

    published, value, low, high = (position(numbers.get(name)) for name in ("published", "value", "ci_low", "ci_high"))
    return Bar(published, value, low, high, zero=position(0) if start else None)


def _published_kinds(papers):
    """{(paper, table, row, metric): kind} of every published number."""
    tables = [read_published(paper).assign(paper=paper) for paper in papers]
    return {tuple(row[name] for name in KEY): row["kind"] for table in tables for row in table.to_dict("records")}


def _kind_by_name(row, before):
    """The kind of a number that only we have; a joint test has that of the row before it, the last of its claim."""
    if row["metric"] == JOINT_TEST and before:
        return before[-1].number_kind
    if row["metric"] in COUNTS:
        return "count"
    return "metric" if row["metric"] in METRICS or pd.notna(row["ci_low"]) else "size"
