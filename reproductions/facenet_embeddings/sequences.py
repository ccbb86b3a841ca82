"""The frames of each video in their order: what the LSTM of phase I trains on."""

from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from common.data.pipeline import batches_of_arrays
from common.evaluation.evaluate import video_numbers
from common.labels import FAKE, to_numbers
from common.training.fit import predict
from reproductions.facenet_embeddings.model import padded


def order_frames(images: pd.DataFrame) -> pd.DataFrame:
    """Return images video by video, each in the order of its frames, with the columns number (of the video) and place.

    Args:
        images: with the columns dataset, video and frame; an image without a frame number is the first.
    """
    place = images["frame"].where(images["frame"] != "", "0").astype(int)
    images = images.assign(number=video_numbers(images), place=place)
    return images.sort_values(["number", "place"], kind="stable")


@dataclass(frozen=True)
class VideoSequences:
    """The videos of one split, n of them.

    Args:
        frames: their embeddings (n, T, D), padded to the longest.
        labels: int (n,), fake = 1.
        video_of_frame: the video of each image of the split, int (images,).
    """

    frames: np.ndarray
    labels: np.ndarray
    video_of_frame: np.ndarray

    @classmethod
    def of_split(cls, images: pd.DataFrame, embeddings: np.ndarray, split: str) -> "VideoSequences":
        """Return the sequences of a split, which may be empty.

        Args:
            images: of `order_frames`, with the column split.
            embeddings: of their frames, (images, D).
            split: train, val or test.
        """
        chosen = (images["split"] == split).to_numpy()
        embeddings, labels = embeddings[chosen], to_numbers(images["label"])[chosen]
        numbers = images["number"].to_numpy()[chosen]
        _, first, video_of_frame = np.unique(numbers, return_index=True, return_inverse=True)
        videos = [embeddings[video_of_frame == video] for video in range(len(first))]
        frames = padded(videos) if videos else np.zeros((0, 1, embeddings.shape[1]), np.float32)
        return cls(frames, labels[first], video_of_frame)

    def training_batches(self, batch_size: int, seed: int, epoch: int) -> tf.data.Dataset:
        """Return one epoch in a new order, full batches only: ((B, T, D), (B, 1) float32)."""
        order = np.random.default_rng([seed, epoch, 0]).permutation(len(self.labels))
        return batches_of_arrays(self.frames, self.labels, order, batch_size)

    def scores(self, network: keras.Model, batch_size: int) -> np.ndarray:
        """Return the network's P(fake) of each video, float32 (n,)."""
        count = len(self.labels)
        if not count:
            return np.zeros(0, np.float32)
        frames = np.concatenate([self.frames, np.repeat(self.frames[-1:], -count % batch_size, axis=0)])
        return predict(network, tf.data.Dataset.from_tensor_slices(frames).batch(batch_size), count)[:, FAKE]
