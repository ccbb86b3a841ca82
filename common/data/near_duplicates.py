"""Near-duplicate images: one picture encoded again, scaled or slightly changed, so that its bytes differ.

    images["near"] = near_duplicate_groups(hash_images(images["file"]))

The drawn protocols of common.splits.protocols then keep near-duplicates on one side, and check_splits refuses a split
that does not.
"""

from collections.abc import Iterable

import cv2
import numpy as np

from common.data.decoding import Unreadable, read_image
from common.errors import UserError

SIDE = 32  # pixels
BATCH_SIZE = 64  # images that a worker keeps at once, as 32 x 32 pixels


def hash_images(files: Iterable[str], workers: int | None = None) -> np.ndarray:
    """Return the perceptual hash of each image file: signs of low-frequency cosine coefficients.

    The DCT hash of C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (thesis, Upper
    Austria University of Applied Sciences, 2010): the picture in grey is reduced to 32 x 32 pixels. Of its discrete
    cosine transform, the coefficients 1 to 8 in each direction give one bit each: 1 if above their median.

    Args:
        files: paths of image files. They are read in batches, so memory does not grow with their number.
        workers: threads that read; None: one for each CPU.

    Returns:
        uint64 (n,).

    Raises:
        UserError: if a file cannot be read; it is named.
    """
    from joblib import Parallel, cpu_count, delayed

    files = list(files)
    parallel = Parallel(n_jobs=workers or cpu_count(), prefer="threads", return_as="generator")
    batches = (files[start : start + BATCH_SIZE] for start in range(0, len(files), BATCH_SIZE))
    hashes = list(parallel(delayed(_hash_batch)(batch) for batch in batches))
    return np.concatenate(hashes) if hashes else np.zeros(0, np.uint64)


def near_duplicate_groups(hashes: np.ndarray, distance: int = 4) -> np.ndarray:
    """Number the groups of images whose hashes differ in few bits.

    A group is a chain: two of its images may differ by more if others lie between them. Hashes are cut into
    distance + 1 bands: two that are close agree in at least one band, so only those that do are compared. Time grows
    with the pairs that share a band: 200,000 hashes take seconds at distance 4, minutes above 8.

    Args:
        hashes: uint64 (n,), as of `hash_images`.
        distance: the largest number of differing bits, 0 to 63.

    Returns:
        int (n,): group numbers from 0, in the order of the images.

    Raises:
        UserError: if the distance is not in 0 to 63.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not 0 <= distance < 64:
        raise UserError(f"--near-duplicates: expected a distance of 0 to 63 bits, got {distance}")
    distinct, positions = np.unique(np.asarray(hashes, np.uint64), return_inverse=True)
    edges = np.linspace(0, 64, distance + 2).astype(int)
    pairs = [_close_in_band(distinct, low, high, distance) for low, high in zip(edges[:-1], edges[1:], strict=True)]
    left, right = np.concatenate(pairs, axis=1)
    graph = coo_matrix((np.ones(len(left), bool), (left, right)), shape=(len(distinct), len(distinct)))
    group = connected_components(graph, directed=False)[1][positions]
    _, first, number = np.unique(group, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[number]  # numbered in the order of the images


def _hash_batch(files):
    reduced = np.stack([_load_reduced(file) for file in files]).astype(np.float64)  # (B, 32, 32)
    pixel, frequency = np.arange(SIDE), np.arange(1, 9)[:, None]
    cosines = np.cos(np.pi * frequency * (2 * pixel + 1) / (2 * SIDE))  # (8, 32)
    coefficients = (cosines @ reduced @ cosines.T).reshape(-1, 64)
    coefficients = coefficients.round(6)  # rounding errors would decide the hash of an even picture
    bits = coefficients > np.median(coefficients, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


def _load_reduced(file):
    try:
        grey = cv2.cvtColor(read_image(file), cv2.COLOR_RGB2GRAY)
    except Unreadable as error:
        raise UserError(
            f"{file} cannot be read ({error}); `python -m data_prep verify FOLDER` lists all such files"
        ) from error
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _close_in_band(hashes, low, high, distance):
    """Pairs of hashes that agree in the bits `low` .. `high` and differ in at most `distance`: int (2, pairs)."""
    band = (hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
    order = np.argsort(band)
    hashes, band = hashes[order], band[order]
    end = np.searchsorted(band, band, side="right")  # of the run of equal bands that a hash is in
    left, step, pairs = np.arange(len(band)), 0, [np.zeros((2, 0), int)]
    while len(left):  # all pairs of neighbours in a run, then all pairs two apart, ...
        step += 1
        left = left[left + step < end[left]]
        close = left[np.bitwise_count(hashes[left] ^ hashes[left + step]) <= distance]
        pairs.append(order[np.stack([close, close + step])])
    return np.concatenate(pairs, axis=1)
