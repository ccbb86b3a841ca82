"""The comparison for reading: as plain text and as Markdown."""

import textwrap
from collections.abc import Iterator

import pandas as pd

from results.formatting import format_count, format_number, markdown_table, text_table
from results.seeds import count_seeds

WIDTH = 120  # columns of the plain text
HEADING = ("  row", "metric", "published", "ours", "95 % interval", "difference", "n", "seed", "")
COLUMNS = (
    *("row", "metric", "published", "ours", "95 % interval", "difference", "n", "seeds"),
    *("data set", "protocol", "preset", "verdict"),
)
UNMEASURED = ("not run", "as published")  # verdicts of numbers without a value of ours; the second is in no count
LEFT_ALIGNED = ("row", "metric", "data set", "protocol", "preset", "verdict")


def text(comparison: pd.DataFrame) -> Iterator[str]:
    """Yield lines of aligned text, about 120 columns wide, for what `results.compare.compare` returned."""
    for paper, rows in comparison.groupby("paper", sort=False):
        yield f"{paper}: published against reproduced"
        measured = rows[rows["value"].notna() | ~rows["verdict"].isin(UNMEASURED)]
        if len(measured):
            yield from _blocks(measured)
        yield from ("", *_closing_lines(rows), "")


def markdown(comparison: pd.DataFrame) -> Iterator[str]:
    """Yield lines of GitHub's Markdown: a heading for each paper, and a table for each of its tables."""
    yield "# Published against reproduced"
    for paper, rows in comparison.groupby("paper", sort=False):
        yield from ("", f"## {paper}", "", _verdict_counts(rows))
        for table, ours in rows.groupby("table", sort=False):
            lines = [COLUMNS, *(_markdown_cells(row) for row in ours.itertuples())]
            yield from ("", f"### {table}", "", *markdown_table(lines, LEFT_ALIGNED))
            notes = _notes(ours[~ours["verdict"].isin(UNMEASURED)])
            yield from ("", *(f"- {note}" for note in notes)) if notes else ()


def _cells(row):
    kind = row.verdict.partition(":")[0]
    ours = format_number(row.value, row.metric, row.sd)
    seed = row.seeds if count_seeds(row.seeds) < 2 else f"{count_seeds(row.seeds)} seeds"
    return (
        *("  " + row.row, row.metric, format_number(row.published, row.metric), ours, _interval(row)),
        *(_difference(row), format_count(row.n), seed, "" if kind == "not comparable" else kind),
    )


def _markdown_cells(row):
    ours = format_number(row.value, row.metric, row.sd, plus_minus="±")
    return (
        *(row.row, row.metric, format_number(row.published, row.metric), ours, _interval(row), _difference(row)),
        *(format_count(row.n), row.seeds, row.dataset, row.protocol, row.preset, row.verdict),
    )


def _blocks(measured):
    """The lines of every table, data set, protocol and preset that was measured."""
    heading, *lines = text_table([HEADING, *map(_cells, measured.itertuples())], left=2)
    measured = measured.assign(line=lines, why=measured["verdict"].str.partition(": ")[2])
    for conditions, block in measured.groupby(["table", "dataset", "protocol", "preset", "why"], sort=False):
        yield from ("", _title(*conditions), heading, *block["line"])
        for note in _notes(block):
            yield from textwrap.wrap(note, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _title(table, dataset, protocol, preset, why):
    return f"{table}: {dataset}, protocol {protocol}, preset {preset}" + (f" (not comparable: {why})" if why else "")


def _notes(block):
    """Each part of the block's notes once, with the rows that it is about, unless it is about all of them."""
    rows_of = {}
    for row, note in zip(block["row"], block["note"], strict=True):
        for part in filter(None, note.split("; ")):
            rows_of.setdefault(part, []).append(row)
    parts_of = {}  # {names of rows: the parts about them}
    for part, rows in rows_of.items():
        names = "" if len(rows) >= len(block) else f" ({', '.join(dict.fromkeys(rows))})"
        parts_of.setdefault(names, []).append(part)
    return [f"note{names}: {'; '.join(parts)}" for names, parts in parts_of.items()]


def _verdict_counts(rows):
    counts = rows.loc[rows["verdict"] != "as published", "verdict"].str.partition(":")[0].value_counts()
    return "; ".join(f"{count} {verdict}" for verdict, count in counts.items())


def _closing_lines(rows):
    lines = [_verdict_counts(rows)]
    missing = rows[rows["verdict"] == "not run"]
    if len(missing):
        sizes = missing.groupby("table", sort=False).size()
        tables = ", ".join(f"{table} ({size})" for table, size in sizes.items())
        lines += textwrap.wrap(f"not run: {tables}", WIDTH, subsequent_indent="  ")
    return lines


def _interval(row):
    return "" if pd.isna(row.ci_low) else f"{format_number(row.ci_low)} to {format_number(row.ci_high)}"


def _difference(row):
    return "" if pd.isna(row.delta) else f"{row.delta:+.{4 if abs(row.delta) < 10 else 0}f}"
