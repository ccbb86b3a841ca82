"""Which images the two stages see: reals held out from both, reals of the detector, reals of the DCGAN alone."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from common.data.datasets import merge, open_dataset
from common.errors import UserError
from common.labels import FAKE, REAL, WORDS
from common.splits.leaks import check_splits
from common.splits.protocols import split_images
from reproductions.dcgan_inception_resnet.config import CELEB

log = logging.getLogger("deepfake")
GAN_ONLY = "gan"  # in the column split: real images that only the DCGAN is trained on


@dataclass
class Made:
    """What stage 1 leaves to stage 2.

    images: the reals and the fakes, with the column split; samples: the folder of the fixed noise by epoch; losses: of
    the DCGAN by epoch and batch; groups: {what made the fakes: their data set}.
    """

    images: pd.DataFrame
    samples: Path
    generator: object = None
    losses: pd.DataFrame | None = None
    notes: list = field(default_factory=list)
    groups: dict = field(default_factory=dict)

    def add(self, folder, name, kind, splits):
        """Add the generated images of a folder as the data set `name`: the i-th has splits[i]."""
        fakes = open_dataset(name, folder).images.assign(dataset=name, split=splits)
        if "near" in self.images:  # generated anew, they are nobody's near-duplicates
            fakes["near"] = self.images["near"].max() + 1 + np.arange(len(fakes))
        self.images = pd.concat([self.images, fakes], ignore_index=True)
        self.groups[kind] = name


def real_and_other(datasets, near_duplicates=None):
    """The real images of celeb, and the fakes of other generators, each a table of images."""
    reals = [data for data in datasets if data.role == CELEB]
    real = merge(reals, near_duplicates) if reals else datasets[0].images.iloc[:0]
    other = pd.concat([data.images for data in datasets], ignore_index=True)
    return real[real["label"] == WORDS[REAL]].reset_index(drop=True), other[other["label"] == WORDS[FAKE]]


def deal(reals, config, seed):
    """The real images with the column split: train and val are the detector's, test is held out from both networks.

    The others, `gan`, are the DCGAN's alone, which is trained on train and val too. No person stands in test and
    elsewhere, where the manifest names persons. With --epochs 0 everything is test.
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


def compression(reals, match_jpeg):
    """How generated images are to be compressed, in turn: None is PNG; with match_jpeg as the real files are."""
    if not match_jpeg:
        return (None,)
    from reproductions.dcgan_inception_resnet.fakes import jpeg_settings

    return tuple(jpeg_settings(reals["file"]))


def others_for_test(images, known):
    """The fakes of other generators, as test images: of each no more, chosen by their bytes, than there are held-out
    real images in `known`, all without any; copies of `known` images are left out."""
    copies = images["sha256"].isin(known.loc[known["sha256"] != "", "sha256"])
    if copies.any():
        log.warning("%d fakes of other generators left out, they are copies of images of this run", copies.sum())
    count = ((known["label"] == WORDS[REAL]) & (known["split"] == "test")).sum() or len(images)
    chosen = images[~copies].sort_values("sha256").groupby("dataset", sort=False).head(count)
    return chosen.assign(split="test").sort_index()


def check(images):
    """UserError where an image, or a person, of the test split stands in another one too."""
    splits = images["split"].replace(GAN_ONLY, "train")
    check_splits(images, splits, _protocol(images))


def _protocol(images):
    return "identity" if (images["identity"] != "").any() else "frame"
