"""From a table of images to batches: read, resize, augment, scale, in a tf.data pipeline.

Order and augmentation are functions of (seed, epoch): an epoch is the same whether or not the run was interrupted
before it, and on however many machines, each of which reads its shard of every batch (common.data.sharding). Memory
does not grow with the number of images beyond the budget of common.data.pixel_store.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import tensorflow as tf

from common.data.buffers import Buffers
from common.data.image_reader import ImageReader, read_or_explain
from common.data.order import epoch_order
from common.data.pixel_store import PixelStore, current_store
from common.data.sharding import current_shard
from common.errors import UserError
from common.labels import to_numbers
from common.progress import show_progress

DECODED_AHEAD = 256  # images
KEEPING = ("nearest", "bilinear", "bicubic", "area")  # methods that do not change an image of the same size

Augmentation = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class Preprocessing:
    """What happens to pixels between the file and the network: resize to (size, size), then pixel * scale + offset.

    Args:
        size: height and width of the network's input, in pixels.
        resize: a method of tf.image.ResizeMethod (`bilinear`, `bicubic`, `area`, ...), or `nearest` as OpenCV does it.
        scale: factor of each pixel.
        offset: added to each pixel after scaling.
    """

    size: int
    resize: str = "bilinear"
    scale: float = 1 / 255
    offset: float = 0.0

    def resize_image(self, image: tf.Tensor | np.ndarray) -> tf.Tensor:
        """Resize one image; down-scaling is anti-aliased if the method allows it.

        An image that has the size is returned as it is, in a quarter of the time, if the method would not change it.

        Args:
            image: uint8 (H, W, 3).

        Returns:
            uint8 (size, size, 3), rounded.
        """
        if self.resize not in KEEPING:
            return self._resize(image)
        has_size = tf.reduce_all(tf.equal(tf.shape(image)[:2], self.size))
        resized = tf.cond(has_size, lambda: tf.convert_to_tensor(image, tf.uint8), lambda: self._resize(image))
        return tf.ensure_shape(resized, (self.size, self.size, 3))

    def _resize(self, image):
        shape = (self.size, self.size)
        if self.resize == "nearest":
            # OpenCV's convention, pixel i of the result is pixel floor(i * old / new): MesoNet's weights expect it.
            image = tf.raw_ops.ResizeNearestNeighbor(images=image[None], size=shape, half_pixel_centers=False)[0]
        else:
            image = tf.image.resize(image, shape, method=self.resize, antialias=self.resize != "area")
        image = tf.cast(tf.clip_by_value(tf.round(tf.cast(image, tf.float32)), 0.0, 255.0), tf.uint8)
        return tf.ensure_shape(image, (self.size, self.size, 3))

    def scale_pixels(self, image: tf.Tensor | np.ndarray) -> tf.Tensor:
        """Bring pixels to the range that the network was trained on.

        Args:
            image: any shape and dtype, values in [0, 255].

        Returns:
            float32 of the same shape, pixel * scale + offset.
        """
        pixels = tf.cast(image, tf.float32)
        pixels = pixels if self.scale == 1 else pixels * self.scale
        return pixels + self.offset if self.offset else pixels

    def scale_into(self, image: np.ndarray, pixels: np.ndarray) -> None:
        """Do as `scale_pixels` does, bit by bit, into `pixels`, float32 of the image's shape."""
        np.multiply(image, np.float32(self.scale), out=pixels)
        if self.offset:
            pixels += np.float32(self.offset)


