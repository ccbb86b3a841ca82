"""MesoNet's networks and its published weights: Meso-4 and MesoInception-4.

Afchar, Nozick, Yamagishi, Echizen, "MesoNet: a compact facial video forgery detection network", WIFS 2018,
doi:10.1109/WIFS.2018.8630761, sections III-A and III-B.

Both take float32 (B, 256, 256, 3) in [0, 1] and end in one unit with a sigmoid, P(fake). The layer `features` is the 16
fully connected units after their LeakyReLU.
"""

from pathlib import Path

import h5py
import keras
from keras import layers

from common.layers import FusedBatchNormalization, NarrowConv2D

FEATURES = "features"
MESO4 = ((8, 3), (8, 5), (16, 5), (16, 5))  # filters, kernel
MODULES = ((1, 4, 4, 2), (2, 4, 4, 2))  # filters of the branches 1x1, 3x3, 3x3 dilated 2, 3x3 dilated 3


def meso4(image_size: int = 256, synchronized: bool = False) -> keras.Model:
    """Meso-4: four convolutions, 28,073 parameters at 256 px."""
    image = keras.Input((image_size, image_size, 3), name="image")
    x = image
    for (filters, kernel), pool in zip(MESO4, (2, 2, 2, 4), strict=True):
        x = _convolution(x, filters, kernel, pool, synchronized)  # (B, 128 | 64 | 32 | 8, same, filters)
    return _head(image, x, layers.Dense(1, activation="sigmoid", dtype="float32", name="score"), "meso4")


def mesoinception4(image_size: int = 256, synchronized: bool = False) -> keras.Model:
    """MesoInception-4: two inception modules, two convolutions, 28,725 parameters at 256 px."""
    image = keras.Input((image_size, image_size, 3), name="image")
    x = image
    for branches in MODULES:
        x = inception_module(x, *branches)
        x = FusedBatchNormalization(synchronized=synchronized)(x)
        x = layers.MaxPooling2D(2, padding="same")(x)  # (B, 128 | 64, same, 11 | 12)
    x = _convolution(x, 16, 5, 2, synchronized)  # (B, 32, 32, 16)
    x = _convolution(x, 16, 5, 4, synchronized)  # (B, 8, 8, 16)
    return _head(image, x, layers.Dense(1, activation="sigmoid", dtype="float32", name="score"), "mesoinception4")


def load_legacy_weights(network: keras.Model, file: str | Path) -> None:
    """Load MesoNet's 2018 weights (.h5), whose output is P(real), so that the network's output is P(fake).

    sigmoid(-z) = 1 - sigmoid(z): the sign of the last layer is the one place where their labels meet ours. A file of
    Keras 3 (.weights.h5) is ours, points at fake already and is left as it is.
    """
    network.load_weights(file)
    with h5py.File(file) as opened:
        if "layer_names" not in opened.attrs:
            return
    network.layers[-1].set_weights([-weights for weights in network.layers[-1].get_weights()])


def _convolution(x, filters, kernel, pool, synchronized):
    x = layers.Conv2D(filters, kernel, padding="same", activation="relu")(x)
    x = FusedBatchNormalization(synchronized=synchronized)(x)
    return layers.MaxPooling2D(pool, padding="same")(x)


def inception_module(x: keras.KerasTensor, a: int, b: int, c: int, d: int) -> keras.KerasTensor:
    """Four branches side by side: 1x1, and 3x3 with dilation 1, 2 and 3 behind a 1x1; every convolution with ReLU."""
    towers = [NarrowConv2D(a, 1, padding="same", activation="relu")(x)]
    for filters, dilation in ((b, 1), (c, 2), (d, 3)):
        tower = NarrowConv2D(filters, 1, padding="same", activation="relu")(x)
        tower = NarrowConv2D(filters, 3, dilation_rate=dilation, padding="same", activation="relu")(tower)
        towers.append(tower)
    return layers.Concatenate()(towers)  # (B, H, W, a + b + c + d)


def _head(image, x, output, name):
    x = layers.Dropout(0.5)(layers.Flatten()(x))  # (B, 1024)
    x = layers.Dense(16)(x)
    x = layers.LeakyReLU(negative_slope=0.1, dtype="float32", name=FEATURES)(x)  # (B, 16)
    return keras.Model(image, output(layers.Dropout(0.5)(x)), name=name)
