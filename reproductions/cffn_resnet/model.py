"""The common fake feature network and its classifier: two towers of residual units on one stem, and two heads.

Paper: Salpekar, "DeepFake Image Detection" (Stanford CS230), sections 4 and 5.1, Figures 1 and 2, after Hsu, Zhuang,
Lee, "Deep Fake Image Detection Based on Pairwise Learning", Applied Sciences 10(1), 2020, doi:10.3390/app10010370.
Padding, strides, biases and the order of layers, which the paper leaves open, are those of the author's code
(osalpekar/DeepFake-Detection, cffn_tf/trainer.py).

Pixels are RGB in [0, 255], float32 (B, S, S, 3); division by 255 is the first layer. Fake is 1 here and 0 in the
author's code: the second logit is ours for fake. No weights of his are published, so nothing has to be turned round.
"""

from typing import NamedTuple

import keras
from keras import layers

from common.detectors import store as detectors
from common.errors import UserError
from common.layers import FusedBatchNormalization

STEM = 64  # filters, 7x7
STAGES = ((64, 2), (96, 4), (128, 3), (256, 6))  # channels and residual units of a tower, Figure 2
ENCODING = "encoding"
DIMENSIONS = 128  # of the encoding; author's code
EVIDENCE = "evidence"  # the layer of the two maps, one a class, that the classifier averages: its saliency
LOGITS = "logits"
LEAST = 35  # the smallest image of which the stem and three poolings leave a pixel


class Networks(NamedTuple):
    """Both heads on the same towers: what one learns in them the other has.

    encoder: pixels -> encodings (B, 128), softmax, for the triplet loss of phase 1. classifier: pixels -> logits (B, 2)
    of [real, fake], for the cross-entropy of phase 2. Outputs are float32 under any precision.
    """

    encoder: keras.Model
    classifier: keras.Model


def networks(
    image_size=224,
    width=1.0,
    kernels=(3, 5),
    activation="swish",
    initializer="he",
    added_units=True,
    synchronized=False,
):
    """The Networks of Figure 1: 36,284,680 learnt parameters at 224 px.

    image_size: 224 in the paper, 64 in its code. width: a factor on the filters of stem and towers. kernels: the kernel
    size of each tower; (3,) is the 3x3 tower alone. activation: swish (eq. 2) or relu. initializer: he, or code, the
    author's normal distribution with deviation 1, cut at 2, for kernels and biases. added_units: whether the towers
    have the units of 256 channels that section 5.1 adds. synchronized: whether batch normalisation takes its statistics
    over all replicas. UserError for images under 35 px.
    """
    check_size(image_size)
    part = _Parts(width, activation, initializer, synchronized)
    image = keras.Input((image_size, image_size, 3), name="image")
    x = layers.Rescaling(1 / 255, dtype="float32", name="scaled")(image)
    stem = part.convolution(STEM, 7, "stem", strides=4, padding="valid")(x)  # (B, 55, 55, 64)
    stages = STAGES if added_units else STAGES[:-1]
    towers = [_tower(part, stem, kernel, stages) for kernel in kernels]  # (B, 6, 6, 256) each
    x = layers.Concatenate(name="towers")(towers) if len(towers) > 1 else towers[0]  # (B, 6, 6, 512)
    flat = layers.Flatten(name="flat")(x)  # (B, 18432)
    encoding = part.dense(DIMENSIONS, ENCODING, activation="softmax")(flat)
    maps = part.convolution(2, 3, EVIDENCE, scaled=False)(part.activated(x, "final"))  # (B, 6, 6, 2)
    means = layers.GlobalAveragePooling2D(dtype="float32", name="means")(maps)
    logits = part.dense(2, LOGITS)(means)
    return Networks(keras.Model(image, encoding, name="encoder"), keras.Model(image, logits, name="classifier"))


def check_size(image_size):
    """UserError for images under 35 px."""
    if image_size < LEAST:
        raise UserError(f"the CFFN takes images of at least {LEAST}x{LEAST}, got {image_size}x{image_size}")


def fake_score(classifier):
    """The classifier, its weights shared, with P(fake) (B, 1) as its output: what common.detectors.store takes."""
    probabilities = layers.Softmax(dtype="float32", name="real_fake")(classifier.output)
    return detectors.fake_score(keras.Model(classifier.input, probabilities, name=classifier.name))


class _Parts:
    """The layers that the options change."""

    def __init__(self, width, activation, initializer, synchronized):
        self.width = width
        self.activation = activation
        self.synchronized = synchronized
        normal = {"class_name": "TruncatedNormal", "config": {"mean": 0.0, "stddev": 1.0}}
        as_code = {"kernel_initializer": normal, "bias_initializer": normal}
        self.of_convolution = as_code if initializer == "code" else {"kernel_initializer": "he_normal"}
        self.of_dense = as_code if initializer == "code" else {}  # Glorot's, Keras's own

    def filters(self, channels):
        return max(1, round(channels * self.width))

    def convolution(self, channels, size, name, strides=1, padding="same", scaled=True):
        filters = self.filters(channels) if scaled else channels
        return layers.Conv2D(filters, size, strides, padding, name=name, **self.of_convolution)

    def activated(self, x, name):
        norm = FusedBatchNormalization(synchronized=self.synchronized, name=f"{name}_norm")
        # Swish is slow in bfloat16 on CPUs, slower than there and back.
        return layers.Activation(self.activation, dtype="float32", name=f"{name}_{self.activation}")(norm(x))

    def dense(self, units, name, activation=None):
        return layers.Dense(units, activation, dtype="float32", name=name, **self.of_dense)


def _tower(part, x, kernel, stages):
    """The residual units of Figure 2 with kernels of one size: (B, 55, 55, 64) -> (B, 6, 6, 256)."""
    number = 0
    for stage, (channels, units) in enumerate(stages):
        for unit in range(units):
            number += 1
            widens = unit == units - 1 and stage < len(stages) - 1
            after = stages[stage + 1][0] if widens else channels
            x = _unit(part, x, channels, after, kernel, f"tower{kernel}_unit{number}")
    return x


def _unit(part, x, channels, after, kernel, name):
    """Pre-activation, no activation after the sum. A unit that widens halves the maps before anything else."""
    if after != channels:
        x = layers.AveragePooling2D(2, name=f"{name}_pool")(x)
    y = part.convolution(channels, kernel, f"{name}_first")(part.activated(x, f"{name}_first"))
    y = part.convolution(after, kernel, f"{name}_second")(part.activated(y, f"{name}_second"))
    missing = y.shape[-1] - x.shape[-1]
    if missing:
        x = keras.ops.pad(x, ((0, 0), (0, 0), (0, 0), (missing // 2, missing - missing // 2)))
    return layers.Add(name=name)([y, x])
