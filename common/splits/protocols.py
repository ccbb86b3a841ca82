"""Who trains, who validates, who tests: protocols that assign every image of a manifest.

`frame`: images one by one; copies of the same bytes stay together. The easy protocol: frames of one video stand on
both sides. `video`: everything that hangs together by video, by original or by equal bytes stays on one side.
`identity`: no person stands on two sides, neither as the target nor as the source of a swap; where nearly everybody is
swapped with everybody (Celeb-DF), the persons are dealt, and swaps of two that come to different sides are dropped.
`official`: the data set's own split; where it has no val, some of train is drawn for it.
A column `near` (common.data.near_duplicates) is obeyed by each of the drawn ones: equal values stay on one side.
"""

import hashlib
import logging

import numpy as np
import pandas as pd

from common.data.manifest import SPLITS
from common.errors import UserError
from common.labels import WORDS
from common.splits.components import identity_units, single_units

log = logging.getLogger("deepfake")

PROTOCOLS = ("frame", "video", "identity", "official")
FRACTIONS = (0.7, 0.2, 0.1)  # train, val, test
SMALL_STRATUM = 10  # units; below, no split of a tenth can be drawn from it
ATTEMPTS = 20  # orders that are tried until every split has both classes


def split_images(images, protocol, seed=0, fractions=FRACTIONS, classes=tuple(WORDS)):
    """Return a Series of `train` / `val` / `test` for a manifest (or several in one table, told apart by `dataset`).

    Under `identity` an image is '' where it is dropped, because persons of it are on different sides: leave those rows
    out, and say how many they are; check_splits refuses them.

    Groups of images that belong together are sorted into strata by their labels, sources and data sets, ordered within
    a stratum by SHA-256 of the seed and their names, and cut where the cumulated image counts pass `fractions` (train,
    val, test; they sum to 1). So the order of the rows does not matter, and a few more images move few others.
    classes: the labels of which every split must have images. UserError for a protocol that the data do not allow, and
    where the groups do not suffice for that.
    """
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise UserError(f"expected three fractions above 0 for train, val, test that sum to 1, got {fractions}")
    if not _filled_in(images, protocol):
        raise _impossible(protocol, allowed_protocols(images))
    rows = images.reset_index(drop=True)
    if protocol == "official":
        splits = _official(rows, seed, fractions)
    else:
        units = identity_units(rows) if protocol == "identity" else single_units(rows, protocol == "video")
        splits = _draw(rows, units, seed, dict(zip(SPLITS, fractions, strict=True)), classes)
    return splits.set_axis(images.index)


def allowed_protocols(images):
    """The protocols that the manifest is filled in for, as a list; `frame` always.

    `identity` only where persons connect videos (or single images) that nothing else does, or it were `video` again,
    and where they suffice for both classes in every split.
    """
    return [
        protocol
        for protocol in PROTOCOLS
        if _filled_in(images, protocol) and (protocol != "identity" or _identity_matters(images))
    ]


def choose_protocols(images, requested=()):
    """The requested protocols as a list, none meaning all that the data allow; UserError for one that they do not."""
    allowed = allowed_protocols(images)
    for protocol in requested:
        if protocol not in allowed:
            raise _impossible(protocol, allowed)
    chosen = list(dict.fromkeys(requested)) or allowed
    if "official" in chosen and "dataset" in images:
        for name in sorted(set(images["dataset"]) - set(images["dataset"][images["split"] == "test"])):
            log.warning("protocol official: %s has no test images by its own split, so it has no test results", name)
    return chosen


def _filled_in(images, protocol):
    if protocol == "video":
        return bool((images["video"] != "").any() or (images["original"] != "").any())
    if protocol == "identity":
        return bool((images["identity"] != "").any())
    given = set(images["split"])
    return protocol == "frame" or (protocol == "official" and "" not in given and {"train", "test"} <= given)


def _identity_matters(images):
    rows = images.reset_index(drop=True)
    units = identity_units(rows)
    if not units.person.any() and len(units.key) == len(single_units(rows, by_name=True).key):
        return False
    try:
        _draw(rows, units, 0, dict(zip(SPLITS, FRACTIONS, strict=True)))
    except UserError:
        return False
    return True


def _impossible(protocol, allowed):
    if protocol not in PROTOCOLS:
        return UserError(f"protocol {protocol!r} is unknown; one of {', '.join(PROTOCOLS)}")
    return UserError(
        f"protocol {protocol!r} is not possible with these data, only {', '.join(allowed)}: `video` needs a video or "
        f"original in the manifest, `identity` persons who are in several videos, enough of them for both classes in "
        f"every split, `official` a split in every row, train and test among them"
    )


