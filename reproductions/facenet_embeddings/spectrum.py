"""A stand-in for FaceNet that needs no weights: the strengths of cosine waves in parts of the face."""

import keras
import numpy as np
from keras import layers, ops

from common.layers import l2_normalize
from reproductions.facenet_embeddings.config import STAND_IN
from reproductions.facenet_embeddings.inception_resnet_v1 import DIMENSIONS

WAVES = 8  # height and width in pixels of the cosine transform's blocks
CELLS = 4  # parts of the face, down and across, in each of which a wave's strength is measured
BT601 = ((0.299, -0.168736, 0.5), (0.587, -0.331264, -0.418688), (0.114, 0.5, -0.081312))  # RGB to Y, Cb, Cr


def spectrum(size: int) -> keras.Model:
    """Return a frozen network that measures how strong each 8 x 8 cosine wave is in each part of the face.

    Luma and both chromas (BT.601) are decomposed into the 64 waves of the discrete cosine transform, at every second
    pixel. The logarithms of their mean strengths in CELLS x CELLS cells of the face, minus the image's mean of each
    colour, are mixed by a fixed random matrix. The network knows nothing of persons: it sees the resolution and the
    noise that a decoder leaves.

    Args:
        size: height and width of the images in pixels.

    Returns:
        Pixels (B, size, size, 3) in [0, 255] -> embeddings (B, 512) of length 1.
    """
    image = keras.Input((size, size, 3), name="image")
    colours = layers.Conv2D(3, 1, use_bias=False, name="colours")
    waves = layers.DepthwiseConv2D(
        WAVES, strides=2, padding="valid", depth_multiplier=WAVES**2, use_bias=False, name="waves"
    )
    x = waves(colours(image))  # (B, h, w, 192)
    cell = x.shape[1] // CELLS
    x = layers.AveragePooling2D(cell, cell, padding="valid", name="parts")(ops.abs(x))  # (B, CELLS, CELLS, 192)
    x = layers.Reshape((-1, 3, WAVES**2))(ops.log(x + 0.1))  # (B, 16, 3, 64)
    x = layers.LayerNormalization(axis=(1, 3), center=False, scale=False, name="centre")(x)
    mix = layers.Dense(DIMENSIONS, use_bias=False, name="mix")
    x = mix(layers.Flatten()(x))  # (B, 512)
    network = keras.Model(image, layers.Lambda(l2_normalize, dtype="float32", name="embedding")(x), name=STAND_IN)
    colours.set_weights([np.array(BT601, np.float32)[None, None]])
    waves.set_weights([np.repeat(_cosines()[:, :, None, :], 3, axis=2)])  # (8, 8, 3, 64)
    width = CELLS**2 * 3 * WAVES**2
    mix.set_weights([np.random.default_rng(0).normal(0, width**-0.5, (width, DIMENSIONS)).astype(np.float32)])
    network.trainable = False
    return network


def _cosines():
    """Return the orthonormal two-dimensional DCT-II, float32 (8, 8, 64): row, column, wave."""
    place, wave = np.arange(WAVES), np.arange(WAVES)[:, None]
    one = np.cos(np.pi * (2 * place + 1) * wave / (2 * WAVES)) * np.where(wave, 2, 1) ** 0.5 * WAVES**-0.5
    return np.einsum("ux,vy->xyuv", one, one).reshape(WAVES, WAVES, -1).astype(np.float32)
