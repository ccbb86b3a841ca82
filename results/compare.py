"""Published against reproduced: what each paper prints beside what we measured, with a verdict.

    python -m results.compare                                # all papers
    python -m results.compare mesoinception_svm --fail-on lower
    python -m results.compare --runs runs/PAPER/A runs/PAPER/B

Verdicts: `reproduced` (the published value lies in our interval, or differs by no more than its rounding and sampling
error), `higher`, `lower`, `not comparable: <why>` (synthetic or partial data, or another preset than the paper's),
`not run`, and `not published` for a row of ours that no paper prints.
"""

import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import tyro

from common.cli import parse, run_main
from common.errors import UserError
from common.files import write_csv
from common.intervals import wilson
from common.metrics import COUNTS, PROPORTIONS
from results.paired import compare_runs, print_runs
from results.tables import known_papers, read_published, read_results, text_table

COLUMNS = (
    *("paper", "table", "row", "metric", "published", "value", "delta", "ci_low", "ci_high", "n"),
    *("dataset", "protocol", "preset", "seed", "run", "verdict", "note"),
)
NUMBER = ["table", "row", "metric"]  # what names a number within a paper
HEADING = ("  row", "metric", "published", "ours", "95 % interval", "difference", "n", "seed", "")
WIDTH = 120


@dataclass(frozen=True)
class Options:
    """Published against reproduced."""

    papers: tyro.conf.Positional[tuple[str, ...]] = ()
    """Which papers to show; none: all."""
    results: Path = Path("results")
    """Folder of <paper>.csv; comparison.csv, always of all papers, is written there."""
    runs: tuple[Path, Path] | None = None
    """Two run folders to compare on the test images that they share, instead of the above."""
    models: tuple[str, str] | None = None
    """With --runs: compare this model of the first run with that one of the second. None: models of equal name."""
    fail_on: tuple[Literal["lower", "higher", "not-comparable", "not-run"], ...] = ()
    """Exit with code 1 if a number shown has one of these verdicts."""
    debug: bool = False
    """Show the traceback of an error."""


def main(argv=None):
    options = parse(Options, argv, prog="python -m results.compare", description=__doc__)
    if options.runs:
        if options.papers or options.fail_on:
            raise UserError("--runs compares two runs with each other: leave out papers and --fail-on")
        print_runs(compare_runs(*options.runs, options.models), *options.runs)
        return 0
    if options.models:
        raise UserError("--models chooses models of two runs: give --runs A B with it")
    shown = show(options.papers, options.results)
    verdicts = set(shown["verdict"].str.split(":").str[0].str.replace(" ", "-"))
    return int(bool(verdicts & set(options.fail_on)))


def show(papers, results_folder, run=None):
    """Write comparison.csv, of all papers, and print the part of `papers` (none: all); return what was printed.

    run: the name of a run, to show no other run's numbers.
    """
    shown = compare(papers, results_folder)
    write_csv(compare((), results_folder) if papers else shown, Path(results_folder) / "comparison.csv")
    if run:
        shown = shown[shown["run"].eq(run) | shown["verdict"].eq("not run")]
    print_comparison(shown)
    return shown


def compare(papers, results_folder):
    """Every published number of `papers` (none: all) beside our rows for it, as a DataFrame with the columns COLUMNS.

    A number that we measured on several data sets, protocols, presets or seeds has a row for each, one that we did not
    has one row without a value. UserError for an unknown paper, a missing folder or an unreadable table.
    """
    if not Path(results_folder).is_dir():
        raise UserError(f"no such folder: {results_folder}; run a paper first, or name the folder with --results")
    return pd.concat([_compare_paper(paper, results_folder) for paper in papers or known_papers()], ignore_index=True)


def verdict(row):
    """The verdict on one row: published, published_n, rounding, value, delta, ci_low, ci_high, n, metric, ours, ...

    The published value has sampling error too: a proportion's is Wilson's interval at the paper's n, at ours where the
    paper states none.
    """
    if pd.isna(row.published):
        return "not published"
    if not row.ours:
        return "not run"
    reasons = {
        "synthetic data": row.dataset.startswith("synthetic"),
        "partial data": "partial data" in row.note,
        f"preset {row.preset}": row.preset != "paper",
        "no value": pd.isna(row.value),
    }
    if any(reasons.values()):
        return "not comparable: " + "; ".join(reason for reason, holds in reasons.items() if holds)
    low, high = row.published - row.rounding, row.published + row.rounding
    n = row.n if pd.isna(row.published_n) else row.published_n
    if row.metric in PROPORTIONS and not pd.isna(n):
        sampled = wilson(round(row.published * n), n)
        low, high = min(low, sampled[0] - row.rounding), max(high, sampled[1] + row.rounding)
    in_our_interval = row.ci_low - row.rounding <= row.published <= row.ci_high + row.rounding
    if in_our_interval or low <= row.value <= high or np.isclose(abs(row.delta), row.rounding):
        return "reproduced"
    return "higher" if row.delta > 0 else "lower"


