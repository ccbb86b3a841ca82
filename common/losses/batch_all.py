"""All triplets of the batch."""

from typing import Any, Literal

import keras
from keras import ops

from common.losses.batch import SortedBatch, take_columns
from common.losses.mined import MinedLoss


@keras.saving.register_keras_serializable(package="deepfake")
class BatchAll(MinedLoss):
    """Mean over triplets (a, p, n) of max( d(a, p) - d(a, n) + margin, 0 ), for all triplets of the batch.

    Source: Hermans, Beyer, Leibe, "In Defense of the Triplet Loss for Person Re-Identification", arXiv:1703.07737,
    eq. (6). d is the Euclidean distance, or its square. The CFFN paper's eq. (1) over all triplets of the batch is
    `BatchAll(0.8, squared=True, mean_over="all")`.

    The B^3 triplets are never formed. After sorting by d(a, p) + margin and d(a, n), a positive's active triplets are
    the negatives before it, a negative's are the positives after it, and the sum of an anchor's triplets is linear in
    its distances with these counts as factors.

    Args:
        margin: the margin, at least 0, in the unit of d.
        squared: whether d is the squared distance.
        mean_over: "active", the triplets above 0 ("non-zero" averaging in the paper), or "all" triplets.
        options: `name`, `reduction` and `dtype` of keras.losses.Loss.

    Raises:
        ValueError: for another `mean_over`.

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
        margin: float = 0.2,
        squared: bool = False,
        mean_over: Literal["active", "all"] = "active",
        **options: Any,
    ):
        super().__init__(**options)
        if mean_over not in ("active", "all"):
            raise ValueError(f'expected mean_over "active" or "all", received {mean_over!r}')
        self.margin = margin
        self.squared = squared
        self.mean_over = mean_over

    def terms(self, batch: SortedBatch) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Return the sum and the number of each anchor's triplets, as in MinedLoss."""
        distances = batch.squared_distances if self.squared else batch.distances
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
        return sums, (batch.positive_count * batch.negative_count)[:, 0]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the loss."""
        return super().get_config() | {"margin": self.margin, "squared": self.squared, "mean_over": self.mean_over}
