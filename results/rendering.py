"""Published against reproduced, for reading: as plain text and as Markdown."""

import textwrap

import pandas as pd

from common.evaluation.metrics import COUNTS
from results.seeds import count
from results.tables import text_table

WIDTH = 120
HEADING = ("  row", "metric", "published", "ours", "95 % interval", "difference", "n", "seed", "")
COLUMNS = (
    *("row", "metric", "published", "ours", "95 % interval", "difference", "n", "seeds"),
    *("data set", "protocol", "preset", "verdict"),
)
FLUSH_LEFT = ("row", "metric", "data set", "protocol", "preset", "verdict")


def text(frame):
    """Lines of aligned text, of at most about 120 columns, from what results.compare.compare returned."""
    for paper, rows in frame.groupby("paper", sort=False):
        yield f"{paper}: published against reproduced"
        ran = rows[rows["verdict"] != "not run"]
        if len(ran):
            yield from _blocks(ran)
        yield from ("", *_closing(rows), "")


def markdown(frame):
    """Lines of GitHub's Markdown from the same: a heading a paper, and a table for each of its tables."""
    yield "# Published against reproduced"
    for paper, rows in frame.groupby("paper", sort=False):
        yield from ("", f"## {paper}", "", _counts(rows))
        for table, ours in rows.groupby("table", sort=False):
            lines = [COLUMNS, *(_markdown_cells(row) for row in ours.itertuples())]
            yield from ("", f"### {table}", "", *markdown_table(lines, FLUSH_LEFT))
            notes = _notes(ours[ours["verdict"] != "not run"])
            yield from ("", *(f"- {note}" for note in notes)) if notes else ()


def markdown_table(rows, flush_left):
    """Lines of a Markdown table from rows, tuples of strings, of which the first is the heading.

    flush_left: the headings of the columns that are; the others, numbers, are flush right.
    """
    heading, *body = [[cell.replace("|", r"\|").replace("\n", " ") for cell in row] for row in rows]
    rule = ["---" if name in flush_left else "---:" for name in heading]
    return [f"| {' | '.join(cells)} |" for cells in (heading, rule, *body)]


def number(value, metric="", sd=float("nan"), digits=4, plus_minus="+-"):
    """A value as a cell, with a standard deviation `0.9123 +- 0.0040`; counts have no decimals, their means one."""
    if pd.isna(value):
        return ""
    alone = pd.isna(sd)
    if metric in (*COUNTS, "parameters") or (value > 1 and float(value).is_integer()):
        alone = alone or sd == 0
        digits = 0 if alone else 1
    return f"{value:.{digits}f}" + ("" if alone else f" {plus_minus} {sd:.{digits}f}")


def _cells(row):
    judged = row.verdict.partition(":")[0]
    ours = number(row.value, row.metric, row.sd)
    seed = row.seeds if count(row.seeds) < 2 else f"{count(row.seeds)} seeds"
    return (
        *("  " + row.row, row.metric, number(row.published, row.metric), ours, _interval(row)),
        *(_difference(row), _whole(row.n), seed, "" if judged == "not comparable" else judged),
    )


def _markdown_cells(row):
    ours = number(row.value, row.metric, row.sd, plus_minus="±")
    return (
        *(row.row, row.metric, number(row.published, row.metric), ours, _interval(row), _difference(row)),
        *(_whole(row.n), row.seeds, row.dataset, row.protocol, row.preset, row.verdict),
    )


def _blocks(ran):
    """The lines of every table, data set, protocol and preset that was run."""
    heading, *lines = text_table([HEADING, *map(_cells, ran.itertuples())], left=2)
    ran = ran.assign(line=lines, why=ran["verdict"].str.partition(": ")[2])
    for about, block in ran.groupby(["table", "dataset", "protocol", "preset", "why"], sort=False):
        yield from ("", _title(*about), heading, *block["line"])
        for note in _notes(block):
            yield from textwrap.wrap(note, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _title(table, dataset, protocol, preset, why):
    return f"{table}: {dataset}, protocol {protocol}, preset {preset}" + (f" (not comparable: {why})" if why else "")


def _notes(block):
    """Each part of the block's notes once, with the rows it is for unless it is for all."""
    rows_of = {}
    for row, note in zip(block["row"], block["note"], strict=True):
        for part in filter(None, note.split("; ")):
            rows_of.setdefault(part, []).append(row)
    about = {}  # parts that are for the same rows stand together
    for part, rows in rows_of.items():
        about.setdefault("" if len(rows) >= len(block) else f" ({', '.join(dict.fromkeys(rows))})", []).append(part)
    return [f"note{rows}: {'; '.join(parts)}" for rows, parts in about.items()]


def _counts(rows):
    counts = rows["verdict"].str.partition(":")[0].value_counts()
    return "; ".join(f"{times} {name}" for name, times in counts.items())


def _closing(rows):
    lines = [_counts(rows)]
    missing = rows[rows["verdict"] == "not run"]
    if len(missing):
        tables = ", ".join(f"{table} ({size})" for table, size in missing.groupby("table", sort=False).size().items())
        lines += textwrap.wrap(f"not run: {tables}", WIDTH, subsequent_indent="  ")
    return lines


def _interval(row):
    return "" if pd.isna(row.ci_low) else f"{number(row.ci_low)} to {number(row.ci_high)}"


def _difference(row):
    return "" if pd.isna(row.delta) else f"{row.delta:+.{4 if abs(row.delta) < 10 else 0}f}"


def _whole(value):
    return "" if pd.isna(value) else str(int(value))
