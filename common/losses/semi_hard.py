"""Semi-hard triplets: the negative that is farther than the positive, but not by much."""

import keras
from keras import ops

from common.losses.batch import pack, take_columns
from common.losses.mined import MinedLoss


@keras.saving.register_keras_serializable(package="deepfake")
class SemiHard(MinedLoss):
    """Mean over all positive pairs (a, p) of max( |a - p|^2 - |a - n|^2 + margin, 0 ), n semi-hard.

    n is the closest negative with |a - n| > |a - p|; where none is farther than the positive, the farthest of all.
    Source: Schroff, Kalenichenko, Philbin, "FaceNet", CVPR 2015, sec. 3.2, eq. (4), doi:10.1109/CVPR.2015.7298682, in
    the form of tf.contrib and TensorFlow Addons (margin 1, mean over positive pairs), which takes O(B^3) time and
    memory; here an anchor's examples are sorted once. See common.losses.mined for shapes.
    """

    def __init__(self, margin=1.0, **options):
        super().__init__(**options)
        self.margin = margin

    def terms(self, batch):
        columns = batch.ascending(batch.squared_distances, first=batch.end)  # equally far: negatives first
        distances = take_columns(batch.squared_distances, columns)
        negative = batch.is_negative(columns)
        not_farther = ops.cumsum(ops.cast(negative, "int32"), axis=1)  # negatives before this place
        semi_hard = ops.maximum(ops.minimum(not_farther, batch.negative_count - 1), 0)  # among the anchor's negatives
        mined = take_columns(pack(distances, negative), semi_hard)
        pair = ops.logical_and(batch.is_positive(columns), batch.negative_count > 0)
        losses = ops.where(pair, ops.relu(distances - mined + self.margin), 0)
        return ops.sum(losses, axis=1), ops.sum(ops.cast(pair, "int32"), axis=1)

    def get_config(self):
        return super().get_config() | {"margin": self.margin}
