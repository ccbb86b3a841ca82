"""The embedders of phase II, and their embeddings of a data set: computed once, kept in the user's cache."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from common.archives import check_archive
from common.conditions import NOT_FACENET
from common.data.image_reader import explain_damaged_images
from common.data.pipeline import Images, Preprocessing
from common.data.pixel_store import PixelStore
from common.errors import UserError
from common.files import atomic_path, cache_folder, sha256
from common.library_internals import initial_values_of_tensorflow
from common.networks.weights import FACENET_FILE
from common.progress import ProgressBar
from reproductions.facenet_embeddings.config import FACENET, STAND_IN, XCEPTION, XCEPTION_EMBEDDER, Config
from reproductions.facenet_embeddings.facenet_weights import find_facenet_weights, load_facenet_weights
from reproductions.facenet_embeddings.inception_resnet_v1 import inception_resnet_v1
from reproductions.facenet_embeddings.spectrum import spectrum

log = logging.getLogger("deepfake")

SHARD = 1024  # images whose embeddings are kept in one file: at most this many are computed again after a kill
ARITHMETIC = "float32"  # of every embedder, whatever --precision; a cache entry names it


@dataclass(frozen=True)
class Embedder:
    """A frozen network: pixels (B, S, S, 3) in [0, 255] -> embeddings (B, 512) of length 1.

    Args:
        name: facenet, random_facenet, spectrum or xception.
        size: height and width of its images in pixels.
        file: FaceNet's weights; None for the others.
        trained: a network that this run has trained, for xception.
        dimensions: of its embeddings.
    """

    name: str
    size: int
    file: Path | None = None
    trained: keras.Model | None = None
    dimensions: int = 512

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the weight file; empty without one."""
        return sha256(self.file) if self.file else ""

    @property
    def identity(self) -> str:
        """The name of its embeddings in the cache: equal only for equal embeddings. Empty: they are not kept there."""
        if self.trained is not None:
            return ""
        return f"{self.name}-{self.digest[:16] or 'v1'}-{self.size}-{ARITHMETIC}"

    @property
    def notes(self) -> list[str]:
        """What a reader of numbers on its embeddings must know."""
        if self.name == STAND_IN:
            return [f"{NOT_FACENET}: {self.name} stands in"]
        if self.name == XCEPTION_EMBEDDER:
            return [f"{NOT_FACENET}: phase I's Xception, as in the first experiment of Sec. X"]
        if self.file is None:
            return [f"{NOT_FACENET}: its network with random weights"]
        if self.digest == FACENET_FILE.digest:
            return []
        return [f"{NOT_FACENET}: weights of SHA-256 {self.digest[:16]}, not published"]

    @cached_property
    def network(self) -> keras.Model:
        """The network, built on first use."""
        if self.trained is not None:
            return self.trained
        with _float32(), initial_values_of_tensorflow():
            if self.name == STAND_IN:
                return spectrum(self.size)
            keras.utils.set_random_seed(0)
            network = inception_resnet_v1(self.size)
            network.trainable = False
            if self.file:
                load_facenet_weights(network, self.file)
            return network


def find_embedder(config: Config) -> Embedder:
    """Return the embedder of a config; called before anything is computed.

    xception has no network yet: phase I trains one for each split.

    Without FaceNet's weights, under --facenet-weights none, STAND_IN takes its place, and the log and each row say so.

    Raises:
        UserError: if the weights that are asked for cannot be downloaded, for a file that does not exist, --embedder
            facenet without weights, or --embedder xception without an Xception in --phase1.
    """
    if config.embedder == XCEPTION_EMBEDDER:
        if not set(config.phase1) & set(XCEPTION):
            raise UserError(f"--embedder xception needs one of {', '.join(XCEPTION)} in --phase1")
        return Embedder(XCEPTION_EMBEDDER, config.phase1_size)
    if config.embedder not in ("auto", FACENET):
        return Embedder(config.embedder, config.image_size)
    file = find_facenet_weights(config.facenet_weights)
    if file is None and config.embedder == FACENET:
        raise UserError(
            "--embedder facenet needs its weights: drop --facenet-weights none, or give --embedder random_facenet"
        )
    if file is None:
        log.warning("%s stands in for FaceNet, as --facenet-weights none asks for", STAND_IN)
        return Embedder(STAND_IN, config.image_size)
    return Embedder(FACENET, config.image_size, file)


