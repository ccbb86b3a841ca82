"""Which images the two stages see: reals held out from both, reals of the detector, reals of the DCGAN alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from common.conditions import RESUBSTITUTION
from common.data.datasets import DataSet, merge, open_dataset
from common.errors import UserError
from common.labels import FAKE, REAL, WORDS
from common.splits.knowledge import why_unknown
from common.splits.leaks import check_splits
from common.splits.protocols import split_images
from reproductions.dcgan_inception_resnet.config import (
    CELEB,
    EMBEDDED,
    GENERATOR,
    HELD_OUT,
    JPEG,
    LAYOUTS,
    PROTOCOLS,
    Config,
)
from reproductions.inputs import Batch, RunData, load_data, require_weights
from reproductions.splitting import Split, known_remarks, near_duplicate_remarks

if TYPE_CHECKING:
    import keras

log = logging.getLogger("deepfake")
GAN_ONLY = "gan"  # in the column split: real images that only the DCGAN is trained on


@dataclass
class GeneratedData:
    """What stage 1 hands to stage 2.

    Args:
        images: the reals and the fakes, with the column split.
        samples: the folder of the fixed noise by epoch.
        generator: the DCGAN's generator; None if there is none.
        losses: the DCGAN's, by epoch and batch; None if it was not trained.
        notes: what a reader of numbers on these fakes must know.
        groups: {what made the fakes: their data set}, the last epoch's generator first.
    """

    images: pd.DataFrame
    samples: Path
    generator: keras.Model | None = None
    losses: pd.DataFrame | None = None
    notes: list[str] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)

    def add(self, folder: Path, name: str, maker: str, splits: Sequence[str]) -> None:
        """Add the generated images of a folder.

        Args:
            folder: with a manifest.
            name: of the data set that they become.
            maker: what made them, in words.
            splits: one for each image.
        """
        fakes = open_dataset(name, folder).images.assign(dataset=name, split=splits)
        if "near" in self.images:  # groups that share a split; a fake is given its split
            fakes["near"] = self.images["near"].max() + 1 + np.arange(len(fakes))
        self.images = pd.concat([self.images, fakes], ignore_index=True)
        self.groups[maker] = name


def choose_protocols(config: Config, weights: Mapping[str, Path]) -> tuple[str, ...]:
    """Return the protocols to report.

    Args:
        config: the run's config.
        weights: {network: file} of --weights.

    Raises:
        UserError: if a protocol is unknown, the flags leave a stage without a network, or several machines are to share
            what has a step of its own.
    """
    if config.strategy == "multiworker" and (config.gan_epochs or config.generate):
        raise UserError(
            "--strategy multiworker: the DCGAN trains and generates on one machine; run it there, then give "
            f"--gan-epochs 0 --weights {GENERATOR}=RUN/models/{GENERATOR}.keras for detectors on several"
        )
    if unknown := sorted(set(config.protocol) - set(PROTOCOLS)):
        raise UserError(f"--protocol {' '.join(unknown)}: expected some of {', '.join(PROTOCOLS)}")
    if config.generate:
        if GENERATOR not in weights:
            raise UserError(f"--generate: expected --weights {GENERATOR}=RUN/models/{GENERATOR}.keras")
        return ()
    require_weights(config, weights, config.models)
    if config.epochs == 0:
        if RESUBSTITUTION in config.protocol:
            raise UserError(
                f"--protocol {RESUBSTITUTION} scores what was trained on, --epochs 0 trains nothing: choose {HELD_OUT}"
            )
        return (HELD_OUT,)
    if config.gan_epochs == 0 and GENERATOR not in weights:
        raise UserError(f"--gan-epochs 0 trains no generator: give --weights {GENERATOR}=FILE")
    return config.protocol or tuple(PROTOCOLS)


def load_real_images(config: Config, protocols: Sequence[str]) -> RunData:
    """Return the data sets and, for each seed and protocol, the real images with their splits.

    The protocols of a seed have the same splits, since one training serves them all.

    Args:
        config: the run's config.
        protocols: of `choose_protocols`.

    Raises:
        UserError: if there is nothing to train on, or nothing to score.
    """
    datasets = load_data(config, LAYOUTS, EMBEDDED, faces="haar", size=config.image_size, jpeg=JPEG)
    celeb = [dataset for dataset in datasets if dataset.role == CELEB]
    images = merge(celeb, config.near_duplicates) if celeb else datasets[0].images.iloc[:0]
    reals = draw_reals(images[images["label"] == WORDS[REAL]], config.real_images)
    if reals.empty and foreign_fakes(datasets).empty:
        raise UserError(f"nothing to score: give real faces as --data {CELEB}=DIR, or fakes under any NAME")
    splits = []
    for seed in config.seeds:
        parts = {"": split_real_images(reals, config, seed)}
        splits += [Split(protocol, seed, dict(parts)) for protocol in protocols]
    return RunData(datasets, tuple(dataset.name for dataset in celeb), splits)


def draw_reals(reals: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return at most a number of real images, the same ones each time, in their order with a fresh index.

    Args:
        reals: rows of a manifest.
        most: --real-images.
    """
    if len(reals) > most:
        log.info("%d of %d real images are used, drawn by their hashes: --real-images", most, len(reals))
        drawn = reals.sort_values(["sha256", "path"]).index[:most]
        reals = reals[reals.index.isin(drawn)]
    return reals.reset_index(drop=True)


