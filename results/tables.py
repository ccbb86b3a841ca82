"""The tables of numbers: results/published/<paper>.csv (published), results/<paper>.csv (measured by a user's runs),
results/reference/<paper>.csv (measured, shipped with the repository).

All identify a number by (table, row, metric), for example `Table 4`, `class 0`, `precision`. Where a paper prints a
percentage, the tables have a fraction. Table `extra` of the results holds numbers that are not in the paper.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.data.text_tables import as_decimals, read_text_table
from common.errors import UserError
from common.files import file_lock, remove_leftovers, write_csv

PUBLISHED_COLUMNS = ("table", "row", "metric", "value", "printed", "n", "note", "kind")
KINDS = ("metric", "count", "size", "setting")  # of published numbers
RESULT_COLUMNS = (
    *("paper", "table", "row", "metric", "value", "ci_low", "ci_high", "n", "clusters"),
    *("dataset", "protocol", "preset", "seed", "run", "commit", "note"),
)
RESULT_KEY = ("table", "row", "metric", "dataset", "protocol", "preset", "seed")
FLOAT_COLUMNS = ("value", "ci_low", "ci_high")
INTEGER_COLUMNS = ("n", "clusters", "seed")
NUMERIC_KEYS = ("strength",)  # strings that are sorted as numbers
AUDIT_FILES = ("_relations", "_notes")  # endings of the other files in the folder of the published tables
MAX_WHOLE = 2.0**53  # float64 has all whole numbers up to it
LOCK_SECONDS = 120.0  # writing a table takes less than a second


def published_folder() -> Path:
    """The folder of the published tables, whatever the working directory."""
    return Path(__file__).parent / "published"


def reference_folder() -> Path:
    """The folder of the rows that the repository ships, apart from those that a user's runs write."""
    return Path(__file__).parent / "reference"


def known_papers() -> list[str]:
    """The papers that have a published table, in alphabetical order."""
    return sorted(path.stem for path in published_folder().glob("*.csv") if not path.stem.endswith(AUDIT_FILES))


def read_published(paper: str) -> pd.DataFrame:
    """Read the published numbers of a paper.

    Args:
        paper: one of `known_papers()`.

    Returns:
        A DataFrame with the columns PUBLISHED_COLUMNS: value float64, n Int64, all others strings. kind is one of
        `metric` (a measure of quality), `count` (a cell of a confusion matrix), `size` (images, parameters, epochs
        until a training stopped, times) and `setting` (what the authors chose).

    Raises:
        UserError: if the paper is unknown, a column is missing, a value is not a number, a kind is unknown, or a number
            is listed twice.
    """
    if paper not in known_papers():
        raise UserError(f"unknown paper {paper!r}; known: {', '.join(known_papers())}")
    path = published_folder() / f"{paper}.csv"
    published = _typed(_read(path, PUBLISHED_COLUMNS), path)
    if published["value"].isna().any() or published["printed"].eq("").any():
        raise UserError(f"{path}: expected a value and its printed form in every row")
    if unknown := sorted(set(published["kind"]) - set(KINDS)):
        raise UserError(f"{path}: expected a kind of {', '.join(KINDS)}; got {', '.join(map(repr, unknown))}")
    _check_unique(published, ["table", "row", "metric"], path)
    return published


def read_results(path: str | Path, columns: Sequence[str] = RESULT_COLUMNS) -> pd.DataFrame:
    """Read a table of measured numbers.

    Args:
        path: the CSV file, results/<paper>.csv or results/reference/<paper>.csv. If it does not exist, the table has no
            rows.
        columns: the columns that it must have.

    Returns:
        A DataFrame: value, ci_low, ci_high float64, exactly as they were written; n and seed Int64; all others strings.

    Raises:
        UserError: if the file is not such a table.
    """
    if not Path(path).exists():
        return _typed(pd.DataFrame(columns=list(columns), dtype=str), path)
    return _typed(_read(path, columns), path)


