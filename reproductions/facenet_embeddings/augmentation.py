"""The augmentation of Sec. VIII, "rotation, zoom, flip and width and height shift", on one image, in the graph."""

import tensorflow as tf

from common.data.augmentation import affine

ROTATION, ZOOM, SHIFT = 15.0, 0.2, 0.1  # degrees; shares of the size. Not stated; we chose


def augment(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Return an image rotated, zoomed, mirrored in half of the cases, and shifted across and down.

    Args:
        image: float32 (S, S, 3) in [0, 255].
        seed: int32 (2,); equal seeds give equal images.
    """
    draws = tf.random.stateless_uniform((5,), seed, -1.0, 1.0)
    rotated = affine(image, ROTATION * draws[0], 1 + ZOOM * draws[1], draws[2] > 0)
    return shift(rotated, tf.cast(tf.round(SHIFT * draws[3:] * tf.cast(tf.shape(image)[:2], tf.float32)), tf.int32))


def shift(image: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """Return an image moved down and right by whole pixels; edges are reflected.

    Args:
        image: (H, W, 3).
        pixels: int32 (2,), down and right, less than the image's size; negative values move up and left.
    """
    size, distance = tf.shape(image)[:2], tf.abs(pixels)
    padded = tf.pad(image, tf.stack([tf.stack([a, a]) for a in (*tf.unstack(distance), 0)]), "REFLECT")
    start = tf.concat([distance - pixels, [0]], axis=0)
    return tf.ensure_shape(tf.slice(padded, start, tf.concat([size, [3]], axis=0)), image.shape)
