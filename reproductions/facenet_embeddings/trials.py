"""The trainings of phase I: the images and epochs of each, and its settings as the paper prints them."""

import hashlib
import logging
from collections.abc import Mapping

import pandas as pd

from common.errors import UserError
from common.labels import WORDS
from common.splits.components import component_units, identity_units
from common.splits.drawing import draw_splits
from reproductions.facenet_embeddings.config import FIRST, PROPOSED, TRIALS, XCEPTION, XCEPTION_EMBEDDER, Config
from reproductions.inputs import Batch
from reproductions.splitting import Split

log = logging.getLogger("deepfake")


def training_set(model: str, roles: Mapping[str, str]) -> str:
    """Return the data sets that a model is trained on, joined by `+`: some trials take Celeb-DF alone if it is given.

    Args:
        model: a trial or a classifier of phase II.
        roles: {NAME of --data: name of the data set}.
    """
    alone = model in TRIALS and not TRIALS[model].both and FIRST in roles
    return roles[FIRST] if alone else "+".join(roles.values())


def trial_epochs(trial: str, config: Config) -> int:
    """Return the epochs of a trial: those of Tables I and III unless --phase1-epochs gives others."""
    if config.epochs == 0:
        return 0
    return TRIALS[trial].epochs if config.phase1_epochs is None else config.phase1_epochs


def trial_images(trial: str, split: Split, fold: str, config: Config, roles: Mapping[str, str]) -> pd.DataFrame:
    """Return the images of a trial: of its data sets, with at most its number of training and validation frames.

    Args:
        trial: a key of TRIALS.
        split: a protocol and a seed.
        fold: a key of `split.parts`.
        config: the run's config.
        roles: {NAME of --data: name of the data set}.
    """
    images = split.parts[fold]
    chosen = images[images["dataset"].isin(training_set(trial, roles).split("+"))]
    chosen = limit_frames(chosen, config.phase1_frames or TRIALS[trial].frames)
    return draw_validation(chosen, split.protocol, split.seed, config.phase1_validation)


def draw_validation(images: pd.DataFrame, protocol: str, seed: int, share: float | None) -> pd.DataFrame:
    """Split the images that are not test images again, into training and validation, by the units of the protocol.

    Args:
        images: with the columns of a manifest, dataset and split.
        protocol: `identity` keeps persons on one side, `frame` single frames, any other videos.
        seed: of the division.
        share: of validation; None: the images stay as they are. They also do, with a warning, if there are too few
            units for both classes on both sides.
    """
    fitted = images[images["split"] != "test"].reset_index(names="index")
    if share is None or missing_images(images):
        return images
    units = identity_units(fitted) if protocol == "identity" else component_units(fitted, protocol != "frame")
    try:
        drawn = draw_splits(fitted, units, seed, {"train": 1 - share, "val": share})
    except UserError as error:
        log.warning("phase I validates on the images of phase II: %s", error)
        return images
    splits = images["split"].copy()
    splits[fitted["index"]] = drawn.to_numpy()
    return images.assign(split=splits)[splits != ""]  # under identity swaps between the sides are left out


def limit_frames(images: pd.DataFrame, frames: int | None) -> pd.DataFrame:
    """Return images with at most `frames` in training and validation together, chosen by hash.

    The shares of both splits and of the classes stay as they are, and so does the test split.

    Args:
        images: with the columns dataset, path, label and split.
        frames: the limit; None: no limit.
    """
    tested = images["split"] == "test"
    if frames is None or (~tested).sum() <= frames:
        return images
    order = (images["dataset"] + "\n" + images["path"]).map(lambda name: hashlib.sha256(name.encode()).hexdigest())
    groups = images.assign(order=order)[~tested].groupby(["split", "label"])
    kept = [group.sort_values("order").head(round(frames * len(group) / (~tested).sum())).index for _, group in groups]
    return images[tested | images.index.isin([index for group in kept for index in group])]


def has_phase1(split: Split, splits: list[Split], config: Config) -> bool:
    """Return whether phase I runs on a split.

    It runs on all with --epochs 0, which only scores a given network, and if phase II needs its Xception.

    Args:
        split: one of `splits`.
        splits: all of the run.
        config: the run's config.
    """
    everywhere = config.phase1_protocols == "all" or config.embedder == XCEPTION_EMBEDDER or config.epochs == 0
    return split is splits[0] or everywhere


def missing_images(images: pd.DataFrame) -> str:
    """Return what a trial's images lack for its training, or '': both splits need both classes.

    An official split of several data sets can leave one of them without validation images.
    """
    for split, noun in (("train", "training"), ("val", "validation")):
        if missing := sorted(set(WORDS) - set(images.loc[images["split"] == split, "label"])):
            return f"no {' and no '.join(missing)} {noun} images"
    return ""


def trial_batches(splits: list[Split], config: Config, roles: Mapping[str, str]) -> list[Batch]:
    """Return the batch that each trial on single frames must be able to fill, in its smallest training split.

    Args:
        splits: all of the run.
        config: the run's config.
        roles: {NAME of --data: name of the data set}.
    """
    parts = [(split, fold) for split in splits if has_phase1(split, splits, config) for fold in split.parts]
    batches = []
    for trial in [trial for trial in XCEPTION if trial in config.phase1 and trial_epochs(trial, config)]:
        images = [trial_images(trial, split, fold, config, roles) for split, fold in parts]
        counts = [int((part["split"] == "train").sum()) for part in images if not missing_images(part)]
        if counts:
            subject = f"the training split of {trial}"
            batches.append(Batch("--phase1-batch-size", config.phase1_batch_size, min(counts), subject))
    return batches


def settings_used(model: str, split: Split, config: Config, roles: Mapping[str, str]) -> dict[str, float]:
    """Return the settings of a training as the paper tabulates them, {metric: number}.

    Args:
        model: a trial, or the proposed classifier for the base network's training.
        split: what it was trained on; of folds the first.
        config: the run's config.
        roles: {NAME of --data: name of the data set}.
    """
    if model == PROPOSED:
        return {"learning_rate": config.learning_rate, "epochs": config.epochs, "batch_size": config.batch_size}
    images = trial_images(model, split, next(iter(split.parts)), config, roles)
    return {
        "learning_rate": TRIALS[model].learning_rate,
        "epochs": trial_epochs(model, config),
        "batch_size": config.phase1_batch_size,
        "frames": int((images["split"] != "test").sum()),
        "validation_share": float((images["split"] == "val").sum() / (images["split"] != "test").sum()),
    }
