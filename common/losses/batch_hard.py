"""The hardest triplet of every anchor."""

from typing import Any

import keras
from keras import ops

from common.library_internals import find_by_name
from common.losses.batch import SortedBatch
from common.losses.distances import Distance
from common.losses.margin import Margin
from common.losses.mined import MinedLoss


@find_by_name
@keras.saving.register_keras_serializable(package="deepfake")
class BatchHard(MinedLoss):
    """Mean over anchors of max( max_p d(a, p) - min_n d(a, n) + margin, 0 ): farthest positive, closest negative.

    Source: Hermans, Beyer, Leibe, "In Defense of the Triplet Loss for Person Re-Identification", arXiv:1703.07737,
    eq. (5). The mean is over the anchors that have a positive and a negative; in the paper's batches of P classes with
    K examples all anchors do.

    Args:
        margin, distance, options: as for MarginLoss; the soft margin is in sec. 2 of the source.

    Example:

    ```python
    import keras, numpy as np
    from common.losses import BatchHard

    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
    model.compile("adam", BatchHard(margin="soft"))
    generator = np.random.default_rng(0)
    images, classes = generator.normal(size=(32, 8)), generator.integers(0, 2, 32)
    model.fit(images, classes, batch_size=16, verbose=0)
    ```
    """

    def __init__(self, margin: Margin = 0.2, distance: Distance = "euclidean", **options: Any):
        super().__init__(margin, distance, **options)

    def terms(self, batch: SortedBatch) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Return each anchor's hardest triplet and whether it has one, as in MinedLoss."""
        distances = batch.distances
        farthest = ops.max(ops.where(batch.is_positive(batch.columns), distances, 0), axis=1)
        closest = ops.min(ops.where(batch.is_negative(batch.columns), distances, float("inf")), axis=1)
        losses = self.penalty(farthest - closest)  # (B,)
        complete = ops.logical_and(batch.positive_count > 0, batch.negative_count > 0)[:, 0]
        return ops.where(complete, losses, 0), ops.cast(complete, "int32")
