"""How near generated images come to real ones that the generator has not seen: KID and FID on features of a network.

Both are distances of two sets of features, here those of ImageNet's Inception-v3. The weights are Keras's, not those of
the authors' 2015 graph: numbers compare with one another, and with published ones in their order of magnitude only. KID
is unbiased and has an interval; FID falls as the number of images grows, so only equal numbers of images compare.
"""

import warnings
from typing import Any

import keras
import numpy as np
from keras import layers
from scipy.stats import t
from sklearn.metrics.pairwise import polynomial_kernel

from common.errors import UserError
from common.evaluation.evaluate import Value
from common.evaluation.intervals import CONFIDENCE
from common.networks.backbones import backbone
from common.training.fit import predict
from reproductions.dcgan_inception_resnet.config import FEATURE_NETWORK

INCEPTION_SIZE = 299  # pixels: what both metrics' authors show Inception
BLOCK = 1000  # images of one set in a block at most: a kernel matrix of 8 MB
MIN_BLOCK = 50  # images of the smaller set in a block at least, if there are several blocks
BLOCKS = 10  # wanted: Student's quantile is then 2.26, with five blocks 2.78
FID_IMAGES = 2000  # fewer span less than Inception's 2,048 dimensions, and the bias outweighs what is measured


def kid(features_a: np.ndarray, features_b: np.ndarray, seed: int = 0) -> Value:
    """Return the Kernel Inception Distance: the squared maximum mean discrepancy with the kernel (x.y / d + 1)^3.

    Binkowski et al. 2018, doi:10.48550/arXiv.1801.01401. Unbiased: its mean is 0 for equal distributions, so it can be
    negative. The sets are cut at random into disjoint blocks. The value is the blocks' mean; the interval is Student's
    95 % over the blocks, which are independent and roughly normal (Zaremba et al. 2013, doi:10.48550/arXiv.1307.1954).

    Args:
        features_a, features_b: (m, d) and (n, d), of independent images; frames of a video are not.
        seed: of the blocks.

    Returns:
        A Value, whose n counts the images of both sets. With fewer than 2 images in a set it has no value, with fewer
        than 100 no interval.

    Raises:
        UserError: for features of different d, or that are not finite.
    """
    _check(features_a, features_b)
    if min(len(features_a), len(features_b)) < 2:
        return _undefined(features_a, features_b, 2)
    blocks = list(zip(*disjoint_blocks(len(features_a), len(features_b), seed), strict=True))
    distances = np.array([_squared_mmd(features_a[a], features_b[b]) for a, b in blocks])
    images = sum(len(a) + len(b) for a, b in blocks)
    value = float(distances.mean())
    if len(blocks) < 2 or not np.ptp(distances):
        reason = "all blocks are equal" if len(blocks) > 1 else f"fewer than {2 * MIN_BLOCK} images in a set"
        return Value(value, np.nan, np.nan, images, f"no interval: {reason}")
    half = t.ppf((1 + CONFIDENCE) / 2, len(blocks) - 1) * distances.std(ddof=1) / np.sqrt(len(blocks))
    return Value(value, float(value - half), float(value + half), images)


def fid(features_a: np.ndarray, features_b: np.ndarray) -> Value:
    """Return the Frechet Inception Distance |mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2)), A and B the covariances.

    Heusel et al. 2017, doi:10.48550/arXiv.1706.08500. It is biased upwards, by an amount that depends on the images and
    their number (Chong, Forsyth 2020, doi:10.48550/arXiv.1911.07023), and an image drawn twice by a bootstrap adds to
    it: so there is no interval.

    Args:
        features_a, features_b: (m, d) and (n, d).

    Returns:
        A Value, whose n counts the images of both sets. With fewer than 2,000 images in a set it has no value.

    Raises:
        UserError: for features of different d, or that are not finite.
    """
    _check(features_a, features_b)
    if min(len(features_a), len(features_b)) < FID_IMAGES:
        return _undefined(features_a, features_b, FID_IMAGES)
    (mean_a, a), (mean_b, b) = _gaussian(features_a), _gaussian(features_b)
    # (A B)^(1/2) has the trace of the root of A^(1/2) B A^(1/2), which is symmetric: nothing is complex. Rounding
    # makes eigenvalues that are 0, of singular covariances, slightly negative.
    values, vectors = np.linalg.eigh(a)
    root = vectors * np.sqrt(values.clip(0))
    cross = np.sqrt(np.linalg.eigvalsh(root.T @ b @ root).clip(0)).sum()
    value = np.square(mean_a - mean_b).sum() + np.trace(a) + np.trace(b) - 2 * cross
    reason = "no interval: the bias of FID differs between samples and resamples"
    return Value(float(value), np.nan, np.nan, len(features_a) + len(features_b), reason)


