"""What the losses share that find their pairs and triplets in the batch.

Such a loss is a mean over terms (pairs, triplets, anchors), published as one number: sum of terms / number of terms.
Keras wants one value per example. Every term belongs to one anchor, so example i gets

    value_i = (sum of the terms whose anchor is i) * B / (number of terms in the batch),

and the mean of the values over the batch is the published number. Sample weights weigh anchors.

Under tf.distribute a device sees a slice of the batch only. Labels and embeddings are gathered over the devices, each
mines the whole batch, and returns the values of its own examples; gradients flow back to the device they came from.
"""

import keras
from keras import ops

from common.losses.batch import Batch


class MinedLoss(keras.losses.Loss):
    """Base of the losses with y_true = class labels (B,) or (B, 1), y_pred = embeddings float (B, N); returns (B,).

    Labels are whole numbers below 2^24 (Keras hands them over as float32). A batch in which nothing can be mined has
    the value 0 and the gradient 0. Time O(B^2 log B) at most, memory O(B^2), B being the global batch.
    """

    def terms(self, batch):
        """(sum of each anchor's terms, float (B,); their number (B,)) of a common.losses.batch.Batch."""
        raise NotImplementedError

    def call(self, y_true, y_pred):
        if len(y_pred.shape) != 2 or len(y_true.shape) > 2 or (len(y_true.shape) == 2 and y_true.shape[1] != 1):
            raise ValueError(
                "expected y_true of shape (B,) or (B, 1), class labels, and y_pred of shape (B, N), embeddings; "
                f"received {y_true.shape} and {y_pred.shape}"
            )
        labels, embeddings, own = _over_replicas(ops.reshape(y_true, (-1,)), y_pred)
        by_class = ops.argsort(labels)
        sums, numbers = self.terms(Batch(ops.take(labels, by_class), ops.take(embeddings, by_class, axis=0)))
        total = ops.maximum(ops.sum(ops.cast(numbers, sums.dtype)), 1)
        values = sums * (ops.cast(ops.shape(labels)[0], sums.dtype) / total)  # in the order of classes
        return ops.take(values, ops.take(ops.argsort(by_class), own))


def _over_replicas(labels, embeddings):
    """Labels and embeddings of the global batch, and the positions of this device's examples in it."""
    own = ops.arange(ops.shape(labels)[0])
    if keras.backend.backend() != "tensorflow":
        return labels, embeddings, own
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()  # None while Keras only asks for shapes
    if replica is None or replica.num_replicas_in_sync == 1:
        return labels, embeddings, own
    number = replica.replica_id_in_sync_group
    owners = replica.all_gather(tf.fill(tf.shape(labels), number), axis=0)
    before = tf.math.count_nonzero(owners < number, dtype=own.dtype)
    # The reshape makes the gradient a tensor: all_gather's own gradient fails on the IndexedSlices of a tf.gather.
    everyones = tf.reshape(replica.all_gather(embeddings, axis=0), (-1, embeddings.shape[1]))
    return replica.all_gather(labels, axis=0), everyones, before + own
