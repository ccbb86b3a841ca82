"""The augmentation of Sec. VIII, "rotation, zoom, flip and width and height shift", on batches, in the graph."""

import tensorflow as tf

from common.data.augmentation import affine_matrices, transform, uniform

ROTATION, ZOOM, SHIFT = 15.0, 0.2, 0.1  # degrees; shares of the size. Not stated; we chose


def augment(images: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
    """Return images rotated, zoomed, mirrored in half of the cases, and shifted across and down.

    Args:
        images: uint8 (B, S, S, 3).
        seeds: int32 (B, 2); equal seeds change equal images alike.

    Returns:
        float32 (B, S, S, 3) in [0, 255].
    """
    size, draws = images.shape[1:3], uniform(seeds, 5)
    matrices = affine_matrices(size, ROTATION * draws[:, 0], 1 + ZOOM * draws[:, 1], draws[:, 2] > 0)
    shifts = tf.cast(tf.round(SHIFT * draws[:, 3:] * [float(side) for side in size]), tf.int32)
    return transform(images, matrices, shifts)
