"""Several seeds of one experiment as one row: mean and standard deviation."""

from collections.abc import Sequence

import pandas as pd

PER_SEED_COLUMNS = ("value", "ci_low", "ci_high", "n", "seed", "run", "commit", "note")


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
            n                the smallest; if it differs between seeds, the note says so
            run, commit      the distinct values, with blanks between; columns that are in `by` stay as they are
            note             its parts, once each; a part that only some seeds have ends in these seeds, `(seed 1)`
    """
    by = [column for column in rows if column not in PER_SEED_COLUMNS] if by is None else list(by)
    aggregated = [
        _summary(seeds) | dict(zip(by, key, strict=True)) for key, seeds in rows.groupby(by, sort=False, dropna=False)
    ]
    columns = [column for column in rows if column != "seed"] + ["sd", "seeds"]
    table = pd.DataFrame(aggregated, columns=columns)
    floats = {column: "float64" for column in ("value", "ci_low", "ci_high", "sd")}
    return table.astype(floats | {"n": "Int64", "seeds": str})


def count_seeds(seeds: str) -> int:
    """The number of seeds in a cell of the column `seeds`."""
    return len(seeds.split())


def _summary(rows):
    rows = rows.sort_values("seed")
    defined = rows[rows["value"].notna()]
    measured = rows if defined.empty else defined
    remarks = []
    if len(measured) < len(rows):
        remarks.append(f"no value with seed {_joined(rows.loc[~rows['seed'].isin(measured['seed']), 'seed'])}")
    if measured["n"].nunique() > 1:
        remarks.append(f"n is {measured['n'].min()} to {measured['n'].max()}")
    return {
        "value": measured["value"].mean(),
        "sd": measured["value"].std(),
        "ci_low": measured["ci_low"].mean(skipna=False),
        "ci_high": measured["ci_high"].mean(skipna=False),
        "n": measured["n"].min(),
        "seeds": _joined(measured["seed"]),
        "run": _joined(rows["run"].unique()),
        "commit": _joined(rows["commit"].unique()) if "commit" in rows else "",
        "note": "; ".join([*_notes(measured), *remarks]),
    }


def _notes(rows):
    """The parts of the seeds' notes, once each; those that not all seeds have end in `(seed 1)`."""
    seeds_of = {}
    for seed, note in zip(rows["seed"], rows["note"], strict=True):
        for part in dict.fromkeys(filter(None, note.split("; "))):
            seeds_of.setdefault(part, []).append(seed)
    return [part + ("" if len(seeds) == len(rows) else f" (seed {_joined(seeds)})") for part, seeds in seeds_of.items()]


def _joined(values):
    return " ".join(map(str, values))
