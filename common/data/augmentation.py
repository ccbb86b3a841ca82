"""Image transforms on batches, from which papers compose their augmentation.

Random numbers are the caller's, drawn statelessly from a seed of (seed, epoch, image), so that an image's augmentation
does not depend on threads, order, its batch or an interrupted run.
"""

import math
import threading
from collections.abc import Callable
from functools import wraps

import cv2
import numpy as np
import tensorflow as tf

from common.data.buffers import Buffers

ONE = np.float32(1)

_buffers = Buffers()
_arrays = threading.local()


def one_by_one(augment: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return the augmentation of a batch that calls `augment` with each image, float32 (S, S, 3), and its seed (2,)."""

    @wraps(augment)
    def augment_batch(images, seeds):
        each = tf.cast(images, tf.float32), seeds
        return tf.map_fn(lambda pair: augment(*pair), each, fn_output_signature=tf.float32)

    return augment_batch


def affine_matrices(size: tuple[int, int], degrees: tf.Tensor, zoom: tf.Tensor, flip: tf.Tensor) -> tf.Tensor:
    """Return the matrices that rotate, magnify and mirror images about their centre.

    Args:
        size: height and width of the images.
        degrees: of the rotation, counter-clockwise, float32 (B,).
        zoom: magnification, float32 (B,); above 1 the image becomes larger.
        flip: whether to mirror left and right, bool (B,).

    Returns:
        float32 (B, 6): a, b, c, d, e, f. Pixel (x, y) of a result is at (a x + b y + c, d x + e y + f) in its image.
    """
    height, width = (float(side) for side in size)

    def turn(angle):
        radians = angle * (math.pi / 180)
        return tf.cos(radians), tf.sin(radians)

    # One by one: in a vector the last bit of a cosine depends on its place, and so would an image on its batch.
    pair = (tf.float32, tf.float32)
    cosine, sine = tf.map_fn(turn, tf.cast(degrees, tf.float32), fn_output_signature=pair)
    # From output to input coordinates: the inverse of what is asked for.
    cosine, sine = cosine / zoom, sine / zoom
    mirror = tf.where(flip, -1.0, 1.0)
    a, b, d, e = cosine * mirror, -sine, sine * mirror, cosine
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    c = centre_x - a * centre_x - b * centre_y
    f = centre_y - d * centre_x - e * centre_y
    return tf.stack([a, b, c, d, e, f], axis=1)


def uniform(seeds: tf.Tensor, count: int, low: float = -1.0, high: float = 1.0) -> tf.Tensor:
    """Return `count` random numbers for each seed, float32 (B, count) in [low, high), a function of the seed alone.

    Args:
        seeds: int32 (B, 2).
        count: of numbers.
        low, high: their range.
    """
    return tf.map_fn(
        lambda seed: tf.random.stateless_uniform((count,), seed, low, high), seeds, fn_output_signature=tf.float32
    )


def transform(
    images: tf.Tensor,
    matrices: tf.Tensor,
    shifts: tf.Tensor | None = None,
    taps: tf.Tensor | None = None,
    gains: tf.Tensor | None = None,
    offsets: tf.Tensor | None = None,
) -> tf.Tensor:
    """Blur each image of a batch, map it by its matrix, move it, and change its brightness and colour; in the graph.

    Args:
        images: uint8 or float32 (B, H, W, 3) in [0, 255].
        matrices: float32 (B, 6), of `affine_matrices`; bilinear, edges reflected.
        shifts: int32 (B, 2), whole pixels down and right, less than the size; edges are reflected. None: no shift.
        taps: int32 (B,), odd, of `gaussian_blur`; 1 does not blur. None: no blur.
        gains: float32 (B,), factors of the pixels. None: 1.
        offsets: float32 (B, 3), added to the channels then. None: 0.

    Returns:
        float32 (B, H, W, 3) in [0, 255].
    """
    count = tf.shape(images)[0]
    shifts = tf.zeros((count, 2), tf.int32) if shifts is None else shifts
    taps = tf.ones(count, tf.int32) if taps is None else taps
    gains = tf.ones(count) if gains is None else gains
    offsets = tf.zeros((count, 3)) if offsets is None else offsets
    changes = [images, matrices, shifts, taps, gains, offsets]
    result = tf.numpy_function(_transform, changes, tf.float32, stateful=False)
    return tf.ensure_shape(result, images.shape)


def affine(image: np.ndarray, degrees: float = 0.0, zoom: float = 1.0, flip: bool = False) -> np.ndarray:
    """Rotate, magnify and mirror one image, (H, W, 3) uint8 or float32, as `transform` does; float32 (H, W, 3)."""
    result = np.empty(image.shape, np.float32)
    matrix = affine_matrices(image.shape[:2], tf.constant([degrees]), tf.constant([zoom]), tf.constant([flip])).numpy()
    _warp(image, matrix[0], np.zeros(2, np.int32), result)
    return result


def gaussian_blur(image: np.ndarray, size: int) -> np.ndarray:
    """Blur an image with a Gaussian, edges reflected.

    sigma = 0.3 ((size - 1) / 2 - 1) + 0.8, as OpenCV derives it from the size. OpenCV's own blur rounds small kernels
    on 8-bit images; this function keeps the formula.

    Args:
        image: (H, W, 3), uint8 or float32.
        size: taps in each direction, odd.

    Returns:
        float32 (H, W, 3), in the range of the input.
    """
    offsets = np.arange(size) - (size - 1) / 2
    taps = np.exp(-(offsets**2) / (2 * (0.3 * ((size - 1) / 2 - 1) + 0.8) ** 2))
    taps = (taps / taps.sum()).astype(np.float32)
    return cv2.sepFilter2D(image, cv2.CV_32F, taps, taps, borderType=cv2.BORDER_REFLECT_101)


def _transform(images, matrices, shifts, taps, gains, offsets):
    """The body of `transform`, in NumPy: each image stays in the processor's cache until it is done."""
    results = _buffers.take(images.shape, np.float32)
    changes = zip(images, matrices, shifts, taps, gains, offsets, results, strict=True)
    for image, matrix, shift, size, gain, offset, result in changes:
        _warp(gaussian_blur(image, int(size)) if size > 1 else image, matrix, shift, result)
        if gain != 1:
            result *= gain
        if offset.any():
            result.reshape(len(result), -1)[:] += np.tile(offset, result.shape[1])
        np.clip(result, np.float32(0), np.float32(255), out=result)
    return results


def _warp(image, matrix, shift, result):
    """Put an image, mapped by its matrix and moved, into `result`, with the bits of ImageProjectiveTransformV3."""
    if not shift.any() and (matrix == (1, 0, 0, 0, 1, 0)).all():
        result[:] = image
        return
    places, right, lower = _neighbours(image.shape[:2], matrix, shift)
    weight, pixels = _array("weight", image.shape), _array("pixels", image.shape, image.dtype)
    upper_row, term = _array("upper row", image.shape), _array("term", image.shape)

    def weigh(weights, into):
        cv2.remap(image, places, None, cv2.INTER_NEAREST, pixels, cv2.BORDER_REPLICATE)
        np.multiply(pixels, weights, out=into)

    np.subtract(ONE, right, out=weight)
    weigh(weight, upper_row)
    places[..., 1] += 1
    weigh(weight, result)
    places[..., 0] += 1
    weigh(right, term)
    result += term
    places[..., 1] -= 1
    weigh(right, term)
    upper_row += term
    result *= lower
    np.subtract(ONE, lower, out=weight)
    upper_row *= weight
    np.add(upper_row, result, out=result)


def _neighbours(size, matrix, shift):
    """Where the pixels of the result come from: int16 (H, W, 2), the upper left neighbour (x, y) of each; and float32
    (H, W, 3), the weights of the right and of the lower neighbours."""
    height, width = size
    places = _array("places", (*size, 2), np.int16)
    y = _reflect_about_pixels(np.arange(height) - shift[0], height)
    x = _reflect_about_pixels(np.arange(width) - shift[1], width)
    weights = []
    for number, length in enumerate((width, height)):
        along_x, along_y, constant = matrix[3 * number : 3 * number + 3]
        place, whole = _array("place", size), _array("whole", size)
        np.add((along_x * x)[None], (along_y * y)[:, None], out=place)
        place += constant
        _reflect_about_edges(place, length, whole)
        np.floor(place, out=whole)
        place -= whole
        places[..., number] = whole
        weights.append(cv2.merge([place] * 3, _array(("right", "lower")[number], (*size, 3))))
    return places, *weights


def _reflect_about_pixels(places, length):
    """Reflect whole places, less than `length` outside, as b | a b c | b; float32."""
    places = np.abs(places)
    return np.where(places < length, places, 2 * (length - 1) - places).astype(np.float32)


def _reflect_about_edges(places, length, other):
    """Reflect places as b a | a b | b a, into [0, length - 1], in float32 as TensorFlow's kernel does.

    Args:
        places: float32, any shape; changed.
        length: of the image.
        other: an array of the same kind, for intermediate values.
    """
    period = np.float32(2 * length)
    np.negative(places, out=other)
    other -= ONE
    np.maximum(places, other, out=places)
    if places.max() >= period:
        places -= period * np.trunc(places / period)
    np.subtract(period, places, out=other)
    other -= ONE
    np.minimum(places, other, out=places)
    np.clip(places, np.float32(0), np.float32(length - 1), out=places)


def _array(name, shape, dtype=np.float32):
    """An array of this thread, of any content: the pages of a new one take longer than what is computed in it."""
    key = name, shape, np.dtype(dtype)
    if key not in _arrays.__dict__.setdefault("of_thread", {}):
        _arrays.of_thread[key] = np.empty(shape, dtype)
    return _arrays.of_thread[key]
