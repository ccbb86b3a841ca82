"""Layers of several papers' networks. Import this module before loading a model that contains them."""

from typing import Any

import keras
import numpy as np
from keras import ops

VECTOR = 8  # float32 numbers in a register of AVX2


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
    """Keras's BatchNormalization, trained faster on maps (B, H, W, C), and with exact statistics on CPUs.

    Under TensorFlow a CPU adds up a channel's pixels in an order that loses digits, in Keras's layer and in
    TensorFlow's fused kernel alike; `common.batch_normalization` does not. GPUs have the fused kernel, which reads the
    maps once where Keras reads them for each of mean, variance and output. The kernel takes bfloat16 maps directly,
    with statistics in float32; it returns the variance over N - 1 values, and the moving variance is updated with
    Keras's, over N; an epsilon below 1.001e-5 is raised to this value. Keras computes inference, and what neither
    supports: another backend, other shapes, masks, no scale or offset, and on GPUs float16 and statistics over all
    replicas.

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
        if not (training and self.trainable and mask is None and self._has_maps(inputs)):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf  # here, since it is not installed with every backend

        if not tf.config.list_physical_devices("GPU"):
            from common.batch_normalization import normalize_batch

            weights = self.gamma.value, self.beta.value
            outputs, mean, variance = normalize_batch(inputs, *weights, self.epsilon, self.synchronized)
        elif self.synchronized or inputs.dtype not in ("float32", "bfloat16"):
            return super().call(inputs, training=training)
        else:
            outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                inputs, self.gamma.value, self.beta.value, epsilon=self.epsilon, is_training=True
            )
            count = tf.cast(tf.size(inputs) // inputs.shape[-1], variance.dtype)  # N = B H W
            variance = variance * (count - 1) / count
        self._update(self.moving_mean, mean)
        self._update(self.moving_variance, variance)
        return outputs

    def _has_maps(self, inputs):
        standard = self.scale and self.center and not self.renorm
        channels_last = self.axis in (-1, 3) and len(inputs.shape) == 4
        supported = keras.backend.backend() == "tensorflow" and inputs.dtype != "float64"
        return standard and channels_last and supported

    def _update(self, moving, batch):
        moving.assign(moving * self.momentum + batch * (1 - self.momentum))


@keras.saving.register_keras_serializable(package="deepfake")
class NarrowConv2D(keras.layers.Conv2D):
    """Keras's Conv2D for few filters, dilated or not: equal weights and values, less time.

    A processor computes 8 channels at once and wastes half of that on 4 filters. Keras on TensorFlow also copies the
    maps of a dilated convolution pixel by pixel; XLA has a slow path for it. Here p = 8 / filters neighbouring pixels
    of a row are read as one pixel: (B, H, W, C) as (B, H, W / p, p C), without a copy. The kernel has an entry for each
    pair of pixels in two blocks, a weight or zero (`fold_kernel`), so the columns need no dilation. Of the rows, every
    d-th belongs to one of d images without dilation.

    Keras's layer computes what has no such form: strides, groups, even kernels, padding other than `same`, a width that
    p does not divide or that is not known, filters that do not divide 8, and activations other than ReLU.

    Arguments are those of keras.layers.Conv2D.
    """

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Return the maps, (B, H, W, filters), of maps (B, H, W, C)."""
        if not self._is_foldable(inputs.shape):
            return super().call(inputs)
        height, width, channels = inputs.shape[1:]
        pixels, rows = VECTOR // self.filters, self.dilation_rate[0]
        maps = _split_rows(inputs, rows)  # (B d, H / d, W, C)
        maps = ops.reshape(maps, (-1, maps.shape[1], width // pixels, pixels * channels))
        kernel = fold_kernel(ops.convert_to_tensor(self.kernel), pixels, self.dilation_rate[1])
        maps = ops.conv(maps, kernel, padding="same", data_format="channels_last")  # (B d, H / d, W / p, p filters)
        if self.use_bias:
            maps = ops.add(maps, ops.reshape(ops.tile(self.bias, pixels), (1, 1, 1, VECTOR)))
        maps = self.activation(maps)
        return _join_rows(ops.reshape(maps, (-1, maps.shape[1], width, self.filters)), rows, height)

    def _is_foldable(self, shape):
        plain = self.strides == (1, 1) and self.groups == 1 and self.padding == "same"
        odd = all(size % 2 for size in self.kernel_size)
        fits = VECTOR % self.filters == 0 and None not in shape[1:] and shape[2] % (VECTOR // self.filters) == 0
        elementwise = self.activation in (keras.activations.relu, keras.activations.linear)
        return plain and odd and elementwise and self.data_format == "channels_last" and fits


def fold_kernel(kernel: keras.KerasTensor, pixels: int, dilation: int) -> keras.KerasTensor:
    """Return the kernel that convolves blocks of pixels of a row as `kernel` convolves the pixels.

    Pixel q of a block and tap j of the kernel meet pixel r of the block t places away, where
    t p + r = q + (j - k // 2) d.

    Args:
        kernel: float (h, k, C, F), k odd.
        pixels: p, pixels in a block.
        dilation: d, of the kernel's columns.

    Returns:
        float (h, 2 t + 1, p C, p F), with the furthest t.
    """
    rows, columns, channels, filters = kernel.shape
    furthest = -(-(columns // 2 * dilation) // pixels)
    places = np.zeros((2 * furthest + 1, pixels, pixels, columns), np.float32)
    for pixel in range(pixels):
        for tap in range(columns):
            block, other = divmod(pixel + (tap - columns // 2) * dilation, pixels)
            places[block + furthest, other, pixel, tap] = 1
    folded = ops.einsum("trqj,ijcf->itrcqf", ops.cast(places, kernel.dtype), kernel)
    return ops.reshape(folded, (rows, 2 * furthest + 1, pixels * channels, pixels * filters))


def _split_rows(maps, rows):
    """(B, H, W, C) -> (B d, ceil(H / d), W, C): every d-th row is an image of its own."""
    if rows == 1:
        return maps
    height, width, channels = maps.shape[1:]
    maps = ops.pad(maps, ((0, 0), (0, -height % rows), (0, 0), (0, 0))) if height % rows else maps
    maps = ops.reshape(maps, (-1, -(-height // rows), rows, width * channels))
    return ops.reshape(ops.transpose(maps, (0, 2, 1, 3)), (-1, maps.shape[1], width, channels))


def _join_rows(maps, rows, height):
    """The inverse of _split_rows for images of a height."""
    if rows == 1:
        return maps
    count, width, channels = maps.shape[1:]
    maps = ops.reshape(maps, (-1, rows, count, width * channels))
    maps = ops.reshape(ops.transpose(maps, (0, 2, 1, 3)), (-1, rows * count, width, channels))
    return maps[:, :height] if height % rows else maps
