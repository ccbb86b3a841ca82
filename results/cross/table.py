"""The tables cross.csv and robustness.csv: metrics of detectors on data sets, for variants of the images."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from common.data.text_tables import as_decimals
from common.errors import UserError
from results.tables import read_results, upsert

DETECTOR = ["paper", "run", "model", "protocol", "seed"]
TEST = [*DETECTOR, "dataset"]
KEY = [*TEST, "perturbation", "strength", "level", "metric"]
COLUMNS = (
    *("paper", "run", "model", "trained_on", "dataset", "protocol", "seed", "perturbation", "strength"),
    *("level", "metric", "value", "ci_low", "ci_high", "n", "note"),
)
METRICS = ("auc", "balanced_accuracy", "eer")
UNPERTURBED = "none"  # the perturbation of an image as it is

Variant = tuple[str, float | None]  # a perturbation and its strength
PLAIN: Variant = (UNPERTURBED, None)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read cross.csv or robustness.csv.

    Args:
        path: the file. If it does not exist, the table has no rows.

    Returns:
        A DataFrame with the columns COLUMNS.

    Raises:
        UserError: if it is another table.
    """
    table = read_results(path, COLUMNS)
    wrong = table["strength"].ne("") & ~np.isfinite(as_decimals(table["strength"]))
    if wrong.any():
        raise UserError(
            f"{path}: expected a number in the column strength, got {table.loc[wrong, 'strength'].iloc[0]!r}"
        )
    return table


def replace_rows(rows: Iterable[Mapping[str, object]], path: str | Path) -> None:
    """Write rows into a table; they replace all rows of the same detector and data set."""
    upsert(rows, path, COLUMNS, KEY, TEST)


def has_rows(path: str | Path, test: Mapping[str, object], variants: Sequence[Variant], note: str) -> bool:
    """Whether a table has rows of all variants of the same images.

    Args:
        path: the table.
        test: {column: value} of the detector and the data set.
        variants: the variants.
        note: the beginning of the rows' notes, which identifies the images.
    """
    table = read_table(path)
    table = table[row_keys(table, list(test)).eq(row_key(test.values()))]
    table = table[(table["note"] + "; ").str.startswith(note + "; ")]
    measured = set(zip(table["perturbation"], table["strength"], strict=True))
    return all((name, strength_text(strength)) in measured for name, strength in variants)


def strength_text(strength: float | None) -> str:
    """A strength as it is written in the column `strength`."""
    return "" if strength is None else f"{strength:g}"


def row_keys(table: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """The `row_key` of each row's cells in these columns."""
    keys = [row_key(cells) for cells in table[list(columns)].itertuples(index=False)]
    return pd.Series(keys, table.index, dtype=object)


def row_key(cells: Iterable[object]) -> str:
    """One string that identifies these cells, whatever their types."""
    return "\n".join(map(str, cells))
