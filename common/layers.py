"""Layers of several papers' networks. Import this module before loading a model that contains them."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="deepfake")
def l2_normalize(embeddings: keras.KerasTensor) -> keras.KerasTensor:
    """Divide each embedding by its length: x / ||x||, ||x|| = sqrt(sum x_i^2) (Kanwal et al. 2022, eq. 2).

    Use it as `keras.layers.Lambda(l2_normalize, name=...)`. The function is registered, so it is saved by its name, and
    the model loads in safe mode once this module is imported.

    Args:
        embeddings: float (..., N).

    Returns:
        The same shape and dtype, with length 1 along the last axis. Embeddings shorter than 1e-6 are divided by 1e-6: a
        zero vector stays zero, and its gradient is finite.
    """
    wide = ops.cast(embeddings, keras.backend.result_type(embeddings.dtype, "float32"))  # 1e-12 is 0 in float16
    squared_length = ops.sum(ops.square(wide), axis=-1, keepdims=True)
    return ops.cast(wide * ops.rsqrt(ops.maximum(squared_length, 1e-12)), embeddings.dtype)


@keras.saving.register_keras_serializable(package="deepfake")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras's BatchNormalization, trained by TensorFlow's fused kernel on maps (B, H, W, C): equal values, less time.

    Keras's own layer reads the maps once for each of mean, variance and output, and again in the gradient. The kernel
    takes bfloat16 maps directly, with statistics in float32. It returns the variance over N - 1 values; the moving
    variance is updated with Keras's, over N. An epsilon below 1.001e-5 is raised to this value. Keras computes
    inference, and whatever the kernel does not support (another backend, other shapes, float16, statistics over all
    replicas, masks, no scale or offset).

    Arguments are those of keras.layers.BatchNormalization.
    """

    def call(
        self, inputs: keras.KerasTensor, training: bool | None = None, mask: keras.KerasTensor | None = None
    ) -> Any:
        """Return the normalised maps.

        Args:
            inputs: float (B, H, W, C), or any shape that Keras's layer takes.
            training: whether to normalise with the statistics of the batch, and to update the moving ones.
            mask: as for Keras's layer.
        """
        if not (training and self.trainable and mask is None and self._is_fusible(inputs)):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf  # here, since it is not installed with every backend

        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma.value, self.beta.value, epsilon=self.epsilon, is_training=True
        )
        count = tf.cast(tf.size(inputs) // tf.shape(inputs)[-1], variance.dtype)  # N = B H W
        self._update(self.moving_mean, mean)
        self._update(self.moving_variance, variance * (count - 1) / count)
        return outputs

    def _is_fusible(self, inputs):
        standard = self.scale and self.center and not self.synchronized and not self.renorm
        channels_last = self.axis in (-1, 3) and len(inputs.shape) == 4
        supported = keras.backend.backend() == "tensorflow" and inputs.dtype in ("float32", "bfloat16")
        return standard and channels_last and supported

    def _update(self, moving, batch):
        moving.assign(moving * self.momentum + batch * (1 - self.momentum))
