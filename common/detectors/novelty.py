"""How far a picture is from what a detector was trained on, and from where on its score means nothing.

A classifier answers far from its training data as near them; an RBF SVM even gives one number to everything there. A
detector is therefore stored with a summary of its training images, twice: of the features that it decides by, and of
the texture of the pictures, since features drop what was of no use in training. Each is a mean and a covariance (Lee et
al. 2018, "A Simple Unified Framework for Detecting Out-of-Distribution Samples", arXiv:1807.03888), shrunk as in Ledoit
and Wolf 2004, doi:10.1016/S0047-259X(03)00096-4, and gives Mahalanobis distances. Held-out images of the same data give
the limit.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from scipy import stats
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA

from common.archives import check_archive
from common.data.image_reader import explain_damaged_images
from common.errors import UserError
from common.files import atomic_path
from common.library_internals import producing_operation

SAMPLE = 256  # images of each side that are looked at: the summary costs seconds, whatever the size of the data
HELD_OUT_SHARE = 0.99  # of held-out images that are nearer than the limit
COMPONENTS = 32  # principal directions of the features that are kept
FEWEST = 8  # images of each side without which there is no summary
ENOUGH = 200  # held-out images for a quantile; of fewer it would be one of the two largest
BANDS = 12  # of frequency, half an octave each, down from the highest
SMALLEST_SCALE = 0.01  # of a number, as a share of the largest: one that was constant in training must not decide


@dataclass(frozen=True)
class Cloud:
    """Where one kind of vector of the training images is.

    Args:
        mean: of the vectors, (d,).
        scale: their standard deviations, (d,).
        components: principal directions of the scaled vectors, (k, d).
        centre: mean of the reduced vectors, k coordinates and the distance from these directions, (k + 1,).
        precision: inverse of their covariance, (k + 1, k + 1).
        limit: the distance that HELD_OUT_SHARE of the held-out images do not exceed.
    """

    mean: np.ndarray
    scale: np.ndarray
    components: np.ndarray
    centre: np.ndarray
    precision: np.ndarray
    limit: np.ndarray

    @classmethod
    def fit(cls, training: np.ndarray, held_out: np.ndarray) -> "Cloud":
        """Fit to vectors (n, d); the limit is of others, (m, d)."""
        scale = training.std(axis=0)
        scale = np.maximum(scale, SMALLEST_SCALE * scale.max() + 1e-9)
        cloud = cls(training.mean(axis=0), scale, np.empty((0, len(scale))), np.empty(0), np.empty(0), np.array(1.0))
        count = min(COMPONENTS, training.shape[1], len(training) // 4)
        cloud = replace(cloud, components=PCA(count, svd_solver="full").fit(cloud._scaled(training)).components_)
        covariance = LedoitWolf().fit(cloud._reduced(training))
        cloud = replace(cloud, centre=covariance.location_, precision=covariance.precision_)
        return replace(cloud, limit=np.array(upper_limit(cloud.distances(held_out))))

    def distances(self, vectors: np.ndarray) -> np.ndarray:
        """Return Mahalanobis distances of vectors (n, d), as multiples of the limit, float64 (n,)."""
        away = self._reduced(vectors) - self.centre
        squares = np.einsum("ni,ij,nj->n", away, self.precision, away)
        return np.sqrt(np.maximum(squares, 0)) / max(float(self.limit), 1e-9)

    def check(self) -> None:
        """ValueError unless the arrays fit together and are finite."""
        (size,), directions = self.mean.shape, len(self.components)
        expected = ((size,), (size,), (directions, size), (directions + 1,), (directions + 1, directions + 1), ())
        arrays = (self.mean, self.scale, self.components, self.centre, self.precision, self.limit)
        if tuple(array.shape for array in arrays) != expected or not all(np.isfinite(a).all() for a in arrays):
            raise ValueError("its arrays do not fit together")

    def _scaled(self, vectors):
        return (vectors - self.mean) / self.scale

    def _reduced(self, vectors):
        scaled = self._scaled(vectors)
        along = scaled @ self.components.T
        beside = np.sqrt(np.maximum((scaled**2).sum(axis=1) - (along**2).sum(axis=1), 0))
        return np.concatenate([along, beside[:, None]], axis=1)


@dataclass(frozen=True)
class TrainingSummary:
    """Where the training images of a detector are.

    Args:
        features: of what the detector decides by.
        texture: of the pictures.
        limit: the distance that HELD_OUT_SHARE of the held-out images do not exceed, the larger of the two clouds' own.
    """

    features: Cloud
    texture: Cloud
    limit: float = 1.0

    @classmethod
    def fit(cls, training: "Vectors", held_out: "Vectors") -> "TrainingSummary | None":
        """Summarize the training images of a detector.

        Args:
            training: of n training images, by `Describer`.
            held_out: of m images of the same data that it was not trained on.

        Returns:
            The summary; None if there are fewer than FEWEST images on a side.
        """
        if min(len(training.features), len(held_out.features)) < FEWEST:
            return None
        summary = cls(Cloud.fit(training.features, held_out.features), Cloud.fit(training.texture, held_out.texture))
        return replace(summary, limit=upper_limit(summary.distances(held_out)))

    def distances(self, vectors: "Vectors") -> np.ndarray:
        """Return the distances of images from the training images.

        Args:
            vectors: of the images, by `Describer`.

        Returns:
            float64 (n,), 0 or more; above 1 the score means nothing.

        Raises:
            UserError: if the summary is another detector's.
        """
        for cloud, found in ((self.features, vectors.features), (self.texture, vectors.texture)):
            if found.shape[1] != len(cloud.mean):
                raise UserError(
                    f"the summary of the training images has {len(cloud.mean)} features, the detector "
                    f"{found.shape[1]}: it is another detector's; restore the .npz file or run again"
                )
        both = self.features.distances(vectors.features), self.texture.distances(vectors.texture)
        return np.maximum(*both) / self.limit

    def save(self, file: Path) -> None:
        """Write the summary as .npz, atomically; the file is under 1 MB for 2,048 features."""
        arrays: dict[str, Any] = {"limit": self.limit}
        for part in PARTS:
            arrays |= {f"{part}_{name}": np.float32(value) for name, value in vars(getattr(self, part)).items()}
        with atomic_path(file) as temporary, open(temporary, "wb") as opened:
            np.savez_compressed(opened, **arrays)

    @classmethod
    def load(cls, file: Path) -> "TrainingSummary":
        """Read a summary.

        Raises:
            UserError: if the file is missing or damaged.
        """
        try:
            check_archive(file)
            with np.load(file, allow_pickle=False) as stored:
                names = Cloud.__dataclass_fields__
                clouds = {part: Cloud(**{n: stored[f"{part}_{n}"].astype(float) for n in names}) for part in PARTS}
                for cloud in clouds.values():
                    cloud.check()
                return cls(**clouds, limit=float(stored["limit"]))
        except Exception as error:  # NumPy and zipfile raise a dozen kinds for damaged bytes
            raise UserError(f"{file} is missing or damaged; restore it or run again") from error


PARTS = ("features", "texture")


@dataclass(frozen=True)
class Vectors:
    """What images are compared by.

    Args:
        features: what a detector decides by, float64 (n, d).
        texture: of the pictures, float64 (n, t), by `textures`.
    """

    features: np.ndarray
    texture: np.ndarray


class Describer:
    """Turns images into the vectors that a summary is of.

    Args:
        network: of the detector; with a classifier, the network of its features.
        has_classifier: whether the network's output is features.
    """

    def __init__(self, network: keras.Model, has_classifier: bool) -> None:
        features = network.output if has_classifier else decision_features(network)
        if len(features.shape) > 2:
            features = keras.ops.mean(features, axis=tuple(range(1, len(features.shape) - 1)))
        self._network = keras.Model(network.input, features)

    def __call__(self, batches: Iterable[np.ndarray], count: int) -> Vectors:
        """Describe images; one batch is in memory at a time.

        Args:
            batches: images (B, S, S, 3), as the network takes them.
            count: how many of them to describe.
        """
        features, texture = [], []
        with explain_damaged_images():
            for batch in map(np.asarray, batches):
                features.append(np.asarray(self._network.predict_on_batch(batch), np.float64))
                texture.append(textures(batch))
        return Vectors(np.concatenate(features)[:count], np.concatenate(texture)[:count])


def upper_limit(distances: np.ndarray) -> float:
    """Return the distance that HELD_OUT_SHARE of images of the same data do not exceed.

    It is a quantile of the distances if there are enough of them. Of fewer it is the upper limit of a further value, by
    Student's t on the logarithms, and at least the largest.

    Args:
        distances: of held-out images, (n,), n at least 2.
    """
    quantile = float(np.quantile(distances, HELD_OUT_SHARE, method="higher"))
    if len(distances) >= ENOUGH:
        return quantile
    logs = np.log(np.maximum(distances, 1e-9))
    width = stats.t.ppf(HELD_OUT_SHARE, len(logs) - 1) * logs.std(ddof=1) * np.sqrt(1 + 1 / len(logs))
    return max(quantile, float(np.exp(logs.mean() + width)))


def decision_features(network: keras.Model) -> keras.KerasTensor:
    """Return what a network decides by: the input of its last layer, or nested network, that has weights.

    Args:
        network: a functional model of one image.

    Returns:
        The tensor; the network's output if that input is the image itself, or nothing has weights.
    """
    tensor = network.output
    while True:
        operation, inputs = producing_operation(tensor)
        if len(inputs) != 1:
            return network.output
        (tensor,) = inputs
        if getattr(operation, "weights", None):
            return network.output if tensor is network.input else tensor


def textures(images: np.ndarray) -> np.ndarray:
    """Return numbers on the texture of images.

    Args:
        images: float (n, S, S, 3), in any range.

    Returns:
        float64 (n, BANDS + 11): the logarithm of the power in each half octave of frequency; mean, median and kurtosis
        of what a pixel differs by from its neighbours; mean and standard deviation of each colour, and the correlations
        of red with green and blue.
    """
    size = images.shape[1]
    radius = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size))  # cycles a pixel, 0 to 0.71
    band = np.clip(np.floor(2 * np.log2(np.sqrt(0.5) / np.maximum(radius, 1e-9))), 0, BANDS - 1).astype(int)
    inside = np.maximum(np.bincount(band.ravel(), minlength=BANDS), 1)
    window = np.hanning(size)[:, None] * np.hanning(size)
    rows = []
    for image in np.asarray(images, np.float64):
        grey = image.mean(axis=2)
        power = np.abs(np.fft.rfft2((grey - grey.mean()) * window)) ** 2
        bands = np.bincount(band.ravel(), power.ravel(), BANDS) / inside
        colours = [*image.mean(axis=(0, 1)), *image.std(axis=(0, 1)), *_correlations(image)]
        rows.append([*np.log10(bands + 1e-9), *_residual(grey), *colours])
    return np.array(rows)


def _residual(grey):
    """Log mean, log median and log kurtosis of what a pixel differs by from its neighbours."""
    middle = grey[1:-1, 1:-1]
    around = (grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]) / 4
    residual = np.abs(middle - around)
    kurtosis = (residual**4).mean() / ((residual**2).mean() ** 2 + 1e-18)
    return np.log10([residual.mean() + 1e-5, np.median(residual) + 1e-5, kurtosis + 1e-3])


def _correlations(image):
    """The correlations of red with green and blue; 1 for a colour without contrast."""
    away = (image - image.mean(axis=(0, 1))).reshape(-1, 3)
    squares = (away**2).sum(axis=0)
    products = away[:, 0] @ away[:, 1:]
    scale = np.sqrt(squares[0] * squares[1:])
    return np.where(scale > 1e-12, products / np.maximum(scale, 1e-12), 1.0)
