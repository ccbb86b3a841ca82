"""Several seeds of one experiment, run by one version of the code, as one row: mean, interval, standard deviation."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from common.errors import UserError
from common.evaluation.cluster_intervals import LEAST
from common.evaluation.intervals import nested_interval

PER_SEED_COLUMNS = ("value", "ci_low", "ci_high", "n", "clusters", "seed", "run", "note")
ADDED_COLUMNS = ("sd", "test_low", "test_high", "seeds")
UNBOUNDED = ("log_loss",)  # metrics that are no shares
SUMMARY_COLUMNS = ("value", "ci_low", "ci_high", "n", "clusters", "run", "note", *ADDED_COLUMNS)


def aggregate_seeds(rows: pd.DataFrame, by: Sequence[str] | None = None) -> pd.DataFrame:
    """Aggregate the rows that differ only in their seed into one row, in the order of appearance.

    The interval of the mean is nested: see `nested_interval`.

    Args:
        rows: a DataFrame with the columns of `results.tables.read_results`, and perhaps more.
        by: the columns that identify an experiment. None: all columns but PER_SEED_COLUMNS.

    Returns:
        A DataFrame with the columns of `rows`, but `seed`, and with ADDED_COLUMNS:

            value            mean of the seeds that have a value
            ci_low, ci_high      the 95 % interval of the mean; NaN if a seed has none
            test_low, test_high  means of the seeds' own bounds: the error of one test set alone
            sd                   standard deviation over the seeds (ddof 1), NaN for a single one
            seeds                the seeds, for example `0 1 2`
            n, clusters          the smallest; if n differs between seeds, the note says so
            run                  the distinct names, with blanks between, unless it is in `by`
            note                 its parts, once each; a part that only some seeds have ends in these seeds, `(seed 1)`

    Raises:
        UserError: if a row has no seed.
    """
    if (blank := rows["seed"].isna()).any():
        first = rows[blank].iloc[0]
        words = " / ".join(str(first[name]) for name in ("paper", "table", "row", "metric", "dataset") if name in rows)
        raise UserError(f"column seed: expected a number in each row, got none in {blank.sum()}, first {words}")
    by = [column for column in rows if column not in PER_SEED_COLUMNS] if by is None else list(by)
    numbers = rows.groupby(by, sort=False, dropna=False).ngroup()  # in the order of appearance
    ordered = rows.assign(number=numbers).sort_values(["number", "seed"], kind="stable")
    cells = ordered[["number", *(column for column in ("metric", *PER_SEED_COLUMNS) if column in rows)]]
    seeds_of: dict[int, list[dict]] = {}  # plain Python: pandas takes milliseconds for each of thousands of groups
    for row in cells.to_dict("records"):
        seeds_of.setdefault(row["number"], []).append(row)
    summary = pd.DataFrame(map(_summary, seeds_of.values()), columns=list(SUMMARY_COLUMNS))
    table = ordered.drop_duplicates("number")[by].reset_index(drop=True)
    table = table.join(summary.drop(columns=[column for column in summary if column in by]))
    table = table[[column for column in rows if column != "seed"] + list(ADDED_COLUMNS)]
    floats = {column: "float64" for column in ("value", "ci_low", "ci_high", "sd", "test_low", "test_high")}
    integers = {column: "Int64" for column in ("n", "clusters") if column in table}
    return table.astype(floats | integers | {"seeds": str})


def count_seeds(seeds: str) -> int:
    """The number of seeds in a cell of the column `seeds`."""
    return len(seeds.split())


def _summary(rows):
    """The aggregated cells of the rows of one experiment, dictionaries in the order of their seeds."""
    measured = [row for row in rows if pd.notna(row["value"])] or rows
    sizes = [row["n"] for row in measured if pd.notna(row["n"])]
    clusters = [row["clusters"] for row in measured if pd.notna(row.get("clusters"))]
    values = np.array([row["value"] for row in measured], np.float64)
    remarks = []
    if len(measured) < len(rows):
        remarks.append(f"no value with seed {_joined(row['seed'] for row in rows if pd.isna(row['value']))}")
    if len(set(sizes)) > 1:
        remarks.append(f"n is {min(sizes)} to {max(sizes)}")
    value, sd = values.mean(), values.std(ddof=1) if len(values) > 1 else np.nan
    bounds = [np.array([row[bound] for row in measured], np.float64).mean() for bound in ("ci_low", "ci_high")]
    low, high = nested_interval(value, *bounds, sd, len(values))
    if rows[0].get("metric") not in UNBOUNDED and bounds[0] >= -1 and bounds[1] <= 1:
        low, high = max(low, LEAST.get(rows[0].get("metric"), 0.0)), min(high, 1.0)
    return {
        "value": value,
        "sd": sd,
        "ci_low": low,
        "ci_high": high,
        "test_low": bounds[0],
        "test_high": bounds[1],
        "n": min(sizes, default=pd.NA),
        "clusters": min(clusters, default=pd.NA),
        "seeds": _joined(row["seed"] for row in measured),
        "run": _joined(dict.fromkeys(row["run"] for row in rows)),
        "note": "; ".join([*_notes(measured), *remarks]),
    }


def _notes(rows):
    """The parts of the seeds' notes, once each; those that not all seeds have end in `(seed 1)`."""
    seeds_of = {}
    for row in rows:
        for part in dict.fromkeys(filter(None, row["note"].split("; "))):
            seeds_of.setdefault(part, []).append(row["seed"])
    return [part + ("" if len(seeds) == len(rows) else f" (seed {_joined(seeds)})") for part, seeds in seeds_of.items()]


def _joined(values):
    return " ".join(map(str, values))
