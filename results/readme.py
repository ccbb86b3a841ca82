"""The tables of the READMEs, written from the results.

    python -m results.readme            # write every block of README.md and reproductions/*/README.md anew
    python -m results.readme --check    # write nothing; exit 1 if one is stale

A block begins with a comment at the start of a line and ends with another; the table between them is written here:

    <!-- results: cffn_resnet; protocol=video; rows=cffn, frame level | cffn_no_triplet, frame level;
         metrics=accuracy balanced_accuracy auc -->
    <!-- /results -->

First the paper, then what to take of results/<paper>.csv: `rows`, `table` (extra, unless it is said), `dataset`,
`protocol`, `preset`, each one name or several with `|` between, `*` standing for anything (`rows=*, frame level`); and
`metrics`, the columns, with blanks between. What of data set, protocol and preset differs among the rows becomes a
column, the rest stands under the table. A block

    <!-- results: published
    cffn_resnet; table=Table 1; rows=final model; metrics=accuracy; preset=quick -->
    <!-- /results -->

has a query a line, over the published tables, and sets published beside ours, with the verdict.
"""

import re
import sys
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from common.cli import parse, run_main
from common.errors import UserError
from common.files import write_bytes
from results.compare import compare
from results.rendering import markdown_table, number
from results.seeds import count, over_seeds
from results.tables import known_papers, read_results
from results.verdicts import NO_WEIGHTS

ROOT = Path(__file__).resolve().parents[1]
COMMAND = "python -m results.readme"
BEGIN, END, PUBLISHED = "<!-- results:", "<!-- /results -->", "published"
BLOCK = re.compile(rf"^{BEGIN}(?P<words>[^>]*?)-->\n(?P<body>.*?)^{END}$", re.MULTILINE | re.DOTALL)
CONDITIONS = ("dataset", "protocol", "preset")
EXPERIMENT = ["table", "row", *CONDITIONS]
TITLES = {"auc": "AUC", "f1": "F1", "dataset": "data set"}
PUBLISHED_HEADING = ("paper", "number", "published", "ours", "n", "seeds", "data set, protocol", "verdict")
SPREAD = "Ours of several seeds: mean ± standard deviation; of one: 95 % interval."


