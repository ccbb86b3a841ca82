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


@keras.saving.register_keras_serializable(package="deepfake")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras's BatchNormalization, trained by TensorFlow's fused kernel on maps (B, H, W, C): same values, less time.

    Keras's own layer reads the maps once for each of mean, variance and output, and again in the gradient. The kernel
    takes bfloat16 maps as they are, with statistics in float32. It returns the variance over N - 1 values; the moving
    variance gets Keras's, over N. An epsilon below 1.001e-5 is raised to that. What the kernel does not do (another
    backend, other shapes, float16, statistics over all replicas, masks, no scale or offset) is left to Keras, and so is
    inference.
    """

    def call(self, inputs, training=None, mask=None):
        if not (training and self.trainable and mask is None and self._is_fusible(inputs)):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma.value, self.beta.value, epsilon=self.epsilon, is_training=True
        )
        number = tf.cast(tf.size(inputs) // tf.shape(inputs)[-1], variance.dtype)
        self._follow(self.moving_mean, mean)
        self._follow(self.moving_variance, variance * (number - 1) / number)
        return outputs

    def _is_fusible(self, inputs):
        plain = self.scale and self.center and not self.synchronized and not self.renorm
        last = self.axis in (-1, 3) and len(inputs.shape) == 4
        kernel = keras.backend.backend() == "tensorflow" and inputs.dtype in ("float32", "bfloat16")
        return plain and last and kernel

    def _follow(self, moving, batch):
        moving.assign(moving * self.momentum + batch * (1 - self.momentum))
