"""Published weight files: finding them, downloading them once, and checking their hashes."""

import hashlib
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

from common.errors import UserError

SERVER = "https://storage.googleapis.com/tensorflow/keras-applications/"
TIMEOUT_SECONDS = 30  # of a server that does not answer


class WeightsUnavailable(UserError):
    """Weights could not be downloaded."""


@dataclass(frozen=True)
class WeightFile:
    """A published file.

    Args:
        url: where it is published.
        digest: its MD5 or SHA-256, as the publisher states it, in hexadecimal digits.
    """

    url: str
    digest: str

    @property
    def name(self) -> str:
        """The file name."""
        return self.url.rpartition("/")[2]

    @property
    def algorithm(self) -> str:
        """`md5` or `sha256`."""
        return "md5" if len(self.digest) == 32 else "sha256"

    @property
    def labelled_digest(self) -> str:
        """The algorithm and the digest, for messages."""
        return f"{'MD5' if self.algorithm == 'md5' else 'SHA-256'} {self.digest}"


def _keras_file(path, md5):
    return WeightFile(SERVER + path, md5)


# The files without the classifier (notop) of the networks of common.networks.backbones.
IMAGENET_FILES = {
    "vgg16": _keras_file("vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc"),
    "vgg19": _keras_file("vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", "253f8cb515780f3b799900260a226db6"),
    "resnet50": _keras_file(
        "resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", "4d473c1dd8becc155b73f8504c6f6626"
    ),
    "inceptionv3": _keras_file(
        "inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5", "bcbd6486424b2319ff4ef7d526e38f63"
    ),
    "xception": _keras_file(
        "xception/xception_weights_tf_dim_ordering_tf_kernels_notop.h5", "b0042744bf5b25fce3cb969f33bebb97"
    ),
    "inceptionresnetv2": _keras_file(
        "inception_resnet_v2/inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "d19885ff4a710c122648d3b5c3b684e4",
    ),
}

# Sandberg's 20180402-114759, trained on VGGFace2 with fixed scaling of pixels, as the package keras-facenet converted
# it and states its hash (keras_facenet/metadata.py).
FACENET_FILE = WeightFile(
    "https://github.com/faustomorales/keras-facenet/releases/download/v0.3.1/20180402-114759-weights.h5",
    "8b71e7045497e841c00ee568f031d1a4d30908fceadf6884aef2dec4d545202b",
)

# MesoNet's weights for deepfakes, by its authors. The hashes are those of the files as published; they state none.
MESONET_FILES = {
    "meso4": WeightFile(
        "https://github.com/DariusAf/MesoNet/raw/master/weights/Meso4_DF.h5",
        "036ed30d04ffd9c7506f825b97c86aa64915f5818931da96817b169aad790af5",
    ),
    "mesoinception4": WeightFile(
        "https://github.com/DariusAf/MesoNet/raw/master/weights/MesoInception_DF.h5",
        "234586d40058e76ef8b6f27ca4b63c06e31c2a5a69c0d8ba6f30b1468ab7bafa",
    ),
}


def find_weights(network: str, choice: str) -> Path | None:
    """Find the file of a network's ImageNet weights and check its MD5.

    Args:
        network: a name of IMAGENET_FILES.
        choice: `imagenet`, the file of keras.applications, which is downloaded once into Keras's folder; `none`; or a
            folder that contains the file under its published name.

    Returns:
        The file; None for `none`.

    Raises:
        WeightsUnavailable: if the file cannot be downloaded.
        UserError: if the folder does not contain the file, or a different one.
    """
    published = IMAGENET_FILES[network]
    if choice == "none":
        return None
    if choice == "imagenet":
        remedy = (
            f"put it as {published.name} into {keras_folder()} or any --imagenet-weights FOLDER, "
            "or start from random weights with --imagenet-weights none"
        )
        return download(published, f"ImageNet weights of {network}", remedy)
    file = Path(choice).expanduser() / published.name
    if not file.is_file():
        raise UserError(
            f"--imagenet-weights {choice}: expected imagenet, none, or a folder with {published.name}; "
            f"download it from {published.url} ({published.labelled_digest})"
        )
    md5 = _digest(file, "md5")
    if md5 != published.digest:
        raise UserError(
            f"{file} is not the published file: expected {published.labelled_digest}, got {md5}; "
            f"download {published.url} again"
        )
    return file


def keras_folder() -> Path:
    """Return the folder in which Keras keeps weights; a user without a home has one among the temporary files."""
    if named := os.environ.get("KERAS_HOME"):
        return Path(named) / "models"
    home = os.path.expanduser("~")
    return Path(home if os.access(home, os.W_OK) else tempfile.gettempdir()) / ".keras" / "models"


def download(published: WeightFile, subject: str, remedy: str, folder: Path | None = None) -> Path:
    """Download a file once and check its hash.

    Args:
        published: the file.
        subject: what it is, for the message, e.g. `ImageNet weights of vgg16`.
        remedy: what to do with a file that was fetched by other means, or instead, for the message.
        folder: where the file is kept; None: Keras's folder.

    Returns:
        The path of the file.

    Raises:
        WeightsUnavailable: if it cannot be downloaded or has another hash.
    """
    kept = (folder or keras_folder()) / published.name
    if kept.is_file() and _digest(kept, published.algorithm) == published.digest:  # the folder may be read-only
        return kept
    if folder is not None:
        with suppress(OSError):  # Keras takes a temporary folder if it cannot write
            folder.mkdir(parents=True, exist_ok=True)
    import keras  # here, so that commands can look for weights before they import TensorFlow

    try:
        with _socket_timeout(TIMEOUT_SECONDS), redirect_stdout(sys.stderr):  # get_file prints its progress
            file = keras.utils.get_file(
                published.name, published.url, cache_dir=folder and folder.parent,
                cache_subdir=folder.name if folder else "models", file_hash=published.digest,
                hash_algorithm=published.algorithm,
            )  # fmt: skip
    except Exception as error:  # get_file raises no narrower one
        reason = " ".join(str(error).split()).rpartition(" -- ")[2]  # without the URL, which follows
        raise WeightsUnavailable(
            f"the {subject} cannot be downloaded ({reason}); get {published.url} ({published.labelled_digest}) "
            f"by other means and {remedy}"
        ) from error
    return Path(file)


def _digest(file: Path, algorithm: str) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, algorithm).hexdigest()


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """Raise an error if a server does not answer: behind a firewall a download would otherwise wait for minutes."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
