"""Split protocols: which image of a manifest trains, validates or tests.

`frame`: single images; copies (equal bytes) stay together. The easy protocol: frames of one video are on both sides.
`video`: all images that are connected by video, original or equal bytes stay on one side.
`identity`: no person is on two sides, neither as the target nor as the source of a swap. If nearly everybody is swapped
with everybody (Celeb-DF), persons are assigned to splits so that the kept images meet the shares of splits and classes
(common.splits.persons), and swaps of two persons in different splits are dropped.
`official`: the data set's own split; if it has no val, some of train is drawn for it. Rows without a split are dropped:
FaceForensics++ comes with videos of actors that its lists do not have.
`video` and `identity` need a name for KNOWN_SHARE of the images: who or what is not named could be on two sides unseen.
The three drawn protocols also keep rows with an equal value in a column `near` (common.data.near_duplicates) together.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Literal

import pandas as pd

from common.conditions import RESUBSTITUTION
from common.data.manifest import SPLITS
from common.errors import UserError
from common.labels import WORDS
from common.splits.components import component_units, identity_units
from common.splits.drawing import draw_splits
from common.splits.knowledge import composition, require_persons, why_unknown
from common.splits.leaks import check_splits

log = logging.getLogger("deepfake")

PROTOCOLS = ("frame", "video", "identity", "official")
FRACTIONS = (0.7, 0.2, 0.1)  # train, val, test

Unit = Literal["image", "video", "person"]
UNIT_OF_PROTOCOL: dict[str, Unit] = {  # what a protocol keeps on one side, for everything that reads a run's splits
    "frame": "image",
    "video": "video",
    "identity": "person",
    "official": "video",  # what the authors of a data set kept on one side is not known; at least the videos
    "paper": "image",  # drawn by the papers that state numbers of images
    RESUBSTITUTION: "image",
    "heldout": "person",  # drawn by the paper that generates its fakes
}


def protocol_unit(protocol: str) -> Unit:
    """Return what a protocol keeps on one side of a split.

    Args:
        protocol: a name, or several joined by `+`.

    Returns:
        The coarsest unit of these protocols; `video` for a name that is not in UNIT_OF_PROTOCOL.
    """
    units = {UNIT_OF_PROTOCOL.get(name, "video") for name in protocol.split("+")}
    order: tuple[Unit, ...] = ("person", "video", "image")
    return next(unit for unit in order if unit in units)


def split_images(
    images: pd.DataFrame,
    protocol: str,
    seed: int = 0,
    fractions: Sequence[float] = FRACTIONS,
    classes: Sequence[str] = WORDS,
) -> pd.Series:
    """Assign every image to `train`, `val` or `test`.

    Images that belong together form a unit. SplitUnits are divided into strata by their labels, sources and data sets,
    ordered within a stratum by SHA-256 of the seed and their names, and cut where the cumulative image counts pass
    `fractions`. So the order of the rows does not matter, and a few more images move few others (but where persons are
    assigned one by one).

    Args:
        images: n rows of a manifest, or of several in one table with the column `dataset`. Data sets with one value in
            a column `scope` share videos and persons: equal names in them mean the same one.
        protocol: one of PROTOCOLS.
        seed: selects the split; `official` uses it only to draw a missing val.
        fractions: shares of train, val and test, above 0; their sum is 1.
        classes: the labels that every split needs.

    Returns:
        The splits, object (n,), with the index of `images`. An image is '' under `identity` if it shows persons of two
        splits, and under `official` if it has none: leave these rows out and report their number; check_splits refuses
        them.

    Raises:
        UserError: if the manifest does not have the columns of this protocol, or names too few videos or persons; if
            there are too few units for every split, or validation or test would show one person only.
    """
    if protocol not in PROTOCOLS or not _has_columns(images, protocol) or why_unknown(images, protocol):
        raise _not_applicable(images, protocol)
    draw = _splitter(images.reset_index(drop=True), protocol, fractions, classes)
    try:
        return draw(seed).set_axis(images.index)
    except UserError as error:
        raise UserError(f"protocol {protocol!r}, seed {seed}: {error}; add data, or choose another protocol") from error


def choose_protocols(
    images: pd.DataFrame,
    requested: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    fractions: Sequence[float] = FRACTIONS,
    training: bool = True,
) -> list[str]:
    """Choose the protocols of a run.

    Args:
        images: rows of a manifest, or of several in one table with the column `dataset`.
        requested: names from the command line; none selects all of PROTOCOLS whose columns the manifest fills in, that
            split the images for every seed without leaks, and whose training split has both classes; the others are
            left out with a warning. `identity` is one of these only if persons connect images that nothing else
            connects, since otherwise it is the same as `video`.
        seeds: the seeds of the run.
        fractions: shares of train, val and test.
        training: False for a run that trains nothing, which can test on images that no protocol can split.

    Returns:
        Names of PROTOCOLS, each once; without training ['frame'] if no protocol can split the images.

    Raises:
        UserError: if a requested protocol is unknown, the manifest does not have its columns, or it cannot be carried
            out for every seed; if no protocol can be.
    """
    chosen = list(dict.fromkeys(requested))
    if chosen:
        _check_requested(images, chosen, seeds, fractions, training)
    else:
        chosen = _default_protocols(images, seeds, fractions, training)
    if "official" in chosen and "dataset" in images:
        for name in sorted(set(images["dataset"]) - set(images["dataset"][images["split"] == "test"])):
            log.warning("protocol official: %s has no official test images, so it has no test results", name)
    return chosen


def _check_requested(images, requested, seeds, fractions, training):
    for protocol in requested:
        if protocol not in PROTOCOLS or not images.empty:
            require_applicable(images, protocol)
        if training and (reason := _why_impossible(images, protocol, seeds, fractions)):
            raise UserError(
                f"protocol {protocol!r} is not possible with these data, {reason}; add data, or choose another protocol"
            )


def _default_protocols(images, seeds, fractions, training):
    reasons = {protocol: reason for protocol in PROTOCOLS if (reason := _why_not_named(images, protocol))}
    for protocol in applicable_protocols(images):
        reasons[protocol] = _why_impossible(images, protocol, seeds, fractions)
    possible = [protocol for protocol, reason in reasons.items() if not reason]
    if possible:
        for protocol, reason in reasons.items():
            if reason:
                log.warning("protocol %s is left out, %s", protocol, reason)
        return possible
    if training:
        found = "; ".join(f"{protocol}, {reason}" for protocol, reason in reasons.items())
        raise UserError(f"no protocol can split these data: {found}; add data")
    return ["frame"]


def _why_impossible(images, protocol, seeds, fractions):
    """Why a run cannot be trained under an applicable protocol, or an empty string."""
    if images.empty:
        return "there are no images"
    rows = images.reset_index(drop=True)
    draw = _splitter(rows, protocol, fractions, WORDS)
    for seed in seeds:
        try:
            splits = draw(seed)
            if protocol == "official":  # the drawn ones have no leaks by construction
                check_splits(rows[splits != ""], splits[splits != ""], protocol)
        except UserError as error:
            return f"seed {seed}: {error}"
        if missing := sorted(set(WORDS) - set(rows["label"][splits == "train"])):
            return f"its training split has no {' and no '.join(missing)} images"
    return ""


def _has_columns(images, protocol):
    """Whether the columns that a protocol needs are filled in."""
    if protocol == "video":
        return bool((images["video"] != "").any() or (images["original"] != "").any())
    if protocol == "identity":
        return bool((images["identity"] != "").any())
    return protocol == "frame" or {"train", "test"} <= set(images["split"])


def applicable_protocols(images: pd.DataFrame) -> list[str]:
    """Return the protocols that the columns of the manifest allow; whether they can be drawn is not tried.

    Args:
        images: rows of a manifest, or of several in one table with the column `dataset`.
    """
    return [protocol for protocol in PROTOCOLS if _is_applicable(images, protocol)]


def require_applicable(images: pd.DataFrame, protocol: str) -> None:
    """Check that the columns of the manifest allow a protocol.

    Args:
        images: rows of a manifest, or of several in one table with the column `dataset`.
        protocol: as requested.

    Raises:
        UserError: if they do not, or it is unknown.
    """
    if protocol not in PROTOCOLS or not _is_applicable(images, protocol):
        raise _not_applicable(images, protocol)


def _why_not_named(images, protocol):
    """Why a protocol whose columns have something in them has too little; empty if it has enough, or nothing."""
    return why_unknown(images, protocol) if _has_columns(images, protocol) else ""


def _is_applicable(images, protocol):
    """Whether the columns of a protocol are filled in and, for `identity`, it differs from `video`."""
    if not _has_columns(images, protocol) or why_unknown(images, protocol):
        return False
    return protocol != "identity" or _persons_connect_images(images.reset_index(drop=True))


def _persons_connect_images(rows):
    by_person = identity_units(rows)
    return bool(by_person.is_person.any()) or len(by_person.key) < len(component_units(rows, by_name=True).key)


def _not_applicable(images, protocol):
    if protocol not in PROTOCOLS:
        return UserError(f"protocol {protocol!r} is unknown; one of {', '.join(PROTOCOLS)}")
    if reason := _why_not_named(images, protocol):
        return UserError(f"protocol {protocol!r} is not possible with these data: {reason}, or choose another protocol")
    return UserError(
        f"protocol {protocol!r} is not possible with these data, only {', '.join(applicable_protocols(images))}: "
        "`video` needs a video or original in the manifest, `identity` persons who are in several videos, `official` "
        "rows whose split is train and others whose split is test"
    )


def _splitter(rows, protocol, fractions, classes) -> Callable[[int], pd.Series]:
    """The function seed -> splits of a protocol; the units are computed once for all seeds."""
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise UserError(f"expected three fractions above 0 for train, val, test that sum to 1, got {fractions}")
    if protocol == "official":
        return _official_splitter(rows, fractions)
    units = identity_units(rows) if protocol == "identity" else component_units(rows, by_name=protocol == "video")
    shares = dict(zip(SPLITS, fractions, strict=True))

    def split(seed):
        splits = draw_splits(rows, units, seed, shares, classes)
        if protocol == "identity" and len(classes) > 1:  # of one class alone, who adds the other one decides
            require_persons(composition(rows, splits))
        return splits

    return split


def _official_splitter(rows, fractions):
    """The official split, which no seed changes, or one whose val is drawn from train."""
    official = rows["split"]
    if (official == "val").any():
        return lambda seed: official.copy()
    train = rows.index[official == "train"]
    training_rows = rows.loc[train].reset_index(drop=True)
    units = component_units(training_rows, by_name=True)
    total = fractions[0] + fractions[1]
    shares = {"train": fractions[0] / total, "val": fractions[1] / total}

    def split(seed):
        splits = official.copy()
        splits[train] = draw_splits(training_rows, units, seed, shares).to_numpy()
        return splits

    return split
