"""The hardest triplet of every anchor."""

from typing import Any, Literal

import keras
from keras import ops

from common.losses.batch import SortedBatch
from common.losses.mined import MinedLoss


@keras.saving.register_keras_serializable(package="deepfake")
class BatchHard(MinedLoss):
    """Mean over anchors of max( max_p d(a, p) - min_n d(a, n) + margin, 0 ): farthest positive, closest negative.

    Source: Hermans, Beyer, Leibe, "In Defense of the Triplet Loss for Person Re-Identification", arXiv:1703.07737,
    eq. (5). d is the Euclidean distance, or its square. The mean is over the anchors that have a positive and a
    negative; in the paper's batches of P classes with K examples all anchors do.

    Args:
        margin: the margin, at least 0, in the unit of d, or "soft": log(1 + exp( d(a, p) - d(a, n) )) instead of the
            hinge (sec. 2).
        squared: whether d is the squared distance.
        options: `name`, `reduction` and `dtype` of keras.losses.Loss.

    Raises:
        ValueError: for another word as margin.

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

    def __init__(self, margin: float | Literal["soft"] = 0.2, squared: bool = False, **options: Any):
        super().__init__(**options)
        if isinstance(margin, str) and margin != "soft":
            raise ValueError(f'expected a number or "soft" as margin, received {margin!r}')
        self.margin = margin
        self.squared = squared

    def terms(self, batch: SortedBatch) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Return each anchor's hardest triplet and whether it has one, as in MinedLoss."""
        distances = batch.squared_distances if self.squared else batch.distances
        farthest = ops.max(ops.where(batch.is_positive(batch.columns), distances, 0), axis=1)
        closest = ops.min(ops.where(batch.is_negative(batch.columns), distances, float("inf")), axis=1)
        excess = farthest - closest  # (B,)
        losses = ops.softplus(excess) if self.margin == "soft" else ops.relu(excess + self.margin)
        complete = ops.logical_and(batch.positive_count > 0, batch.negative_count > 0)[:, 0]
        return ops.where(complete, losses, 0), ops.cast(complete, "int32")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the loss."""
        return super().get_config() | {"margin": self.margin, "squared": self.squared}
