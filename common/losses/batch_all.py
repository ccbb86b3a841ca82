"""All triplets of the batch."""

import keras
from keras import ops

from common.losses.batch import take_columns
from common.losses.mined import MinedLoss


@keras.saving.register_keras_serializable(package="deepfake")
class BatchAll(MinedLoss):
    """Mean over triplets (a, p, n) of max( d(a, p) - d(a, n) + margin, 0 ), for all triplets of the batch.

    Source: Hermans, Beyer, Leibe, "In Defense of the Triplet Loss for Person Re-Identification", arXiv:1703.07737,
    eq. (6). d is the Euclidean distance, or its square. mean_over: "active", the triplets above 0 (the paper's
    L_BA with "non-zero" averaging), or "all". The CFFN paper's eq. (1) over all triplets of the batch is
    `BatchAll(0.8, squared=True, mean_over="all")`.

    Not B^3 triplets are formed: sorted by d(a, p) + margin and d(a, n), every positive's active triplets are the
    negatives before it, every negative's the positives after it, and the sum of an anchor's triplets is linear in its
    distances with these counts as factors. See common.losses.mined for shapes.
    """

    def __init__(self, margin=0.2, squared=False, mean_over="active", **options):
        super().__init__(**options)
        if mean_over not in ("active", "all"):
            raise ValueError(f'expected mean_over "active" or "all", received {mean_over!r}')
        self.margin = margin
        self.squared = squared
        self.mean_over = mean_over

    def terms(self, batch):
        distances = batch.squared_distances if self.squared else batch.distances
        reach = distances + self.margin * ops.cast(batch.is_positive(batch.columns), distances.dtype)
        columns = batch.ascending(reach, first=batch.start)  # equal: the loss is 0, the triplet is not active
        positive, negative = (ops.cast(of(columns), "int32") for of in (batch.is_positive, batch.is_negative))
        closer_negatives = positive * ops.cumsum(negative, axis=1)
        farther_positives = negative * (batch.positive_count - ops.cumsum(positive, axis=1))
        factors = ops.cast(closer_negatives - farther_positives, distances.dtype)
        sums = ops.sum(factors * take_columns(reach, columns), axis=1)
        if self.mean_over == "active":
            return sums, ops.sum(closer_negatives, axis=1)
        return sums, (batch.positive_count * batch.negative_count)[:, 0]

    def get_config(self):
        own = {"margin": self.margin, "squared": self.squared, "mean_over": self.mean_over}
        return super().get_config() | own
