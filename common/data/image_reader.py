"""Image files as tensors, inside a tf.data pipeline, with exactly the pixels of `read_image`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

from common.data.decoding import Unreadable, read_image
from common.errors import UserError

_refusals: dict[str, str] = {}  # file -> reason; TensorFlow reports an exception of ours as text only


class ImageReader:
    """Reads image files in the TensorFlow graph, with the pixels of `read_image` whatever decodes them.

    `read_image` holds Python's lock for part of its time. For files that are read in every epoch the reader therefore
    compares TensorFlow's decoder with `read_image` once: files on which both agree in every pixel are decoded by
    TensorFlow in all later epochs. The others (EXIF orientation, palettes, 16 bits, CMYK, ...) stay with `read_image`.

    Args:
        files: paths of image files that `read_image` accepts.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self.files = list(files)
        self._compared = np.zeros(len(self.files), bool)
        self._agrees = np.zeros(len(self.files), bool)

    def read_function(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Return a function for use in a graph: index of a file, int scalar -> uint8 RGB (height, width, 3).

        Ask for a new function in each epoch: it uses what the epochs before have found out about the decoders.

        Returns:
            The function. It raises an error that `explain_damaged_images` explains if `read_image` refuses a file.
        """
        with tf.device("CPU"):
            files, agrees = tf.constant(self.files, tf.string), tf.constant(self._agrees)

        def read(index):
            image = tf.cond(
                tf.gather(agrees, index),
                lambda: decode_with_tensorflow(tf.io.read_file(tf.gather(files, index))),
                lambda: tf.numpy_function(self._read_and_compare, [index], tf.uint8, stateful=False),
            )
            return tf.ensure_shape(image, (None, None, 3))

        return read

    def _read(self, index):
        file = self.files[index]
        try:
            return read_image(file)
        except Unreadable as error:
            _refusals[file] = str(error)
            raise ValueError(_describe_refusal(file)) from None

    def _read_and_compare(self, index):
        image = self._read(index)
        if not self._compared[index]:
            self._agrees[index] = _tensorflow_agrees(self.files[index], image)
            self._compared[index] = True
        return image


@contextmanager
def explain_damaged_images() -> Iterator[None]:
    """Turn TensorFlow's error about an image that is missing or damaged into a UserError that names the file.

    Raises:
        UserError: instead of TensorFlow's error. Errors of other operations pass unchanged.
    """
    try:
        yield
    except tf.errors.OpError as error:
        file = next((file for file in _refusals if _describe_refusal(file) in error.message), None)
        if file is None and not any(operation in str(error) for operation in ("ReadFile", "Decode", "decode_image")):
            raise
        reason = _describe_refusal(file) if file else error.message.strip().splitlines()[0].rpartition("}} ")[2]
        raise _damaged(reason) from error


def read_or_explain(file: str) -> np.ndarray:
    """Return the pixels of an image file as `read_image` does.

    Raises:
        UserError: if it is refused.
    """
    try:
        return read_image(file)
    except Unreadable as error:
        raise _damaged(f"{file}: {error}") from error


def decode_with_tensorflow(contents: tf.Tensor) -> tf.Tensor:
    """Decode the bytes of a JPEG, PNG or BMP file, scalar string -> uint8 RGB (H, W, 3), as TensorFlow does it.

    JPEG uses the accurate transform, as Pillow does. EXIF orientation is ignored and palettes are misread: only
    `ImageReader` may call this, for files whose pixels it has compared.
    """
    return tf.cond(
        tf.io.is_jpeg(contents),
        lambda: tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(contents, channels=3, expand_animations=False),
    )


def _tensorflow_agrees(file, image):
    try:
        with tf.device("CPU"):
            return np.array_equal(decode_with_tensorflow(tf.io.read_file(file)), image)
    except tf.errors.OpError:
        return False


def _damaged(reason):
    return UserError(
        f"an image of the manifest is missing or damaged: {reason}; "
        "`python -m data_prep verify FOLDER` lists all damaged images of a prepared folder"
    )


def _describe_refusal(file):
    return f"{file}: {_refusals[file]}"
