"""The base of losses that find their triplets in the batch.

Such a loss is a mean over terms (triplets, pairs or anchors), published as one number: sum of terms / number of terms.
Keras expects one value per example. Every term belongs to one anchor, so example i gets

    value_i = (sum of the terms whose anchor is i) * B / (number of terms in the batch),

and the mean of the values over the batch is the published number. Sample weights weigh anchors.

Under tf.distribute a device sees only a slice of the batch. Labels and embeddings are gathered over the devices, each
device mines the whole batch and returns the values of its own examples; gradients flow back to the device that they
came from.
"""

from abc import ABC, abstractmethod

import keras
from keras import ops

from common.losses.batch import SortedBatch


class MinedLoss(keras.losses.Loss, ABC):
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

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Return one value per example.

        Args:
            y_true: class labels (B,) or (B, 1), whole numbers below 2^24 (Keras passes them as float32).
            y_pred: embeddings, float (B, N).

        Returns:
            float (B,).

        Raises:
            ValueError: for other shapes.
        """
        if len(y_pred.shape) != 2 or len(y_true.shape) > 2 or (len(y_true.shape) == 2 and y_true.shape[1] != 1):
            raise ValueError(
                "expected y_true of shape (B,) or (B, 1), class labels, and y_pred of shape (B, N), embeddings; "
                f"received {y_true.shape} and {y_pred.shape}"
            )
        labels, embeddings, own = _gather_replicas(ops.reshape(y_true, (-1,)), y_pred)
        by_class = ops.argsort(labels)
        sums, counts = self.terms(SortedBatch(ops.take(labels, by_class), ops.take(embeddings, by_class, axis=0)))
        total = ops.maximum(ops.sum(ops.cast(counts, sums.dtype)), 1)
        values = sums * (ops.cast(ops.shape(labels)[0], sums.dtype) / total)  # (B,) in the order of classes
        return ops.take(values, ops.take(ops.argsort(by_class), own))


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
