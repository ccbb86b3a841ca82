"""From a table of images to batches: read, resize, augment, scale, in a tf.data pipeline.

Order and augmentation are functions of (seed, epoch): an epoch is the same whether or not the run was interrupted
before it, and on however many machines, each of which reads its shard of every batch (common.data.sharding). Memory
does not grow with the number of images, except for a cache of resized pixels if they fit its budget.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import tensorflow as tf

from common.data.image_reader import ImageReader, explain_damaged_images
from common.data.sharding import current_shard
from common.errors import UserError
from common.labels import to_numbers

CACHE_BYTES = 1 << 30

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
        return tf.cast(image, tf.float32) * self.scale + self.offset


class Images:
    """Images of a table, ready to be batched, with the pixels of `read_image`.

    Resized pixels are kept in memory if all of them fit into `cache_bytes`; larger sets are decoded in every epoch.
    Iterate over the batches inside `explain_damaged_images()`, which names a file that `read_image` refuses.

    Args:
        table: a DataFrame with the columns file (a path) and label (fake / real).
        preprocessing: size and range of the network's input.
        cache_bytes: budget of the cache; 0: nothing is cached.
    """

    def __init__(self, table: pd.DataFrame, preprocessing: Preprocessing, cache_bytes: int = CACHE_BYTES) -> None:
        self.labels = to_numbers(table["label"])
        self.preprocessing = preprocessing
        self._reader = ImageReader(table["file"].to_list())
        self._is_cached = len(table) * preprocessing.size**2 * 3 <= cache_bytes

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
            augment: (image float32 (S, S, 3) in [0, 255], seed int32 (2,)) -> image; None: no augmentation.
            fake_share: share of fakes in each batch, see `epoch_order`.

        Returns:
            A dataset of (images float32 (B, S, S, 3), labels float32 (B, 1)).

        Raises:
            UserError: if the table does not fill one batch.
        """
        if len(self) < batch_size:
            raise UserError(f"expected at least one batch of {batch_size} training images, got {len(self)} images")
        base = int(np.random.default_rng([seed, epoch, 1]).integers(2**31))
        read_pixels = self._pixel_function()

        def load(position, index):
            image = read_pixels(index)
            if augment is not None:
                seeds = tf.stack([tf.constant(base, tf.int32), tf.cast(position, tf.int32)])
                image = tf.clip_by_value(augment(tf.cast(image, tf.float32), seeds), 0.0, 255.0)
            return self.preprocessing.scale_pixels(image), tf.cast(tf.gather(self.labels, index), tf.float32)[None]

        order, shard = epoch_order(self.labels, batch_size, seed, epoch, fake_share), current_shard()
        own = shard.positions(len(order), batch_size)
        images = tf.data.Dataset.from_tensor_slices((own, order[own])).map(load, tf.data.AUTOTUNE)
        return images.batch(shard.size(batch_size), drop_remainder=True).prefetch(tf.data.AUTOTUNE)

    def grouped_batches(self, groups: np.ndarray, batch_size: int) -> tf.data.Dataset:
        """Return batches of groups of images, for losses of pairs or triplets; groups that fill no batch are left out.

        Args:
            groups: indices into the table, int (n, k), in the order in which they come.
            batch_size: groups in a batch.

        Returns:
            A dataset of (images float32 (B, k, S, S, 3), zeros float32 (B, 1)).
        """
        read_pixels = self._pixel_function()

        def load(group):
            images = tf.map_fn(read_pixels, group, fn_output_signature=tf.uint8)  # (k, S, S, 3)
            return self.preprocessing.scale_pixels(images), tf.zeros(1)

        shard = current_shard()
        own = groups[shard.positions(len(groups), batch_size)]
        batches = tf.data.Dataset.from_tensor_slices(own).map(load, tf.data.AUTOTUNE)
        return batches.batch(shard.size(batch_size), drop_remainder=True).prefetch(tf.data.AUTOTUNE)

    def evaluation_batches(self, batch_size: int) -> tf.data.Dataset:
        """Return all images in the table's order.

        Every batch is full, as tf.distribute needs it: the last image is repeated. `predict` drops the surplus.

        Args:
            batch_size: images in a batch.

        Returns:
            A dataset of images float32 (B, S, S, 3).
        """
        read_pixels = self._pixel_function()
        order = np.minimum(np.arange(-(-len(self) // batch_size) * batch_size), len(self) - 1)
        images = tf.data.Dataset.from_tensor_slices(order).map(
            lambda index: self.preprocessing.scale_pixels(read_pixels(index)), tf.data.AUTOTUNE
        )
        return images.batch(batch_size).prefetch(tf.data.AUTOTUNE)

    def _pixel_function(self):
        """A function for use in the graph: index of an image -> uint8 (S, S, 3)."""
        if self._is_cached:
            cache = self._cache
            return lambda index: tf.gather(cache, index)
        read = self._reader.read_function()
        return lambda index: self.preprocessing.resize_image(read(index))

    @cached_property
    def _cache(self):
        """uint8 (N, S, S, 3): all images, decoded and resized once."""
        size = self.preprocessing.size
        pixels = np.empty((len(self), size, size, 3), np.uint8)
        read = self._reader.read_function(reread=False)
        images = tf.data.Dataset.range(len(self))
        images = images.map(lambda index: self.preprocessing.resize_image(read(index)), tf.data.AUTOTUNE)
        with explain_damaged_images():
            for position, image in enumerate(images.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()):
                pixels[position] = image
        with tf.device("CPU"):
            return tf.constant(pixels)


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
