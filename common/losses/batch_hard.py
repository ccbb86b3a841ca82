"""The hardest triplet of every anchor."""

import keras
from keras import ops

from common.losses.mined import MinedLoss


@keras.saving.register_keras_serializable(package="deepfake")
class BatchHard(MinedLoss):
    """Mean over anchors of max( max_p d(a, p) - min_n d(a, n) + margin, 0 ): farthest positive, closest negative.

    Source: Hermans, Beyer, Leibe, "In Defense of the Triplet Loss for Person Re-Identification", arXiv:1703.07737,
    eq. (5). d is the Euclidean distance, or its square. margin "soft": log(1 + exp( d(a, p) - d(a, n) )) in the place
    of the hinge (sec. 2). The mean is over the anchors that have a positive and a negative; in the paper's batches of
    P classes with K examples all have. See common.losses.mined for shapes.
    """

    def __init__(self, margin=0.2, squared=False, **options):
        super().__init__(**options)
        if isinstance(margin, str) and margin != "soft":
            raise ValueError(f'expected a number or "soft" as margin, received {margin!r}')
        self.margin = margin
        self.squared = squared

    def terms(self, batch):
        distances = batch.squared_distances if self.squared else batch.distances
        farthest = ops.max(ops.where(batch.is_positive(batch.columns), distances, 0), axis=1)
        closest = ops.min(ops.where(batch.is_negative(batch.columns), distances, float("inf")), axis=1)
        excess = farthest - closest  # (B,)
        losses = ops.softplus(excess) if self.margin == "soft" else ops.relu(excess + self.margin)
        complete = ops.logical_and(batch.positive_count > 0, batch.negative_count > 0)[:, 0]
        return ops.where(complete, losses, 0), ops.cast(complete, "int32")

    def get_config(self):
        return super().get_config() | {"margin": self.margin, "squared": self.squared}
