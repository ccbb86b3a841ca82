"""The embedders of phase II, and their embeddings of a data set: computed once, kept in the user's cache."""

import hashlib
import logging
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops
from tqdm import tqdm

from common.conditions import NOT_FACENET
from common.data.pipeline import Images, Preprocessing
from common.errors import UserError
from common.files import atomic_path, cache_folder, sha256
from common.layers import l2_normalize
from common.networks.backbones import WeightsUnavailable
from reproductions.facenet_embeddings.config import FACENET, STAND_IN
from reproductions.facenet_embeddings.inception_resnet_v1 import (
    DIMENSIONS,
    LEAST,
    find_facenet_weights,
    inception_resnet_v1,
    load_facenet_weights,
)
from reproductions.facenet_embeddings.inception_resnet_v1 import FACENET as PUBLISHED

log = logging.getLogger("deepfake")

SHARD = 1024  # images whose embeddings are kept in one file: at most so many are computed twice after a kill
WAVES = 8  # pixels of a side of the cosine transform's blocks
PARTS = 4  # of the face, down and across, whose strengths of a wave are told apart
BT601 = ((0.299, -0.168736, 0.5), (0.587, -0.331264, -0.418688), (0.114, 0.5, -0.081312))  # RGB to Y, Cb, Cr


@dataclass(frozen=True)
class Embedder:
    """A frozen network: pixels (B, S, S, 3) in [0, 255] -> embeddings (B, 512) of length 1.

    name: one of --embedder; identity: equal for equal embeddings; notes: what a reader of its numbers must know.
    """

    name: str
    network: object
    identity: str
    notes: tuple = ()


def find_embedder(config):
    """(name, weight file or None) for a config; looked for before anything is computed.

    Where FaceNet's weights cannot be had the preset paper stops, unless told to go without; the others take STAND_IN,
    and say so. UserError for an image too small, or a file that is not there.
    """
    if config.image_size < LEAST:
        raise UserError(f"--image-size {config.image_size}: FaceNet takes images of at least {LEAST} pixels")
    if config.embedder not in ("auto", FACENET):
        return config.embedder, None
    try:
        file = find_facenet_weights(config.facenet_weights)
    except WeightsUnavailable as error:
        if config.preset == "paper" or config.embedder == FACENET:
            raise
        log.warning("%s stands in for FaceNet: %s", STAND_IN, error)
        return STAND_IN, None
    if file is None and config.embedder == FACENET:
        raise UserError(
            "--embedder facenet needs its weights: drop --facenet-weights none, or --embedder random_facenet"
        )
    if file is None:
        log.warning("%s stands in for FaceNet, as --facenet-weights none asks for", STAND_IN)
        return STAND_IN, None
    return FACENET, file


def make_embedder(name, file, size):
    """The Embedder of that name, of `find_embedder`; `file`: FaceNet's weights."""
    if name == STAND_IN:
        return Embedder(name, spectrum(size), f"{name}-v1-{size}", (f"{NOT_FACENET}: {name} stands in",))
    keras.utils.set_random_seed(0)
    network = inception_resnet_v1(size)
    network.trainable = False
    if file is None:
        return Embedder(name, network, f"{name}-v1-{size}", (f"{NOT_FACENET}: its network with random weights",))
    load_facenet_weights(network, file)
    digest = sha256(file)
    foreign = () if digest == PUBLISHED.sha256 else (f"{NOT_FACENET}: weights of SHA-256 {digest[:16]}, not published",)
    return Embedder(name, network, f"{name}-{digest[:16]}-{size}", foreign)


