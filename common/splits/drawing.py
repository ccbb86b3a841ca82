"""SplitUnits are assigned to train, val and test by hash: deterministic, independent of the order of the rows."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from common.errors import UserError
from common.labels import FAKE, WORDS
from common.splits.components import SplitUnits
from common.splits.persons import MIN_PERSONS, assign_persons

SMALL_STRATUM = 10  # units; a split of a tenth cannot be drawn from fewer
ATTEMPTS = 20  # orders that are tried until every split has every class


def draw_splits(
    rows: pd.DataFrame, units: SplitUnits, seed: int, shares: Mapping[str, float], classes: Sequence[str] = WORDS
) -> pd.Series:
    """Assign units to splits so that every split has images of every class.

    Args:
        rows: n rows of a manifest with the index 0 ... n - 1.
        units: the units of these rows.
        seed: selects the order of the units within a stratum.
        shares: {split: share of the images}, above 0, in the order in which the splits are cut off; their sum is 1.
        classes: the labels that every split needs.

    Returns:
        The split of each row, object (n,); '' if the units of a row are in different splits.

    Raises:
        UserError: if there are too few units, or none of ATTEMPTS orders gives every split every class.
    """
    side = draw_units(rows, units, seed, shares, classes)
    return pd.Series(splits_of_rows(len(rows), units, side, list(shares)))


def draw_units(
    rows: pd.DataFrame, units: SplitUnits, seed: int, shares: Mapping[str, float], classes: Sequence[str] = WORDS
) -> np.ndarray:
    """Assign units to splits, as `draw_splits`, which has these arguments and errors.

    Returns:
        The split of each unit, int (units,): 0 ... len(shares) - 1.
    """
    table = pd.DataFrame({"key": units.key, "content": units.content, "size": np.bincount(units.unit)})
    table["stratum"], table["is_person"] = _strata(rows, units), units.is_person
    labels = rows["label"].to_numpy()
    counts = {label: len(set(units.unit[labels[units.row] == label])) for label in classes}
    dropped = 0
    for attempt in range(ATTEMPTS if min(counts.values()) >= len(shares) else 0):
        ordered = _order(table, f"{seed}\n" + (f"{attempt}\n" if attempt else ""))
        side = _assign(ordered, rows, units, list(shares.values()))
        splits = splits_of_rows(len(rows), units, side, list(shares))
        present = set(zip(splits, labels, strict=True)) - {("", label) for label in WORDS}
        if len(present) == len(shares) * len(classes):
            return side
        dropped = int((splits == "").sum())
    raise UserError(_explain_failure(counts, list(shares), dropped))


def splits_of_rows(count: int, units: SplitUnits, side: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return the split of each row, object (count,); '' if its units are in different splits.

    Args:
        count: the number of rows.
        units: the units of these rows.
        side: int (units,): the split of each unit.
        names: the splits' names; two numbers can have one name.
    """
    code, distinct = pd.factorize(np.array(names, dtype=object))
    lowest, highest = np.full(count, len(names)), np.full(count, -1)
    np.minimum.at(lowest, units.row, code[side[units.unit]])
    np.maximum.at(highest, units.row, code[side[units.unit]])
    return np.where(lowest == highest, distinct[lowest % len(distinct)], "")


def _explain_failure(counts, names, dropped):
    found = " and ".join(f"{count} with {label} images" for label, count in counts.items())
    needed = "both classes" if len(counts) > 1 else f"{next(iter(counts))} images"
    return (
        f"too few groups of images for {needed} in {', '.join(names)} (a group stays on one side): expected at "
        f"least {len(names)} groups with each class, more if groups contain both, got {found}"
        + (f", and {dropped} images of swaps between the sides are dropped" if dropped else "")
    )


def _order(table, salt):
    """The units within their strata in the order of their hashes."""
    digests = [hashlib.sha256(f"{salt}{key}".encode()).digest() for key in table["key"]]
    return table.assign(hash=digests).sort_values(["stratum", "hash", "content"])


def _assign(ordered, rows, units, shares):
    """The split of each unit as a number 0 ... len(shares) - 1, int (units,)."""
    split = np.zeros(len(ordered), int)
    for _, stratum in ordered.groupby("stratum"):
        minimum = MIN_PERSONS if stratum["is_person"].iloc[0] else 1
        split[stratum.index] = _cut(stratum["size"], shares, minimum)
    if not units.is_person.any():
        return split
    by_hash = ordered.sort_values(["hash", "content"]).index
    split, filling = assign_persons(rows, units, split, by_hash, shares)
    label = (rows["label"] == WORDS[FAKE]).to_numpy().astype(int)[units.row]
    classes = pd.Series(label).groupby(units.unit).agg(["min", "max"])
    single = ~units.is_person & (classes["min"] == classes["max"]).to_numpy()
    for _, stratum in ordered[single[ordered.index]].groupby("stratum"):
        split[stratum.index] = _cut(stratum["size"], filling[:, classes["min"][stratum.index[0]]], 1)
    return split


def _strata(rows, units):
    """The stratum of each unit: by data set, source and label, or by label alone if that leaves few units."""
    columns = ["dataset", "source", "label"] if "dataset" in rows else ["source", "label"]
    fine, coarse = _composition(rows[columns], units), _composition(rows[["label"]], units)
    is_small = pd.Series(fine).groupby(fine).transform("size").to_numpy() < SMALL_STRATUM
    return np.where(is_small, coarse, fine) + units.is_person  # strata of persons contain no whole components


def _composition(columns, units):
    """A number for each unit, equal if their rows have the same set of values: the sum of the values' hashes."""
    hashes = pd.util.hash_pandas_object(columns, index=False).to_numpy()[units.row]
    distinct = pd.DataFrame({"unit": units.unit, "hash": hashes}).drop_duplicates()
    return distinct.groupby("unit")["hash"].sum().to_numpy()


def _cut(sizes, shares, minimum):
    """The split of each unit in its order, 0 ... len(shares) - 1, by the middle of its range in the cumulative sizes.

    Every split gets at least `minimum` units if there are enough.
    """
    sizes, parts = np.asarray(sizes), len(shares)
    middle = (np.cumsum(sizes) - sizes / 2) / sizes.sum()
    bounds = np.searchsorted(middle, np.cumsum(shares)[:-1])
    if len(sizes) >= parts * minimum:
        step = minimum * np.arange(1, parts)
        bounds = np.maximum.accumulate(np.maximum(bounds - step, 0)) + step
        bounds = np.minimum(bounds, len(sizes) - parts * minimum + step)
    return np.searchsorted(bounds, np.arange(len(sizes)), side="right")
