"""What the tests of this paper share: clips, separable embeddings, and a FaceNet with random weights."""

import keras
import numpy as np
import pytest

from common.data.datasets import open_dataset
from reproductions.facenet_embeddings.inception_resnet_v1 import inception_resnet_v1
from reproductions.facenet_embeddings.vectors import Vectors


@pytest.fixture(scope="session")
def clips(make_prepared, tmp_path_factory):
    """40 frames of 10 real videos, and as many of 10 fakes of them."""
    folder = make_prepared(tmp_path_factory.mktemp("clips") / "data", clips=True, size=16)
    return open_dataset("celebdf", folder).images


@pytest.fixture(scope="session")
def blobs():
    """A function that draws embeddings of two classes whose means are `distance` apart."""
    direction = np.random.default_rng(7).normal(size=512)

    def draw(count, distance=0.15, seed=0):
        generator = np.random.default_rng(seed)
        labels = np.arange(count) % 2
        values = generator.normal(size=(count, 512)) + distance * labels[:, None] * direction
        return Vectors((values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32), labels)

    return draw


@pytest.fixture(scope="session")
def facenet():
    """FaceNet for 75 px with random biases and statistics: with zeros and ones, mixed-up arrays would go unnoticed."""
    keras.utils.set_random_seed(0)
    network, generator = inception_resnet_v1(75), np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.beta.shape
            drawn = generator.normal(0, 0.2, shape), generator.normal(0, 0.2, shape), generator.uniform(0.5, 2, shape)
            layer.set_weights(drawn)
        elif isinstance(layer, keras.layers.Conv2D) and layer.use_bias:
            layer.bias.assign(generator.normal(0, 0.2, layer.bias.shape))
    return network


@pytest.fixture
def large_file(tmp_path):
    """A path for 94 MB that are deleted after the test."""
    yield tmp_path / "file.h5"
    for path in tmp_path.iterdir():
        path.unlink()
