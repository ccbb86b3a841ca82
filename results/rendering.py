"""The comparison for reading: as plain text and as Markdown."""

import textwrap
from collections.abc import Iterator

import pandas as pd

from common.evaluation.metrics import COUNTS
from results.formatting import format_count, format_measured, format_number, markdown_table, markdown_text, text_table
from results.seeds import count_seeds

WIDTH = 120  # columns of the plain text
HEADING = ("  row", "metric", "published", "ours", "difference", "n", "")
COLUMNS = (
    *("row", "metric", "published", "ours", "difference", "n", "seeds"),
    *("data set", "protocol", "preset", "from", "verdict"),
)
UNMEASURED = ("not run", "as published")  # verdicts of numbers without a value of ours; the second is in no count
LEFT_ALIGNED = ("row", "metric", "data set", "protocol", "preset", "from", "verdict")
KINDS = ("reproduced", "better", "worse", "inconclusive", "not comparable", "not run")  # of verdicts on claims
ORIGINS = {"reference": "shipped with the repository", "run": "your runs"}


def text(comparison: pd.DataFrame) -> Iterator[str]:
    """Yield lines of aligned text, about 150 columns wide, for what `results.compare.compare` returned."""
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
        yield from ("", f"## {paper}", "", *_summary(rows))
        for table, ours in rows.groupby("table", sort=False):
            lines = [COLUMNS, *(_markdown_cells(row) for row in ours.itertuples())]
            yield from ("", f"### {markdown_text(table)}", "", *markdown_table(lines, LEFT_ALIGNED))
            notes = _notes(ours[~ours["verdict"].isin(UNMEASURED)])
            yield from ("", *(f"- {markdown_text(note)}" for note in notes)) if notes else ()


def claim_counts(comparison: pd.DataFrame) -> dict[str, int]:
    """Count the independent claims of the papers by their verdicts.

    Args:
        comparison: what `results.compare.compare` returned.

    Returns:
        {verdict: number of claims} for all KINDS. A claim that was measured under several conditions, on two data sets
        for example, counts once for each verdict that it has; `not run` are those of which no number was measured.
    """
    claims = comparison[comparison["claim"] != ""]
    kinds = claims["verdict"].map(_kind)
    found = claims.assign(kind=kinds)[["paper", "claim", "kind"]].drop_duplicates()
    measured = found[found["kind"] != "not run"].set_index(["paper", "claim"]).index
    unmeasured = ~pd.MultiIndex.from_frame(found[["paper", "claim"]]).isin(measured)
    found = found.loc[(found["kind"] != "not run") | unmeasured, "kind"].value_counts()
    return {kind: int(found.get(kind, 0)) for kind in KINDS}


def count_claims(comparison: pd.DataFrame) -> int:
    """Count the independent claims of the papers: a confusion matrix, and a number that is printed twice, is one."""
    return len(comparison.loc[comparison["claim"] != "", ["paper", "claim"]].drop_duplicates())


def _kind(verdict):
    return verdict.partition(":")[0]


def _cells(row):
    kind = _kind(row.verdict)
    return (
        *("  " + row.row, row.metric, format_number(row.published, row.metric), _ours(row)),
        *(_difference(row), format_count(row.n), "" if kind == "not comparable" else kind),
    )


def _markdown_cells(row):
    return (
        *(row.row, row.metric, format_number(row.published, row.metric), _ours(row), _difference(row)),
        *(format_count(row.n), row.seeds, row.dataset, row.protocol, row.preset, row.origin, row.verdict),
    )


def _ours(row):
    return format_measured(row.value, row.metric, (row.ci_low, row.ci_high), row.sd, count_seeds(row.seeds))


def _blocks(measured):
    """The lines of every table, origin, data set, protocol and preset that was measured."""
    heading, *lines = text_table([HEADING, *map(_cells, measured.itertuples())], left=2)
    why = [verdict.partition(": ")[2] if _kind(verdict) == "not comparable" else "" for verdict in measured["verdict"]]
    measured = measured.assign(line=lines, why=why)
    conditions = ["table", "origin", "dataset", "protocol", "preset", "commit", "why"]
    for names, block in measured.groupby(conditions, sort=False):
        yield from ("", *_title(*names), heading, *block["line"])
        for note in (*_reasons(block), *_notes(block)):
            yield from textwrap.wrap(note, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _title(table, origin, dataset, protocol, preset, commit, why):
    yield f"{table}: {dataset}, protocol {protocol}, preset {preset}; {ORIGINS[origin]}, commit {commit or 'unknown'}"
    yield from textwrap.wrap(why and f"not comparable: {why}", WIDTH, initial_indent="  ", subsequent_indent="    ")


def _reasons(block):
    """What is inconclusive and why."""
    found = {}
    for row in block.itertuples():
        kind, _, why = row.verdict.partition(": ")
        if kind == "inconclusive":
            found.setdefault(why, []).append(f"{row.row} {row.metric}")
    return [f"inconclusive ({', '.join(names)}): {why}" for why, names in found.items()]


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


def _summary(rows):
    """The number of independent claims, their verdicts, the margin and the correction; then what is no claim."""
    counts = claim_counts(rows)
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    lines = [f"Independent claims: {count_claims(rows)}; {told or 'none was compared'}."]
    tested = rows[rows["verdict"].map(_kind).isin(KINDS[:4])]
    tests = " and ".join(f"{count} tests" for count in tested.groupby("origin", sort=False).size())
    margins = sorted(rows["margin"].dropna().unique())
    if margins:
        smaller = f" ({', '.join(f'{100 * margin:.2g}' for margin in margins[:-1])} for half of a claimed gain)"
        correction = f"; `better` and `worse` hold after Holm's correction over {tests}" if tests else ""
        lines.append(f"Margin: {100 * margins[-1]:.2g} points{smaller if margins[1:] else ''}{correction}.")
    others = rows[(rows["claim"] == "") & (rows["verdict"] != "as published")]
    kinds = others["verdict"].map(_kind).value_counts()
    if len(kinds):
        told = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        lines.append(f"Sizes, and numbers that are not in the paper: {told}.")
    return lines


def _closing_lines(rows):
    lines = [line for part in _summary(rows) for line in textwrap.wrap(part, WIDTH, subsequent_indent="  ")]
    missing = rows[rows["verdict"] == "not run"]
    if len(missing):
        sizes = missing.groupby("table", sort=False).size()
        tables = ", ".join(f"{table} ({size})" for table, size in sizes.items())
        lines += textwrap.wrap(f"not run: {tables}", WIDTH, subsequent_indent="  ")
    return lines


def _difference(row):
    if pd.isna(row.difference):
        return ""
    if row.metric in COUNTS or abs(row.difference) >= 10:
        return f"{row.difference:+.{0 if float(row.difference).is_integer() or abs(row.difference) >= 10 else 1}f}"
    bounds = "" if pd.isna(row.difference_low) else f" [{row.difference_low:+.3f}, {row.difference_high:+.3f}]"
    return f"{round(row.difference, 4) + 0.0:+.4f}{bounds}"
