"""The scores of one trained detector for images as they are, and for perturbed ones."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from common.data.decoding import Unreadable, read_image
from common.data.perturbations import perturb
from common.data.pipeline import Preprocessing
from common.detectors import store
from common.detectors.description import Description
from common.progress import show_progress
from results.cross.table import UNPERTURBED, Variant

BATCH = 64


def score(
    folder: Path, description: Description, images: pd.DataFrame, variants: Sequence[Variant], title: str
) -> tuple[np.ndarray, dict[int, str]]:
    """Score images with a detector of a run.

    Each image is decoded once. Its variants, uint8, pass through the detector's own preprocessing. The memory that is
    needed does not depend on the number of images.

    Args:
        folder: the run's folder.
        description: the detector.
        images: n rows with the columns file, path, sha256.
        variants: the plain image, and perturbations of common.data.perturbations with their strengths.
        title: of the progress bar.

    Returns:
        The scores, float64 (n, variants), and {place of an image that cannot be decoded: reason}. The scores of these
        images have no meaning.
    """
    scores = np.zeros((len(images), len(variants)))
    if images.empty:
        return scores, {}
    detector, outputs_of = _load(folder, description.name)
    batches, unreadable = _batches(images, description, variants)
    flat = scores.reshape(-1)
    for place, pixels in enumerate(show_progress(batches, title, -(-flat.size // BATCH), "batch")):
        outputs = outputs_of(pixels)
        flat[place * BATCH : place * BATCH + len(outputs)] = detector.score_outputs(outputs)
    return scores, unreadable


@lru_cache(maxsize=1)  # detectors are scored one after the other, each on all data sets
def _load(folder, name):
    """A detector of a run, and its network as a function of batches of any size."""
    keras.backend.clear_session()  # frees the detector before
    detector = store.load(folder, name)
    size = detector.description.preprocessing["size"]
    if keras.config.backend() != "tensorflow":
        return detector, lambda pixels: detector.network.predict_on_batch(pixels.numpy())
    outputs_of = tf.function(lambda pixels: detector.network(pixels, training=False))
    return detector, outputs_of.get_concrete_function(tf.TensorSpec((None, size, size, 3), tf.float32))


def _batches(images, description, variants):
    """A tf.data.Dataset of (B, S, S, 3) float32 in which the variants of an image follow each other, and a dictionary
    {place of an unreadable image: reason}, which is filled while the dataset is read."""
    preprocessing = Preprocessing(**description.preprocessing)
    shape = (len(variants), preprocessing.size, preprocessing.size, 3)
    resized = tf.function(preprocessing.resize_image).get_concrete_function(tf.TensorSpec((None, None, 3), tf.uint8))
    files, keys = images["file"].to_numpy(), images["sha256"].where(images["sha256"] != "", images["path"]).to_numpy()
    unreadable = {}

    def load(place):
        try:
            image = read_image(files[place])
        except Unreadable as reason:
            unreadable[int(place)] = str(reason)
            return np.zeros(shape, np.uint8)
        with tf.device("CPU"):
            return np.stack([resized(tf.constant(_variant(image, *variant, keys[place]))) for variant in variants])

    def pixels(place):
        return tf.ensure_shape(tf.numpy_function(load, [place], tf.uint8), shape)

    loaded = tf.data.Dataset.range(len(images)).map(pixels, tf.data.AUTOTUNE).unbatch().batch(BATCH)
    return loaded.map(preprocessing.scale_pixels, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE), unreadable


def _variant(image, name, strength, key):
    return image if name == UNPERTURBED else perturb(image, name, strength, key)
