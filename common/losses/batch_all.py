"""All triplets of the batch."""

from typing import Any, Literal

import keras
from keras import ops

from common.library_internals import find_by_name
from common.losses.batch import SortedBatch, take_columns
from common.losses.distances import Distance
from common.losses.margin import Margin
from common.losses.mined import MinedLoss


@find_by_name
@keras.saving.register_keras_serializable(package="deepfake")
class BatchAll(MinedLoss):
    """Mean over triplets (a, p, n) of max( d(a, p) - d(a, n) + margin, 0 ), for all triplets of the batch.

    Source: Hermans, Beyer, Leibe, "In Defense of the Triplet Loss for Person Re-Identification", arXiv:1703.07737,
    eq. (6). The CFFN paper's eq. (1) over all triplets of the batch is `BatchAll(0.8, "squared", "all")`.

    The B^3 triplets are never formed. After sorting by d(a, p) + margin and d(a, n), a positive's active triplets are
    the negatives before it, a negative's are the positives after it, and the sum of an anchor's triplets is linear in
    its distances with these counts as factors. The soft margin has no such form: its triplets are added up positive by
    positive, in O(B^2) memory, and time grows with B^2 times the size of the largest class.

    Args:
        margin, distance, options: as for MarginLoss.
        mean_over: "active", the triplets above 0 ("non-zero" averaging in the paper), or "all" triplets. With the soft
            margin every triplet is above 0.

    Raises:
        ValueError: for another margin, distance or `mean_over`.

    Example:

    ```python
    import keras, numpy as np
    from common.losses import BatchAll

    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
    model.compile("adam", BatchAll(margin=0.5))
    generator = np.random.default_rng(0)
    images, classes = generator.normal(size=(32, 8)), generator.integers(0, 2, 32)
    model.fit(images, classes, batch_size=16, verbose=0)
    ```
    """

    def __init__(
        self,
        margin: Margin = 0.2,
        distance: Distance = "euclidean",
        mean_over: Literal["active", "all"] = "active",
        **options: Any,
    ):
        super().__init__(margin, distance, **options)
        if mean_over not in ("active", "all"):
            raise ValueError(f'expected mean_over "active" or "all", received {mean_over!r}')
        self.mean_over = mean_over

    def terms(self, batch: SortedBatch) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Return the sum and the number of each anchor's triplets, as in MinedLoss."""
        all_triplets = (batch.positive_count * batch.negative_count)[:, 0]
        if self.margin == "soft":
            return _soft_sums(batch), all_triplets
        distances = batch.distances
        shifted = distances + self.margin * ops.cast(batch.is_positive(batch.columns), distances.dtype)  # (B, B)
        columns = batch.ascending(shifted, first=batch.start)  # at equality the loss is 0: the triplet is not active
        positive = ops.cast(batch.is_positive(columns), "int32")
        negative = ops.cast(batch.is_negative(columns), "int32")
        closer_negatives = positive * ops.cumsum(negative, axis=1)
        farther_positives = negative * (batch.positive_count - ops.cumsum(positive, axis=1))
        factors = ops.cast(closer_negatives - farther_positives, distances.dtype)
        sums = ops.sum(factors * take_columns(shifted, columns), axis=1)  # (B,)
        if self.mean_over == "active":
            return sums, ops.sum(closer_negatives, axis=1)
        return sums, all_triplets

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the loss."""
        return super().get_config() | {"mean_over": self.mean_over}


def _soft_sums(batch):
    """Sum of log(1 + exp( d(a, p) - d(a, n) )) over each anchor's triplets, float (B,).

    The loop computes the sums and their derivatives by the distances, outside of automatic differentiation, which would
    store all B^3 triplets. The last line has the value of the sums, and their gradient.
    """
    distances = ops.stop_gradient(batch.distances)
    negative = ops.cast(batch.is_negative(batch.columns), distances.dtype)  # (B, B)

    def add_positive(k, state):
        sums, slopes = state
        column = ops.minimum(batch.start + k, batch.end - 1)  # (B, 1), the k-th example of the anchor's class
        is_there = ops.logical_and(batch.is_positive(column), batch.start + k < batch.end)
        excess = take_columns(distances, column) - distances  # (B, B)
        triplets = negative * ops.cast(is_there, distances.dtype)
        by_excess = triplets * ops.sigmoid(excess)
        chosen = ops.cast(batch.columns == column, distances.dtype)
        slopes = slopes + chosen * ops.sum(by_excess, axis=1, keepdims=True) - by_excess
        return sums + ops.sum(triplets * ops.softplus(excess), axis=1), slopes

    largest_class = ops.max(batch.end - batch.start)
    state = (ops.sum(ops.zeros_like(distances), axis=1), ops.zeros_like(distances))
    sums, slopes = ops.fori_loop(0, largest_class, add_positive, state)
    return sums + ops.sum(slopes * (batch.distances - distances), axis=1)
