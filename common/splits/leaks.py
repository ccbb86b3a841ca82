"""The check against leaks that runs before every training. It shares no code with what draws the splits."""

import pandas as pd

from common.data.manifest import SPLITS
from common.errors import UserError


def check_splits(images, splits, protocol):
    """Raise UserError, naming an example and the count, if `splits` (a Series indexed as `images`) break the protocol.

    Forbidden in two splits, always: a path, equal bytes (sha256), near-duplicates where `images` has a column `near`.
    Under `video` and `identity`: a video, or an original and what was made from it. Under `identity`: a person, as
    target or as source. Names count within a data set, where there is a column `dataset`. ValueError for a row whose
    split is none of train, val, test: what split_images dropped has to be left out first.
    """
    if not images.index.equals(splits.index):
        raise ValueError("splits and images differ in their index")
    stray = ~splits.isin(SPLITS)
    if stray.any():
        raise ValueError(
            f"{stray.sum()} of {len(splits)} images are in no split, the first has {splits[stray].iloc[0]!r}"
        )
    if not images.index.is_unique:
        images, splits = images.reset_index(drop=True), splits.reset_index(drop=True)
    dataset = images["dataset"] if "dataset" in images else pd.Series("", index=images.index)
    nowhere = pd.Series("", index=images.index)

    def refuse(what, names, scope=nowhere):
        _refuse_two_sides(what, names[names != ""], scope, images["path"], splits, protocol)

    refuse("the file", images["path"], dataset)
    refuse("the same picture", images["sha256"])
    if "near" in images:
        refuse("near-duplicates of group", images["near"].astype(str))
    if protocol in ("video", "identity"):
        refuse("video", pd.concat([images["video"], _each(images["original"])]), dataset)
    if protocol == "identity":
        refuse("identity", _each(images["identity"]), dataset)


def _each(cells):
    """The `;`-separated names of the cells, one a row, under the cells' own index."""
    return cells.str.split(";").explode().str.strip()


def _refuse_two_sides(what, names, scope, paths, splits, protocol):
    side = pd.DataFrame({"name": names, "scope": scope.reindex(names.index), "split": splits.reindex(names.index)})
    distinct = side.rename_axis("image").reset_index().drop_duplicates(["scope", "name", "split"])
    twice = distinct[distinct.duplicated(["scope", "name"], keep=False)]
    if twice.empty:
        return
    example = twice[(twice["name"] == twice["name"].iloc[0]) & (twice["scope"] == twice["scope"].iloc[0])]
    places = " and in ".join(f"{row.split} ({paths[row.image]})" for row in example.itertuples())
    number = len(twice[["scope", "name"]].drop_duplicates())
    raise UserError(
        f"protocol {protocol!r} forbids {what} {example['name'].iloc[0]} in {places}; {number} such overlaps: "
        f"remove the copies from the data, or choose a protocol that allows them"
    )
