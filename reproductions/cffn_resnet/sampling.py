"""Which images a model is trained on, and which ones it scores."""

import pandas as pd

from reproductions.cffn_resnet.config import SCORED_TRAINING_IMAGES, Config


def training_images(images: pd.DataFrame, config: Config, seed: int) -> pd.DataFrame:
    """Return the images that a model is trained on: the training split, or --training-share of each of its classes.

    Args:
        images: with the columns label and split.
        config: the model's own, of `config_of`.
        seed: of the sample.
    """
    table = images[images["split"] == "train"]
    if config.training_share == 1:
        return table
    return table.groupby("label").sample(frac=config.training_share, random_state=seed)


def scored_images(images: pd.DataFrame, config: Config, seed: int) -> pd.DataFrame:
    """Return the images that a model scores: validation, test and, after training, up to 5,000 of its training images.

    Args:
        images: with the columns label and split.
        config: the model's own, of `config_of`.
        seed: of the sample.
    """
    others = images[images["split"] != "train"]
    if config.epochs == 0:
        return others
    seen = training_images(images, config, seed)
    return pd.concat([seen.sample(min(SCORED_TRAINING_IMAGES, len(seen)), random_state=seed), others])
