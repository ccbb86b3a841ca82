"""Losses of triplets that the data pipeline has drawn: anchor, positive, negative.

Equation numbers without a name are those of Kanwal, Tehsin, Saif, "Exposing AI Generated Deepfake Images Using Siamese
Network with Triplet Loss", Computing and Informatics 41, 2022.
"""

from typing import Any

import keras
from keras import ops

from common.library_internals import find_by_name
from common.losses.distances import Distance, absolute_value, paired_distances
from common.losses.margin import Margin, MarginLoss, at_least_float32


@find_by_name
@keras.saving.register_keras_serializable(package="deepfake")
class TripletHinge(MarginLoss):
    """max( d(a, p) - d(a, n) + margin, 0 ); d is the squared distance unless another is chosen.

    Loss2, eq. (14), with margin 0.4; Loss1, eq. (13), with margin 0. The same as eq. (3) of Schroff, Kalenichenko,
    Philbin, "FaceNet", CVPR 2015, doi:10.1109/CVPR.2015.7298682, and as eq. (1) of the CFFN paper.

    Args:
        margin, distance, options: as for MarginLoss.

    Example:

    ```python
    import keras, numpy as np
    from common.losses import TripletHinge

    images = keras.Input((3, 8))  # anchor, positive, negative
    model = keras.Model(images, keras.layers.UnitNormalization()(keras.layers.Dense(4)(images)))
    model.compile("adam", TripletHinge(margin=0.4))
    triplets = np.random.default_rng(0).normal(size=(32, 3, 8))
    model.fit(triplets, np.zeros(32), batch_size=16, verbose=0)
    ```
    """

    def __init__(self, margin: Margin = 0.4, distance: Distance = "squared", **options: Any):
        super().__init__(margin, distance, **options)

    def call(self, y_true: Any, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Return one value per triplet.

        Args:
            y_true: ignored.
            y_pred: embeddings of anchor, positive and negative, float (B, 3, N); the papers normalise them to length 1.

        Returns:
            float (B,), float32 or float64.

        Raises:
            ValueError: for another shape.
        """
        anchor, positive, negative = _split(y_pred)
        to_positive, to_negative = (paired_distances(anchor, other, self.distance) for other in (positive, negative))
        return self.penalty(to_positive - to_negative)


@find_by_name
@keras.saving.register_keras_serializable(package="deepfake")
class TripletLogExp(keras.losses.Loss):
    """log( 1 + exp( sum_i |a_i - p_i| - |a_i - n_i| ) ): Loss3, eq. (15) and Algorithm 2, the paper's proposed loss.

    It is computed as softplus, which does not overflow for any distance. Arguments are those of keras.losses.Loss.

    Example:

    ```python
    import keras, numpy as np
    from common.losses import TripletLogExp

    images = keras.Input((3, 8))  # anchor, positive, negative
    model = keras.Model(images, keras.layers.UnitNormalization()(keras.layers.Dense(4)(images)))
    model.compile("adam", TripletLogExp())
    triplets = np.random.default_rng(0).normal(size=(32, 3, 8))
    model.fit(triplets, np.zeros(32), batch_size=16, verbose=0)
    ```
    """

    def call(self, y_true: Any, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Return one value per triplet.

        Args:
            y_true: ignored.
            y_pred: embeddings of anchor, positive and negative, float (B, 3, N); the paper normalises them to length 1.

        Returns:
            float (B,), float32 or float64.

        Raises:
            ValueError: for another shape.
        """
        anchor, positive, negative = _split(y_pred)
        to_positive, to_negative = (ops.sum(absolute_value(anchor - other), axis=-1) for other in (positive, negative))
        return ops.softplus(to_positive - to_negative)


def _split(triplets):
    """(anchor, positive, negative), each (B, N), of at least 32 bits."""
    if len(triplets.shape) != 3 or triplets.shape[1] != 3:
        raise ValueError(f"expected y_pred of shape (B, 3, N): anchor, positive, negative; received {triplets.shape}")
    triplets = at_least_float32(triplets)
    return triplets[:, 0], triplets[:, 1], triplets[:, 2]
