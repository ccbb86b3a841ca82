"""The base of losses that find their triplets in the batch.

Such a loss is a mean over terms (triplets, pairs or anchors), published as one number: sum of terms / number of terms.
Keras expects one value per example. Every term belongs to one anchor, so example i gets

    value_i = (sum of the terms whose anchor is i) * B / (number of terms in the batch),

and the mean of the values over the batch is the published number. A sample weight multiplies the terms whose anchor is
that example; as a positive or negative of other anchors the example counts in full.

Under tf.distribute a device sees only a slice of the batch. Labels and embeddings are gathered over the devices, each
device mines the whole batch and returns the values of its own examples; gradients flow back to the device that they
came from.
"""

from abc import ABC, abstractmethod
from typing import Any

import keras
import numpy as np
from keras import ops

from common.losses.batch import SortedBatch
from common.losses.margin import MarginLoss, at_least_float32

LABEL_TYPES = ("int", "float", "bool")  # parts of the names of the dtypes that are accepted


class MinedLoss(MarginLoss, ABC):
    """Base class of the mined losses; a subclass defines `terms`.

    Time is at most O(B^2 log B) and memory O(B^2), with B the global batch size. A batch in which nothing can be mined
    has the value 0 and the gradient 0.
    """

    @abstractmethod
    def terms(self, batch: SortedBatch) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Return the sum of each anchor's terms, float (B,), and their number, int32 (B,).

        Args:
            batch: the embeddings sorted by class.
        """

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> keras.KerasTensor:
        """Return the reduced loss. Arguments are those of `call`, and weights of the examples, (B,) or (B, 1).

        keras.losses.Loss would cast the labels to float32, in which whole numbers above 2^24 coincide.
        """
        values = self.call(y_true, y_pred)
        return _GivenValues(self.name, self.reduction, self.dtype)(values, values, sample_weight)

    def call(self, y_true: Any, y_pred: Any) -> keras.KerasTensor:
        """Return one value per example.

        Args:
            y_true: class labels (B,) or (B, 1), of any integer, float or boolean dtype: equal numbers are one class; or
                (B, C), one-hot or probabilities: the largest of a row is its class.
            y_pred: embeddings, float (B, N). Those of 16 bits are computed in float32.

        Returns:
            float (B,), float32 or float64.

        Raises:
            ValueError: for other shapes, and for labels that are not numbers.
        """
        labels, embeddings = _labels_as_numbers(y_true), ops.convert_to_tensor(y_pred)
        if len(embeddings.shape) != 2 or len(labels.shape) not in (1, 2) or labels.shape[1:] == (None,):
            raise ValueError(
                "expected y_true of shape (B,), (B, 1) or one-hot (B, C), class labels, and y_pred of shape (B, N), "
                f"embeddings; received {labels.shape} and {embeddings.shape}"
            )
        labels, embeddings, own = _gather_replicas(_one_number_each(labels), at_least_float32(embeddings))
        by_class = ops.argsort(labels)
        batch = SortedBatch(ops.take(labels, by_class), ops.take(embeddings, by_class, axis=0), self.distance)
        sums, counts = self.terms(batch)
        total = ops.maximum(ops.sum(ops.cast(counts, sums.dtype)), 1)
        values = sums * (ops.cast(ops.shape(labels)[0], sums.dtype) / total)  # (B,) in the order of classes
        return ops.take(values, ops.take(ops.argsort(by_class), own))


class _GivenValues(keras.losses.Loss):
    """Weights and reduces values (B,) that are already computed, as every Keras loss does."""

    def call(self, y_true, y_pred):
        return y_pred


def _labels_as_numbers(y_true):
    """Labels as a tensor of int32, int64, float32 or float64, which every backend can sort."""
    labels = y_true if hasattr(y_true, "dtype") else np.asarray(y_true)
    if not any(name in str(labels.dtype) for name in LABEL_TYPES):
        raise ValueError(
            f"expected class labels as numbers, received {labels.dtype}; number the classes first, e.g. by "
            "numpy.unique(labels, return_inverse=True)[1] or keras.layers.StringLookup"
        )
    labels = ops.convert_to_tensor(labels)
    dtype = keras.backend.standardize_dtype(labels.dtype)
    if dtype.endswith("64") or dtype == "uint32":
        return ops.cast(labels, "float64" if dtype == "float64" else "int64")
    return ops.cast(labels, "float32" if "float" in dtype else "int32")


def _one_number_each(labels):
    """Labels (B,) of labels (B,) or (B, 1), or of one-hot rows (B, C)."""
    if len(labels.shape) == 1 or labels.shape[1] == 1:
        return ops.reshape(labels, (-1,))
    return ops.argmax(labels, axis=1)


def _gather_replicas(labels, embeddings):
    """Labels and embeddings of the global batch, and the positions of this device's examples in it."""
    own = ops.arange(ops.shape(labels)[0])
    if keras.backend.backend() != "tensorflow":
        return labels, embeddings, own
    import tensorflow as tf  # here, since it is not installed with every backend

    context = tf.distribute.get_replica_context()  # None while Keras only infers shapes
    if context is None or context.num_replicas_in_sync == 1:
        return labels, embeddings, own
    replica = context.replica_id_in_sync_group
    owners = context.all_gather(tf.fill(tf.shape(labels), replica), axis=0)
    before = tf.math.count_nonzero(owners < replica, dtype=own.dtype)
    # The reshape makes the gradient a tensor: all_gather's own gradient fails on the IndexedSlices of a tf.gather.
    gathered = tf.reshape(context.all_gather(embeddings, axis=0), (-1, embeddings.shape[1]))
    return context.all_gather(labels, axis=0), gathered, before + own
