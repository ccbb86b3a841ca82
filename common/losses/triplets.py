"""Losses of triplets that the data pipeline has drawn: anchor, positive, negative.

Equation numbers without a name are those of Kanwal, Tehsin, Saif, "Exposing AI Generated Deepfake Images Using Siamese
Network with Triplet Loss", Computing and Informatics 41, 2022.
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="deepfake")
class TripletHinge(keras.losses.Loss):
    """max( sum_i (a_i - p_i)^2 - (a_i - n_i)^2 + margin, 0 ).

    Loss2, eq. (14), with margin 0.4; Loss1, eq. (13), with margin 0. The same as eq. (3) of Schroff, Kalenichenko,
    Philbin, "FaceNet", CVPR 2015, doi:10.1109/CVPR.2015.7298682, and as eq. (1) of the CFFN paper. y_pred: float
    (B, 3, N), the embeddings of anchor, positive and negative, which the papers normalise to length 1; y_true is
    ignored. Returns (B,), one value per triplet.
    """

    def __init__(self, margin=0.4, **options):
        super().__init__(**options)
        self.margin = margin

    def call(self, y_true, y_pred):
        to_positive, to_negative = _differences(y_pred)
        excess = ops.sum(ops.square(to_positive), axis=-1) - ops.sum(ops.square(to_negative), axis=-1)
        return ops.relu(excess + self.margin)

    def get_config(self):
        return super().get_config() | {"margin": self.margin}


@keras.saving.register_keras_serializable(package="deepfake")
class TripletLogExp(keras.losses.Loss):
    """log( 1 + exp( sum_i |a_i - p_i| - |a_i - n_i| ) ): Loss3, eq. (15) and Algorithm 2, the paper's proposed loss.

    Computed as softplus, which no distance overflows. y_pred: float (B, 3, N), the embeddings of anchor, positive and
    negative, which the paper normalises to length 1; y_true is ignored. Returns (B,), one value per triplet.
    """

    def call(self, y_true, y_pred):
        to_positive, to_negative = _differences(y_pred)
        return ops.softplus(ops.sum(ops.abs(to_positive), axis=-1) - ops.sum(ops.abs(to_negative), axis=-1))


def _differences(triplets):
    """(anchor - positive, anchor - negative), each (B, N)."""
    if len(triplets.shape) != 3 or triplets.shape[1] != 3:
        raise ValueError(f"expected y_pred of shape (B, 3, N): anchor, positive, negative; received {triplets.shape}")
    anchor, positive, negative = triplets[:, 0], triplets[:, 1], triplets[:, 2]
    return anchor - positive, anchor - negative
