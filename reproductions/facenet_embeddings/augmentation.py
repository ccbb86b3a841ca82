"""The augmentation of Sec. VIII, "rotation, zoom, flip and width and height shift", on one image, in the graph."""

import tensorflow as tf

from common.data.augmentation import affine

ROTATION, ZOOM, SHIFT = 15.0, 0.2, 0.1  # degrees; shares of the size. Not stated; we chose


def augment(image, seed):
    """image float32 (S, S, 3) in [0, 255], seed (2,) int32 -> image: turned, magnified or shrunk, mirrored in half of
    the cases, shifted across and down."""
    draws = tf.random.stateless_uniform((5,), seed, -1.0, 1.0)
    turned = affine(image, ROTATION * draws[0], 1 + ZOOM * draws[1], draws[2] > 0)
    return shift(turned, tf.cast(tf.round(SHIFT * draws[3:] * tf.cast(tf.shape(image)[:2], tf.float32)), tf.int32))


def shift(image, pixels):
    """Move an image (H, W, 3) down and right by whole pixels, int (2,), fewer than its size; edges are reflected."""
    size, apart = tf.shape(image)[:2], tf.abs(pixels)
    padded = tf.pad(image, tf.stack([tf.stack([a, a]) for a in (*tf.unstack(apart), 0)]), "REFLECT")
    start = tf.concat([apart - pixels, [0]], axis=0)
    return tf.ensure_shape(tf.slice(padded, start, tf.concat([size, [3]], axis=0)), image.shape)
