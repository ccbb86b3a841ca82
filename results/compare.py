"""Published against reproduced: what each paper prints beside what we measured, with a verdict.

    python -m results.compare                                # all papers
    python -m results.compare mesoinception_svm --fail-on lower
    python -m results.compare --runs runs/PAPER/A runs/PAPER/B

Writes comparison.csv and comparison.md, always of all papers, beside the results. Several seeds are one row: their
mean, standard deviation (sd) and mean interval. Verdicts: `reproduced` (the difference is within what n, the seeds and
the printed digits allow), `higher`, `lower`, `not comparable: <why>` (synthetic or partial data, another preset or
protocol than the paper's, other initial weights, another device), `not run`, and `not published` for a number that only
we have. Settings, which the authors chose and did not measure, are `as published` and outside every count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import tyro

from common.cli import parse, run_main
from common.errors import UserError
from common.files import write_bytes, write_csv
from results import rendering
from results.audit.printed import parse_printed
from results.paired import compare_runs, print_runs
from results.seeds import aggregate_seeds, count_seeds
from results.tables import known_papers, read_published, read_results
from results.verdicts import protocols_of, read_protocols, verdict

COLUMNS = (
    *("paper", "table", "row", "metric", "published", "value", "delta", "ci_low", "ci_high", "n"),
    *("dataset", "protocol", "preset", "seed", "run", "verdict", "note", "sd", "seeds"),
)
NUMBER = ["table", "row", "metric"]  # what identifies a number within a paper


@dataclass(frozen=True)
class CompareOptions:
    """Published against reproduced."""

    papers: tyro.conf.Positional[tuple[str, ...]] = ()
    """Which papers to print; none: all."""
    results: Path = Path("results")
    """Folder of <paper>.csv. comparison.csv and comparison.md, always of all papers, are written into it."""
    runs: tuple[Path, Path] | None = None
    """Two run folders to compare with each other on the test images that they share, instead of with the papers."""
    models: tuple[str, str] | None = None
    """With --runs: compare this model of the first run with that one of the second. None: models of the same name."""
    fail_on: tuple[Literal["lower", "higher", "not-comparable", "not-run"], ...] = ()
    """Exit with code 1 if a printed number has one of these verdicts."""
    debug: bool = False
    """Show the traceback of an error."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = parse(CompareOptions, argv, prog="python -m results.compare", description=__doc__)
    if options.runs:
        if options.papers or options.fail_on:
            raise UserError("--runs compares two runs with each other: leave out the papers and --fail-on")
        print_runs(compare_runs(*options.runs, options.models), *options.runs)
        return 0
    if options.models:
        raise UserError("--models chooses models of two runs: give --runs A B too")
    printed = write_and_print_comparison(options.papers, options.results)
    verdicts = set(printed["verdict"].str.split(":").str[0].str.replace(" ", "-"))
    return int(bool(verdicts & set(options.fail_on)))


def write_and_print_comparison(
    papers: Sequence[str], results_folder: str | Path, run: str | None = None
) -> pd.DataFrame:
    """Write comparison.csv and comparison.md, and print a part of them.

    Args:
        papers: the papers to print; none: all. The files are always of all papers.
        results_folder: folder of <paper>.csv, into which the files are written.
        run: name of a run, to print only its numbers; None: the numbers of all runs.

    Returns:
        The printed part, with the columns COLUMNS.

    Raises:
        UserError: see `compare`.
    """
    everything = compare((), results_folder)
    printed = compare(papers, results_folder, run) if papers or run else everything
    write_csv(everything, Path(results_folder) / "comparison.csv")
    lines = "\n".join(rendering.markdown(everything)) + "\n"
    write_bytes(lines.encode(), Path(results_folder) / "comparison.md")
    print("\n".join(rendering.text(printed)))
    return printed


def compare(papers: Sequence[str], results_folder: str | Path, run: str | None = None) -> pd.DataFrame:
    """Join every published number with our rows for it.

    Args:
        papers: the papers; none: all.
        results_folder: folder of <paper>.csv.
        run: name of a run, to take only its rows; None: the rows of all runs.

    Returns:
        A DataFrame with the columns COLUMNS. A number that we measured on several data sets, protocols or presets has a
        row for each of them, over all its seeds; `seed` is filled in if there is a single one. A number that we did not
        measure has one row without a value.

    Raises:
        UserError: if a paper is unknown, the folder does not exist, or a table cannot be read.
    """
    if not Path(results_folder).is_dir():
        raise UserError(f"no such folder: {results_folder}; run a paper first, or name the folder with --results")
    return pd.concat(
        [_compare_paper(paper, results_folder, run) for paper in papers or known_papers()], ignore_index=True
    )


def printed_slack(published: pd.DataFrame) -> tuple[list[float], list[float]]:
    """How far the exact values may be from what a paper prints.

    Half a unit of the last digit, a whole one of `around 5K`; `more than 67 %` has no upper end. In a table, the unit
    is that of the cell with the most digits in the same column, since there 0.9 stands for 0.90.

    Args:
        published: what `results.tables.read_published` returned.

    Returns:
        How far below and how far above `value` each exact value may be, in the unit of `value`.
    """
    decimals = published["printed"].str.extract(r"\d\.(\d+)", expand=False).str.len().fillna(0).astype(int)
    finest = decimals.groupby([published["table"], published["metric"]]).transform("max")
    digits = finest.where(published["table"] != "text", decimals)
    reach = {"": (0.5, 0.5), "about": (1.0, 1.0), "more than": (0.0, np.inf), "less than": (np.inf, 0.0)}
    below, above = [], []
    for text, value, places in zip(published["printed"], published["value"], digits, strict=True):
        number = parse_printed(text, proportion=False, digits=places)
        scale = value / float(number.value) if number.value else 1.0  # 0.01 if 82.20 stands for a share
        units_below, units_above = reach[number.hedge]
        below.append(units_below * float(number.unit) * scale)
        above.append(units_above * float(number.unit) * scale)
    return below, above


def _compare_paper(paper, folder, run):
    published = read_published(paper)
    published["below"], published["above"] = printed_slack(published)
    published = published.rename(columns={"value": "published", "n": "published_n", "note": "published_note"})
    ours = read_results(Path(folder) / f"{paper}.csv").drop(columns="paper")
    ours = ours[(ours["table"] != "extra") & (ours["run"].eq(run) if run else True)]
    ours = aggregate_seeds(ours).assign(ours=True)
    joined = published.merge(ours, on=NUMBER, how="left")
    only_ours = ours.merge(published[NUMBER], on=NUMBER, how="left", indicator=True).query("_merge == 'left_only'")
    table = joined if only_ours.empty else pd.concat([joined, only_ours], ignore_index=True)
    table["ours"] = table["ours"].eq(True)
    for column in ("dataset", "protocol", "preset", "run", "note", "seeds", "published_note", "kind"):
        table[column] = table[column].fillna("")
    table["seed"] = pd.to_numeric(table["seeds"].where(table["seeds"].map(count_seeds) == 1)).astype("Int64")
    table["paper"], table["delta"] = paper, table["value"] - table["published"]
    protocols = read_protocols(paper)
    table["protocols"] = [protocols_of(protocols, *row) for row in zip(table["table"], table["row"], strict=True)]
    table["verdict"] = [verdict(row) for row in table.itertuples()]
    notes = table[["note", "published_note"]]
    table["note"] = ["; ".join(filter(None, pair)) for pair in notes.itertuples(index=False)]
    return table[list(COLUMNS)]


if __name__ == "__main__":
    run_main(main)