def features(network: keras.Model, batches: Any, count: int) -> np.ndarray:
    """Return a network's outputs for the first images of some batches, averaged over the positions of maps.

    Args:
        network: a model with outputs (B, d) or (B, h, w, d).
        batches: whatever its `predict` takes: a tf.data.Dataset of images or (images, labels), or a generator of
            tuples, (images,).
        count: how many images.

    Returns:
        float32 (count, d).

    Raises:
        UserError: if there are fewer images.
    """
    if len(network.output.shape) == 4:
        network = keras.Model(network.input, _pooled(network.output), name=network.name)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Your input ran out of data")  # Keras warns at the end of a generator
        outputs = predict(network, batches, count)
    if len(outputs) < count:
        raise UserError(f"expected {count} images to take features of, got {len(outputs)}; ask for fewer or give more")
    return outputs


def inception(image_size: int, weights: str = "imagenet") -> keras.Model:
    """Return Inception-v3 up to the features before its classifier.

    Images are resized to 299x299 (bilinear), as by the authors of FID and KID.

    Args:
        image_size: height and width of its input in pixels.
        weights: `imagenet`, a folder, or `none` for features of random weights, which are no Inception distance.

    Returns:
        A network: pixels (B, S, S, 3) in [0, 255] -> (B, 2048).
    """
    image = keras.Input((image_size, image_size, 3), name="pixels")
    resized = layers.Resizing(INCEPTION_SIZE, INCEPTION_SIZE, dtype="float32")(image)
    maps = backbone(FEATURE_NETWORK, (INCEPTION_SIZE, INCEPTION_SIZE, 3), weights)(resized)  # (B, 8, 8, 2048)
    return keras.Model(image, _pooled(maps), name="inception")


def disjoint_blocks(count_a: int, count_b: int, seed: int) -> list[list[np.ndarray]]:
    """Cut two sets of images at random into equally many blocks without a common image.

    There are ten blocks, or more so that none has over 1,000 images, or fewer so that none has under 50. If that leaves
    more than 1,000 images a block in the larger set, the rest is left out.

    Args:
        count_a, count_b: the number of images in each set.
        seed: of the blocks.

    Returns:
        For each set a list of int arrays: the positions of each block's images.
    """
    fewer = min(count_a, count_b)
    number = max(-(-fewer // BLOCK), min(BLOCKS, fewer // MIN_BLOCK), 1)
    random = np.random.default_rng(seed)
    return [np.array_split(random.permutation(count)[: number * BLOCK], number) for count in (count_a, count_b)]


def _pooled(maps):
    return layers.GlobalAveragePooling2D(dtype="float32")(maps)


def _squared_mmd(a, b):
    """The unbiased estimate from (m, d) and (n, d): equation 4 of Binkowski et al., for unequal m and n as well."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    across = polynomial_kernel(a, b, degree=3, coef0=1).mean()
    return _mean_of_pairs(a) + _mean_of_pairs(b) - 2 * across


def _mean_of_pairs(a):
    """The mean kernel of two different images of one block."""
    kernel = polynomial_kernel(a, degree=3, coef0=1)  # (m, m)
    return (kernel.sum() - np.trace(kernel)) / (len(a) * (len(a) - 1))


def _gaussian(features):
    """The mean (d,) and the covariance (d, d) of (n, d), float64, summed block by block."""
    mean = features.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((len(mean), len(mean)))
    for start in range(0, len(features), BLOCK):
        centred = features[start : start + BLOCK] - mean
        covariance += centred.T @ centred
    return mean, covariance / (len(features) - 1)


def _check(features_a, features_b):
    shapes = features_a.shape, features_b.shape
    if any(len(shape) != 2 for shape in shapes) or shapes[0][1] != shapes[1][1]:
        raise UserError(
            f"expected features (m, d) and (n, d), got {shapes[0]} and {shapes[1]}; take one network for both"
        )
    for vectors in (features_a, features_b):
        bad = len(vectors) - int(np.isfinite(vectors).all(axis=1).sum())
        if bad:
            raise UserError(
                f"expected finite features, got {bad} of {len(vectors)} images with NaN or infinity; look at the images"
            )


def _undefined(features_a, features_b, minimum):
    counts = len(features_a), len(features_b)
    reason = f"fewer than {minimum} images in a set: {counts[0]} and {counts[1]}"
    return Value(np.nan, np.nan, np.nan, sum(counts), reason)
