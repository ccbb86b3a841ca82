"""What the tests of this paper share: small networks, random pictures, and a short form of the towers."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from reproductions.cffn_resnet import model
from reproductions.cffn_resnet.config import Config

LABELS = np.array([0, 1, 1, 1, 1, 0, 1, 1])  # of a batch of 8


def _pictures(count=8, size=64, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (count, size, size, 3)).astype(np.float32)


@pytest.fixture(scope="session")
def pictures():
    """A function that returns random pictures, float32 (count, size, size, 3) in [0, 255]."""
    return _pictures


@pytest.fixture(scope="session")
def labels():
    """The labels of a batch of `batches`, int (8,)."""
    return LABELS


@pytest.fixture(scope="session")
def batches():
    """A function that returns a dataset of random pictures in batches of 8, new for each epoch."""

    def make(epoch=0, steps=2, size=64):
        images = _pictures(8 * steps, size, seed=epoch)
        return tf.data.Dataset.from_tensor_slices((images, np.tile(LABELS, steps))).batch(8)

    return make


@pytest.fixture(scope="session")
def narrow_networks():
    """A function that builds networks with 4 to 16 filters and the same initial weights at each call."""

    def build(synchronized=False, **options):
        keras.utils.set_random_seed(2)
        config = replace(Config(), **{"image_size": 64, "width": 1 / 16, "kernels": (3,)} | options)
        return model.build_networks(config, synchronized)

    return build


@pytest.fixture
def short_towers(monkeypatch):
    """Give the towers one unit in each stage: a quarter of the layers to trace."""
    monkeypatch.setattr(model, "STAGES", tuple((channels, 1) for channels, _ in model.STAGES))
