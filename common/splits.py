"""Who trains, who validates, who tests: protocols that assign every image of a manifest, and the check against leaks.

`frame`: images one by one; copies of the same bytes stay together. The easy protocol: frames of one video stand on
both sides. `video`: everything that hangs together by video, by original or by equal bytes stays on one side.
`official`: the data set's own split; where it has no val, some of train is drawn for it.
"""

import hashlib

import numpy as np
import pandas as pd

from common.errors import UserError
from common.labels import WORDS
from common.manifest import SPLITS

FRACTIONS = (0.7, 0.2, 0.1)  # train, val, test
SMALL_STRATUM = 10  # groups; below, no split of a tenth can be drawn from it


def split_images(images, protocol, seed=0, fractions=FRACTIONS):
    """Return a Series of `train` / `val` / `test` for a manifest (or several in one table, told apart by `dataset`).

    Groups of images that belong together are sorted into strata by their labels, sources and data sets, ordered within
    a stratum by SHA-256 of the seed and their names, and cut where the cumulated image counts pass `fractions` (train,
    val, test; they sum to 1). So the order of the rows does not matter, and a few more images move few others.
    UserError for a protocol that the data do not allow, and where the groups do not suffice for both classes in every
    split.
    """
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise UserError(f"expected three fractions above 0 for train, val, test that sum to 1, got {fractions}")
    choose_protocols(images, [protocol])
    rows = images.reset_index(drop=True)
    if protocol == "official":
        splits = _official(rows, seed, fractions)
    else:
        splits = _draw(rows, protocol == "video", seed, dict(zip(SPLITS, fractions, strict=True)))
    return splits.set_axis(images.index)


def allowed_protocols(images):
    """The protocols that the manifest is filled in for, as a list; `frame` always."""
    named = (images["video"] != "").any() or (images["original"] != "").any()
    given = set(images["split"])
    official = "" not in given and {"train", "test"} <= given
    return ["frame"] + ["video"] * bool(named) + ["official"] * official


def choose_protocols(images, requested=()):
    """The requested protocols as a list, none meaning all that the data allow; UserError for one that they do not."""
    allowed = allowed_protocols(images)
    for protocol in requested:
        if protocol not in allowed:
            raise UserError(
                f"protocol {protocol!r} is not possible with these data, only {', '.join(allowed)}: `video` needs a "
                f"video or original in the manifest, `official` a split in every row, train and test among them"
            )
    return list(dict.fromkeys(requested)) or allowed


def check_no_overlap(images, splits, protocol):
    """Raise UserError, naming an example, if `splits` (a Series indexed as `images`) overlap against the protocol.

    Forbidden always: equal bytes (sha256) in two splits. Under `video` too: a video, or an original and what was made
    from it, in two splits. It shares no code with split_images.
    """
    if not images.index.equals(splits.index):
        raise ValueError("splits and images differ in their index")
    _refuse_two_sides("the same picture", images["sha256"], images, splits, protocol)
    if protocol == "video":
        dataset = images["dataset"] if "dataset" in images else pd.Series("", index=images.index)
        originals = images["original"].str.split(";").explode().str.strip()
        names = pd.concat([images["video"], originals])
        names = names[names != ""]
        _refuse_two_sides("video", names, images, splits, protocol, dataset.reindex(names.index))


def _refuse_two_sides(what, names, images, splits, protocol, dataset=None):
    side = pd.DataFrame({"name": names, "split": splits.reindex(names.index).astype(object)})
    side["dataset"] = "" if dataset is None else dataset
    side = side[side["name"] != ""].reset_index(names="image")
    distinct = side.drop_duplicates(["dataset", "name", "split"])
    twice = distinct[distinct.duplicated(["dataset", "name"], keep=False)]
    if twice.empty:
        return
    first = twice[(twice["name"] == twice["name"].iloc[0]) & (twice["dataset"] == twice["dataset"].iloc[0])]
    places = " and in ".join(f"{row.split} ({images.loc[row.image, 'path']})" for row in first.itertuples())
    number = len(twice[["dataset", "name"]].drop_duplicates())
    raise UserError(
        f"protocol {protocol!r} forbids {what} {first['name'].iloc[0]} in {places}; {number} such overlaps: "
        f"remove the copies from the data, or choose a protocol that allows them"
    )


