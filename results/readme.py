"""The tables of the READMEs, written from the rows that the repository ships.

    python -m results.readme            # write every table of README.md, results/README.md, reproductions/*/README.md
    python -m results.readme --check    # write nothing; exit with code 1 if a table is stale

A table is written between two comments, each at the start of a line:

    <!-- results: cffn_resnet; protocol=video; rows=cffn, frame level | cffn_no_triplet, frame level;
         metrics=accuracy balanced_accuracy auc -->
    <!-- /results -->

The first comment names the paper, then which rows of results/reference/<paper>.csv to take: `rows`, `table` (default:
extra), `dataset`, `protocol`, `preset`, each one name, or several separated by `|`, with `*` for anything
(`rows=*, frame level`); and `metrics`, the columns, separated by blanks. If the data set, protocol or preset differs
between rows, it becomes a column; otherwise it is named below the table. A comment

    <!-- results: published
    cffn_resnet; table=Table 1; rows=final model; metrics=accuracy; preset=quick -->
    <!-- /results -->

has one query on each line, over the published tables. Its table has the published numbers beside ours, with verdicts.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.cli import parse, run_main
from common.conditions import NO_IMAGENET_WEIGHTS, has_condition
from common.errors import UserError
from common.files import write_bytes
from results.compare import compare
from results.formatting import format_measured, format_number, markdown_table
from results.judging import JOINT_TEST, with_verdicts_of_claims
from results.queries import CONDITIONS, read_query, select_rows
from results.seeds import aggregate_seeds, count_seeds
from results.tables import read_results, reference_folder
from results.verdicts import MARGIN

ROOT = Path(__file__).resolve().parents[1]
COMMAND = "python -m results.readme"
BEGIN, END, PUBLISHED = "<!-- results:", "<!-- /results -->", "published"
BLOCK = re.compile(rf"^{BEGIN}(?P<query>[^>]*?)-->\n(?P<body>.*?)^{END}$", re.MULTILINE | re.DOTALL)
EXPERIMENT = ["table", "row", *CONDITIONS, "commit"]
TITLES = {"auc": "AUC", "f1": "F1", "dataset": "data set"}
PUBLISHED_HEADING = ("paper", "number", "published", "ours", "n", "seeds", "data set, protocol", "verdict")
SPREAD = (
    "Ours: mean over the seeds [95 % interval] (standard deviation over the seeds). `reproduced`: the interval of the "
    f"difference lies within the margin: {100 * MARGIN:g} points, or half of a gain that the paper claims."
)


@dataclass(frozen=True)
class ReadmeOptions:
    """Write the tables of the READMEs from the rows that the repository ships."""

    check: bool = False
    """Write nothing; exit with code 1 if a table is stale."""
    results: Path = reference_folder()
    """Folder of <paper>.csv."""
    debug: bool = False
    """Show the traceback of an error."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = parse(ReadmeOptions, argv, prog=COMMAND, description=__doc__)
    stale = refresh(ROOT, options.results, options.check)
    for path in stale:
        print(f"{'stale' if options.check else 'written'}: {path.relative_to(ROOT)}")
    if stale and options.check:
        print(f"write them again: {COMMAND}", file=sys.stderr)
        return 1
    return 0


def refresh(root: Path, results_folder: Path, check: bool = False) -> list[Path]:
    """Write the tables of all READMEs.

    Args:
        root: folder of README.md, results/README.md and reproductions/<paper>/README.md.
        results_folder: folder of <paper>.csv.
        check: write nothing.

    Returns:
        The READMEs whose tables were stale.

    Raises:
        UserError: if a block is not closed, a query is wrong or selects nothing. No file is written then.
    """
    texts = {path: path.read_text(encoding="utf-8") for path in _readmes(root)}
    refreshed = {path: _refreshed(text, results_folder, path.relative_to(root)) for path, text in texts.items()}
    stale = [path for path in texts if refreshed[path] != texts[path]]
    if not check:
        for path in stale:
            write_bytes(refreshed[path].encode(), path)
    return stale


def _readmes(root):
    paths = (root / "README.md", root / "results" / "README.md", *sorted(root.glob("reproductions/*/README.md")))
    return [path for path in paths if path.is_file()]


def _refreshed(text, results_folder, name):
    blocks = list(BLOCK.finditer(text))
    begins = len(re.findall(rf"^{BEGIN}", text, re.MULTILINE))
    if begins != len(blocks) or any(BEGIN in block["body"] for block in blocks):
        raise UserError(f"{name}: expected a line {END} after each {BEGIN} ... -->")

    def refreshed_block(block):
        query = block["query"].strip()
        try:
            if query.split(maxsplit=1)[:1] == [PUBLISHED]:
                lines = _published_table(query.removeprefix(PUBLISHED).strip().splitlines(), results_folder)
            else:
                lines = _measured_table(read_query(query), results_folder)
        except UserError as error:
            raise UserError(f"{name}: {BEGIN} {' '.join(query.split())} -->: {error}") from error
        begin = block[0][: block.start("body") - block.start()]
        return begin + "\n" + "\n".join(lines) + "\n\n" + END

    return BLOCK.sub(refreshed_block, text)


