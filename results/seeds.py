"""Several seeds of one experiment as one row: mean and standard deviation."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

PER_SEED_COLUMNS = ("value", "ci_low", "ci_high", "n", "clusters", "seed", "run", "commit", "note")
SUMMARY_COLUMNS = ("value", "sd", "ci_low", "ci_high", "n", "clusters", "seeds", "run", "commit", "note")


def aggregate_seeds(rows: pd.DataFrame, by: Sequence[str] | None = None) -> pd.DataFrame:
    """Aggregate the rows that differ only in their seed into one row, in the order of appearance.

    Args:
        rows: a DataFrame with the columns of `results.tables.read_results`, and perhaps more.
        by: the columns that identify an experiment. None: all columns but PER_SEED_COLUMNS.

    Returns:
        A DataFrame with the columns of `rows`, but `seed`, and with `sd` and `seeds`:

            value            mean of the seeds that have a value
            sd               their standard deviation (ddof 1), NaN for a single seed. A seed also draws splits, so this
                             is the spread of training and of the choice of test images together.
            seeds            the seeds, for example `0 1 2`
            ci_low, ci_high  means of the bounds, NaN if a seed has none. This is the sampling error of the test set of
                             one seed, not that of the mean.
            n, clusters      the smallest; if n differs between seeds, the note says so
            run, commit      the distinct values, with blanks between; columns that are in `by` stay as they are
            note             its parts, once each; a part that only some seeds have ends in these seeds, `(seed 1)`
    """
    by = [column for column in rows if column not in PER_SEED_COLUMNS] if by is None else list(by)
    numbers = rows.groupby(by, sort=False, dropna=False).ngroup()  # in the order of appearance
    ordered = rows.assign(number=numbers).sort_values(["number", "seed"], kind="stable")
    cells = ordered[["number", *(column for column in PER_SEED_COLUMNS if column in rows)]]
    seeds_of: dict[int, list[dict]] = {}  # plain Python: pandas takes milliseconds for each of thousands of groups
    for row in cells.to_dict("records"):
        seeds_of.setdefault(row["number"], []).append(row)
    summary = pd.DataFrame(map(_summary, seeds_of.values()), columns=list(SUMMARY_COLUMNS))
    table = ordered.drop_duplicates("number")[by].reset_index(drop=True)
    table = table.join(summary.drop(columns=[column for column in summary if column in by]))
    table = table[[column for column in rows if column != "seed"] + ["sd", "seeds"]]
    floats = {column: "float64" for column in ("value", "ci_low", "ci_high", "sd")}
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
    return {
        "value": values.mean(),
        "sd": values.std(ddof=1) if len(values) > 1 else np.nan,
        "ci_low": np.array([row["ci_low"] for row in measured], np.float64).mean(),
        "ci_high": np.array([row["ci_high"] for row in measured], np.float64).mean(),
        "n": min(sizes, default=pd.NA),
        "clusters": min(clusters, default=pd.NA),
        "seeds": _joined(row["seed"] for row in measured),
        "run": _joined(dict.fromkeys(row["run"] for row in rows)),
        "commit": _joined(dict.fromkeys(row.get("commit", "") for row in rows)),
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
