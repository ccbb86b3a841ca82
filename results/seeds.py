"""Several seeds of one experiment as one row: mean and standard deviation."""

import pandas as pd

OF_ONE_SEED = ("value", "ci_low", "ci_high", "n", "seed", "run", "commit", "note")  # all else names the experiment


def over_seeds(rows):
    """One row for what differs only in its seed, in the order of appearance.

    rows: a DataFrame with the columns of results.tables.RESULTS, or more: columns beside those of OF_ONE_SEED tell
    experiments apart. In the place of `seed` stand

    value    the mean of the seeds that have one
    sd       their standard deviation (ddof 1), NaN for a single seed; since a seed also draws splits, it holds what
             training and the choice of test images do together
    seeds    which they are, `0 1 2`
    ci_low, ci_high  the means of their bounds, NaN where one has none: the sampling error of the test set of one seed,
             not that of the mean
    n        the smallest; where it differs, the note says so
    run, commit, note  what is distinct of them; a part of a note that only some seeds have names these.
    """
    keys = [column for column in rows if column not in OF_ONE_SEED]
    summed = [
        dict(zip(keys, key, strict=True)) | _summary(seeds)
        for key, seeds in rows.groupby(keys, sort=False, dropna=False)
    ]
    columns = [column for column in rows if column != "seed"] + ["sd", "seeds"]
    table = pd.DataFrame(summed, columns=columns)
    floats = {column: "float64" for column in ("value", "ci_low", "ci_high", "sd")}
    return table.astype(floats | {"n": "Int64", "seeds": str})


def count(seeds):
    """How many seeds there are in a cell of the column `seeds`."""
    return len(seeds.split())


def _summary(rows):
    rows = rows.sort_values("seed")
    defined = rows[rows["value"].notna()]
    measured = rows if defined.empty else defined
    remarks = []
    if len(measured) < len(rows):
        remarks.append(f"no value with seed {_words(rows.loc[~rows['seed'].isin(measured['seed']), 'seed'])}")
    if measured["n"].nunique() > 1:
        remarks.append(f"n is {measured['n'].min()} to {measured['n'].max()}")
    return {
        "value": measured["value"].mean(),
        "sd": measured["value"].std(),
        "ci_low": measured["ci_low"].mean(skipna=False),
        "ci_high": measured["ci_high"].mean(skipna=False),
        "n": measured["n"].min(),
        "seeds": _words(measured["seed"]),
        "run": _words(rows["run"].unique()),
        "commit": _words(rows["commit"].unique()),
        "note": "; ".join([*_notes(measured), *remarks]),
    }


def _notes(rows):
    """The parts of the seeds' notes, once each; those that not all seeds have end in (seed 1)."""
    seeds_of = {}
    for seed, note in zip(rows["seed"], rows["note"], strict=True):
        for part in dict.fromkeys(filter(None, note.split("; "))):
            seeds_of.setdefault(part, []).append(seed)
    return [part + ("" if len(some) == len(rows) else f" (seed {_words(some)})") for part, some in seeds_of.items()]


def _words(values):
    return " ".join(map(str, values))
