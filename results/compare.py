"""Published against reproduced: what each paper prints beside what we measured, with a verdict.

    python -m results.compare                                # all papers
    python -m results.compare mesoinception_svm --margin 0.01 --fail-on worse
    python -m results.compare --runs runs/PAPER/A runs/PAPER/B

Writes comparison.csv and comparison.md, always of all papers, beside the results. The rows that the repository ships
are shown beside yours, unless --no-reference. Several seeds, run by one version of the code, are one row: their mean,
its 95 % interval, their standard deviation (sd). Verdicts:

    reproduced       the 95 % interval of the difference lies within the margin
    better, worse    it excludes 0, also after Holm's correction over all claims of the paper
    inconclusive     neither: what n or how many seeds would decide it; one seed decides nothing
    not comparable   synthetic or partial data, another preset or protocol than the paper's, other weights or device
    as published     a setting, or a size that is the paper's; in no count
    not run          published, but not measured
    not published    measured, but not in the paper

The numbers of one confusion matrix are one claim. They are `part of a claim`, whose verdict is in a row of its own with
the metric `joint test`.
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
from results.claims import read_claims, read_copies, read_margins
from results.judging import judge
from results.paired import compare_runs, print_runs
from results.seeds import aggregate_seeds, count_seeds
from results.tables import known_papers, read_published, read_results, reference_folder
from results.verdicts import MARGIN, protocols_of, read_protocols

COLUMNS = (
    *("paper", "table", "row", "metric", "published", "value", "ci_low", "ci_high", "difference"),
    *("difference_low", "difference_high", "margin", "n", "clusters", "dataset", "protocol", "preset", "seed", "run"),
    *("commit", "origin", "claim", "verdict", "note", "sd", "seeds"),
)
NUMBER = ["table", "row", "metric"]  # what identifies a number within a paper
OWN, REFERENCE = "run", "reference"  # of a row: a user's own runs, or shipped with the repository


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
    margin: float = MARGIN
    """Within which a number counts as reproduced, as a share: 0.02 is 2 points. Where a paper claims a gain: half of
    it, if that is smaller."""
    reference: bool = True
    """The rows that the repository ships are shown beside yours, unless --no-reference is given."""
    fail_on: tuple[Literal["worse", "better", "inconclusive", "not-comparable", "not-run"], ...] = ()
    """Exit with code 1 if one of your printed numbers has one of these verdicts."""
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
    if not 0 < options.margin < 1:
        raise UserError(f"--margin {options.margin:g}: expected a share between 0 and 1; 0.02 is 2 points")
    reference = reference_folder() if options.reference else None
    printed = write_comparison(options.papers, options.results, None, options.margin, reference)
    print("\n".join(rendering.text(printed)))
    own = compare(options.papers, options.results, None, options.margin) if options.fail_on else None
    verdicts = set() if own is None else set(own["verdict"].str.split(":").str[0].str.replace(" ", "-"))
    return int(bool(verdicts & set(options.fail_on)))


def write_comparison(
    papers: Sequence[str],
    results_folder: str | Path,
    run: str | None = None,
    margin: float = MARGIN,
    reference: str | Path | None = None,
) -> pd.DataFrame:
    """Write comparison.csv and comparison.md.

    Args:
        papers: the papers to return; none: all. The files are always of all papers.
        results_folder: folder of <paper>.csv, into which the files are written.
        run: name of a run, to return only its numbers; None: the numbers of all runs.
        margin: within which a number counts as reproduced, as a share.
        reference: folder of further rows, to show beside those of the runs; None: none.

    Returns:
        The numbers of these papers, or of the run, with the columns COLUMNS.

    Raises:
        UserError: see `compare`.
    """
    everything = compare((), results_folder, None, margin, reference)
    chosen = compare(papers, results_folder, run, margin, reference) if papers or run else everything
    write_csv(everything, Path(results_folder) / "comparison.csv")
    lines = "\n".join(rendering.markdown(everything)) + "\n"
    write_bytes(lines.encode(), Path(results_folder) / "comparison.md")
    return chosen


def compare(
    papers: Sequence[str],
    results_folder: str | Path,
    run: str | None = None,
    margin: float = MARGIN,
    reference: str | Path | None = None,
) -> pd.DataFrame:
    """Join every published number with our rows for it.

    Args:
        papers: the papers; none: all.
        results_folder: folder of <paper>.csv.
        run: name of a run, to take only its rows; None: the rows of all runs.
        margin: within which a number counts as reproduced, as a share.
        reference: folder of further rows, which have the origin `reference`; None, or `results_folder`: none.

    Returns:
        A DataFrame with the columns COLUMNS. A number that was measured on several data sets, protocols or presets, or
        by several commits, has a row for each of them, over all its seeds; `seed` is filled in if there is a single
        one. A number that was not measured has one row without a value. See also `results.judging.judge`.

    Raises:
        UserError: if a paper is unknown, the folder does not exist, or a table cannot be read.
    """
    if not Path(results_folder).is_dir():
        raise UserError(f"no such folder: {results_folder}; run a paper first, or name the folder with --results")
    folders = {OWN: Path(results_folder)}
    if reference and Path(reference).resolve() != Path(results_folder).resolve():
        folders[REFERENCE] = Path(reference)
    return pd.concat(
        [_compare_paper(paper, folders, run, margin) for paper in papers or known_papers()], ignore_index=True
    )


def printed_slack(published: pd.DataFrame) -> tuple[list[float], list[float]]:
    """How far the exact values may be from what a paper prints.

    Half a unit of the last digit, a whole one of `around 5K`; `more than 67 %` has no upper end. In a table, the unit
    is that of the cell with the most digits in the same column, or of the metrics in the same row, or in the same
    classification report, since there 0.9 stands for 0.90.

    Args:
        published: what `results.tables.read_published` returned.

    Returns:
        How far below and how far above `value` each exact value may be, in the unit of `value`.
    """
    decimals = published["printed"].str.extract(r"\d\.(\d+)", expand=False).str.len().fillna(0).astype(int)
    finest = decimals.groupby([published["table"], published["metric"]]).transform("max")
    shares = published[published["kind"] == "metric"]
    reports = shares["table"].isin(published.loc[published["metric"] == "support", "table"])
    for rows, keys in ((shares, ["table", "row"]), (shares[reports], ["table"])):
        beside = decimals[rows.index].groupby([rows[key] for key in keys]).transform("max")
        finest.update(beside.where(beside > finest[rows.index]))
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


def _compare_paper(paper, folders, run, margin):
    table = _join(_published_side(paper, margin), _measured_side(paper, folders, run))
    table["seed"] = pd.to_numeric(table["seeds"].where(table["seeds"].map(count_seeds) == 1)).astype("Int64")
    table["paper"], table["difference"] = paper, table["value"] - table["published"]
    protocols = read_protocols(paper)
    table["protocols"] = [protocols_of(protocols, *row) for row in zip(table["table"], table["row"], strict=True)]
    table = judge(table)
    notes = table[["note", "published_note"]]
    table["note"] = ["; ".join(filter(None, pair)) for pair in notes.itertuples(index=False)]
    return table[list(COLUMNS)]


def _published_side(paper, margin):
    """The published numbers with what the digits leave open, their claim and its margin, which settings have not."""
    published = read_published(paper)
    claims, margins = read_claims(paper, published), read_margins(paper, published, margin)
    cells = list(published[NUMBER].itertuples(index=False, name=None))
    published["below"], published["above"] = printed_slack(published)
    published["claim"] = [claims.get(cell, "") for cell in cells]
    copies = read_copies(paper, published)
    published["number"] = [" / ".join(copies[cell]) for cell in cells]
    published["margin"] = [margins[cell] if cell in claims else np.nan for cell in cells]
    return published.rename(columns={"value": "published", "n": "published_n", "note": "published_note"})


def _measured_side(paper, folders, run):
    """The measured numbers of the published tables, from {origin: folder}."""
    parts = []
    for origin, folder in folders.items():
        rows = read_results(folder / f"{paper}.csv").drop(columns="paper")
        rows = rows[(rows["table"] != "extra") & (rows["run"].eq(run) if run else True)]
        parts.append(aggregate_seeds(rows).assign(origin=origin, ours=True))
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def _join(published, ours):
    joined = published.merge(ours, on=NUMBER, how="left")
    only_ours = ours.merge(published[NUMBER], on=NUMBER, how="left", indicator=True).query("_merge == 'left_only'")
    table = joined if only_ours.empty else pd.concat([joined, only_ours], ignore_index=True)
    table["ours"] = table["ours"].eq(True)
    texts = ("dataset", "protocol", "preset", "run", "commit", "origin", "note", "seeds", "published_note", "kind")
    for column in (*texts, "claim", "number"):
        table[column] = table[column].fillna("")
    return table


if __name__ == "__main__":
    run_main(main)
