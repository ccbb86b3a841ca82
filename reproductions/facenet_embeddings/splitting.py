"""Which frames train, validate and test: one split, or the folds of a cross-validation."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from common.errors import UserError
from common.labels import to_numbers
from common.splits.components import component_units
from common.splits.leaks import check_splits
from common.splits.protocols import choose_protocols
from reproductions.experiment import split_seen
from reproductions.facenet_embeddings.config import FOLDED


@dataclass(frozen=True)
class Part:
    """One training's images. name: empty, or the fold, e.g. `fold 2`."""

    name: str
    images: pd.DataFrame  # with the column split


def protocols_of(images, config):
    """The protocols of a run; UserError for one that the data, or --folds, do not allow."""
    if not config.folds:
        return choose_protocols(images, config.protocol)
    if wrong := sorted(set(config.protocol) - set(FOLDED)):
        raise UserError(f"--folds {config.folds}: expected a protocol of {', '.join(FOLDED)}, got {', '.join(wrong)}")
    return [each for each in choose_protocols(images, config.protocol) if each in FOLDED]


def parts_of(images, protocol, config, seed):
    """(the Parts of one protocol and one seed, remarks for the rows' notes)."""
    if set(images["label"]) != {"fake", "real"}:
        raise UserError("training needs real and fake images, the data have one class only: add the other")
    if config.folds:
        parts, remarks = _folds(images, protocol, config.folds, seed), (f"{config.folds}-fold cross-validation",)
    else:
        split = split_seen(images, tuple(images["dataset"].unique()), config, protocol, seed)
        parts, remarks = [Part("", split.images)], split.remarks
    for part in parts:
        number = (part.images["split"] == "train").sum()
        if config.epochs and number < config.batch_size:
            raise UserError(f"--batch-size {config.batch_size}: the training split has only {number} images")
    return parts, remarks


def _folds(images, protocol, count, seed):
    """The folds: in fold k the units of part k test, those of part k + 1 validate, the others train.

    A unit is what stays on one side: a frame with its copies, under `video` a video with its original and its fakes.
    """
    if count < 3:
        raise UserError(f"--folds: expected at least 3 (test, validation, training), got {count}")
    # In the order of the names: the folds must not depend on the order of the rows.
    rows = images.sort_values(["dataset", "path"]).reset_index(names="index")
    units = component_units(rows, by_name=protocol == "video").unit
    labels = to_numbers(rows["label"])
    least = min(len(set(units[labels == label])) for label in (0, 1))
    if least < count:
        raise UserError(f"--folds {count}: there are only {least} groups of images of a class; lower --folds")
    part = np.empty(len(rows), int)
    dealer = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    for number, (_, chosen) in enumerate(dealer.split(rows, labels, units)):
        part[chosen] = number
    if any(len(set(labels[part == number])) < 2 for number in range(count)):
        raise UserError(f"--folds {count}: a part would have images of one class only; lower --folds")
    part = pd.Series(part, rows["index"])[images.index]
    parts = []
    for number in range(count):
        splits = np.where(part == number, "test", np.where(part == (number + 1) % count, "val", "train"))
        split = images.assign(split=splits)
        check_splits(images, split["split"], protocol)
        parts.append(Part(f"fold {number + 1}", split))
    return parts
