"""Which frames train, validate and test: one split, or the folds of a cross-validation."""

import numpy as np
import pandas as pd

from common.errors import UserError
from common.labels import WORDS, to_numbers
from common.splits.components import component_units
from common.splits.leaks import check_splits
from reproductions.facenet_embeddings.config import PROTOCOLS_WITH_FOLDS, Config
from reproductions.facenet_embeddings.whole_videos import HELD_OUT, choose_videos
from reproductions.splitting import Split, default_protocols, draw_possible, draw_protocol, draw_split


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
    remark = f"{config.folds}-fold cross-validation"

    def draw(protocol, seed):
        return Split(protocol, seed, draw_folds(images, protocol, config.folds, seed), [remark])

    drawn = draw_possible(protocols_with_folds(images, config), config, draw)
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
    """Return the requested protocols, or `frame`, and `video` if the images name their videos.

    Raises:
        UserError: for a requested protocol that cannot be combined with --folds, or not with these images.
    """
    requested = list(dict.fromkeys(config.protocol))
    if wrong := sorted(set(requested) - set(PROTOCOLS_WITH_FOLDS)):
        expected = ", ".join(PROTOCOLS_WITH_FOLDS)
        raise UserError(f"--folds {config.folds}: expected a protocol of {expected}, got {', '.join(wrong)}")
    if (images[["video", "original"]] != "").any(axis=None):
        return requested or list(PROTOCOLS_WITH_FOLDS)
    if "video" in requested:
        raise UserError("protocol 'video' is not possible with these data, no image names its video; use frame")
    return ["frame"]


def draw_folds(images: pd.DataFrame, protocol: str, count: int, seed: int) -> dict[str, pd.DataFrame]:
    """Return the folds: in fold k the units of part k test, those of part k + 1 validate, the others train.

    A unit is what stays on one side: a frame with its copies; under `video` a video with its original and its fakes.

    Args:
        images: with the columns of a manifest and dataset.
        protocol: `frame` or `video`.
        count: the number of folds, at least 3.
        seed: of the assignment of units to parts. The order of the rows does not matter.

    Returns:
        {"fold 1": images with the column split, ...}.

    Raises:
        UserError: if a class has fewer units than there are folds, or a part would have one class only.
    """
    part = _assign_parts(images, protocol, count, seed)
    folds = {}
    for number in range(count):
        splits = np.where(part == number, "test", np.where(part == (number + 1) % count, "val", "train"))
        fold = images.assign(split=splits)
        check_splits(images, fold["split"], protocol)
        folds[f"fold {number + 1}"] = fold
    return folds


def _assign_parts(images, protocol, count, seed):
    """Return the part of each image, 0 to count - 1, a Series with the images' index."""
    from sklearn.model_selection import StratifiedGroupKFold  # takes a second to import; few runs have folds

    rows = images.sort_values(["dataset", "path"]).reset_index(names="index")  # the row order must not matter
    units = component_units(rows, by_name=protocol == "video").unit
    labels = to_numbers(rows["label"])
    fewest = min(len(set(units[rows["label"] == word])) for word in WORDS)
    if not fewest:
        raise UserError(f"--folds {count}: each fold needs real and fake images, the data have one class only")
    if fewest < count:
        raise UserError(f"--folds {count}: there are only {fewest} groups of images of a class; lower --folds")
    part = np.empty(len(rows), int)
    folds = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    for number, (_, chosen) in enumerate(folds.split(rows, labels, units)):
        part[chosen] = number
    if any(len(set(labels[part == number])) < 2 for number in range(count)):
        raise UserError(f"--folds {count}: a part would have images of one class only; lower --folds")
    return pd.Series(part, rows["index"])[images.index]
