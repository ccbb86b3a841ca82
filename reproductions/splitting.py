"""Splits of a run: one for each protocol and seed, with what the run measures on them."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from common.errors import UserError
from common.runs.options import RunOptions
from common.splits.knowledge import (
    NAMED,
    NEAR,
    composition,
    describe_composition,
    known_share,
    shared_between_sides,
    shares_names,
    why_weak,
)
from common.splits.leaks import check_splits
from common.splits.protocols import choose_protocols, split_images

log = logging.getLogger("deepfake")

Draw = Callable[[pd.DataFrame, str, int, tuple[float, ...]], tuple[pd.Series, str]]


@dataclass
class Split:
    """One protocol and one seed: their images, and what the run has measured on them so far.

    Args:
        protocol: how the images are split.
        seed: of the split and of every training on it.
        parts: {case or fold: images with the column split}; {"": images} if there is one part.
        remarks: what a reader of every number must know, e.g. which images were left out.
        suffix: what its models' names end with; empty for a run's first.
        predictions: a table for each model, of the images that were scored.
        histories: {training: one row an epoch}.
        notes: {model: what a reader of its numbers must know}.
        shortcut: dataset, path, split and the shortcut detector's score of each image, if there is one.
    """

    protocol: str
    seed: int
    parts: dict[str, pd.DataFrame]
    remarks: list[str] = field(default_factory=list)
    suffix: str = ""
    predictions: list[pd.DataFrame] = field(default_factory=list)
    histories: dict[str, pd.DataFrame] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    shortcut: pd.DataFrame | None = None

    @property
    def images(self) -> pd.DataFrame:
        """All images; of several parts one below the other, named in the column case."""
        if list(self.parts) == [""]:
            return self.parts[""]
        return pd.concat([images.assign(case=name) for name, images in self.parts.items()])

    def count(self, split: str) -> int:
        """Return the number of images of a split in the smallest part."""
        return min(int((images["split"] == split).sum()) for images in self.parts.values())

    def table(self) -> pd.DataFrame:
        """Return all predictions, in the order of the models' first ones, and the shortcut detector's scores beside."""
        together = pd.concat(self.predictions)
        ordered = pd.concat([table for _, table in together.groupby("model", sort=False)])
        if self.shortcut is None:
            return ordered
        merged = ordered.merge(self.shortcut, how="left", on=["dataset", "path", "split"])
        return merged.set_axis(ordered.index, axis=0)


def draw_splits(images: pd.DataFrame, trained: tuple[str, ...], config: Any) -> list[Split]:
    """Return a Split for each protocol and seed.

    Args:
        images: all images, of common.data.datasets.merge.
        trained: the names of the data sets that are trained on.
        config: the run's config, with `split`.
    """
    protocols = default_protocols(images[images["dataset"].isin(trained)], config)
    return [draw_split(images, trained, config, protocol, seed) for protocol in protocols for seed in config.seeds]


def draw_possible(protocols: Sequence[str], config: RunOptions, draw: Callable[[str, int], Split]) -> list[list[Split]]:
    """Return a Split for each seed under every protocol, for protocols of a paper's own making.

    A protocol that was not requested, and that some seed cannot carry out, is left out with a warning.

    Args:
        protocols: to try, in order.
        config: the run's config, with `protocol` and `seeds`.
        draw: (protocol, seed) -> Split; it raises UserError if the data do not allow it.

    Returns:
        For each protocol that is left, its Splits in the order of the seeds.

    Raises:
        UserError: if a requested protocol, or every protocol, cannot be carried out.
    """
    possible, errors = [], []
    for protocol in protocols:
        try:
            possible.append([draw(protocol, seed) for seed in config.seeds])
        except UserError as error:
            if protocol in config.protocol:
                raise
            log.warning("protocol %s is left out: %s", protocol, error)
            errors.append(error)
    if not possible:
        raise errors[0]
    return possible


def default_protocols(images: pd.DataFrame, config: Any) -> list[str]:
    """Return the requested protocols, or all that `images` can be split by for every seed.

    With --epochs 0, images that no protocol can split (one class, a handful, none) are all test, under `frame`.
    """
    return choose_protocols(images, config.protocol, config.seeds, config.split, training=bool(config.epochs))


def draw_protocol(images: pd.DataFrame, protocol: str, seed: int, fractions) -> tuple[pd.Series, str]:
    """Return the splits of `split_images`, empty for what the protocol drops, and a remark on that or ''."""
    splits = split_images(images, protocol, seed, fractions)
    dropped = (splits == "").sum()
    reason = "they have no official split" if protocol == "official" else "they show persons of two sides"
    return splits, f"{dropped} of {len(images)} images dropped, {reason}" if dropped else ""


def draw_split(
    images: pd.DataFrame,
    trained: tuple[str, ...],
    config: Any, protocol: str, seed: int,
    draw: Draw = draw_protocol,
) -> Split:  # fmt: skip
    """Split what is trained on; the unseen data sets are test.

    Of an unseen data set are left out: copies of images that are trained on; with --near-duplicates their
    near-duplicates; and what shows a video or person of theirs, if the protocol keeps those on one side. With
    --epochs 0, data that cannot be split (one class, a handful of images) are all test.

    Args:
        images: all images, with the column dataset.
        trained: the names of the data sets that are trained on.
        config: the run's config, with `split`.
        protocol: of common.splits.protocols, or the paper's own if `draw` knows it.
        seed: of the split.
        draw: (images, protocol, seed, --split) -> (splits, '' for an image that is not drawn; a remark or '').
    """
    remarks = []
    seen = images["dataset"].isin(trained)
    copies = ~seen & images["sha256"].isin(images.loc[seen & (images["sha256"] != ""), "sha256"])
    if "near" in images:
        copies |= ~seen & images["near"].isin(images.loc[seen, "near"])
    if copies.any():
        remarks.append(f"{copies.sum()} unseen images left out, they are copies of images trained on")
        images, seen = images[~copies], seen[~copies]
    if (shown := shares_names(images, seen, protocol)).any():
        kind = "persons" if protocol == "identity" else "videos"
        remarks.append(f"{shown.sum()} unseen images left out, they show {kind} trained on")
        images, seen = images[~shown], seen[~shown]
    splits = pd.Series("test", index=images.index)
    try:
        splits[seen], remark = draw(images[seen], protocol, seed, config.split)
        remarks += [remark] if remark else []
    except UserError as error:
        if config.epochs:
            raise
        log.warning("everything is test: %s", error)
    known, kept = known_remarks(images[seen], protocol), splits != ""
    check_splits(images[kept], splits[kept], protocol)
    images = images[kept].assign(split=splits[kept])
    drawn = images[seen[kept]]
    facts = [*known, *person_remarks(drawn, protocol, config.split)]
    weak = weakness_remarks(drawn, protocol)
    sides = [*official_remarks(drawn, protocol), *near_duplicate_remarks([images])]
    for remark in (*remarks, *weak):
        log.warning("protocol %s, seed %d: %s", protocol, seed, remark)
    for fact in (*facts, *sides):
        log.info("protocol %s, seed %d: %s", protocol, seed, fact)
    return Split(protocol, seed, {"": images}, [*remarks, *facts, *weak, *sides])


def known_remarks(images: pd.DataFrame, protocol: str) -> list[str]:
    """Return what share of the images names what the protocol keeps on one side; an empty list for other protocols.

    Args:
        images: all images that are split, before any is dropped.
        protocol: of common.splits.protocols.
    """
    share = known_share(images, protocol)
    subject = {"video": "video", "identity": "person"}.get(protocol)
    return [] if share is None else [f"{subject} known for {share:.1%} of the images"]


def person_remarks(images: pd.DataFrame, protocol: str, fractions: Sequence[float]) -> list[str]:
    """Return what is in each split under `identity`; otherwise an empty list.

    Args:
        images: with the column split.
        protocol: of common.splits.protocols.
        fractions: shares of train, val and test that were asked for.
    """
    if protocol != "identity" or images.empty:
        return []
    return [describe_composition(composition(images, images["split"]), fractions)]


def weakness_remarks(images: pd.DataFrame, protocol: str) -> list[str]:
    """Return why the test images under `identity` can decide little; an empty list if they can, or otherwise.

    Args:
        images: with the column split; of folds, the test images of all of them.
        protocol: of common.splits.protocols.
    """
    if protocol != "identity" or images.empty:
        return []
    return list(filter(None, [why_weak(composition(images, images["split"]))]))


def official_remarks(images: pd.DataFrame, protocol: str) -> list[str]:
    """Return how many videos, originals and persons are in several splits under `official`; otherwise an empty list.

    Args:
        images: of the data sets that are trained on, with the column split and perhaps dataset and scope. Of others,
            everything is test, whatever their official split.
        protocol: of common.splits.protocols.
    """
    if protocol != "official" or images.empty:
        return []
    shared = shared_between_sides(images, images["split"])
    found = [f"{shared[kind][0]} of {shared[kind][1]} {kind}" for kind in NAMED if shared[kind][1]]
    return [f"official splits share {', '.join(found) or 'nothing known, no name is given'}"]


def near_duplicate_remarks(parts: Iterable[pd.DataFrame]) -> list[str]:
    """Return how many groups of near-duplicates are in several splits; an empty list if they were not looked for.

    Args:
        parts: the images of a split with the columns split and near_duplicates; of folds, those of each fold.
    """
    found = [shared_between_sides(images, images["split"])[NEAR] for images in parts if "near_duplicates" in images]
    if not found:
        return []
    near, groups = max(found)
    if not groups:
        return ["no near-duplicates"]
    most, where = ("at most ", " of a fold") if len(found) > 1 else ("", "")
    return [f"{most}{near} of {groups} groups of near-duplicates in several splits{where}"]