def _measured_table(query, folder):
    """The lines of a table of our numbers, one metric per column, and of a legend for the whole table."""
    path = Path(folder) / f"{query.paper}.csv"
    rows = read_results(path)
    if rows.empty:
        command = f"python reproductions/{query.paper}/run.py --results {folder}"
        raise UserError(f"no results in {path}; make them: {command}")
    selected = select_rows(rows, query)
    rows = aggregate_seeds(selected)
    columns = [name for name in CONDITIONS if rows[name].nunique() > 1]
    if rows.duplicated(["table", "row", "metric", *CONDITIONS]).any():  # seeds of several versions of the code
        columns.append("commit")
    heading = ("", *(TITLES.get(name, name) for name in columns), *(_title(metric) for metric in query.metrics))
    lines = [heading]
    for _, ours in rows.groupby(EXPERIMENT, sort=False):
        first, cells = ours.iloc[0], {row.metric: _cell(row) for row in ours.itertuples()}
        lines.append((first["row"], *first[columns], *(cells.get(metric, "") for metric in query.metrics)))
    return [*markdown_table(lines, heading[: 1 + len(columns)]), "", _legend(rows, columns, _size(selected))]


def _published_table(queries, folder):
    """The lines of a table of published numbers beside ours; several metrics of a row share a line."""
    lines = [PUBLISHED_HEADING]
    for text in filter(str.strip, queries):
        query = read_query(text, table="*")
        comparison = with_verdicts_of_claims(compare((query.paper,), folder))
        rows = select_rows(comparison[comparison["metric"] != JOINT_TEST], query)
        lines += [_published_cells(query, ours) for _, ours in rows.groupby(EXPERIMENT, sort=False)]
    return [*markdown_table(lines, ("paper", "number", "data set, protocol", "verdict")), "", SPREAD]


def _published_cells(query, rows):
    """The cells of PUBLISHED_HEADING, for the metrics of one row of a paper's table under the same conditions."""
    first, ours = rows.iloc[0], sorted(rows.itertuples(), key=lambda row: query.metrics.index(row.metric))
    single = len(ours) == 1
    published = {row.metric: format_number(row.published, row.metric) for row in ours}
    measured = {row.metric: _cell(row) for row in ours if row.seeds}
    values = (
        ", ".join(cell if single else f"{metric} {cell}" for metric, cell in cells.items())
        for cells in (published, measured)
    )
    number = f"{first['table']}, {first['row']}" + (f": {_title(ours[0].metric)}" if single else "")
    test = ", ".join(filter(None, (first["dataset"], first["protocol"])))
    seeds, verdicts = ("; ".join(rows[column].unique()) for column in ("seeds", "verdict"))
    return query.paper, number, *values, _range(rows["n"]), seeds, test, verdicts


def _cell(row):
    """`0.912 [0.903, 0.920] (sd 0.004)`; the seeds are named beside or below."""
    return format_measured(row.value, row.metric, (row.ci_low, row.ci_high), row.sd, seeds=0, digits=3)


def _legend(rows, columns, size):
    """A line on what is true for the whole table. Of the notes, it has those that all rows and seeds share."""
    conditions = [f"{TITLES.get(name, name)} {rows[name].iloc[0]}" for name in CONDITIONS if name not in columns]
    seeds = max(rows["seeds"], key=count_seeds)
    if count_seeds(seeds) == 1:
        spread = f"seed {seeds} [95 % interval]"
    else:
        spread = f"mean [95 % interval] (standard deviation over the seeds {seeds})"
        if rows["seeds"].nunique() > 1:
            spread += ", or over those that have a value"
    shared = set.intersection(*(set(note.split("; ")) for note in rows["note"]))
    notes = [part for part in rows["note"].iloc[0].split("; ") if part in shared and part and "(seed " not in part]
    without_weights = [has_condition(note, NO_IMAGENET_WEIGHTS) for note in rows["note"]]
    if any(without_weights) and NO_IMAGENET_WEIGHTS not in notes:
        notes.append(f"{NO_IMAGENET_WEIGHTS}: {', '.join(rows.loc[without_weights, 'row'].unique())}")
    legend = "; ".join([*conditions, spread, size, *notes])
    return f"{legend[0].upper()}{legend[1:]}."


def _size(rows):
    """`n = 300`, and in how many clusters these images were drawn, if that is less."""
    n, clusters = _range(rows["n"]), _range(rows["clusters"])
    return f"n = {n}" + (f" in {clusters} clusters" if clusters not in ("", n) else "")


def _range(n):
    n = n.dropna()
    return "" if n.empty else f"{n.min()}" if n.nunique() == 1 else f"{n.min()} to {n.max()}"


def _title(metric):
    return TITLES.get(metric, metric.replace("_", " "))


if __name__ == "__main__":
    run_main(main)