def print_comparison(frame, file=None):
    """Print what `compare` returned as aligned plain text of at most about 120 columns, to `file` (None: stdout)."""
    file = file or sys.stdout
    for paper, rows in frame.groupby("paper", sort=False):
        print(f"{paper}: published against reproduced", file=file)
        ran = rows[rows["verdict"] != "not run"]
        if len(ran):
            print(*_blocks(ran), sep="\n", file=file)
        print("\n" + "\n".join(_closing(rows)) + "\n", file=file)


def _compare_paper(paper, folder):
    published = read_published(paper)
    published["rounding"] = _rounding(published)
    published = published.rename(columns={"value": "published", "n": "published_n", "note": "published_note"})
    ours = read_results(Path(folder) / f"{paper}.csv").drop(columns="paper").assign(ours=True)
    ours = ours[ours["table"] != "extra"]
    joined = published.merge(ours, on=NUMBER, how="left")
    only_ours = ours.merge(published[NUMBER], on=NUMBER, how="left", indicator=True).query("_merge == 'left_only'")
    table = joined if only_ours.empty else pd.concat([joined, only_ours], ignore_index=True)
    table["ours"] = table["ours"].eq(True)
    for column in ("dataset", "protocol", "preset", "run", "note", "published_note"):
        table[column] = table[column].fillna("")
    table["paper"], table["delta"] = paper, table["value"] - table["published"]
    table["verdict"] = [verdict(row) for row in table.itertuples()]
    notes = table[["note", "published_note"]]
    table["note"] = ["; ".join(filter(None, pair)) for pair in notes.itertuples(index=False)]
    return table[list(COLUMNS)]


def _rounding(published):
    """Half a unit of the last printed digit; in a table that of its finest cell, since 0.9 stands for 0.90 there."""
    numbers = published["printed"].str.extract(r"(\d+(?:\.\d+)?)", expand=False)
    decimals = numbers.str.partition(".")[2].str.len()
    finest = decimals.groupby([published["table"], published["metric"]]).transform("max")
    decimals = finest.where(published["table"] != "text", decimals)
    scale = np.where(np.isclose(numbers.astype(float), published["value"]), 1, 0.01)
    return scale * 0.5 * 10.0**-decimals


def _cells(row):
    interval = "" if pd.isna(row.ci_low) else f"{_number(row.ci_low)} to {_number(row.ci_high)}"
    difference = "" if pd.isna(row.delta) else f"{row.delta:+.4f}"
    judged = row.verdict.partition(":")[0]
    return (
        *("  " + row.row, row.metric, _number(row.published, row.metric), _number(row.value, row.metric)),
        *(interval, difference),
        *(_count(row.n), _count(row.seed), "" if judged == "not comparable" else judged),
    )


def _blocks(ran):
    """The lines of every table, data set, protocol and preset that was run."""
    heading, *lines = text_table([HEADING, *map(_cells, ran.itertuples())], left=2)
    ran = ran.assign(line=lines, why=ran["verdict"].str.partition(": ")[2])
    for about, block in ran.groupby(["table", "dataset", "protocol", "preset", "why"], sort=False):
        yield from ("", _title(*about), heading, *block["line"], *_notes(block))


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
    lines = []
    for rows, parts in about.items():
        lines += textwrap.wrap(f"note{rows}: {'; '.join(parts)}", WIDTH, initial_indent="  ", subsequent_indent="    ")
    return lines


def _closing(rows):
    counts = rows["verdict"].str.partition(":")[0].value_counts()
    lines = ["; ".join(f"{count} {name}" for name, count in counts.items())]
    missing = rows[rows["verdict"] == "not run"]
    if len(missing):
        tables = ", ".join(f"{table} ({size})" for table, size in missing.groupby("table", sort=False).size().items())
        lines += textwrap.wrap(f"not run: {tables}", WIDTH, subsequent_indent="  ")
    return lines


def _number(value, metric=""):
    if pd.isna(value):
        return ""
    count = metric in COUNTS or (value > 1 and float(value).is_integer())
    return f"{value:.0f}" if count else f"{value:.4f}"


def _count(value):
    return "" if pd.isna(value) else str(int(value))


if __name__ == "__main__":
    run_main(main)
