"""A batch of embeddings, sorted by class: distances, who is positive and negative to whom, and who is closer.

In matrices (B, B) a row is an anchor, a column another example. Columns of the anchor's own class are one block, from
`start` to `end`.
"""

from functools import cached_property

from keras import ops


class Batch:
    """Labels (B,) in ascending order and their embeddings (B, N)."""

    def __init__(self, labels, embeddings):
        self.embeddings = embeddings
        self.start = ops.cast(ops.searchsorted(labels, labels, side="left"), "int32")[:, None]  # (B, 1)
        self.end = ops.cast(ops.searchsorted(labels, labels, side="right"), "int32")[:, None]
        self.columns = ops.arange(ops.shape(labels)[0], dtype="int32")[None]  # (1, B)

    @cached_property
    def positive_count(self):
        """Of each anchor, the anchor itself not counted, int32 (B, 1)."""
        return self.end - self.start - 1

    @cached_property
    def negative_count(self):
        """Of each anchor, int32 (B, 1)."""
        return ops.shape(self.columns)[1] - (self.end - self.start)

    def is_negative(self, columns):
        """Whether a row's anchor and the example in its column, int32 (B, B) or (1, B), differ in class; bool."""
        return ops.logical_or(columns < self.start, columns >= self.end)

    def is_positive(self, columns):
        """Whether they are two different examples of one class; bool."""
        return ops.logical_not(ops.logical_or(self.is_negative(columns), columns == ops.transpose(self.columns)))

    @cached_property
    def squared_distances(self):
        """|x - y|^2 = x.x + y.y - 2 x.y, float (B, B), of the embeddings' dtype.

        Computed in float64: in float32 the difference of large squares loses small distances, and GPUs multiply
        float32 matrices with three digits (TensorFloat-32). JAX stays in float32 unless 64 bits are enabled there.
        """
        wide = ops.cast(self.embeddings, "float64")
        products = ops.matmul(wide, ops.transpose(wide))
        squares = ops.diagonal(products)
        return ops.cast(ops.relu(squares[:, None] + squares[None] - 2 * products), self.embeddings.dtype)

    @cached_property
    def distances(self):
        """|x - y|, float (B, B); the gradient at distance 0 is 0."""
        apart = self.squared_distances > 0
        return ops.where(apart, ops.sqrt(ops.where(apart, self.squared_distances, 1)), 0)

    def ascending(self, keys, first):
        """The columns that put each row of keys (B, B) in ascending order, int32 (B, B).

        Columns with equal keys follow one another as in the cycle that begins at `first`, int32 (B, 1): with `start`
        the own class comes before the negatives, with `end` the negatives come before the own class.
        """
        keys = take_columns(ops.stop_gradient(keys), self._wrap(first + self.columns))
        return self._wrap(first + ops.argsort(keys, axis=1))

    def _wrap(self, columns):
        size = ops.shape(self.columns)[1]
        return ops.where(columns < size, columns, columns - size)


def take_columns(matrix, columns):
    """matrix[i, columns[i, j]], (B, B): take_along_axis, in half its time on TensorFlow."""
    return ops.take(ops.reshape(matrix, (-1,)), columns + _row_offsets(matrix))


def pack(matrix, chosen):
    """Each row's chosen elements at its beginning, in their order, zeros after them: (B, B), bool (B, B) -> (B, B)."""
    place = ops.maximum(ops.cumsum(ops.cast(chosen, "int32"), axis=1) - 1, 0) + _row_offsets(matrix)
    values = ops.reshape(ops.where(chosen, matrix, 0), (-1,))
    packed = ops.segment_sum(values, ops.reshape(place, (-1,)), num_segments=ops.size(values))
    return ops.reshape(packed, ops.shape(matrix))


def _row_offsets(matrix):
    rows, columns = ops.shape(matrix)
    return ops.arange(rows, dtype="int32")[:, None] * columns
