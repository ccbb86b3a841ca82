"""Two autoencoders with one encoder: what makes a face swap (Sec. 1, Figure 1).

The encoder, trained on two persons at once, learns what their faces have in common: pose and expression. Each decoder
learns the face of its own person. The code of one person's face, decoded by the other's decoder, is the other person in
the pose and with the expression of the first.
"""

import keras
import numpy as np
from keras import layers, ops

from reproductions.mesoinception_svm.faceswap.faces import face_mask, restore_colours, standardize

PERSONS = ("a", "b")
CODE, CHANNELS = 128, 96  # numbers that the encoder has for a face; channels of the maps that it makes of them
BACKGROUND_WEIGHT = 0.2  # in the loss, of the pixels that are not swapped


def build_autoencoders(size: int) -> keras.Model:
    """Return the network of both autoencoders: [faces of A, faces of B] -> both reconstructed.

    Args:
        size: height and width of a face, a multiple of 16.

    Returns:
        A model with float32 inputs and outputs (B, size, size, 3) in [0, 1]; its layers `encoder`, `decoder_a` and
        `decoder_b` are models.
    """
    encoder = _encoder(size)
    inputs = [keras.Input((size, size, 3), name=f"face_{person}") for person in PERSONS]
    outputs = [_decoder(size, person)(encoder(face)) for person, face in zip(PERSONS, inputs, strict=True)]
    return keras.Model(inputs, outputs, name="faceswap")


def decode_as(network: keras.Model, person: str, faces: np.ndarray) -> np.ndarray:
    """Return faces decoded by the decoder of `a` or `b`, in the colours of the input.

    Args:
        network: of `build_autoencoders`.
        person: whose face the result shows.
        faces: uint8 (n, size, size, 3), of any person.

    Returns:
        float32 (n, size, size, 3) in [0, 255].
    """
    standard, mean, deviation = standardize(faces)
    code = network.get_layer("encoder")(standard, training=False)
    decoded = network.get_layer(f"decoder_{person}")(code, training=False)
    return restore_colours(ops.convert_to_numpy(decoded), mean, deviation)


def masked_error(size: int):
    """Return the loss: the mean absolute error, in which pixels outside of the mask weigh BACKGROUND_WEIGHT.

    Args:
        size: of the faces.

    Returns:
        (truth, prediction), both (B, size, size, 3) -> (B,).
    """
    weights = BACKGROUND_WEIGHT + (1 - BACKGROUND_WEIGHT) * face_mask(size)[..., None]
    weights = weights / weights.mean()

    def error(truth, prediction):
        return ops.mean(ops.abs(truth - prediction) * ops.cast(weights, prediction.dtype), axis=(1, 2, 3))

    return error


def _encoder(size):
    face = keras.Input((size, size, 3))
    x = face
    for filters in (24, 48, 96, 96):
        x = layers.Conv2D(filters, 5, strides=2, padding="same")(x)  # (B, size / 2 | 4 | 8 | 16, same, filters)
        x = layers.LeakyReLU(negative_slope=0.1)(x)
    x = layers.Dense(CODE)(layers.Flatten()(x))
    x = layers.Dense((size // 16) ** 2 * CHANNELS)(x)
    x = layers.Reshape((size // 16, size // 16, CHANNELS))(x)
    return keras.Model(face, _upscale(x, CHANNELS), name="encoder")  # (B, size / 8, size / 8, CHANNELS)


def _decoder(size, person):
    code = keras.Input((size // 8, size // 8, CHANNELS))
    x = code
    for filters in (64, 32):
        x = _upscale(x, filters)  # (B, size / 4 | 2, same, filters)
    face = layers.Conv2DTranspose(3, 4, strides=2, padding="same", activation="sigmoid", dtype="float32")(x)
    return keras.Model(code, face, name=f"decoder_{person}")


def _upscale(x, filters):
    x = layers.UpSampling2D(2)(x)
    x = layers.Conv2D(filters, 3, padding="same")(x)
    return layers.LeakyReLU(negative_slope=0.1)(x)