class Images:
    """Images of a table, ready to be batched, with the pixels of `read_image`.

    Resized pixels are kept in a store, so that each file is decoded once; those for which it has no room are decoded in
    every epoch. Iterate over the batches inside `explain_damaged_images()`, which names a file that `read_image`
    refuses.

    Args:
        table: a DataFrame with the columns file (a path) and label (fake / real).
        preprocessing: size and range of the network's input.
        store: where pixels are kept; None: the run's (common.data.pixel_store).
    """

    def __init__(self, table: pd.DataFrame, preprocessing: Preprocessing, store: PixelStore | None = None) -> None:
        self.labels = to_numbers(table["label"])
        self.preprocessing = preprocessing
        self._files = table["file"].to_list()
        self._reader = ImageReader(self._files)
        self._kept = (store or current_store()).kept(preprocessing.size, preprocessing.resize)
        self._buffers = Buffers()

    def __len__(self) -> int:
        return len(self.labels)

    def steps(self, batch_size: int, fake_share: float | None = None) -> int:
        """Return the number of batches in one epoch of `training_batches`."""
        return len(epoch_order(self.labels, batch_size, 0, 0, fake_share)) // batch_size

    def training_batches(
        self,
        batch_size: int,
        seed: int,
        epoch: int,
        augment: Augmentation | None = None,
        fake_share: float | None = None,
    ) -> tf.data.Dataset:
        """Return the batches of one epoch, in an order of its own; images that fill no batch are left out.

        Args:
            batch_size: images in a batch.
            seed: of order and augmentation.
            epoch: number of the epoch, from 0.
            augment: (images uint8 (B, S, S, 3), seeds int32 (B, 2)) -> images float32 (B, S, S, 3) in [0, 255], each
                a function of its own pixels and seed alone; None: no augmentation.
            fake_share: share of fakes in each batch, see `epoch_order`.

        Returns:
            A dataset of (images float32 (B, S, S, 3), labels float32 (B, 1)).

        Raises:
            UserError: if the table does not fill one batch.
        """
        if len(self) < batch_size:
            raise UserError(f"expected at least one batch of {batch_size} training images, got {len(self)} images")
        base = int(np.random.default_rng([seed, epoch, 1]).integers(2**31))
        order, shard = epoch_order(self.labels, batch_size, seed, epoch, fake_share), current_shard()
        own = shard.positions(len(order), batch_size)
        labels = self.labels[order[own], None].astype(np.float32)
        seeds = np.stack([np.full_like(own, base), own], axis=1).astype(np.int32)
        return self._batches(order[own], shard.size(batch_size), (labels,), augment, seeds).prefetch(tf.data.AUTOTUNE)

    def grouped_batches(self, groups: np.ndarray, batch_size: int) -> tf.data.Dataset:
        """Return batches of groups of images, for losses of pairs or triplets; groups that fill no batch are left out.

        Args:
            groups: indices into the table, int (n, k), in the order in which they come.
            batch_size: groups in a batch.

        Returns:
            A dataset of (images float32 (B, k, S, S, 3), zeros float32 (B, 1)).
        """
        shard = current_shard()
        own = groups[shard.positions(len(groups), batch_size)]
        count, size = shard.size(batch_size), self.preprocessing.size
        shape = (count, groups.shape[1], size, size, 3)
        batches = self._batches(own.ravel(), count * groups.shape[1])
        return batches.map(lambda images: (tf.reshape(images, shape), tf.zeros((count, 1)))).prefetch(tf.data.AUTOTUNE)

    def evaluation_batches(self, batch_size: int) -> tf.data.Dataset:
        """Return all images in the table's order.

        Every batch is full, as tf.distribute needs it: the last image is repeated. `predict` drops the surplus.

        Args:
            batch_size: images in a batch.

        Returns:
            A dataset of images float32 (B, S, S, 3).
        """
        order = np.minimum(np.arange(-(-len(self) // batch_size) * batch_size), len(self) - 1)
        return self._batches(order, batch_size).prefetch(tf.data.AUTOTUNE)

    def _batches(self, order, batch_size, columns=(), augment=None, seeds=None):
        """A dataset of float32 (B, S, S, 3), as the network takes them, with the same rows of `columns`.

        Batches of kept images are read as a whole: a graph that handles them one by one takes longer than their pixels.
        """
        places, shape = self._places[order], (batch_size, *self._kept.shape)
        is_kept = bool((places >= 0).all())
        is_scaled = is_kept and augment is None
        columns = columns if augment is None else (seeds, *columns)

        def finish(images, *rest):
            if augment is not None:
                images, rest = augment(tf.ensure_shape(images, shape), rest[0]), rest[1:]
            images = tf.ensure_shape(images if is_scaled else self.preprocessing.scale_pixels(images), shape)
            return (images, *rest) if rest else images

        def load(places, *rest):
            read = (self._read_scaled, tf.float32) if is_scaled else (self._read_kept, tf.uint8)
            return finish(tf.numpy_function(read[0], [places], read[1], stateful=False), *rest)

        if is_kept:
            batches = tf.data.Dataset.from_tensor_slices((places, *columns)).batch(batch_size, drop_remainder=True)
            return batches.map(load, tf.data.AUTOTUNE)
        read = self._read_function()
        images = tf.data.Dataset.from_tensor_slices((order, places, *columns))
        images = images.map(lambda index, place, *rest: (read(index, place), *rest), tf.data.AUTOTUNE)
        return images.batch(batch_size, drop_remainder=True).map(finish, tf.data.AUTOTUNE)

    @cached_property
    def _places(self):
        """Where the store keeps each image, int64 (n,); -1: it does not. Those that it lacks are decoded now."""
        places = zip(self._files, self._kept.places(self._files), strict=True)
        missing = list(dict.fromkeys(file for file, place in places if place < 0))
        if missing and not self._kept.is_full:
            for file, pixels in show_progress(self._decode(missing), "decoding", len(missing), "image"):
                if not self._kept.add(file, pixels):
                    break
        return self._kept.places(self._files)

    def _decode(self, files):
        """Yield each file with its pixels, uint8 (S, S, 3): in threads, which take less than half of tf.data's time."""
        resize = tf.function(
            self.preprocessing.resize_image, input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)]
        )

        def decode(file):
            image = read_or_explain(file)
            keeps = image.shape == self._kept.shape and self.preprocessing.resize in KEEPING
            with tf.device("CPU"):  # as in tf.data
                return image if keeps else resize(image).numpy()

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(files), DECODED_AHEAD):
                some = files[start : start + DECODED_AHEAD]
                yield from zip(some, pool.map(decode, some), strict=True)

    def _read_kept(self, places):
        """The pixels at places of the store, uint8 (B, S, S, 3)."""
        batch = self._buffers.take((len(places), *self._kept.shape), np.uint8)
        for pixels, place in zip(batch, places, strict=True):
            pixels[:] = self._kept.read(place)
        return batch

    def _read_scaled(self, places):
        """The same in the range of the network, float32 (B, S, S, 3)."""
        batch = self._buffers.take((len(places), *self._kept.shape), np.float32)
        for pixels, place in zip(batch, places, strict=True):
            self.preprocessing.scale_into(self._kept.read(place), pixels)
        return batch

    def _read_function(self):
        """A function for use in the graph: index and place of an image -> uint8 (S, S, 3), kept or not."""
        read = self._reader.read_function()

        def read_one(index, place):
            image = tf.cond(
                place < 0,
                lambda: self.preprocessing.resize_image(read(index)),
                lambda: tf.numpy_function(lambda place: self._kept.read(place), [place], tf.uint8, stateful=False),
            )
            return tf.ensure_shape(image, self._kept.shape)

        return read_one


def batches_of_arrays(inputs: np.ndarray, labels: np.ndarray, order: np.ndarray, batch_size: int) -> tf.data.Dataset:
    """Return the full batches of one epoch of examples that are in memory.

    Args:
        inputs: (n, ...), float32.
        labels: int (n,).
        order: of the epoch, int (m,).
        batch_size: examples in a batch.

    Returns:
        A dataset of (inputs (B, ...), labels float32 (B, 1)).
    """
    shard = current_shard()
    own = order[shard.positions(len(order), batch_size)]
    pairs = inputs[own], labels[own, None].astype(np.float32)
    return tf.data.Dataset.from_tensor_slices(pairs).batch(shard.size(batch_size), drop_remainder=True)
