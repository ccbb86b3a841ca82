"""Which frames train, validate and test: one split, or the folds of a cross-validation."""

import logging

import numpy as np
import pandas as pd

from common.errors import UserError
from common.labels import WORDS, to_numbers
from common.splits.components import component_units, identity_units
from common.splits.drawing import draw_units, splits_of_rows
from common.splits.knowledge import composition, require_persons
from common.splits.leaks import check_splits
from common.splits.protocols import applicable_protocols, require_applicable
from reproductions.facenet_embeddings.config import PROTOCOLS_WITH_FOLDS, Config
from reproductions.facenet_embeddings.whole_videos import HELD_OUT, choose_videos
from reproductions.splitting import (
    Split,
    default_protocols,
    draw_possible,
    draw_protocol,
    draw_split,
    known_remarks,
    near_duplicate_remarks,
    weakness_remarks,
)

log = logging.getLogger("deepfake")


def draw_splits(images: pd.DataFrame, config: Config) -> list[Split]:
    """Return a Split for each seed and protocol, whose parts are the folds if the run has folds.

    Args:
        images: all images, with the columns of a manifest and dataset; all data sets are trained on.
        config: the run's config.

    Raises:
        UserError: for a protocol that the data, or --folds, do not allow.
    """
    if not config.folds:
        protocols = default_protocols(images, config)
        return [draw_one(images, config, protocol, seed) for seed in config.seeds for protocol in protocols]
    protocols = protocols_with_folds(images, config)
    drawn = draw_possible(protocols, config, lambda protocol, seed: draw_fold_splits(images, config, protocol, seed))
    return [split for splits_of_seed in zip(*drawn, strict=True) for split in splits_of_seed]


def draw_one(images: pd.DataFrame, config: Config, protocol: str, seed: int) -> Split:
    """Return one split. Under `frame` its images have the column held_out: whole videos are test, for Table II.

    Args:
        images: as for `draw_splits`.
        config: the run's config.
        protocol: of common.splits.protocols.
        seed: of the split.

    Raises:
        UserError: if the data do not allow it.
    """
    trained = tuple(images["dataset"].unique())
    if protocol != "frame" or not config.table2_videos:
        return draw_split(images, trained, config, protocol, seed)
    held_out = choose_videos(images, config.table2_videos, seed)

    def draw(images, protocol, seed, fractions):
        splits = pd.Series("test", index=images.index, dtype=object)
        splits[~held_out], remark = draw_protocol(images[~held_out], protocol, seed, fractions)
        return splits, remark

    split = draw_split(images, trained, config, protocol, seed, draw)
    if held_out.any():
        split.parts[""] = split.parts[""].assign(**{HELD_OUT: held_out})
    return split


def protocols_with_folds(images: pd.DataFrame, config: Config) -> list[str]:
    """Return the requested protocols, or all of PROTOCOLS_WITH_FOLDS that the images allow.

    Raises:
        UserError: for a requested protocol that cannot be combined with --folds, or not with these images.
    """
    requested = list(dict.fromkeys(config.protocol))
    if wrong := sorted(set(requested) - set(PROTOCOLS_WITH_FOLDS)):
        expected = ", ".join(PROTOCOLS_WITH_FOLDS)
        raise UserError(f"--folds {config.folds}: expected a protocol of {expected}, got {', '.join(wrong)}")
    for protocol in requested:
        require_applicable(images, protocol)
    return requested or [name for name in applicable_protocols(images) if name in PROTOCOLS_WITH_FOLDS]


