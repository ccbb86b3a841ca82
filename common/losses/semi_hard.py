"""Semi-hard triplets: the negative is farther than the positive, but by less than the margin."""

from typing import Any

import keras
from keras import ops

from common.library_internals import find_by_name
from common.losses.batch import SortedBatch, pack, take_columns
from common.losses.distances import Distance
from common.losses.margin import Margin
from common.losses.mined import MinedLoss


@find_by_name
@keras.saving.register_keras_serializable(package="deepfake")
class SemiHard(MinedLoss):
    """Mean over all positive pairs (a, p) of max( d(a, p) - d(a, n) + margin, 0 ) with a semi-hard negative n.

    n is the closest negative with d(a, n) > d(a, p), or the farthest negative if none is farther than the positive.
    Source: Schroff, Kalenichenko, Philbin, "FaceNet", CVPR 2015, sec. 3.2, eq. (4), doi:10.1109/CVPR.2015.7298682, in
    the form of tf.contrib and TensorFlow Addons (margin 1, mean over positive pairs). They take O(B^3) time and memory;
    here the examples are sorted once for each anchor.

    Args:
        margin, distance, options: as for MarginLoss.

    Example:

    ```python
    import keras, numpy as np
    from common.losses import SemiHard

    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4), keras.layers.UnitNormalization()])
    model.compile("adam", SemiHard(margin=0.2))
    generator = np.random.default_rng(0)
    images, classes = generator.normal(size=(32, 8)), generator.integers(0, 2, 32)
    model.fit(images, classes, batch_size=16, verbose=0)
    ```
    """

    def __init__(self, margin: Margin = 1.0, distance: Distance = "squared", **options: Any):
        super().__init__(margin, distance, **options)

    def terms(self, batch: SortedBatch) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Return the sum and the number of each anchor's positive pairs, as in MinedLoss."""
        columns = batch.ascending(batch.distances, first=batch.end)  # at equality negatives come first
        distances = take_columns(batch.distances, columns)  # (B, B) ascending
        negative = batch.is_negative(columns)
        not_farther = ops.cumsum(ops.cast(negative, "int32"), axis=1)  # number of negatives up to each column
        semi_hard = ops.maximum(ops.minimum(not_farther, batch.negative_count - 1), 0)  # index among the negatives
        mined = take_columns(pack(distances, negative), semi_hard)
        pair = ops.logical_and(batch.is_positive(columns), batch.negative_count > 0)
        losses = ops.where(pair, self.penalty(distances - mined), 0)
        return ops.sum(losses, axis=1), ops.sum(ops.cast(pair, "int32"), axis=1)