@dataclass(frozen=True)
class Options:
    """Write the tables of the READMEs from the results."""

    check: bool = False
    """Write nothing; exit with code 1 if a table is stale."""
    results: Path = ROOT / "results"
    """Folder of <paper>.csv."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Query:
    """What a block asks for. All but paper and metrics are patterns: a row must match one of each."""

    paper: str
    metrics: tuple[str, ...]
    rows: tuple[str, ...] = ("*",)
    table: tuple[str, ...] = ("extra",)
    dataset: tuple[str, ...] = ("*",)
    protocol: tuple[str, ...] = ("*",)
    preset: tuple[str, ...] = ("*",)


def main(argv=None):
    options = parse(Options, argv, prog=COMMAND, description=__doc__)
    stale = refresh(ROOT, options.results, options.check)
    for path in stale:
        print(f"{'stale' if options.check else 'written'}: {path.relative_to(ROOT)}")
    if stale and options.check:
        print(f"write them anew: {COMMAND}", file=sys.stderr)
        return 1
    return 0


def refresh(root, results_folder, check=False):
    """Write the blocks of all READMEs under `root` anew, not with `check`; return the paths of those that differ.

    UserError for a block that is not closed, a query that is none, or one that selects nothing. No file is written
    then.
    """
    found = {path: path.read_text(encoding="utf-8") for path in _readmes(root)}
    renewed = {path: _renew(text, results_folder, path.relative_to(root)) for path, text in found.items()}
    stale = [path for path in found if renewed[path] != found[path]]
    if not check:
        for path in stale:
            write_bytes(renewed[path].encode(), path)
    return stale


def read_query(words, table="extra"):
    """A Query from its words; `table` where none is named. UserError if they are no query."""
    paper, *settings = (part.strip() for part in " ".join(words.split()).split(";"))
    if paper not in known_papers():
        raise UserError(f"unknown paper {paper!r}; known: {', '.join(known_papers())}")
    found = {"table": (table,)}
    legal = [field.name for field in fields(Query) if field.name != "paper"]
    for setting in filter(None, settings):
        name, equals, value = (part.strip() for part in setting.partition("="))
        if not equals or not value or name not in legal:
            raise UserError(f"expected NAME=VALUE with a NAME of {', '.join(legal)}; got {setting!r}")
        found[name] = tuple(value.split()) if name == "metrics" else tuple(part.strip() for part in value.split("|"))
    if "metrics" not in found:
        raise UserError("expected metrics=, the table's columns, for instance metrics=accuracy auc")
    return Query(paper, **found)


def select(rows, query):
    """The rows that a Query asks for, in its order. UserError, naming what there is, if a part of it selects nothing.

    rows: a DataFrame with the columns table, row, metric, dataset, protocol, preset.
    """
    for column, patterns in {
        **{name: getattr(query, name) for name in ("table", *CONDITIONS)},
        "row": query.rows,
        "metric": query.metrics,
    }.items():
        there = rows[column].drop_duplicates()
        matches = str.__eq__ if column == "metric" else fnmatchcase  # a metric is the heading of a column
        rank = {}  # {name: the place of the first pattern that it matches}
        for place, pattern in enumerate(patterns):
            matching = [name for name in there if matches(name, pattern)]
            if not matching:
                known = " | ".join(filter(None, there)) or "nothing, it was not run"
                raise UserError(f"{query.paper}: no {column} {pattern!r}; there is: {known}")
            rank = {name: place for name in matching} | rank
        rows = rows[rows[column].isin(rank)]
        rows = rows.iloc[rows[column].map(rank).argsort(kind="stable")] if column == "row" else rows
    return rows


def _readmes(root):
    return [path for path in (root / "README.md", *sorted(root.glob("reproductions/*/README.md"))) if path.is_file()]


def _renew(text, results_folder, name):
    blocks = list(BLOCK.finditer(text))
    begun = len(re.findall(rf"^{BEGIN}", text, re.MULTILINE))
    if begun != len(blocks) or any(BEGIN in block["body"] for block in blocks):
        raise UserError(f"{name}: expected a line {END} after each {BEGIN} ... -->")

    def renewed(block):
        words = block["words"].strip()
        try:
            if words.split(maxsplit=1)[:1] == [PUBLISHED]:
                lines = _published(words.removeprefix(PUBLISHED).strip().splitlines(), results_folder)
            else:
                lines = _measured(read_query(words), results_folder)
        except UserError as error:
            raise UserError(f"{name}: {BEGIN} {' '.join(words.split())} -->: {error}") from error
        begin = block[0][: block.start("body") - block.start()]
        return begin + "\n" + "\n".join(lines) + "\n\n" + END

    return BLOCK.sub(renewed, text)


def _measured(query, folder):
    """The lines of a table of our numbers, a metric a column, and of what holds for all of it."""
    path = Path(folder) / f"{query.paper}.csv"
    rows = read_results(path)
    if rows.empty:
        raise UserError(f"no results in {path}; make them: python reproductions/{query.paper}/run.py")
    n = select(rows, query)["n"]
    rows = select(over_seeds(rows), query)
    beside = [name for name in CONDITIONS if rows[name].nunique() > 1]
    heading = ("", *(TITLES.get(name, name) for name in beside), *(_title(metric) for metric in query.metrics))
    lines = [heading]
    for _, ours in rows.groupby(EXPERIMENT, sort=False):
        first, cells = ours.iloc[0], {row.metric: _cell(row) for row in ours.itertuples()}
        lines.append((first["row"], *first[beside], *(cells.get(metric, "") for metric in query.metrics)))
    return [*markdown_table(lines, heading[: 1 + len(beside)]), "", _legend(rows, beside, n)]


def _published(queries, folder):
    """The lines of a table of published numbers beside ours; several metrics of a row stand in one line."""
    lines = [PUBLISHED_HEADING]
    for words in filter(str.strip, queries):
        query = read_query(words, table="*")
        rows = select(compare((query.paper,), folder), query)
        lines += [_published_line(query, ours) for _, ours in rows.groupby(EXPERIMENT, sort=False)]
    return [*markdown_table(lines, ("paper", "number", "data set, protocol", "verdict")), "", SPREAD]


def _published_line(query, rows):
    """The cells of PUBLISHED_HEADING, for the metrics of one row of a paper's table under the same conditions."""
    first, ours = rows.iloc[0], sorted(rows.itertuples(), key=lambda row: query.metrics.index(row.metric))
    one = len(ours) == 1
    published = {row.metric: number(row.published, row.metric) for row in ours}
    found = {row.metric: _cell(row) for row in ours if row.seeds}
    values = (
        ", ".join(cell if one else f"{name} {cell}" for name, cell in each.items()) for each in (published, found)
    )
    name = f"{first['table']}, {first['row']}" + (f": {_title(ours[0].metric)}" if one else "")
    where = ", ".join(filter(None, (first["dataset"], first["protocol"])))
    seeds, verdicts = ("; ".join(rows[column].unique()) for column in ("seeds", "verdict"))
    return query.paper, name, *values, _range(rows["n"]), seeds, where, verdicts


def _cell(row):
    """`0.912 ± 0.004`, or of one seed `0.912 [0.903, 0.920]`."""
    value = number(row.value, row.metric, row.sd, digits=3, plus_minus="±")
    alone = pd.isna(row.sd) and not pd.isna(row.ci_low)
    return f"{value} [{row.ci_low:.3f}, {row.ci_high:.3f}]" if alone else value


def _legend(rows, beside, n):
    """What holds for the whole table, as a line of text; of the notes, those that all rows and seeds share."""
    where = [f"{TITLES.get(name, name)} {rows[name].iloc[0]}" for name in CONDITIONS if name not in beside]
    seeds = max(rows["seeds"], key=count)
    if count(seeds) == 1:
        spread = f"seed {seeds}, with 95 % intervals"
    else:
        spread = f"mean ± standard deviation over the seeds {seeds}"
        if rows["seeds"].nunique() > 1:
            spread += ", or over those that have a value; of a single one its 95 % interval"
    shared = set.intersection(*(set(note.split("; ")) for note in rows["note"]))
    notes = [part for part in rows["note"].iloc[0].split("; ") if part in shared and part and "(seed " not in part]
    without = list(dict.fromkeys(rows.loc[rows["note"].str.contains(NO_WEIGHTS), "row"]))
    if without and NO_WEIGHTS not in notes:
        notes.append(f"{NO_WEIGHTS}: {', '.join(without)}")
    told = "; ".join([*where, spread, f"n = {_range(n)}", *notes])
    return f"{told[0].upper()}{told[1:]}."


def _range(n):
    n = n.dropna()
    return "" if n.empty else f"{n.min()}" if n.nunique() == 1 else f"{n.min()} to {n.max()}"


def _title(metric):
    return TITLES.get(metric, metric.replace("_", " "))


if __name__ == "__main__":
    run_main(main)
