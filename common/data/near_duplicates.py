"""Near-duplicate images: one picture encoded again, scaled, mirrored or cropped tighter, so that its bytes differ.

    images["near_duplicates"] = near_duplicate_groups(hash_images(images["file"]))

Every run counts them on the sides of its splits. In a column `near` the drawn protocols of common.splits.protocols also
keep them on one side, and check_splits refuses a split that does not.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from common.data.decoding import Unreadable, read_image
from common.errors import UserError
from common.progress import show_progress

SIDE = 32  # pixels
CROPS = (0.0, 0.015, 0.03, 0.045, 0.06, 0.08, 0.1)  # cut from each side: what another face detector's margin does
VARIANTS = 2 * len(CROPS)  # each also mirrored
COARSE, FINE = 8, 16  # frequencies in each direction: 64 bits to look pictures up by, 256 to be certain
FINE_BITS = 10  # of the fine hash may differ for each bit of the coarse one
LARGEST_SIDE = 256  # pixels from which the crops are taken
BATCH_SIZE = 64  # images that a worker keeps at once, as 32 x 32 pixels
MOST_PAIRS = 100_000  # that are kept before groups are joined


@dataclass(frozen=True)
class ImageHashes:
    """Hashes of n images and their variants: variant 0 is the image, then come tighter crops, then all mirrored.

    Args:
        coarse: uint64 (n, VARIANTS).
        fine: uint64 (n, VARIANTS, 4).
    """

    coarse: np.ndarray
    fine: np.ndarray

    def __len__(self) -> int:
        return len(self.coarse)


def hash_images(files: Iterable[str], workers: int | None = None) -> ImageHashes:
    """Return the perceptual hashes of image files: signs of low-frequency cosine coefficients.

    The DCT hash of C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (thesis, Upper
    Austria University of Applied Sciences, 2010): the picture in grey is reduced to 32 x 32 pixels. Of its discrete
    cosine transform, the coefficients 1 to 8 in each direction give one bit each: 1 if above their median. The fine
    hash is the same with the coefficients 1 to 16.

    Args:
        files: paths of image files. They are read in batches, so memory does not grow with their size: 560 bytes each.
        workers: threads that read; None: one for each CPU.

    Raises:
        UserError: if a file cannot be read; it is named.
    """
    from joblib import Parallel, cpu_count, delayed

    files = list(files)
    parallel = Parallel(n_jobs=workers or cpu_count(), prefer="threads", return_as="generator")
    batches = [files[start : start + BATCH_SIZE] for start in range(0, len(files), BATCH_SIZE)]
    hashed = parallel(delayed(_hash_batch)(batch) for batch in batches)
    bits = list(show_progress(hashed, "looking for near-duplicates", len(batches), "batch"))
    coarse = [part for part, _ in bits] or [np.zeros((0, VARIANTS), np.uint64)]
    fine = [part for _, part in bits] or [np.zeros((0, VARIANTS, 4), np.uint64)]
    return ImageHashes(np.concatenate(coarse), np.concatenate(fine))


def near_duplicate_groups(hashes: ImageHashes, distance: int = 4) -> np.ndarray:
    """Number the groups of images of which one is nearly a variant of the other.

    Two images are near-duplicates if the coarse hash of one and that of a variant of the other differ in at most
    `distance` bits, and their fine hashes in at most FINE_BITS * `distance`. A group is a chain: two of its images may
    differ by more if others lie between them. Coarse hashes are cut into distance + 1 bands: two that are close agree
    in at least one band, so only those that do are compared.

    Args:
        hashes: of n images.
        distance: the largest number of differing bits, 0 to 63. If it is above 8, the time grows with the square of n.

    Returns:
        int (n,): group numbers from 0, in the order of the images.

    Raises:
        UserError: if the distance is not in 0 to 63.
    """
    if not 0 <= distance < 64:
        raise UserError(f"--near-duplicates: expected a distance of 0 to 63 bits, got {distance}")
    if not len(hashes):
        return np.zeros(0, int)
    plain = np.concatenate([hashes.coarse[:, :1], hashes.fine[:, 0]], axis=1)  # (n, 5)
    group = np.unique(plain, axis=0, return_inverse=True)[1].reshape(-1)  # equal pictures, whose variants may differ
    edges = np.linspace(0, 64, distance + 2).astype(int)
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        _join_in_band(hashes, group, low, high, distance)
    _, first, number = np.unique(group, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[number]  # numbered in the order of the images


def _hash_batch(files):
    reduced = np.stack([_load_reduced(file) for file in files]).astype(np.float64)  # (B, crops, 32, 32)
    pixel, frequency = np.arange(SIDE), np.arange(1, FINE + 1)
    cosines = np.cos(np.pi * frequency[:, None] * (2 * pixel + 1) / (2 * SIDE))  # (16, 32)
    coefficients = (cosines @ reduced @ cosines.T).round(6)  # rounding errors would decide the hash of an even picture
    coefficients = np.concatenate([coefficients, coefficients * (-1.0) ** frequency], axis=1)  # the mirrored picture's
    return _bits(coefficients[..., :COARSE, :COARSE])[..., 0], _bits(coefficients)


def _bits(coefficients):
    """Which coefficients are above their median, uint64 (B, variants, words)."""
    flat = coefficients.reshape(*coefficients.shape[:2], -1)
    return np.packbits(flat > np.median(flat, axis=-1, keepdims=True), axis=-1).view(np.uint64)


def _load_reduced(file):
    """The picture and its tighter crops in grey, uint8 (crops, 32, 32)."""
    try:
        grey = cv2.cvtColor(read_image(file), cv2.COLOR_RGB2GRAY)
    except Unreadable as error:
        raise UserError(
            f"{file} cannot be read ({error}); `python -m data_prep verify FOLDER` lists all such files"
        ) from error
    plain, scale = _reduce(grey, SIDE, SIDE), LARGEST_SIDE / max(grey.shape)
    if scale < 1:
        grey = _reduce(grey, max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    height, width = grey.shape
    margins = [(round(height * share), round(width * share)) for share in CROPS[1:]]
    cropped = [grey[top : height - top, left : width - left] for top, left in margins]
    return np.stack([plain, *(_reduce(part, SIDE, SIDE) for part in cropped)])


def _reduce(grey, width, height):
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)


def _join_in_band(hashes, group, low, high, distance):
    """Join those of the groups, int (n,), that have a pair of near-duplicates agreeing in the bits `low` .. `high`."""
    pairs, waiting = [], 0
    for image, other in _close_in_band(hashes, group, low, high, distance):
        pairs.append(np.unique(np.stack([group[image], group[other]]), axis=1))
        waiting += pairs[-1].shape[1]
        if waiting > MOST_PAIRS:  # in place: the search leaves out what is joined
            group[:], pairs, waiting = _join(group, pairs), [], 0
    if pairs:
        group[:] = _join(group, pairs)


def _close_in_band(hashes, group, low, high, distance) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield near-duplicates in different groups: numbers of images (pairs,), and of those whose variants they are."""
    mask = np.uint64((1 << (int(high) - int(low))) - 1)
    bands = (hashes.coarse >> np.uint64(low)) & mask  # (n, variants)
    order = np.argsort(bands[:, 0], kind="stable")
    ordered = bands[order, 0]
    image, variant = np.divmod(np.arange(bands.size), VARIANTS)
    place, end = (np.searchsorted(ordered, bands.ravel(), side=side) for side in ("left", "right"))
    start = np.unique(place[place < end])  # of the runs of equal bands
    alike = np.zeros(len(group) + 1, int) - 1  # by start, the group that all of a run are in
    lowest, highest = (pick.reduceat(group[order], start) for pick in (np.minimum, np.maximum))
    alike[start] = np.where(lowest == highest, lowest, -1)
    end = np.where(alike[place] == group[image], place, end)
    while True:  # the first image with an equal band, then the second, ...
        left = place < end
        image, variant, place, end = image[left], variant[left], place[left], end[left]
        if not len(place):
            return
        other = order[place]
        place = place + 1
        coarse = np.bitwise_count(hashes.coarse[other, 0] ^ hashes.coarse[image, variant]) <= distance
        close = np.flatnonzero(coarse & (group[other] != group[image]))
        differing = hashes.fine[other[close], 0] ^ hashes.fine[image[close], variant[close]]  # (pairs, 4)
        close = close[np.bitwise_count(differing).sum(axis=1, dtype=int) <= FINE_BITS * distance]
        if len(close):
            yield other[close], image[close]


def _join(group, pairs):
    """The groups, int (n,), after joining pairs of group numbers, a list of int (2, pairs)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    first, second = np.concatenate(pairs, axis=1)
    graph = coo_matrix((np.ones(len(first), bool), (first, second)), shape=(len(group), len(group)))
    return connected_components(graph, directed=False)[1][group]