def upsert(
    rows: Iterable[Mapping[str, Any]] | pd.DataFrame,
    path: str | Path,
    columns: Sequence[str] = RESULT_COLUMNS,
    key: Sequence[str] = RESULT_KEY,
    replace_by: Sequence[str] | None = None,
    timeout: float = LOCK_SECONDS,
) -> None:
    """Write rows into a table: they replace the rows with the same key, and no others.

    The file is written completely or not at all, and its order does not depend on who wrote first. Processes, also on
    several machines that share the folder, take turns by a lock file beside it.

    Args:
        rows: dictionaries or a DataFrame. Columns that they lack are left empty.
        path: the CSV file. It is created if it does not exist.
        columns: the table's columns.
        key: the columns that identify a row, which are also the order of the rows.
        replace_by: a part of the key. All rows that agree with a new one in these columns are removed. None: the key.
        timeout: seconds to wait for another process that is writing the table.

    Raises:
        ValueError: if there is a column that is not in `columns`, or two rows have the same key.
        UserError: if the file is another table, or locked for longer than `timeout`.
    """
    new = pd.DataFrame(rows)
    unknown = set(new) - set(columns)
    if unknown:
        raise ValueError(f"expected columns out of {', '.join(columns)}, got {', '.join(sorted(unknown))}")
    new = _typed(new.reindex(columns=list(columns)), path)
    keys = _keys(new, key)
    if keys.duplicated().any():
        raise ValueError(f"two rows for {keys[keys.duplicated()].iloc[0]}")
    with file_lock(_lock_path(path), str(path), timeout):
        remove_leftovers(Path(path).parent, Path(path).name, deep=False)
        old = read_results(path, columns)
        kept = old[~_keys(old, replace_by or key).isin(_keys(new, replace_by or key))]
        table = new if kept.empty else pd.concat([kept, new])
        write_csv(table.sort_values(list(key), key=_sort_key, kind="stable"), path)


def natural_key(name: str) -> tuple:
    """A sort key for names of tables and rows: `Table 2` comes before `Table 10`, and `extra` is last."""
    parts = re.split(r"(\d+)", name)
    return (name == "extra", *(part.zfill(9) if part.isdigit() else part for part in parts))


def _read(path, columns):
    table = read_text_table(Path(path))
    if "clusters" in columns and tuple(table) == tuple(column for column in columns if column != "clusters"):
        table.insert(columns.index("clusters"), "clusters", "")  # of an earlier version
    if tuple(table) != tuple(columns):
        raise UserError(f"{path}: expected the columns {','.join(columns)}; found: {','.join(table)}")
    return table


def _typed(table, path):
    table = table.copy()
    for column in table:
        try:
            if column in FLOAT_COLUMNS:
                table[column] = _finite(table[column])
            elif column in INTEGER_COLUMNS:
                table[column] = _whole(table[column])
            else:
                table[column] = table[column].fillna("").astype(str)
        except (ValueError, TypeError) as error:
            raise UserError(f"{path}: column {column}: {error}") from error
    return table


def _finite(column):
    """float64; NaN where nothing is written, and ValueError for what is no finite decimal number."""
    if pd.api.types.is_numeric_dtype(column):
        numbers = column.astype("float64")
    else:
        texts = column.where(column.notna(), "").astype(str)
        numbers, blank = as_decimals(texts), texts.isin(("", "nan"))
        if (numbers.isna() & ~blank).any():
            raise ValueError(f"expected a number, got {texts[numbers.isna() & ~blank].iloc[0]!r}")
    if np.isinf(numbers).any():
        raise ValueError("expected finite numbers, got an infinite one")
    return numbers


def _whole(column):
    """Int64; NA where nothing is written, and ValueError for what is no whole number."""
    numbers = _finite(column)
    if (numbers.abs() > MAX_WHOLE).any() or (numbers % 1 != 0)[numbers.notna()].any():
        raise ValueError(f"expected whole numbers up to {MAX_WHOLE:g}")
    return numbers.astype("Int64")


def _check_unique(table, columns, path):
    duplicated = table.duplicated(columns)
    if duplicated.any():
        raise UserError(f"{path}: listed twice: {' / '.join(table.loc[duplicated, columns].iloc[0])}")


def _keys(table, key):
    cells = zip(*(table[column].astype(str) for column in key), strict=True)
    return pd.Series(list(cells), table.index, dtype=object)


def _sort_key(column):
    if column.name in NUMERIC_KEYS:
        return pd.to_numeric(column)
    return column.map(natural_key) if column.name in ("table", "row") else column


def _lock_path(path):
    path = Path(path)
    return path.with_name(f".{path.name}.lock")