def draw_fold_splits(images: pd.DataFrame, config: Config, protocol: str, seed: int) -> Split:
    """Return a Split whose parts are the folds, with what a reader of its numbers must know.

    Args:
        images: all images, with the columns of a manifest and dataset.
        config: the run's config, with `folds`.
        protocol: of PROTOCOLS_WITH_FOLDS.
        seed: of the assignment of units to parts.

    Raises:
        UserError: as of `draw_folds`.
    """
    folds = draw_folds(images, protocol, config.folds, seed)
    tested = pd.concat([fold[fold["split"] == "test"] for fold in folds.values()])
    remarks = [f"{config.folds}-fold cross-validation", *known_remarks(images, protocol)]
    if protocol == "identity":
        persons = [composition(fold, fold["split"])["persons"]["test"] for fold in folds.values()]
        remarks.append(f"persons left out: {min(persons)} to {max(persons)} in the test split of a fold")
        if untested := len(images) - len(tested):
            remarks.append(f"{untested} of {len(images)} images never tested, they show persons of two parts")
    remarks += near_duplicate_remarks(folds.values())
    for remark in remarks:
        log.info("protocol %s, seed %d: %s", protocol, seed, remark)
    weak = weakness_remarks(tested, protocol)  # the numbers are over the test images of all folds
    for remark in weak:
        log.warning("protocol %s, seed %d: %s", protocol, seed, remark)
    return Split(protocol, seed, folds, [*remarks, *weak])


def draw_folds(images: pd.DataFrame, protocol: str, count: int, seed: int) -> dict[str, pd.DataFrame]:
    """Return the folds: in fold k the units of part k test, those of part k + 1 validate, the others train.

    A unit is what stays on one side: a frame with its copies; under `video` a video with its original and its fakes;
    under `identity` a person, or all that persons connect. A fold does not have the swaps of persons of two of its
    splits.

    Args:
        images: with the columns of a manifest and dataset.
        protocol: of PROTOCOLS_WITH_FOLDS.
        count: the number of folds, at least 3.
        seed: of the assignment of units to parts. The order of the rows does not matter.

    Returns:
        {"fold 1": images with the column split, ...}.

    Raises:
        UserError: if a class has fewer units than there are folds, or a part would have one class or one person only.
    """
    rows = images.sort_values(["dataset", "path"]).reset_index(names="index")  # the row order must not matter
    units = identity_units(rows) if protocol == "identity" else component_units(rows, by_name=protocol == "video")
    part, folds = _assign_parts(rows, units, count, seed), {}
    for number in range(count):
        names = ["train"] * count
        names[number], names[(number + 1) % count] = "test", "val"
        splits = pd.Series(splits_of_rows(len(rows), units, part, names), rows["index"])[images.index]
        fold = images.assign(split=splits)[splits != ""]
        check_splits(fold.drop(columns="split"), fold["split"], protocol)
        if protocol == "identity":
            require_persons(composition(fold, fold["split"]), f"lower --folds {count}")
        folds[f"fold {number + 1}"] = fold
    return folds


def _assign_parts(rows, units, count, seed):
    """Return the part of each unit, int (units,), 0 to count - 1."""
    from sklearn.model_selection import StratifiedGroupKFold  # takes a second to import; few runs have folds

    fewest = min(len(set(units.unit[(rows["label"] == word).to_numpy()[units.row]])) for word in WORDS)
    if not fewest:
        raise UserError(f"--folds {count}: each fold needs real and fake images, the data have one class only")
    if fewest < count:
        raise UserError(f"--folds {count}: there are only {fewest} groups of images of a class; lower --folds")
    if units.is_person.any():
        shares = {f"part {number + 1}": 1 / count for number in range(count)}
        try:
            return draw_units(rows, units, seed, shares)
        except UserError as error:
            raise UserError(f"--folds {count}: {error}; lower --folds") from error
    part, labels = np.empty(len(units.key), int), to_numbers(rows["label"])
    folds = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    for number, (_, chosen) in enumerate(folds.split(rows, labels, units.unit)):
        part[units.unit[chosen]] = number
    if any(len(set(labels[part[units.unit] == number])) < 2 for number in range(count)):
        raise UserError(f"--folds {count}: a part would have images of one class only; lower --folds")
    return part
