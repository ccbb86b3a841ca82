"""Distances between two embeddings. All have finite gradients: equal embeddings and zero vectors get the gradient 0."""

from typing import Literal, get_args

import keras
from keras import ops

Distance = Literal["squared", "euclidean", "cosine"]
DISTANCES = get_args(Distance)


def paired_distances(x: keras.KerasTensor, y: keras.KerasTensor, distance: Distance) -> keras.KerasTensor:
    """Return the distance of each x_i from its y_i, float (B,).

    Args:
        x, y: embeddings, float (B, N).
        distance: "squared": |x - y|^2. "euclidean": |x - y|. "cosine": 1 - x.y / (|x| |y|), from 0 to 2.
    """
    if distance == "cosine":
        return 1 - ops.sum(unit_length(x) * unit_length(y), axis=-1)
    squared = ops.sum(ops.square(x - y), axis=-1)
    return squared if distance == "squared" else square_root(squared)


def distance_matrix(embeddings: keras.KerasTensor, distance: Distance) -> keras.KerasTensor:
    """Return the distances of all pairs, float (B, B), of the embeddings' dtype.

    |x - y|^2 = x.x + y.y - 2 x.y is computed in float64: in float32 the difference of large squares loses small
    distances, and GPUs multiply float32 matrices with three digits (TensorFloat-32). JAX has no float64 unless 64 bits
    are enabled there: the differences x - y are squared and summed instead, which XLA does without an array (B, B, N).

    Args:
        embeddings: float (B, N).
        distance: as for `paired_distances`.
    """
    if not _has_float64():
        return _matrix_of_differences(embeddings, distance)
    wide = ops.cast(embeddings, "float64")
    if distance == "cosine":
        wide = unit_length(wide)
        return ops.cast(ops.relu(1 - ops.matmul(wide, ops.transpose(wide))), embeddings.dtype)
    products = ops.matmul(wide, ops.transpose(wide))
    squares = ops.diagonal(products)
    squared = ops.cast(ops.relu(squares[:, None] + squares[None] - 2 * products), embeddings.dtype)
    return squared if distance == "squared" else square_root(squared)


def _has_float64():
    if keras.config.backend() != "jax":
        return True
    import jax

    return bool(jax.config.jax_enable_x64)


def _matrix_of_differences(embeddings, distance):
    """As `distance_matrix`, in the embeddings' dtype."""
    points = unit_length(embeddings) if distance == "cosine" else embeddings
    squared = ops.sum(ops.square(points[:, None] - points[None]), axis=-1)  # (B, B)
    if distance == "cosine":  # x.y = (x.x + y.y - |x - y|^2) / 2, where x.x is 1, or 0 of a zero vector
        squares = ops.cast(ops.any(points != 0, axis=-1), points.dtype)
        return 1 - (squares[:, None] + squares[None] - squared) / 2
    return squared if distance == "squared" else square_root(squared)


def absolute_value(x: keras.KerasTensor) -> keras.KerasTensor:
    """Return |x| of each element; its gradient at 0 is 0 on every backend. JAX's own is 1."""
    return x * ops.stop_gradient(ops.sign(x))


def square_root(squared: keras.KerasTensor) -> keras.KerasTensor:
    """Return the square root of each element, at least 0; its gradient at 0 is 0, not infinite."""
    positive = squared > 0
    return ops.where(positive, ops.sqrt(ops.where(positive, squared, 1)), 0)


def unit_length(embeddings: keras.KerasTensor) -> keras.KerasTensor:
    """Return x / |x|. A zero vector stays zero, at cosine distance 1 from everything, and its gradient is 0.

    Args:
        embeddings: float (B, N).
    """
    squared_length = ops.sum(ops.square(embeddings), axis=-1, keepdims=True)  # (B, 1)
    positive = squared_length > 0
    return ops.where(positive, embeddings * ops.rsqrt(ops.where(positive, squared_length, 1)), 0)
