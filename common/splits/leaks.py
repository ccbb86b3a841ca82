"""The check against leaks that runs before every training. It shares no code with what draws the splits, except what
makes two names the same.
"""

import pandas as pd

from common.data.manifest import SPLITS
from common.errors import UserError
from common.splits.names import comparable_names, scope_of, separate_names


def check_splits(images: pd.DataFrame, splits: pd.Series, protocol: str) -> None:
    """Check that nothing that a protocol keeps on one side is in two splits.

    Every protocol forbids two splits for a path, equal bytes (sha256), and near-duplicates if there is a column `near`;
    `video` and `identity` also for a video, or an original and what was made from it; `identity` also for a person, as
    target or as source. Names are compared as of `common.splits.names.comparable_names`, within a data set if there is
    a column `dataset`, or within a scope if there is a column `scope`: several data sets that share videos and persons.

    Args:
        images: n rows of a manifest, without those that split_images dropped.
        splits: train, val or test, (n,), with the index of `images`.
        protocol: `frame`, `video`, `identity`, `official`, or a paper's own, which is checked like `frame`.

    Raises:
        UserError: if there is an overlap, naming an example and the number of overlaps.
        ValueError: if the index differs, or a split is none of train, val, test.
    """
    if not images.index.equals(splits.index):
        raise ValueError("splits and images differ in their index")
    unknown = ~splits.isin(SPLITS)
    if unknown.any():
        raise ValueError(
            f"{unknown.sum()} of {len(splits)} images are in no split, the first has {splits[unknown].iloc[0]!r}"
        )
    if not images.index.is_unique:
        images, splits = images.reset_index(drop=True), splits.reset_index(drop=True)
    dataset = images["dataset"] if "dataset" in images else pd.Series("", index=images.index)
    scope = scope_of(images)
    no_scope = pd.Series("", index=images.index)

    def refuse(kind, names, scope=no_scope):
        _refuse_two_splits(kind, names[names != ""], scope, images["path"], splits, protocol)

    refuse("the file", images["path"], dataset)
    refuse("the same picture", images["sha256"])
    if "near" in images:
        refuse("near-duplicates of group", images["near"].astype(str))
    if protocol in ("video", "identity"):
        names = pd.concat([images["video"], separate_names(images["original"])])
        refuse("video", comparable_names(names), scope)
    if protocol == "identity":
        refuse("identity", comparable_names(separate_names(images["identity"])), scope)


def _refuse_two_splits(kind, names, scope, paths, splits, protocol):
    """Raise UserError if a name of one scope is in two splits."""
    table = pd.DataFrame({"name": names, "scope": scope.reindex(names.index), "split": splits.reindex(names.index)})
    distinct = table.rename_axis("image").reset_index().drop_duplicates(["scope", "name", "split"])
    leaks = distinct[distinct.duplicated(["scope", "name"], keep=False)]
    if leaks.empty:
        return
    example = leaks[(leaks["name"] == leaks["name"].iloc[0]) & (leaks["scope"] == leaks["scope"].iloc[0])]
    found = " and in ".join(f"{row.split} ({paths[row.image]})" for row in example.itertuples())
    count = len(leaks[["scope", "name"]].drop_duplicates())
    raise UserError(
        f"protocol {protocol!r} forbids {kind} {example['name'].iloc[0]} in {found}; {count} such overlaps: "
        f"remove the copies from the data, or choose a protocol that allows them"
    )
