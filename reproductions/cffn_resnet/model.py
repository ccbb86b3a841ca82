"""The common fake feature network and its classifier: two towers of residual units on one stem, and two heads.

Paper: Salpekar, "DeepFake Image Detection" (Stanford CS230), sections 4 and 5.1, Figures 1 and 2, after Hsu, Zhuang,
Lee, "Deep Fake Image Detection Based on Pairwise Learning", Applied Sciences 10(1), 2020, doi:10.3390/app10010370.
Padding, strides, biases and the order of layers, which the paper leaves open, are those of the author's code
(osalpekar/DeepFake-Detection, cffn_tf/trainer.py).

Pixels are RGB in [0, 255], float32 (B, S, S, 3); division by 255 is the first layer. Fake is 1 here and 0 in the
author's code: the second logit is ours for fake. No weights of his are published, so none have to be converted.
"""

from typing import NamedTuple

import keras
from keras import layers

from common.detectors import store
from common.errors import UserError
from common.layers import FusedBatchNormalization
from reproductions.cffn_resnet.config import SMALLEST_SIZE, Config

STEM = 64  # filters, 7x7
STAGES = ((64, 2), (96, 4), (128, 3), (256, 6))  # channels and residual units of a tower, Figure 2
ENCODING = "encoding"
DIMENSIONS = 128  # of the encoding; author's code
EVIDENCE = "evidence"  # the layer of the two maps, one for each class, that the classifier averages
LOGITS = "logits"


class Networks(NamedTuple):
    """Two heads on the same towers: both use what the other has learnt in them. Outputs are always float32.

    Args:
        encoder: pixels -> encodings (B, 128), softmax, for the triplet loss of phase 1.
        classifier: pixels -> logits (B, 2) of [real, fake], for the cross-entropy of phase 2.
    """

    encoder: keras.Model
    classifier: keras.Model


def build_networks(config: Config, synchronized: bool = False) -> Networks:
    """Build the networks of Figure 1: 36,284,680 learnt parameters at 224 px.

    Args:
        config: its image_size, width, kernels, activation, initializer and added_units set the architecture.
        synchronized: whether batch normalisation takes its statistics over all replicas.

    Raises:
        UserError: if images are smaller than 35x35.
    """
    size = config.image_size
    if size < SMALLEST_SIZE:
        raise UserError(f"the CFFN needs images of at least {SMALLEST_SIZE}x{SMALLEST_SIZE}, got {size}x{size}")
    factory = _LayerFactory(config, synchronized)
    image = keras.Input((size, size, 3), name="image")
    x = layers.Rescaling(1 / 255, dtype="float32", name="scaled")(image)
    stem = factory.convolution(STEM, 7, "stem", strides=4, padding="valid")(x)  # (B, 55, 55, 64)
    stages = STAGES if config.added_units else STAGES[:-1]
    towers = [_tower(factory, stem, kernel, stages) for kernel in config.kernels]  # (B, 6, 6, 256) each
    x = layers.Concatenate(name="towers")(towers) if len(towers) > 1 else towers[0]  # (B, 6, 6, 512)
    flat = layers.Flatten(name="flat")(x)  # (B, 18432)
    encoding = factory.dense(DIMENSIONS, ENCODING, activation="softmax")(flat)  # (B, 128)
    maps = factory.convolution(2, 3, EVIDENCE, scaled=False)(factory.activated(x, "final"))  # (B, 6, 6, 2)
    means = layers.GlobalAveragePooling2D(dtype="float32", name="means")(maps)  # (B, 2)
    logits = factory.dense(2, LOGITS)(means)
    return Networks(keras.Model(image, encoding, name="encoder"), keras.Model(image, logits, name="classifier"))


def fake_score(classifier: keras.Model) -> keras.Model:
    """Return the classifier with P(fake) (B, 1) as its output, for common.detectors.store; the weights are shared."""
    probabilities = layers.Softmax(dtype="float32", name="real_fake")(classifier.output)
    return store.fake_score(keras.Model(classifier.input, probabilities, name=classifier.name))


def scaled_filters(channels: int, width: float) -> int:
    """Return the filters that a layer of Figure 2 has with --width."""
    return max(1, round(channels * width))


class _LayerFactory:
    """Creates the layers that the options change."""

    def __init__(self, config, synchronized):
        self.width = config.width
        self.activation = config.activation
        self.synchronized = synchronized
        normal = {"class_name": "TruncatedNormal", "config": {"mean": 0.0, "stddev": 1.0}}
        authors = {"kernel_initializer": normal, "bias_initializer": normal}
        self.convolution_options = authors if config.initializer == "code" else {"kernel_initializer": "he_normal"}
        self.dense_options = authors if config.initializer == "code" else {}  # Glorot's, Keras's own

    def filters(self, channels):
        return scaled_filters(channels, self.width)

    def convolution(self, channels, size, name, strides=1, padding="same", scaled=True):
        filters = self.filters(channels) if scaled else channels
        return layers.Conv2D(filters, size, strides, padding, name=name, **self.convolution_options)

    def activated(self, x, name):
        norm = FusedBatchNormalization(synchronized=self.synchronized, name=f"{name}_norm")
        # On CPUs swish is slower in bfloat16 than a conversion to float32 and back.
        return layers.Activation(self.activation, dtype="float32", name=f"{name}_{self.activation}")(norm(x))

    def dense(self, units, name, activation=None):
        return layers.Dense(units, activation, dtype="float32", name=name, **self.dense_options)


def _tower(factory, x, kernel, stages):
    """Return the residual units of Figure 2 with kernels of one size: (B, 55, 55, 64) -> (B, 6, 6, 256)."""
    number = 0
    for stage, (channels, units) in enumerate(stages):
        for unit in range(units):
            number += 1
            widens = unit == units - 1 and stage < len(stages) - 1
            after = stages[stage + 1][0] if widens else channels
            x = _unit(factory, x, channels, after, kernel, f"tower{kernel}_unit{number}")
    return x


def _unit(factory, x, channels, after, kernel, name):
    """Return a pre-activation unit, without an activation after the sum. A unit that widens first halves the maps."""
    if after != channels:
        x = layers.AveragePooling2D(2, name=f"{name}_pool")(x)
    y = factory.convolution(channels, kernel, f"{name}_first")(factory.activated(x, f"{name}_first"))
    y = factory.convolution(after, kernel, f"{name}_second")(factory.activated(y, f"{name}_second"))
    missing = y.shape[-1] - x.shape[-1]
    if missing:
        x = keras.ops.pad(x, ((0, 0), (0, 0), (0, 0), (missing // 2, missing - missing // 2)))
    return layers.Add(name=name)([y, x])
