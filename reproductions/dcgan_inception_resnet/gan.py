"""The DCGAN that makes the fakes: its two networks, and sampling.

Paper: Sarkar, Bhattacharya, "GAN generated Deepfake face detection implementing Transfer learning", section III-B; what
it leaves open is as in Radford, Metz, Chintala 2016, doi:10.48550/arXiv.1511.06434.

Images are RGB in [-1, 1], float32 (B, S, S, 3), the range of tanh. The noise z is 100 uniform numbers in [-1, 1]
(Radford et al., Figure 1).
"""

from collections.abc import Iterator

import keras
import numpy as np
from keras import layers

from common.errors import UserError
from common.layers import FusedBatchNormalization

NOISE = 100  # numbers in z
BASE = 4  # height and width of the smallest feature maps
FILTERS = 1024  # at 4x4, halved with each doubling of the size (Radford et al., Figure 1: 1024, 512, 256, 128 at 64 px)
KERNEL = 4  # a multiple of the stride, so that no checkerboard arises: Odena et al. 2016, doi:10.23915/distill.00003
SLOPE = 0.2  # of LeakyReLU


def generator(image_size: int = 128, width: float = 1.0, synchronized: bool = False) -> keras.Model:
    """Return the generator: transposed convolutions alone, with batch normalisation and ReLU, then tanh (Sec. III-B).

    Args:
        image_size: height and width in pixels.
        width: a factor on the filters.
        synchronized: whether batch normalisation takes its statistics over all replicas.

    Returns:
        A network: z (B, 100) -> images (B, S, S, 3) in [-1, 1].

    Raises:
        UserError: unless the size is a power of two of at least 8.
    """
    noise = keras.Input((NOISE,), name="noise")
    x = layers.Reshape((1, 1, NOISE))(noise)  # (B, 1, 1, 100)
    for place, filters in enumerate(feature_maps(image_size, width)):
        first = {"strides": 1, "padding": "valid"} if place == 0 else {}  # 1x1 -> 4x4, Radford's projection of z
        x = _convolution(layers.Conv2DTranspose, filters, use_bias=False, **first)(x)
        x = layers.ReLU()(_normalization(synchronized)(x))
    x = _convolution(layers.Conv2DTranspose, 3)(x)  # (B, S, S, 3)
    return keras.Model(noise, layers.Activation("tanh", dtype="float32")(x), name="generator")


def discriminator(
    image_size: int = 128, width: float = 1.0, synchronized: bool = False, pooling: bool = True
) -> keras.Model:
    """Return the discriminator: the generator's mirror with LeakyReLU (Sec. III-B).

    Args:
        image_size, width, synchronized: as for `generator`.
        pooling: global average pooling before the logit, the paper's (Sec. III-A); without it the 4x4 maps are
            flattened, as Radford et al. chose (Sec. 3: pooling "increased model stability but hurt convergence speed").

    Returns:
        A network: images (B, S, S, 3) in [-1, 1] -> logits (B, 1), positive for real.

    Raises:
        UserError: as `generator`.
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    x = image
    for place, filters in enumerate(reversed(feature_maps(image_size, width))):
        x = _convolution(layers.Conv2D, filters, use_bias=place == 0)(x)
        x = _normalization(synchronized)(x) if place else x
        x = layers.LeakyReLU(SLOPE)(x)
    x = layers.GlobalAveragePooling2D()(x) if pooling else layers.Flatten()(x)  # (B, 1024) or (B, 16384)
    logit = layers.Dense(1, kernel_initializer=_initializer(), dtype="float32", name="logit")(x)
    return keras.Model(image, logit, name="discriminator")


def feature_maps(image_size: int, width: float) -> list[int]:
    """Return the filters of the hidden feature maps, from 4x4 up to half the image's size.

    Args:
        image_size: height and width in pixels.
        width: a factor on the filters.

    Raises:
        UserError: unless the size is a power of two of at least 8.
    """
    doublings = image_size.bit_length() - BASE.bit_length()
    if image_size != BASE << max(doublings, 1):
        raise UserError(f"the DCGAN makes images of 8, 16, 32, 64, 128, ... px, got {image_size}; the paper's are 128")
    return [max(1, round((FILTERS >> place) * width)) for place in range(doublings)]


def generate(
    generator: keras.Model, count: int, seed: int, batch_size: int = 64, start: int = 0
) -> Iterator[np.ndarray]:
    """Sample a trained generator.

    The i-th image depends on (seed, i) alone, up to the rounding of another batch size. Moving averages are used
    instead of the batch's statistics, as always outside training.

    Args:
        generator: z (B, 100) -> images (B, S, S, 3) in [-1, 1].
        count: the number of images.
        seed: of the noise.
        batch_size: images in a step.
        start: the first image, a multiple of `batch_size`; those before are left out.

    Yields:
        Images from `start` to `count`, uint8 (<= batch_size, S, S, 3).
    """
    bits = np.random.PCG64([seed, 0, 4])
    bits.advance(start * NOISE)  # a uniform number takes one step of the generator
    stream = np.random.Generator(bits)
    for first in range(start, count, batch_size):
        noise = stream.uniform(-1, 1, (batch_size, NOISE)).astype(np.float32)  # a full one: same shape, same rounding
        images = keras.ops.convert_to_numpy(generator(noise, training=False)).astype(np.float32)
        yield np.clip(np.round((images + 1) * 127.5), 0, 255).astype(np.uint8)[: count - first]


def _convolution(layer, filters, strides=2, padding="same", **arguments):
    return layer(filters, KERNEL, strides, padding, kernel_initializer=_initializer(), **arguments)


def _initializer():
    return keras.initializers.RandomNormal(0.0, 0.02)


def _normalization(synchronized):
    """As in Radford et al.'s code. Keras's epsilon of 1e-3 would drown the small activations that N(0, 0.02) starts
    with, and its momentum of 0.99 would make samples lag behind the weights."""
    return FusedBatchNormalization(momentum=0.9, epsilon=1e-5, synchronized=synchronized)
