"""Protocol `paper` where a paper states how many images of each source it trained on and tested on."""

import hashlib

import numpy as np
import pandas as pd

from common.errors import UserError


def split_counts(images, counts, seed=0, by="source", val_share=0.0):
    """Draw the stated numbers of images, in an order by SHA-256 of the seed and their bytes.

    counts: {name: {split: number}} with names from the column `by`, e.g. {"ffhq": {"train": 30000, "test": 10000}}.
    `val_share`, in [0, 1), of every train number becomes val, where the paper states none. Where a name has fewer
    images than its numbers add up to, all numbers shrink by one factor: the proportions of splits and of names stay
    the paper's. Images with equal bytes, or equal `near` where there is that column, are one image.

    Returns (splits, note): a Series of train / val / test, '' for an image that is not drawn, to be left out; and what
    a reader must know where the numbers are not the stated ones, else ''. UserError for a name that no image has, and
    for numbers that shrink to nothing.
    """
    names = _distinct_in_order(images, seed)[by]
    needed = pd.Series({name: sum(numbers.values()) for name, numbers in counts.items()})
    available = names.value_counts().reindex(needed.index, fill_value=0)
    if (available == 0).any():
        raise UserError(
            f"expected images with {by} {', '.join(needed.index)}; there is none with "
            f"{', '.join(needed.index[available == 0])}, but {', '.join(sorted(set(names)))}: add what is missing"
        )
    splits = pd.Series("", index=np.arange(len(images)), dtype=object)
    for name, numbers in counts.items():
        drawn = _shrunk(numbers, min(1, *(available / needed)), val_share)
        if min(drawn.values()) == 0:
            raise UserError(f"{by} {name}: {available[name]} images are too few for {_listed(numbers)}; add images")
        chosen = names.index[names == name][: sum(drawn.values())]
        splits[chosen] = np.repeat(list(drawn), list(drawn.values()))
    note = ""
    if (available < needed).any():
        short = [f"{name} has {available[name]} of {needed[name]}" for name in needed.index[available < needed]]
        total = splits[splits != ""].value_counts().to_dict()
        note = f"fewer images than the paper's, in its proportions: {', '.join(short)}; drawn {_listed(total)}"
    return splits.set_axis(images.index), note


def _distinct_in_order(images, seed):
    """One row of each set of copies, in the order of the hashes; the index is the row's number."""
    rows = images.reset_index(drop=True)
    where = rows["dataset"] + "\n" + rows["path"] if "dataset" in rows else rows["path"]
    content = rows["sha256"].where(rows["sha256"] != "", where)
    rows = rows.assign(where=where, content=content)
    rows["hash"] = [hashlib.sha256(f"{seed}\n{word}".encode()).digest() for word in content]
    return rows.sort_values(["hash", "where"]).drop_duplicates("near" if "near" in rows else "content")


def _shrunk(numbers, factor, val_share):
    """{split: number} times the factor, rounded down; val, if it is a share, right after the train it is taken from.

    So the images of the test split are the same with and without val.
    """
    drawn = {split: int(number * factor + 1e-9) for split, number in numbers.items()}
    if val_share and "train" in drawn:
        val = round(drawn["train"] * val_share)
        drawn = {"train": drawn.pop("train") - val, "val": val, **drawn}
    return drawn


def _listed(numbers):
    return ", ".join(f"{split} {number}" for split, number in numbers.items())