def spectrum(size):
    """A stand-in for FaceNet that needs no weights: how strong each 8 x 8 cosine wave is in each part of the face.

    Pixels (B, size, size, 3) in [0, 255] -> (B, 512), of length 1. Luma and both chromas (BT.601) are taken apart into
    the 64 waves of the discrete cosine transform, at every second place. The logarithms of their mean strengths in
    PARTS x PARTS cells of the face, less the image's mean of each colour, are mixed by a fixed random matrix. It knows
    nothing of persons: what it sees is the resolution and the noise that a decoder leaves.
    """
    image = keras.Input((size, size, 3), name="image")
    colours = layers.Conv2D(3, 1, use_bias=False, name="colours")
    waves = layers.DepthwiseConv2D(
        WAVES, strides=2, padding="valid", depth_multiplier=WAVES**2, use_bias=False, name="waves"
    )
    x = waves(colours(image))  # (B, h, w, 192)
    cell = x.shape[1] // PARTS
    x = layers.AveragePooling2D(cell, cell, padding="valid", name="parts")(ops.abs(x))  # (B, PARTS, PARTS, 192)
    x = layers.Reshape((-1, 3, WAVES**2))(ops.log(x + 0.1))
    x = layers.LayerNormalization(axis=(1, 3), center=False, scale=False, name="centre")(x)
    mix = layers.Dense(DIMENSIONS, use_bias=False, name="mix")
    x = mix(layers.Flatten()(x))
    network = keras.Model(image, layers.Lambda(l2_normalize, dtype="float32", name="embedding")(x), name=STAND_IN)
    colours.set_weights([np.array(BT601, np.float32)[None, None]])
    basis = _cosines()[:, :, None, :]  # (8, 8, 1, 64)
    waves.set_weights([np.repeat(basis, 3, axis=2)])
    width = PARTS**2 * 3 * WAVES**2
    mix.set_weights([np.random.default_rng(0).normal(0, width**-0.5, (width, DIMENSIONS)).astype(np.float32)])
    network.trainable = False
    return network


def _cosines():
    """The orthonormal two-dimensional DCT-II, float32 (8, 8, 64): place down, place across, wave."""
    place, wave = np.arange(WAVES), np.arange(WAVES)[:, None]
    one = np.cos(np.pi * (2 * place + 1) * wave / (2 * WAVES)) * np.where(wave, 2, 1) ** 0.5 * WAVES**-0.5
    return np.einsum("ux,vy->xyuv", one, one).reshape(WAVES, WAVES, -1).astype(np.float32)


def embed(images, embedder, size, batch_size):
    """The embeddings of the images of a table, float32 (n, 512), in its order; those in the cache are not computed.

    An embedding belongs to the bytes of an image file and to the embedder: copies, other folders and other runs share
    it. A computation that was killed goes on after its last shard.
    """
    folder = cache_folder() / "embeddings" / embedder.identity
    digests = images["sha256"].where(images["sha256"] != "", images["file"].map(_digest_if_unknown(images)))
    known = _read(folder, set(digests))
    missing = images.assign(digest=digests)[~digests.isin(list(known))].drop_duplicates("digest")
    if len(missing):
        log.info("embedding %d of %d images by %s", len(missing), len(images), embedder.name)
    with tqdm(total=len(missing), desc=f"{embedder.name} embeddings", unit="face", disable=None) as bar:
        for start in range(0, len(missing), SHARD):
            shard = missing.iloc[start : start + SHARD]
            pixels = Images(shard, Preprocessing(size, scale=1.0), cache_bytes=0).evaluation_batches(batch_size)
            vectors = []
            for batch in pixels:
                vectors.append(np.asarray(embedder.network.predict_on_batch(batch), np.float32))
                bar.update(min(batch_size, len(shard) - batch_size * (len(vectors) - 1)))
            vectors = np.concatenate(vectors)[: len(shard)]
            _write(folder, shard["digest"].to_list(), vectors)
            known |= zip(shard["digest"], vectors, strict=True)
    return np.stack([known[digest] for digest in digests])


def _digest_if_unknown(images):
    unknown = set(images.loc[images["sha256"] == "", "file"])
    return lambda file: sha256(file) if file in unknown else ""


def _read(folder, wanted):
    """{SHA-256 of an image: its embedding} of those of `wanted` that the folder holds."""
    known = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as shard:
            digests = shard["digests"]
            places = [place for place, digest in enumerate(digests) if digest in wanted]
            if places:
                vectors = shard["vectors"]
                known |= {str(digests[place]): vectors[place] for place in places}
    return known


def _write(folder, digests, vectors):
    name = hashlib.sha256("".join(digests).encode()).hexdigest()[:16]
    with atomic_path(folder / f"{name}.npz") as temporary:
        np.savez(temporary, digests=np.array(digests), vectors=vectors)