def _official(rows, seed, fractions):
    splits = rows["split"].copy()
    if not (splits == "val").any():
        train = rows[splits == "train"]
        total = fractions[0] + fractions[1]
        shares = {"train": fractions[0] / total, "val": fractions[1] / total}
        units = single_units(train.reset_index(drop=True), by_name=True)
        splits[train.index] = _draw(train.reset_index(drop=True), units, seed, shares).to_numpy()
    return splits


def _draw(rows, units, seed, shares, classes=tuple(WORDS)):
    stratum, size = _strata(rows, units), np.bincount(units.unit)
    table = pd.DataFrame({"key": units.key, "content": units.content, "size": size, "stratum": stratum})
    table["person"] = units.person
    labels = rows["label"].to_numpy()
    counts = {word: len(set(units.unit[labels[units.row] == word])) for word in classes}
    dropped = 0
    for attempt in range(ATTEMPTS if min(counts.values()) >= len(shares) else 0):
        part = _deal(table, f"{seed}\n" + (f"{attempt}\n" if attempt else ""), list(shares.values()))
        splits = _sides(len(rows), units, part, list(shares))
        if len(set(zip(splits, labels, strict=True)) - {("", word) for word in WORDS}) == len(shares) * len(classes):
            return pd.Series(splits)
        dropped = int((splits == "").sum())
    found = " and ".join(f"{count} with {word} images" for word, count in counts.items())
    needed = "both classes" if len(classes) > 1 else f"{classes[0]} images"
    raise UserError(
        f"too few groups of images for {needed} in {', '.join(shares)} (a group stays on one side): expected at "
        f"least {len(shares)} groups with each class, more where groups hold both, got {found}"
        + (f", and {dropped} images of swaps between the sides are dropped" if dropped else "")
        + ": add data, or choose another protocol"
    )


def _deal(table, salt, shares):
    """The part, 0 .. len(shares) - 1, of each unit, int (units,)."""
    digests = [hashlib.sha256(f"{salt}{key}".encode()).digest() for key in table["key"]]
    order = table.assign(hash=digests).sort_values(["stratum", "hash", "content"])
    part = pd.Series(0, index=order.index)
    for _, stratum in order.groupby("stratum"):
        part[stratum.index] = _cut(stratum["size"], shares, least=2 if stratum["person"].iloc[0] else 1)
    return part.sort_index().to_numpy()


def _sides(count, units, part, names):
    """The split of each row, object (count,): '' where units that it holds to are on different sides."""
    low, high = np.full(count, len(names)), np.full(count, -1)
    np.minimum.at(low, units.row, part[units.unit])
    np.maximum.at(high, units.row, part[units.unit])
    return np.where(low == high, np.array(names, dtype=object)[low], "")


def _strata(rows, units):
    """Number the strata of the units: by data set, source and label; where that leaves few units, by label alone."""
    columns = ["dataset", "source", "label"] if "dataset" in rows else ["source", "label"]
    fine, coarse = _composition(rows[columns], units), _composition(rows[["label"]], units)
    small = pd.Series(fine).groupby(fine).transform("size").to_numpy() < SMALL_STRATUM
    return np.where(small, coarse, fine) + units.person  # persons among themselves


def _composition(columns, units):
    """A number a unit, equal for units that hold the same set of rows' values: the sum of the values' hashes."""
    marks = pd.util.hash_pandas_object(columns, index=False).to_numpy()[units.row]
    marks = pd.DataFrame({"unit": units.unit, "mark": marks}).drop_duplicates()
    return marks.groupby("unit")["mark"].sum().to_numpy()


def _cut(sizes, shares, least=1):
    """The part, 0 .. len(shares) - 1, of each unit in order, by the middle of its span in the cumulated sizes.

    Where there are enough units every part gets at least `least` of them.
    """
    sizes, parts = np.asarray(sizes), len(shares)
    middle = (np.cumsum(sizes) - sizes / 2) / sizes.sum()
    bounds = np.searchsorted(middle, np.cumsum(shares)[:-1])
    if len(sizes) >= parts * least:
        step = least * np.arange(1, parts)
        bounds = np.maximum.accumulate(np.maximum(bounds - step, 0)) + step
        bounds = np.minimum(bounds, len(sizes) - parts * least + step)
    return np.searchsorted(bounds, np.arange(len(sizes)), side="right")
