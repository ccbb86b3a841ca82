"""Protocol `paper`: the stated numbers of images of each source for training and testing."""

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

from common.errors import UserError

ENOUGH = 0.99  # share of a stated number that counts as all of it: a few faces are not found, or files are unreadable


def split_counts(
    images: pd.DataFrame,
    counts: Mapping[str, Mapping[str, int]],
    seed: int = 0,
    by: str = "source",
    val_share: float = 0.0,
    further: Mapping[str, Mapping[str, int]] | None = None,
) -> tuple[pd.Series, str]:
    """Draw the stated numbers of images, in an order by SHA-256 of the seed and their bytes.

    If a name has fewer images than stated, all numbers shrink by one factor, which keeps the paper's proportions of
    splits and names. Further images are drawn from what the stated numbers leave, if they are met to within 1 %;
    otherwise they shrink like the stated ones, since nothing would be left. Images with equal bytes, or with an equal
    value in a column `near`, count as one image.

    Args:
        images: n rows of a manifest, optionally with the columns `dataset` and `near`.
        counts: {name: {split: number}}, e.g. {"ffhq": {"train": 30000, "test": 10000}}.
        seed: selects the images.
        by: the column of the names.
        val_share: in [0, 1), the share of every train number that becomes val if the paper states no val.
        further: numbers of further images that are not in the paper, like `counts`.

    Returns:
        The splits, object (n,), '' for an image that is not drawn; and what a reader of the results must know if the
        numbers are not the stated ones, else ''.

    Raises:
        UserError: for a name without images, and for numbers that shrink to 0.
    """
    names = _distinct_in_order(images, seed)[by]
    needed, further = _totals(counts), dict(further or {})
    available = names.value_counts().reindex(needed.index, fill_value=0)
    if (available == 0).any():
        raise UserError(
            f"expected images with {by} {', '.join(needed.index)}; got {', '.join(sorted(set(names)))}, none with "
            f"{', '.join(needed.index[available == 0])}: add what is missing"
        )
    if (available < ENOUGH * needed).any():
        counts, further = {name: {**numbers, **further.get(name, {})} for name, numbers in counts.items()}, {}
        needed = _totals(counts)
    left = (available - needed).clip(lower=0)
    splits = pd.Series("", index=np.arange(len(images)), dtype=object)
    for name, numbers in counts.items():
        drawn = _scale(numbers, min(1, *(available / needed)), val_share)
        if min(drawn.values()) == 0:
            raise UserError(f"{by} {name}: {available[name]} images are too few for {_as_text(numbers)}; add images")
        drawn |= {split: min(number, left[name]) for split, number in further.get(name, {}).items()}
        chosen = names.index[names == name][: sum(drawn.values())]
        splits[chosen] = np.repeat(list(drawn), list(drawn.values()))
    notes = []
    if (available < needed).any():
        short = [f"{name} has {available[name]} of {needed[name]}" for name in needed.index[available < needed]]
        total = splits[splits != ""].value_counts().to_dict()
        notes.append(f"fewer images than the paper's, in its proportions: {', '.join(short)}; drawn {_as_text(total)}")
    for name, wanted in _totals(further).items():
        if left[name] < wanted:
            notes.append(f"{left[name]} of {wanted} further {name} images are left to test on")
    return splits.set_axis(images.index), "; ".join(notes)


def _totals(counts):
    """The sum of each name's numbers, a Series."""
    return pd.Series({name: sum(numbers.values()) for name, numbers in counts.items()}, dtype=int)


def _distinct_in_order(images, seed):
    """The first row of each set of copies, in the order of the hashes; the index is the row's number."""
    rows = images.reset_index(drop=True)
    location = rows["dataset"] + "\n" + rows["path"] if "dataset" in rows else rows["path"]
    content = rows["sha256"].where(rows["sha256"] != "", location)
    rows = rows.assign(location=location, content=content)
    rows["hash"] = [hashlib.sha256(f"{seed}\n{word}".encode()).digest() for word in content]
    return rows.sort_values(["hash", "location"]).drop_duplicates("near" if "near" in rows else "content")


def _scale(numbers, factor, val_share):
    """{split: number} times the factor, rounded down; val, if it is a share, follows the train that it is taken from.

    So the images of the test split are the same with and without val.
    """
    drawn = {split: int(number * factor + 1e-9) for split, number in numbers.items()}
    if val_share and "train" in drawn:
        val = round(drawn["train"] * val_share)
        drawn = {"train": drawn.pop("train") - val, "val": val, **drawn}
    return drawn


def _as_text(numbers):
    return ", ".join(f"{split} {number}" for split, number in numbers.items())
