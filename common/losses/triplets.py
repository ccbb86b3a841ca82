"""Losses of triplets that the data pipeline has drawn: anchor, positive, negative.

Equation numbers without a name are those of Kanwal, Tehsin, Saif, "Exposing AI Generated Deepfake Images Using Siamese
Network with Triplet Loss", Computing and Informatics 41, 2022.
"""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="deepfake")
class TripletHinge(keras.losses.Loss):
    """max( sum_i (a_i - p_i)^2 - (a_i - n_i)^2 + margin, 0 ).

    Loss2, eq. (14), with margin 0.4; Loss1, eq. (13), with margin 0. The same as eq. (3) of Schroff, Kalenichenko,
    Philbin, "FaceNet", CVPR 2015, doi:10.1109/CVPR.2015.7298682, and as eq. (1) of the CFFN paper.

    Args:
        margin: the margin of squared distances, at least 0.
        options: `name`, `reduction` and `dtype` of keras.losses.Loss.

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

    def __init__(self, margin: float = 0.4, **options: Any):
        super().__init__(**options)
        self.margin = margin

    def call(self, y_true: Any, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Return one value per triplet.

        Args:
            y_true: ignored.
            y_pred: embeddings of anchor, positive and negative, float (B, 3, N); the papers normalise them to length 1.

        Returns:
            float (B,).

        Raises:
            ValueError: for another shape.
        """
        to_positive, to_negative = _differences(y_pred)
        excess = ops.sum(ops.square(to_positive), axis=-1) - ops.sum(ops.square(to_negative), axis=-1)
        return ops.relu(excess + self.margin)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the loss."""
        return super().get_config() | {"margin": self.margin}


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
            float (B,).

        Raises:
            ValueError: for another shape.
        """
        to_positive, to_negative = _differences(y_pred)
        return ops.softplus(ops.sum(ops.abs(to_positive), axis=-1) - ops.sum(ops.abs(to_negative), axis=-1))


def _differences(triplets):
    """(anchor - positive, anchor - negative), each (B, N)."""
    if len(triplets.shape) != 3 or triplets.shape[1] != 3:
        raise ValueError(f"expected y_pred of shape (B, 3, N): anchor, positive, negative; received {triplets.shape}")
    anchor, positive, negative = triplets[:, 0], triplets[:, 1], triplets[:, 2]
    return anchor - positive, anchor - negative
