"""The rows of the comparison, made ready for a page: counts of verdicts, drawn intervals, numbered notes."""

from dataclasses import dataclass
from types import SimpleNamespace

import pandas as pd

from common.evaluation.metrics import COUNTS, METRICS

VERDICTS = ("reproduced", "higher", "lower", "not comparable", "not published", "not run")
SYNTHETIC = "synthetic"  # how the names of drawn data sets begin
BAR, MARGIN = 120, 5  # the drawn axis and the space at its ends, in SVG units


@dataclass(frozen=True)
class Bar:
    """Where things stand on a drawn axis, in SVG units; None for what is not there. zero: where 0 is, if inside."""

    published: float | None
    value: float | None
    low: float | None
    high: float | None
    zero: float | None


def page_rows(frame):
    """Rows of `compare` as objects with its columns and kind, why, synthetic, bar, place; and their notes, once each.

    kind: the verdict without its reason `why`; place: which of the notes is the row's, from 1.
    """
    notes = {}
    rows = []
    for row in frame.to_dict("records"):
        kind, _, why = row["verdict"].partition(": ")
        row |= {
            "kind": kind,
            "why": why,
            "synthetic": is_synthetic(row["dataset"]),
            "bar": bar(row),
            "place": notes.setdefault(row["note"], len(notes) + 1) if row["note"] else None,
        }
        rows.append(SimpleNamespace(**row))
    return rows, list(notes)


def is_synthetic(names):
    """Whether one of the data sets in `names`, joined by +, is drawn."""
    return any(name.startswith(SYNTHETIC) for name in names.split("+"))


def counts(rows):
    """{verdict: number of rows}, of all VERDICTS, in their order."""
    kinds = [row.kind for row in rows]
    return {kind: kinds.count(kind) for kind in VERDICTS}


def bar(row):
    """The Bar of a share that was measured, on an axis from 0 (from -1 where something is negative) to 1; else None.

    A share is one of the suite's metrics, or whatever has an interval.
    """
    numbers = {name: row[name] for name in ("published", "value", "ci_low", "ci_high") if pd.notna(row[name])}
    share = (row["metric"] in METRICS or "ci_low" in numbers) and row["metric"] not in COUNTS
    if "value" not in numbers or not share or any(abs(number) > 1 for number in numbers.values()):
        return None
    start = -1 if min(numbers.values()) < 0 else 0

    def place(number):
        return None if number is None else round(MARGIN + BAR * (number - start) / (1 - start), 1)

    ends = (numbers.get(name) for name in ("published", "value", "ci_low", "ci_high"))
    return Bar(*map(place, ends), place(0) if start else None)
