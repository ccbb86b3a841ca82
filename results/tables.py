"""The tables of numbers: results/published/<paper>.csv (what a paper prints), results/<paper>.csv (what we measured).

Both name a number by (table, row, metric): `Table 4`, `class 0`, `precision`. Fractions stand where a paper prints a
percentage. Table `extra` of our results holds what the paper does not report.
"""

import hashlib
import re
import tempfile
from pathlib import Path

import pandas as pd
from filelock import FileLock

from common.errors import UserError
from common.files import write_csv

PUBLISHED = ("table", "row", "metric", "value", "printed", "n", "note")
RESULTS = (
    *("paper", "table", "row", "metric", "value", "ci_low", "ci_high", "n"),
    *("dataset", "protocol", "preset", "seed", "run", "commit", "note"),
)
KEY = ("table", "row", "metric", "dataset", "protocol", "preset", "seed")
FLOATS = ("value", "ci_low", "ci_high")
INTEGERS = ("n", "seed")
BESIDE = ("_relations", "_notes")  # files of the audit beside a paper's table


def published_folder():
    """The folder of the published tables, beside this module, whatever the working directory."""
    return Path(__file__).parent / "published"


def known_papers():
    """The papers that have a published table, in alphabetical order."""
    return sorted(path.stem for path in published_folder().glob("*.csv") if not path.stem.endswith(BESIDE))


def read_published(paper):
    """What `paper` prints: a DataFrame with the columns PUBLISHED, value float64, n Int64, the others strings.

    UserError for an unknown paper, a missing column, a value that is no number, or a number listed twice.
    """
    if paper not in known_papers():
        raise UserError(f"unknown paper {paper!r}; known: {', '.join(known_papers())}")
    path = published_folder() / f"{paper}.csv"
    published = _typed(_read(path, PUBLISHED), path)
    if published["value"].isna().any() or published["printed"].eq("").any():
        raise UserError(f"{path}: expected a value and its printed form in every row")
    _check_unique(published, ["table", "row", "metric"], path)
    return published


def read_results(path, columns=RESULTS):
    """What we measured: a DataFrame with the columns `columns`; no rows if there is no such file.

    value, ci_low, ci_high are float64 exactly as they were written, n and seed Int64, the others strings.
    """
    if not Path(path).exists():
        return _typed(pd.DataFrame(columns=columns, dtype=str), path)
    return _typed(_read(path, columns), path)


def upsert(rows, path, columns=RESULTS, key=KEY, replaced=None):
    """Put `rows` into the results file `path`: they replace rows of the same `key`, and no others are touched.

    replaced: a part of `key`; all rows that agree in it with a new one go then.

    rows: dictionaries or a DataFrame with columns out of `columns`; those left out are empty. The file is written at
    once or not at all, in an order that does not depend on who wrote first. Processes of one user on one machine take
    turns, if they have one folder of temporary files. ValueError for an unknown column or two rows of one key.
    """
    new = pd.DataFrame(rows)
    unknown = set(new) - set(columns)
    if unknown:
        raise ValueError(f"expected columns out of {', '.join(columns)}, got {', '.join(sorted(unknown))}")
    new = _typed(new.reindex(columns=columns), path)
    keys = _keys(new, key)
    if keys.duplicated().any():
        raise ValueError(f"two rows for {keys[keys.duplicated()].iloc[0]}")
    with FileLock(_lock_path(path)):
        old = read_results(path, columns)
        kept = old[~_keys(old, replaced or key).isin(_keys(new, replaced or key))]
        table = new if kept.empty else pd.concat([kept, new])
        write_csv(table.sort_values(list(key), key=_sort_key, kind="stable"), path)


def natural(name):
    """A sort key for names of tables and rows: `Table 2` before `Table 10`, `extra` last."""
    parts = re.split(r"(\d+)", name)
    return (name == "extra", *(part.zfill(9) if part.isdigit() else part for part in parts))


def decimals(value, digits=3):
    """A number as a cell of text_table, empty where it is missing."""
    return "" if value is None or pd.isna(value) else f"{value:.{digits}f}"


def interval(low, high, digits=3):
    """An interval as a cell of text_table, empty where there is none."""
    return "" if low is None or pd.isna(low) else f"{low:.{digits}f} to {high:.{digits}f}"


def text_table(rows, left=1):
    """Lines of aligned text from rows, tuples of strings, of which the first is the heading.

    The first `left` columns and those without a heading are flush left, the others flush right; a column that is empty
    below its heading is left out.
    """
    aligned = []
    for place, column in enumerate(zip(*rows, strict=True)):
        if any(column[1:]):
            width = max(map(len, column))
            flush_left = place < left or not column[0]
            aligned.append([cell.ljust(width) if flush_left else cell.rjust(width) for cell in column])
    return ["  ".join(cells).rstrip() for cells in zip(*aligned, strict=True)]


def _read(path, columns):
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except (ValueError, pd.errors.ParserError) as error:
        raise UserError(f"{path} is not a readable CSV file: {str(error).strip()}") from error
    if tuple(table) != columns:
        raise UserError(f"{path}: expected the columns {','.join(columns)}; found: {','.join(table)}")
    return table


def _typed(table, path):
    table = table.copy()
    for column in table:
        try:
            if column in FLOATS:
                table[column] = table[column].replace("", "nan").astype("float64")
            elif column in INTEGERS:
                table[column] = pd.to_numeric(table[column].replace("", None)).astype("Int64")
            else:
                table[column] = table[column].fillna("").astype(str)
        except (ValueError, TypeError) as error:
            raise UserError(f"{path}: column {column}: {error}") from error
    return table


def _check_unique(table, columns, path):
    twice = table.duplicated(columns)
    if twice.any():
        raise UserError(f"{path}: listed twice: {' / '.join(table.loc[twice, columns].iloc[0])}")


def _keys(table, key):
    cells = zip(*(table[column].astype(str) for column in key), strict=True)
    return pd.Series(list(cells), table.index, dtype=object)


def _sort_key(column):
    if column.name == "strength":
        return pd.to_numeric(column)
    return column.map(natural) if column.name in ("table", "row") else column


def _lock_path(path):
    name = hashlib.sha256(f"{Path.home()} {Path(path).resolve()}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"deepfake-results-{name}.lock"  # beside the file it would litter the folder
