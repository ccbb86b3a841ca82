"""From a table of images to batches: decode, resize, augment, scale, in the TensorFlow graph.

Order and augmentation are functions of (seed, epoch): an epoch is the same whether or not the run was interrupted
before it. Memory is flat in the number of images, except for a cache of decoded pixels where they fit its budget.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import tensorflow as tf

from common.errors import UserError
from common.labels import to_numbers

CACHE_BYTES = 1 << 30


@dataclass(frozen=True)
class Preprocessing:
    """What happens to pixels between the file and the network: resize to (size, size), then pixel * scale + offset."""

    size: int
    resize: str = "bilinear"  # bilinear, bicubic, area, ... of tf.image.ResizeMethod; nearest as OpenCV has it
    scale: float = 1 / 255
    offset: float = 0.0

    def resized(self, image):
        """uint8 (H, W, 3) -> uint8 (size, size, 3), rounded; down-scaling is anti-aliased where the method allows."""
        shape = (self.size, self.size)
        if self.resize == "nearest":
            # OpenCV's convention, pixel i of the result is pixel floor(i * old / new): MesoNet's weights expect it.
            image = tf.raw_ops.ResizeNearestNeighbor(images=image[None], size=shape, half_pixel_centers=False)[0]
        else:
            image = tf.image.resize(image, shape, method=self.resize, antialias=self.resize != "area")
        image = tf.cast(tf.clip_by_value(tf.round(tf.cast(image, tf.float32)), 0.0, 255.0), tf.uint8)
        return tf.ensure_shape(image, (self.size, self.size, 3))

    def scaled(self, image):
        """[0, 255] of any dtype -> float32 in the range the network was trained on."""
        return tf.cast(image, tf.float32) * self.scale + self.offset


def decode(file):
    """The bytes of a JPEG, PNG or BMP -> uint8 (H, W, 3), RGB. JPEG by the accurate transform, as Pillow does."""
    contents = tf.io.read_file(file)
    image = tf.cond(
        tf.io.is_jpeg(contents),
        lambda: tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(contents, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(image, (None, None, 3))


@contextmanager
def damage_named():
    """Turn TensorFlow's error about an image that went missing or bad since it was prepared into a UserError."""
    try:
        yield
    except (tf.errors.InvalidArgumentError, tf.errors.NotFoundError) as error:
        if not any(operation in str(error) for operation in ("ReadFile", "Decode", "decode_image")):
            raise
        reason = error.message.strip().splitlines()[0].rpartition("}} ")[2]
        raise UserError(
            f"an image of the manifest is missing or damaged ({reason}); `python -m data_prep verify FOLDER` names it"
        ) from error


class Images:
    """Images of a table, ready to be batched.

    table: a DataFrame with the columns file (a path) and label (fake / real). Resized pixels are kept in memory where
    all of them fit into `cache_bytes`; larger sets are decoded anew in every epoch.
    """

    def __init__(self, table, preprocessing, cache_bytes=CACHE_BYTES):
        self.files = tf.constant(table["file"].to_list(), tf.string)
        self.labels = to_numbers(table["label"])
        self.preprocessing = preprocessing
        self._caching = len(table) * preprocessing.size**2 * 3 <= cache_bytes

    def __len__(self):
        return len(self.labels)

    def steps(self, batch_size, fake_share=None):
        """Batches of one epoch."""
        return len(epoch_order(self.labels, batch_size, 0, 0, fake_share)) // batch_size

    def training_batches(self, batch_size, seed, epoch, augment=None, fake_share=None):
        """One epoch, in a new order: a tf.data.Dataset of (images (B, S, S, 3) float32, labels (B, 1) float32).

        augment: (image float32 in [0, 255], seed (2,) int32) -> image. The tail that fills no batch is left out.
        UserError if the table does not fill one batch.
        """
        if len(self) < batch_size:
            raise UserError(f"expected at least one batch of {batch_size} training images, got {len(self)} images")
        base = int(np.random.default_rng([seed, epoch, 1]).integers(2**31))
        pixels = self._reader()

        def load(place, index):
            image = pixels(index)
            if augment is not None:
                seeds = tf.stack([tf.constant(base, tf.int32), tf.cast(place, tf.int32)])
                image = tf.clip_by_value(augment(tf.cast(image, tf.float32), seeds), 0.0, 255.0)
            return self.preprocessing.scaled(image), tf.cast(tf.gather(self.labels, index), tf.float32)[None]

        order = tf.data.Dataset.from_tensor_slices(epoch_order(self.labels, batch_size, seed, epoch, fake_share))
        batches = order.enumerate().map(load, tf.data.AUTOTUNE).batch(batch_size, drop_remainder=True)
        return batches.prefetch(tf.data.AUTOTUNE)

    def grouped_batches(self, groups, batch_size):
        """Batches of groups of images, for losses of pairs or triplets, in the order of `groups`, int (n, k).

        A tf.data.Dataset of (images (B, k, S, S, 3) float32, zeros (B, 1)). The tail that fills no batch is left out.
        """
        pixels = self._reader()

        def load(group):
            images = tf.map_fn(pixels, group, fn_output_signature=tf.uint8)  # (k, S, S, 3)
            return self.preprocessing.scaled(images), tf.zeros(1)

        batches = tf.data.Dataset.from_tensor_slices(groups).map(load, tf.data.AUTOTUNE)
        return batches.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)

    def evaluation_batches(self, batch_size):
        """All images in the table's order: a tf.data.Dataset of images (B, S, S, 3) float32.

        Every batch is full, as tf.distribute needs it: the last image is repeated, and `predict` cuts the surplus.
        """
        pixels = self._reader()
        order = np.minimum(np.arange(-(-len(self) // batch_size) * batch_size), len(self) - 1)
        images = tf.data.Dataset.from_tensor_slices(order).map(
            lambda index: self.preprocessing.scaled(pixels(index)), tf.data.AUTOTUNE
        )
        return images.batch(batch_size).prefetch(tf.data.AUTOTUNE)

    def _reader(self):
        """A function of an image's index for use in the graph -> uint8 (S, S, 3)."""
        if not self._caching:
            return lambda index: self.preprocessing.resized(decode(tf.gather(self.files, index)))
        cache = self._cache
        return lambda index: tf.gather(cache, index)

    @cached_property
    def _cache(self):
        """uint8 (N, S, S, 3): all images, decoded and resized once."""
        size = self.preprocessing.size
        pixels = np.empty((len(self), size, size, 3), np.uint8)
        images = tf.data.Dataset.from_tensor_slices(self.files)
        images = images.map(lambda file: self.preprocessing.resized(decode(file)), tf.data.AUTOTUNE)
        for place, image in enumerate(images.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()):
            pixels[place] = image
        with tf.device("CPU"):
            return tf.constant(pixels)


def epoch_order(labels, batch_size, seed, epoch, fake_share=None):
    """The order of one epoch as indices into `labels` (n,), new for each (seed, epoch).

    fake_share: None keeps the data as they are; a share in (0, 1) puts round(share * batch_size) fakes into every
    batch: each class is gone through in its own shuffled order, the smaller one several times, until the larger one
    is through once. UserError where a class would have no place in a batch, or has no image.
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
