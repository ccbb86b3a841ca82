"""Image transforms in the TensorFlow graph, on one image at a time, from which papers compose their augmentation.

Random numbers are the caller's, drawn statelessly from a seed of (seed, epoch, image), so that an image's augmentation
does not depend on threads, order or an interrupted run.
"""

import math

import tensorflow as tf


def affine(
    image: tf.Tensor, degrees: float | tf.Tensor = 0.0, zoom: float | tf.Tensor = 1.0, flip: bool | tf.Tensor = False
) -> tf.Tensor:
    """Rotate, magnify and mirror an image about its centre; bilinear, edges reflected.

    Args:
        image: float32 (H, W, 3).
        degrees: of the rotation, counter-clockwise.
        zoom: magnification; above 1 the image becomes larger.
        flip: mirror left and right.

    Returns:
        float32 (H, W, 3), in the range of the input.
    """
    height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
    radians = tf.cast(degrees, tf.float32) * (math.pi / 180)
    # The operation maps output to input coordinates: the inverse of what is asked for.
    cosine, sine = tf.cos(radians) / zoom, tf.sin(radians) / zoom
    mirror = tf.where(flip, -1.0, 1.0)
    a, b, d, e = cosine * mirror, -sine, sine * mirror, cosine
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    c = centre_x - a * centre_x - b * centre_y
    f = centre_y - d * centre_x - e * centre_y
    matrix = tf.stack([a, b, c, d, e, f, 0.0, 0.0])[None]  # (1, 8)
    transformed = tf.raw_ops.ImageProjectiveTransformV3(
        images=image[None],
        transforms=matrix,
        output_shape=tf.shape(image)[:2],
        interpolation="BILINEAR",
        fill_mode="REFLECT",
        fill_value=0.0,
    )
    return tf.ensure_shape(transformed[0], image.shape)


def gaussian_blur(image: tf.Tensor, size: int) -> tf.Tensor:
    """Blur an image with a Gaussian, edges reflected.

    sigma = 0.3 ((size - 1) / 2 - 1) + 0.8, as OpenCV derives it from the size. OpenCV rounds small kernels on 8-bit
    images; this function keeps the formula.

    Args:
        image: float32 (H, W, 3).
        size: taps in each direction, odd.

    Returns:
        float32 (H, W, 3), in the range of the input.
    """
    sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8
    offsets = tf.range(size, dtype=tf.float32) - (size - 1) / 2
    taps = tf.exp(-(offsets**2) / (2 * sigma**2))
    taps = tf.tile((taps / tf.reduce_sum(taps))[:, None, None, None], [1, 1, 3, 1])  # (size, 1, 3, 1)
    edge = size // 2
    padded = tf.pad(image, [[edge, edge], [edge, edge], [0, 0]], "REFLECT")[None]
    columns = tf.nn.depthwise_conv2d(padded, taps, [1, 1, 1, 1], "VALID")
    blurred = tf.nn.depthwise_conv2d(columns, tf.transpose(taps, [1, 0, 2, 3]), [1, 1, 1, 1], "VALID")
    return tf.ensure_shape(blurred[0], image.shape)
