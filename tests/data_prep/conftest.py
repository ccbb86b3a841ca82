"""A tiny raw data set."""

import numpy as np
import pytest
from PIL import Image


def _save_noise(path, seed, shape=(20, 30, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(path)


@pytest.fixture
def save_noise():
    """The function that writes a picture of noise: (path, seed)."""
    return _save_noise


@pytest.fixture
def raw(tmp_path):
    """A raw folder with ten pictures of noise a class; the fakes are frames of one clip."""
    for number in range(10):
        _save_noise(tmp_path / "raw" / "real" / f"{number}.jpg", number)
        _save_noise(tmp_path / "raw" / "fake" / "clip" / f"{number}.png", 100 + number)
    return tmp_path / "raw"
