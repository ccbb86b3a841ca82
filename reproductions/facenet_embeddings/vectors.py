"""Embeddings with their labels: what phase II trains on."""

from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from common.data.order import epoch_order
from common.data.pipeline import batches_of_arrays
from common.labels import to_numbers
from common.training.fit import predict

BATCH = 840  # embeddings in a step of prediction: any number of devices up to eight divides it


@dataclass(frozen=True)
class Vectors:
    """Embeddings (n, 512), float32, with their labels, int (n,), fake = 1."""

    values: np.ndarray
    labels: np.ndarray

    def training_batches(self, batch_size: int, seed: int, epoch: int) -> tf.data.Dataset:
        """Return one epoch in a new order, full batches only: ((B, 512), (B, 1) float32)."""
        order = epoch_order(self.labels, batch_size, seed, epoch)
        return batches_of_arrays(self.values, self.labels, order, batch_size)

    def sample(self, most: int, seed: int) -> "Vectors":
        """Return at most `most` of them, drawn at random."""
        chosen = np.random.default_rng(seed).permutation(len(self.labels))[:most]
        return Vectors(self.values[chosen], self.labels[chosen])

    def embed(self, network: keras.Model) -> np.ndarray:
        """Return the network's output for all, float32 (n, d)."""
        count = len(self.labels)
        if not count:
            return np.zeros((0, network.output_shape[-1]), np.float32)
        surplus = -count % BATCH  # full batches, as tf.distribute needs them
        values = np.concatenate([self.values, np.repeat(self.values[-1:], surplus, axis=0)])
        return predict(network, tf.data.Dataset.from_tensor_slices(values).batch(BATCH), count)


def vectors_by_split(images: pd.DataFrame, embeddings: np.ndarray) -> dict[str, Vectors]:
    """Return {split: Vectors} of n images and their embeddings, (n, 512) in the same order."""
    splits, labels = images["split"].to_numpy(), to_numbers(images["label"])
    return {split: Vectors(embeddings[splits == split], labels[splits == split]) for split in ("train", "val", "test")}
