"""Pairs: those of one class together, others apart."""

import keras
from keras import ops

from common.losses.mined import MinedLoss


@keras.saving.register_keras_serializable(package="deepfake")
class Contrastive(MinedLoss):
    """Mean over all pairs of the batch of 1/2 d^2 for one class, 1/2 max( margin - d, 0 )^2 for two; d Euclidean.

    Source: Hadsell, Chopra, LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006, eq. (4),
    doi:10.1109/CVPR.2006.100. Each pair is a term of both its examples. See common.losses.mined for shapes.
    """

    def __init__(self, margin=1.0, **options):
        super().__init__(**options)
        self.margin = margin

    def terms(self, batch):
        together = ops.where(batch.is_positive(batch.columns), batch.squared_distances, 0)
        gap = ops.relu(self.margin - batch.distances)
        apart = ops.where(batch.is_negative(batch.columns), ops.square(gap), 0)
        return ops.sum(together + apart, axis=1) / 2, (batch.positive_count + batch.negative_count)[:, 0]

    def get_config(self):
        return super().get_config() | {"margin": self.margin}
