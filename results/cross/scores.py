"""The scores of one trained detector for images as they are, and as they are after perturbations."""

from functools import lru_cache

import numpy as np

from common.data.decoding import Unreadable, check_image
from common.tensorflow_import import import_tensorflow

PLAIN = ("none", None)  # the variant of a picture as it is
BATCH = 64


def score(folder, description, images, variants, title):
    """Score images with the detector `description` of the run in `folder`.

    images: a DataFrame with the columns file, path, sha256; variants: PLAIN and (name, strength) of
    common.perturbations. Each image is decoded once and its variants, uint8, go through the detector's own
    preprocessing; memory is flat in the number of images. Returns scores, float64 (n, variants), and {place: reason} of
    the images that cannot be decoded, whose scores mean nothing.
    """
    scores = np.zeros((len(images), len(variants)))
    if images.empty:
        return scores, {}
    from tqdm import tqdm

    detector, outputs_of = _load(folder, description.name)
    batches, unreadable = _batches(images, description, variants)
    flat = scores.reshape(-1)
    for place, pixels in enumerate(tqdm(batches, title, -(-flat.size // BATCH), leave=False, disable=None)):
        outputs = outputs_of(pixels)
        flat[place * BATCH : place * BATCH + len(outputs)] = detector.score_outputs(outputs)
    return scores, unreadable


@lru_cache(maxsize=1)  # one after the other, each on all data sets
def _load(folder, name):
    """A detector of a run, and its network as a graph of its own for batches of any size."""
    import_tensorflow()
    import keras
    import tensorflow as tf

    from common.detectors import store as detectors

    keras.backend.clear_session()  # of the detector before
    detector = detectors.load(folder, name)
    size = detector.description.preprocessing["size"]
    outputs_of = tf.function(lambda pixels: detector.network(pixels, training=False))
    return detector, outputs_of.get_concrete_function(tf.TensorSpec((None, size, size, 3), tf.float32))


def _batches(images, description, variants):
    """A tf.data.Dataset of (B, S, S, 3) float32, the variants of an image one after the other, and a dictionary that
    fills while it is read: {place of an unreadable image: reason}."""
    import tensorflow as tf

    from common.data.pipeline import Preprocessing, decode

    preprocessing = Preprocessing(**description.preprocessing)
    shape = (len(variants), preprocessing.size, preprocessing.size, 3)
    resized = tf.function(preprocessing.resized).get_concrete_function(tf.TensorSpec((None, None, 3), tf.uint8))
    files, keys = images["file"].to_numpy(), images["sha256"].where(images["sha256"] != "", images["path"]).to_numpy()
    unreadable = {}

    def load(place):
        with tf.device("CPU"):
            try:
                image = decode(tf.constant(files[place])).numpy()
            except tf.errors.OpError as error:
                unreadable[int(place)] = _reason(files[place], error)
                return np.zeros(shape, np.uint8)
            return np.stack([resized(tf.constant(_variant(image, *variant, keys[place]))) for variant in variants])

    def pixels(place):
        return tf.ensure_shape(tf.numpy_function(load, [place], tf.uint8), shape)

    loaded = tf.data.Dataset.range(len(images)).map(pixels, tf.data.AUTOTUNE).unbatch().batch(BATCH)
    return loaded.map(preprocessing.scaled, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE), unreadable


def _variant(image, name, strength, key):
    from common.data.perturbations import perturb

    return image if name == PLAIN[0] else perturb(image, name, strength, key)


def _reason(file, error):
    """Why a file is no picture: in our own words, or in TensorFlow's where only that refuses it."""
    try:
        check_image(file)
    except Unreadable as reason:
        return str(reason)
    return error.message.strip().splitlines()[0]
