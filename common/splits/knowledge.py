"""What a manifest says about its images, and what a split makes of it: the basis of a protocol, and its limits."""

from collections.abc import Sequence

import pandas as pd

from common.data.manifest import SPLITS
from common.errors import UserError
from common.labels import WORDS
from common.splits.names import comparable_names, scope_of, separate_names

KNOWN_SHARE = 0.95  # of the images whose video or person must be named: the others could be on two sides unseen
NAMED, NEAR = ("videos", "originals", "persons"), "groups of near-duplicates"  # what `shared_between_sides` counts
FEW_PERSONS, FEW_IMAGES = 10, 50  # of a test split; images of each class. A split with fewer has a warning


def known_share(images: pd.DataFrame, protocol: str) -> float | None:
    """Return the share of the images that name what a protocol keeps on one side, 0 to 1.

    Args:
        images: rows of a manifest.
        protocol: `video` needs a video or an original, `identity` a person; None for any other one, and for no images.
    """
    if images.empty or protocol not in ("video", "identity"):
        return None
    columns = {"video": ["video", "original"], "identity": ["identity"]}[protocol]
    return float((images[columns] != "").any(axis=1).mean())


def why_unknown(images: pd.DataFrame, protocol: str) -> str:
    """Return why too few images name what a protocol keeps on one side, and what to do; '' if enough do."""
    share = known_share(images, protocol)
    if share is None or share >= KNOWN_SHARE:
        return ""
    subject, column = {"video": ("video or original", "video"), "identity": ("person", "identity")}[protocol]
    return (
        f"expected a {subject} for at least {KNOWN_SHARE:.0%} of the images, got {round(share * len(images))} of "
        f"{len(images)} ({share:.1%}), the others could be on two sides: fill in the column {column} of manifest.csv, "
        f"or remove the rows without"
    )


def composition(images: pd.DataFrame, splits: pd.Series) -> pd.DataFrame:
    """Count what is in each split.

    Args:
        images: rows of a manifest, optionally with the columns `dataset` and `scope`.
        splits: train, val or test, or '' for an image that is not used; with the index of `images`.

    Returns:
        A table with the index train, val, test and the columns persons (named ones), real, fake (images).
    """
    rows, splits = images.reset_index(drop=True), splits.reset_index(drop=True)
    names = comparable_names(separate_names(rows["identity"]))
    persons = pd.DataFrame({"name": names, "scope": scope_of(rows)[names.index], "split": splits[names.index]})
    counts = pd.crosstab(splits, rows["label"]).reindex(index=list(SPLITS), columns=list(WORDS), fill_value=0)
    counts.insert(0, "persons", persons.drop_duplicates().groupby("split").size())
    return counts.fillna(0).astype(int).rename_axis(index=None, columns=None)


def describe_composition(counts: pd.DataFrame, fractions: Sequence[float]) -> str:
    """Return the persons and images of each split in words, with the shares that were met and those that were asked.

    Args:
        counts: of `composition`.
        fractions: shares of train, val and test that were asked for.
    """
    total, parts = int(counts[list(WORDS)].to_numpy().sum()), []
    for (name, row), asked in zip(counts.iterrows(), fractions, strict=True):
        size = row["fake"] + row["real"]
        share, fakes = size / max(1, total), row["fake"] / max(1, size)
        parts.append(
            f"{name} {row['persons']} persons, {row['fake']} fakes, {row['real']} reals ({share:.1%} of the images, "
            f"asked {asked:.1%}, {fakes:.0%} fake)"
        )
    return ", ".join(parts)


def require_persons(counts: pd.DataFrame, remedy: str = "raise its --split share") -> None:
    """Check that validation and test show more than one person.

    Args:
        counts: of `composition`, of a split under `identity`.
        remedy: what to do otherwise.

    Raises:
        UserError: if one of them shows one person only, or none.
    """
    for name in SPLITS[1:]:
        if (persons := counts["persons"][name]) < 2:
            raise UserError(f"expected at least 2 persons in {name}, got {persons}, which decides nothing: {remedy}")


def why_weak(counts: pd.DataFrame) -> str:
    """Return why a test split under `identity` can decide little, or an empty text.

    Args:
        counts: of `composition`.
    """
    test = counts.loc["test"]
    few = [f"{test[word]} {word} images" for word in reversed(WORDS) if test[word] < FEW_IMAGES]
    if test["persons"] < FEW_PERSONS:
        few.insert(0, f"{test['persons']} persons")
    return f"test decides little: {', '.join(few)}" if few else ""


def shares_names(images: pd.DataFrame, chosen: pd.Series, protocol: str) -> pd.Series:
    """Return which other images show what a protocol keeps on one side, and what chosen images show too.

    Args:
        images: n rows of a manifest, optionally with the columns `dataset` and `scope`.
        chosen: bool (n,), with the index of `images`, which is unique.
        protocol: `video` compares videos and originals, `identity` persons too, any other nothing.

    Returns:
        bool (n,).
    """
    kinds = [pd.concat([images["video"][images["video"] != ""], separate_names(images["original"])])]
    kinds += [separate_names(images["identity"])] if protocol == "identity" else []
    found = pd.Series(False, index=images.index)
    for names in kinds if protocol in ("video", "identity") else []:
        scoped = _scoped(names, scope_of(images))
        is_chosen = chosen[scoped.index].to_numpy()
        both = scoped[~is_chosen & scoped.isin(set(scoped[is_chosen])).to_numpy()]
        found[both.index.unique()] = True
    return found


def shared_between_sides(images: pd.DataFrame, splits: pd.Series) -> dict[str, tuple[int, int]]:
    """Count the videos, originals, persons and near-duplicates that are in more than one split.

    Args:
        images: n rows of a manifest, optionally with the columns `dataset`, `scope` and `near_duplicates`.
        splits: train, val or test, or '' for an image that is not used; with the index of `images`.

    Returns:
        {kind of NAMED, or NEAR: (number in more than one split, number)}. A real video counts as an original if a fake
        was made from it. Without the column `near_duplicates` there is no NEAR.
    """
    rows, splits = images.reset_index(drop=True), splits.reset_index(drop=True)
    rows, splits = rows[splits != ""], splits[splits != ""]
    scope = scope_of(rows)
    originals = separate_names(rows["original"])
    made_from = set(_scoped(originals, scope))
    videos = rows["video"][rows["video"] != ""]
    sources = pd.concat([originals, videos[_scoped(videos, scope).isin(made_from).to_numpy()]])
    persons = separate_names(rows["identity"])
    kinds = {kind: _scoped(names, scope) for kind, names in zip(NAMED, (videos, sources, persons), strict=True)}
    if "near_duplicates" in rows:
        group = rows["near_duplicates"].dropna()
        kinds[NEAR] = group[group.duplicated(keep=False)].astype(str)
    return {kind: _count_on_two_sides(names, splits) for kind, names in kinds.items()}


def _scoped(names, scope):
    return scope[names.index].astype(str) + "\n" + comparable_names(names)


def _count_on_two_sides(names, splits):
    sides = pd.DataFrame({"name": names, "split": splits[names.index]}).drop_duplicates().groupby("name").size()
    return int((sides > 1).sum()), len(sides)