def _official(rows, seed, fractions):
    splits = rows["split"].copy()
    if not (splits == "val").any():
        train = rows[splits == "train"]
        total = fractions[0] + fractions[1]
        shares = {"train": fractions[0] / total, "val": fractions[1] / total}
        splits[train.index] = _draw(train.reset_index(drop=True), True, seed, shares).to_numpy()
    return splits


def _draw(rows, by_name, seed, shares):
    group, order = _groups(rows, by_name)
    order["stratum"] = _strata(rows, group)
    order["size"] = np.bincount(group)
    order["hash"] = [hashlib.sha256(f"{seed}\n{key}".encode()).digest() for key in order["key"]]
    order = order.sort_values(["stratum", "hash", "content"])
    part = pd.Series("", index=order.index, dtype=object)
    for _, stratum in order.groupby("stratum"):
        part[stratum.index] = np.array(list(shares), dtype=object)[_cut(stratum["size"], list(shares.values()))]
    splits = pd.Series(part.sort_index().to_numpy()[group])
    _require_both_classes(rows, group, splits, list(shares))
    return splits


def _groups(rows, by_name):
    """Find the connected groups of rows.

    Rows hang together by equal sha256, across data sets; `by_name` also by video and original, within a data set.
    Returns the group of each row, int (n,), and a table with a row a group: `key`, the smallest of its names, which
    outlives added images (without names the same as content), and `content`, the smallest of its sha256 or paths.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = len(rows)
    names = _names(rows) if by_name else rows["video"][:0]
    scope = (rows["dataset"] if "dataset" in rows else pd.Series("", index=rows.index)).loc[names.index]
    links = pd.concat(["sha256 " + rows["sha256"][rows["sha256"] != ""], "name " + scope + "\n" + names])
    node = count + pd.factorize(links)[0]
    size = count + len(links)
    graph = coo_matrix((np.ones(len(links), bool), (links.index, node)), shape=(size, size))
    group = pd.factorize(connected_components(graph, directed=False)[1][:count])[0]
    content = _smallest(rows["sha256"].where(rows["sha256"] != "", rows["path"]), group)
    key = _smallest(names, group[names.index]).reindex(content.index).fillna(content)
    return group, pd.DataFrame({"key": key, "content": content})


def _smallest(words, group):
    words = pd.Series(words.to_numpy(), index=group).sort_values()
    return words[~words.index.duplicated()].sort_index()


def _names(rows):
    """Every video and original of the rows, one a line; the index is the row's number."""
    originals = rows["original"][rows["original"] != ""].str.split(";").explode().str.strip()
    names = pd.concat([rows["video"], originals])
    return names[names != ""]


def _strata(rows, group):
    """Number the strata of the groups: by data set, source and label; where that leaves few groups, by label alone."""
    columns = ["dataset", "source", "label"] if "dataset" in rows else ["source", "label"]
    fine, coarse = _composition(rows[columns], group), _composition(rows[["label"]], group)
    small = pd.Series(fine).groupby(fine).transform("size").to_numpy() < SMALL_STRATUM
    return np.where(small, coarse, fine)


def _composition(columns, group):
    """A number a group, equal for groups that hold the same set of rows' values: the sum of the values' hashes."""
    marks = pd.DataFrame({"group": group, "mark": pd.util.hash_pandas_object(columns, index=False)}).drop_duplicates()
    return marks.groupby("group")["mark"].sum().to_numpy()


def _cut(sizes, shares):
    """The part, 0 .. len(shares) - 1, of each group in order, by the middle of its span in the cumulated sizes.

    With at least as many groups as parts no part stays empty.
    """
    sizes, parts = np.asarray(sizes), len(shares)
    middle = (np.cumsum(sizes) - sizes / 2) / sizes.sum()
    bounds = np.searchsorted(middle, np.cumsum(shares)[:-1])
    if len(sizes) >= parts:
        least = np.arange(1, parts)
        bounds = np.minimum(np.maximum.accumulate(np.maximum(bounds - least, 0)) + least, len(sizes) - parts + least)
    return np.searchsorted(bounds, np.arange(len(sizes)), side="right")


def _require_both_classes(rows, group, splits, parts):
    present = set(zip(splits, rows["label"], strict=True))
    if all((part, word) in present for part in parts for word in WORDS):
        return
    found = " and ".join(f"{len(set(group[rows['label'] == word]))} with {word} images" for word in WORDS)
    raise UserError(
        f"too few groups of images for both classes in {', '.join(parts)} (a group stays on one side): expected at "
        f"least {len(parts)} groups with each class, more where groups hold both, got {found}: add data, or choose "
        f"another protocol"
    )