def required_batches(config: Config, splits: Sequence[Split]) -> list[Batch]:
    """Return the batches that both stages must be able to fill.

    Args:
        config: the run's config.
        splits: of `load_real_images`.
    """
    batches = []
    if config.epochs:  # with as many fakes as reals
        images = 2 * min(split.count("train") for split in splits)
        batches.append(Batch("--batch-size", config.batch_size, images, "the training of a detector"))
    if config.gan_epochs:
        images = min(len(split.images) - split.count("test") for split in splits)
        batches.append(Batch("--gan-batch-size", config.gan_batch_size, images, "the training of the DCGAN"))
    return batches


def split_real_images(reals: pd.DataFrame, config: Config, seed: int) -> pd.DataFrame:
    """Return the real images with the column split.

    `train` and `val` are the detector's, `test` is held out from both networks, and `gan` is the DCGAN's alone, which
    is trained on train and val too. If the manifest names persons, nobody in test is in another split. With --epochs 0
    everything is test.

    Args:
        reals: rows of a manifest.
        config: with detector_images, held_out and validation.
        seed: of the split.

    Raises:
        UserError: if there are too few images.
    """
    if config.epochs == 0:
        return reals.assign(split="test")
    if reals.empty:
        raise UserError(f"training needs real faces: give --data {CELEB}=DIR")
    count = min(config.detector_images, int(len(reals) / (1 + config.held_out)))
    shares = [count * config.validation / len(reals), count * config.held_out / len(reals)]
    protocol = _protocol(reals)
    try:
        splits = split_images(reals, protocol, seed, (1 - sum(shares), *shares), classes=(WORDS[REAL],))
    except UserError as error:
        raise UserError(f"{len(reals)} real images are too few for --validation and --held-out: {error}") from error
    train = np.flatnonzero(splits == "train")
    surplus = len(train) - round(count * (1 - config.validation))
    splits.iloc[np.random.default_rng([seed, 5]).permutation(train)[: max(0, surplus)]] = GAN_ONLY
    return reals.assign(split=splits)


def foreign_fakes(datasets: Sequence[DataSet]) -> pd.DataFrame:
    """Return the fakes of other generators: all that the data sets have."""
    images = pd.concat([dataset.images for dataset in datasets], ignore_index=True)
    return images[images["label"] == WORDS[FAKE]]


def add_foreign_fakes(images: pd.DataFrame, fakes: pd.DataFrame) -> pd.DataFrame:
    """Return the images of a run with the fakes of other generators as test images.

    Of each generator as many are taken, chosen by their bytes, as there are held-out real images, or all if there are
    none. Copies of the run's images are left out.

    Args:
        images: the reals and the run's own fakes, with the column split.
        fakes: of `foreign_fakes`.

    Raises:
        UserError: if an image or a person of the test split is in another one too.
    """
    copies = fakes["sha256"].isin(images.loc[images["sha256"] != "", "sha256"])
    if copies.any():
        log.warning("%d fakes of other generators left out, they are copies of images of this run", copies.sum())
    count = ((images["label"] == WORDS[REAL]) & (images["split"] == "test")).sum() or len(fakes)
    chosen = fakes[~copies].sort_values("sha256").groupby("dataset", sort=False).head(count)
    together = pd.concat([images, chosen.assign(split="test").sort_index()], ignore_index=True)
    protocol = _protocol(together[together["label"] == WORDS[REAL]])
    check_splits(together, together["split"].replace(GAN_ONLY, "train"), protocol)
    return together


def split_remarks(images: pd.DataFrame) -> list[str]:
    """Return what a reader must know of the splits: what is known of the persons, and the near-duplicates.

    Fakes are new since the real images were hashed, and a generator can repeat itself: all are hashed.

    Args:
        images: of all splits, with the column file.
    """
    from common.data.near_duplicates import hash_images, near_duplicate_groups  # needs OpenCV

    reals = images[images["label"] == WORDS[REAL]]
    groups = near_duplicate_groups(hash_images(images["file"]))
    seen = images.assign(split=images["split"].replace(GAN_ONLY, "train"), near_duplicates=groups)
    return [*known_remarks(reals, _protocol(reals)), *near_duplicate_remarks([seen])]


def fake_groups(images: pd.DataFrame, own: Mapping[str, str]) -> dict[str, str]:
    """Return {what made the fakes: their data set} of all images, the run's own generators first."""
    datasets = images.loc[images["label"] == WORDS[FAKE], "dataset"].unique()
    return dict(own) | {f"other fakes ({name})": name for name in datasets if name not in own.values()}


def _protocol(reals):
    named = (reals["identity"] != "").any() and not why_unknown(reals, "identity")
    return "identity" if named else "frame"
