"""From a table of images to batches: read, resize, augment, scale, in a tf.data pipeline.

Order and augmentation are functions of (seed, epoch): an epoch is the same whether or not the run was interrupted
before it, and on however many machines, each of which reads its shard of every batch (common.data.sharding). Memory
does not grow with the number of images beyond the budget of common.data.pixel_store.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import tensorflow as tf

from common.data.buffers import Buffers
from common.data.image_reader import ImageReader, explain_damaged_images
from common.data.pixel_store import PixelStore, current_store
from common.data.sharding import current_shard
from common.errors import UserError
from common.labels import to_numbers
from common.progress import show_progress

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

        Args:
            image: uint8 (H, W, 3).

        Returns:
            uint8 (size, size, 3), rounded.
        """
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
        batches = self._batches(order[own], shard.size(batch_size), (labels, seeds), augment)
        return batches.map(lambda images, labels, seeds: (images, labels)).prefetch(tf.data.AUTOTUNE)

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

    def _batches(self, order, batch_size, columns=(), augment=None):
        """A dataset of float32 (B, S, S, 3), as the network takes them, with the same rows of `columns`.

        Batches of kept images are read as a whole: a graph that handles them one by one takes longer than their pixels.
        """
        places, scale = self._places[order], self.preprocessing.scale_pixels

        def finish(images, *rest):
            images = self._with_shape(images, batch_size)
            images = scale(images if augment is None else augment(images, rest[-1]))
            return (images, *rest) if rest else images

        def load(places, *rest):
            if augment is not None:
                return finish(tf.numpy_function(self._read_kept, [places], tf.uint8, stateful=False), *rest)
            images = tf.numpy_function(self._read_scaled, [places], tf.float32, stateful=False)
            images = self._with_shape(images, batch_size)
            return (images, *rest) if rest else images

        if (places >= 0).all():
            batches = tf.data.Dataset.from_tensor_slices((places, *columns)).batch(batch_size, drop_remainder=True)
            return batches.map(load, tf.data.AUTOTUNE)
        read = self._read_function()
        images = tf.data.Dataset.from_tensor_slices((order, places, *columns))
        images = images.map(lambda index, place, *rest: (read(index, place), *rest), tf.data.AUTOTUNE)
        return images.batch(batch_size, drop_remainder=True).map(finish, tf.data.AUTOTUNE)

    def _with_shape(self, images, batch_size):
        size = self.preprocessing.size
        return tf.ensure_shape(images, (batch_size, size, size, 3))

    @cached_property
    def _places(self):
        """Where the store keeps each image, int64 (n,); -1: it does not. Those that it lacks are decoded now."""
        missing = [file for file, place in zip(self._files, self._kept.places(self._files), strict=True) if place < 0]
        missing = list(dict.fromkeys(missing))
        if missing and not self._kept.is_full:
            read = ImageReader(missing).read_function(reread=False)
            images = tf.data.Dataset.range(len(missing))
            images = images.map(lambda index: self.preprocessing.resize_image(read(index)), tf.data.AUTOTUNE)
            decoded = zip(missing, images.prefetch(tf.data.AUTOTUNE).as_numpy_iterator(), strict=True)
            with explain_damaged_images():
                for file, pixels in show_progress(decoded, "decoding", len(missing), "image"):
                    if not self._kept.add(file, pixels):
                        break
        return self._kept.places(self._files)

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
        read, size = self._reader.read_function(), self.preprocessing.size

        def read_place(place):
            return self._kept.read(place)

        def read_one(index, place):
            image = tf.cond(
                place < 0,
                lambda: self.preprocessing.resize_image(read(index)),
                lambda: tf.numpy_function(read_place, [place], tf.uint8, stateful=False),
            )
            return tf.ensure_shape(image, (size, size, 3))

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


def epoch_order(
    labels: np.ndarray, batch_size: int, seed: int, epoch: int, fake_share: float | None = None
) -> np.ndarray:
    """Return the order of one epoch, another one for each (seed, epoch).

    Args:
        labels: int (n,), fake = 1, real = 0.
        batch_size: images in a batch.
        seed: of the run.
        epoch: number of the epoch, from 0.
        fake_share: None: all images once, as the data are. A share in (0, 1): round(share * batch_size) fakes in every
            batch. Each class has a shuffled order of its own; the smaller class is repeated until the larger one has
            been used once.

    Returns:
        Indices into `labels`, int (m,); m = n without a share.

    Raises:
        UserError: if `fake_share` leaves no place for a class in a batch, or a class has no image.
    """
    generator = np.random.default_rng([seed, epoch, 0])
    if fake_share is None:
        return generator.permutation(len(labels))
    classes = [np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)]
    fakes = round(fake_share * batch_size)
    counts = [fakes, batch_size - fakes]
    if min(counts) < 1 or any(len(members) == 0 for members in classes):
        raise UserError(
            f"a share of {fake_share} fakes in batches of {batch_size} needs both classes in every batch; "
            f"the training split has {len(classes[0])} fake and {len(classes[1])} real images"
        )
    batches = max(1, *(len(members) // count for members, count in zip(classes, counts, strict=True)))
    drawn = []
    for members, count in zip(classes, counts, strict=True):
        rounds = -(-batches * count // len(members))
        repeated = np.concatenate([generator.permutation(members) for _ in range(rounds)])
        drawn.append(repeated[: batches * count].reshape(batches, count))
    return np.concatenate([generator.permutation(batch) for batch in np.concatenate(drawn, axis=1)])