def embed(images: pd.DataFrame, embedder: Embedder, batch_size: int) -> np.ndarray:
    """Return the embeddings of the images of a table; those in the cache are not computed. The cache does not keep
    those of a network that this run has trained.

    An embedding belongs to the bytes of an image file and to the embedder: copies, other folders and other runs share
    it. A computation that was killed resumes after its last shard.

    Args:
        images: n rows with the columns file and sha256.
        embedder: of `find_embedder`.
        batch_size: images in a step.

    Returns:
        float32 (n, 512), in the order of the table.

    Raises:
        UserError: if an image is missing or damaged.
    """
    if not embedder.identity:
        with ProgressBar(f"{embedder.name} embeddings", len(images), "face") as bar:
            return _compute(images, embedder, batch_size, bar)
    folder = cache_folder() / "embeddings" / embedder.identity
    digests = pd.Series([digest or sha256(file) for digest, file in zip(images["sha256"], images["file"], strict=True)])
    known = _read(folder, set(digests), embedder.dimensions)
    missing = images.assign(digest=digests.to_numpy())[~digests.isin(list(known)).to_numpy()].drop_duplicates("digest")
    if len(missing):
        log.info("embedding %d of %d images by %s", len(missing), len(images), embedder.name)
    with ProgressBar(f"{embedder.name} embeddings", len(missing), "face") as bar:
        for start in range(0, len(missing), SHARD):
            shard = missing.iloc[start : start + SHARD]
            vectors = _compute(shard, embedder, batch_size, bar)
            _keep(folder, shard["digest"].to_list(), vectors)
            known |= zip(shard["digest"], vectors, strict=True)
    return np.stack([known[digest] for digest in digests])


@explain_damaged_images()
def _compute(images, embedder, batch_size, bar):
    """Return the embeddings of the images, float32 (n, 512); `bar` shows the progress."""
    pixels = Images(images, Preprocessing(embedder.size, scale=1.0), PixelStore(0, 0)).evaluation_batches(batch_size)
    vectors = []
    for batch in pixels:
        vectors.append(np.asarray(embedder.network.predict_on_batch(batch.numpy()), np.float32))
        bar.update(min(batch_size, len(images) - batch_size * (len(vectors) - 1)))
    return np.concatenate(vectors)[: len(images)]


@contextmanager
def _float32() -> Iterator[None]:
    """Build layers that compute in float32 here, whatever --precision the run's trainings have."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(ARITHMETIC)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


def _read(folder, wanted, dimensions):
    """Return {SHA-256 of an image: its embedding} for those of `wanted` that are in the folder.

    A damaged file, of a full disk for example, is removed: what it should hold is computed again.
    """
    known = {}
    for path in sorted(folder.glob("*.npz")):
        try:
            known |= _read_shard(path, wanted, dimensions)
        except Exception as error:  # NumPy and zipfile raise a dozen kinds for damaged bytes
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            log.warning("%s is damaged (%s): its embeddings are computed again", path, reason)
            with suppress(OSError):  # of a cache that is read-only
                path.unlink()
    return known


def _read_shard(path, wanted, dimensions):
    """The embeddings of one file that are in `wanted`; an exception if it is damaged."""
    check_archive(path)
    with np.load(path, allow_pickle=False) as shard:
        digests = shard["digests"]
        places = [place for place, digest in enumerate(digests) if digest in wanted]
        if not places:
            return {}
        vectors = shard["vectors"]
    if vectors.dtype != np.float32 or vectors.shape != (len(digests), dimensions) or not np.isfinite(vectors).all():
        raise ValueError(f"expected {len(digests)} vectors of {dimensions} finite numbers")
    return {str(digests[place]): vectors[place] for place in places}


def _keep(folder, digests, vectors):
    """Write a shard of the cache. A cache that cannot be written does not stop the run."""
    name = hashlib.sha256("".join(digests).encode()).hexdigest()[:16]
    try:
        with atomic_path(folder / f"{name}.npz") as temporary:
            np.savez(temporary, digests=np.array(digests), vectors=vectors)
    except OSError as error:  # read-only, or a full disk
        log.warning("%d embeddings are not kept in %s: %s", len(digests), folder, error.strerror or error)
