"""What several papers' networks put between their layers. Import this module before loading a model that holds it."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="deepfake")
def l2_normalize(embeddings):
    """Divide each embedding by its length: x / ||x||, ||X|| = sqrt(sum x_i^2) (Kanwal et al. 2022, eq. 2).

    embeddings: float (..., N); the same shape and dtype come back, with length 1. What is shorter than 1e-6 is divided
    by 1e-6: a zero vector stays zero, and its gradient is finite. Use it as
    `keras.layers.Lambda(l2_normalize, name=...)`: being registered, it is saved by its name, and the model loads in
    safe mode wherever this module was imported.
    """
    wide = ops.cast(embeddings, keras.backend.result_type(embeddings.dtype, "float32"))  # 1e-12 is 0 in float16
    squared_length = ops.sum(ops.square(wide), axis=-1, keepdims=True)
    return ops.cast(wide * ops.rsqrt(ops.maximum(squared_length, 1e-12)), embeddings.dtype)
