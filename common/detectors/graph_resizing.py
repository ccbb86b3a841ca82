"""Resizing inside a graph: the pipeline's own, and the same in operations that ONNX has."""

import tensorflow as tf

from common.data.pipeline import Preprocessing
from common.errors import UserError


def resize(faces: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Resize uint8 (B, H, W, 3) to (B, S, S, 3) as common.data.pipeline does, image by image."""
    return tf.map_fn(preprocessing.resize_image, faces, fn_output_signature=tf.uint8)


def resize_by_matrices(faces: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Resize as `resize` does, in operations that ONNX has: it lacks the one behind tf.image.resize with anti-aliasing.

    Resizing is linear and separable: rows @ image @ columns. The sums are taken in another order than TensorFlow's, so
    a value half way between two pixel values may be rounded to the other: in noise, at worst one in 10,000 is off by
    one.

    Args:
        faces: uint8 (B, H, W, 3).
        preprocessing: size and method.

    Returns:
        float32 (B, S, S, 3), whole numbers in [0, 255]; uint8 for the method nearest.

    Raises:
        UserError: if the method has no such form.
    """
    size, method = preprocessing.size, preprocessing.resize
    height, width = tf.shape(faces)[1], tf.shape(faces)[2]
    if method == "nearest":
        rows, columns = (_nearest_places(size, tf.cast(side, tf.float32)) for side in (height, width))
        return tf.gather(tf.gather(faces, rows, axis=1), columns, axis=2)
    if method not in WEIGHTS:
        known = ", ".join(("nearest", *WEIGHTS))
        raise UserError(f"--format onnx supports the resizing methods {known}, not {method}; use --format savedmodel")
    rows, columns = (WEIGHTS[method](size, tf.cast(side, tf.float32)) for side in (height, width))
    pixels = tf.cast(faces, tf.float32)
    pixels = tf.matmul(rows, tf.reshape(pixels, (-1, height, width * 3)))  # (B, S, W * 3)
    pixels = tf.transpose(tf.reshape(pixels, (-1, size, width, 3)), (0, 1, 3, 2))  # (B, S, 3, W)
    pixels = tf.transpose(tf.matmul(pixels, columns, transpose_b=True), (0, 1, 3, 2))  # (B, S, S, 3)
    return tf.clip_by_value(tf.round(pixels), 0.0, 255.0)


def _nearest_places(size, side):
    """Return the old pixel that each new one is, int32 (size,), in TensorFlow's own float32."""
    places = tf.floor(tf.range(size, dtype=tf.float32) * (side / size))
    return tf.cast(tf.minimum(places, side - 1.0), tf.int32)


def _triangle_weights(size, side):
    """Return the share of each old pixel in a new one, (size, side), by a triangle that down-scaling widens.

    This is TensorFlow's ScaleAndTranslate: the anti-aliased bilinear method of tf.image.resize.
    """
    scale = 1.0 / (size / side)  # in TensorFlow's own roundings
    centres = (tf.range(size, dtype=tf.float32) + 0.5) * scale
    distances = tf.abs(tf.range(side) + 0.5 - centres[:, None]) / tf.maximum(scale, 1.0)
    weights = tf.maximum(1.0 - distances, 0.0)
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)


def _area_weights(size, side):
    """Return the part of a new pixel's area that each old one covers, (size, side)."""
    scale = side / size
    starts = tf.range(size, dtype=tf.float32)[:, None] * scale
    old = tf.range(side)
    return tf.maximum(tf.minimum(old + 1.0, starts + scale) - tf.maximum(old, starts), 0.0) / scale


WEIGHTS = {"bilinear": _triangle_weights, "area": _area_weights}
