"""Published against reproduced: what each paper prints beside what we measured, with a verdict.

    python -m results.compare                                # all papers
    python -m results.compare mesoinception_svm --fail-on lower
    python -m results.compare --runs runs/PAPER/A runs/PAPER/B

comparison.csv and comparison.md, always of all papers, are written beside the results. Several seeds are one row: their
mean, standard deviation (sd) and mean interval. Verdicts: `reproduced` (the difference is within what n, seeds and the
printed digits allow), `higher`, `lower`, `not comparable: <why>` (synthetic or partial data, another preset or protocol
than the paper's, without ImageNet's or FaceNet's weights), `not run`, and `not published` for a row of ours that no
paper prints.
"""

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
from results.seeds import count, over_seeds
from results.tables import known_papers, read_published, read_results
from results.verdicts import protocols_of, read_protocols, verdict

COLUMNS = (
    *("paper", "table", "row", "metric", "published", "value", "delta", "ci_low", "ci_high", "n"),
    *("dataset", "protocol", "preset", "seed", "run", "verdict", "note", "sd", "seeds"),
)
NUMBER = ["table", "row", "metric"]  # what names a number within a paper


@dataclass(frozen=True)
class Options:
    """Published against reproduced."""

    papers: tyro.conf.Positional[tuple[str, ...]] = ()
    """Which papers to show; none: all."""
    results: Path = Path("results")
    """Folder of <paper>.csv; comparison.csv and comparison.md, always of all papers, are written there."""
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
    """Write comparison.csv and .md, of all papers, and print the part of `papers` (none: all); return what was printed.

    run: the name of a run, to print no other run's numbers.
    """
    everything = compare((), results_folder)
    shown = compare(papers, results_folder, run) if papers or run else everything
    write_csv(everything, Path(results_folder) / "comparison.csv")
    lines = "\n".join(rendering.markdown(everything)) + "\n"
    write_bytes(lines.encode(), Path(results_folder) / "comparison.md")
    print("\n".join(rendering.text(shown)))
    return shown


def compare(papers, results_folder, run=None):
    """Every published number of `papers` (none: all) beside our rows for it, as a DataFrame with the columns COLUMNS.

    A number that we measured on several data sets, protocols or presets has a row for each, over all its seeds; `seed`
    is filled in where there is one. A number that we did not measure has one row without a value. run: take the rows of
    this run alone. UserError for an unknown paper, a missing folder or an unreadable table.
    """
    if not Path(results_folder).is_dir():
        raise UserError(f"no such folder: {results_folder}; run a paper first, or name the folder with --results")
    papers = papers or known_papers()
    return pd.concat([_compare_paper(paper, results_folder, run) for paper in papers], ignore_index=True)


def _compare_paper(paper, folder, run):
    published = read_published(paper)
    published["below"], published["above"] = _slack(published)
    published = published.rename(columns={"value": "published", "n": "published_n", "note": "published_note"})
    ours = read_results(Path(folder) / f"{paper}.csv").drop(columns="paper")
    ours = ours[(ours["table"] != "extra") & (ours["run"].eq(run) if run else True)]
    ours = over_seeds(ours).assign(ours=True)
    joined = published.merge(ours, on=NUMBER, how="left")
    only_ours = ours.merge(published[NUMBER], on=NUMBER, how="left", indicator=True).query("_merge == 'left_only'")
    table = joined if only_ours.empty else pd.concat([joined, only_ours], ignore_index=True)
    table["ours"] = table["ours"].eq(True)
    for column in ("dataset", "protocol", "preset", "run", "note", "seeds", "published_note"):
        table[column] = table[column].fillna("")
    table["seed"] = pd.to_numeric(table["seeds"].where(table["seeds"].map(count) == 1)).astype("Int64")
    table["paper"], table["delta"] = paper, table["value"] - table["published"]
    known = read_protocols(paper)
    table["protocols"] = [protocols_of(known, *names) for names in zip(table["table"], table["row"], strict=True)]
    table["verdict"] = [verdict(row) for row in table.itertuples()]
    notes = table[["note", "published_note"]]
    table["note"] = ["; ".join(filter(None, pair)) for pair in notes.itertuples(index=False)]
    return table[list(COLUMNS)]


def _slack(published):
    """How far what is printed may lie below and above its value: two lists.

    Half a unit of the last digit, a whole one of `around 5K`; `more than 67 %` has no upper end. In a table a unit is
    that of the finest cell, since 0.9 stands for 0.90 there.
    """
    decimals = published["printed"].str.extract(r"\d\.(\d+)", expand=False).str.len().fillna(0).astype(int)
    finest = decimals.groupby([published["table"], published["metric"]]).transform("max")
    digits = finest.where(published["table"] != "text", decimals)
    reach = {"": (0.5, 0.5), "about": (1.0, 1.0), "more than": (0.0, np.inf), "less than": (np.inf, 0.0)}
    slack = []
    for text, value, places in zip(published["printed"], published["value"], digits, strict=True):
        number = parse_printed(text, proportion=False, digits=places)
        scale = value / float(number.value) if number.value else 1.0  # 0.01 where 82.20 stands for a share
        slack.append([units * float(number.unit) * scale for units in reach[number.hedge]])
    return zip(*slack, strict=True)


if __name__ == "__main__":
    run_main(main)
