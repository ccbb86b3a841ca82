"""The ImageNet networks of keras.applications that the papers start from, without their classifier.

Every backbone takes RGB pixels in [0, 255], float32 (B, H, W, 3), whatever its authors trained it on: what they did to
pixels is its first layers, so it is saved with the network. In a data pipeline that is Preprocessing(size, scale=1.0).
"""

import hashlib
import os
import socket
import sys
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from common.errors import UserError

SERVER = "https://storage.googleapis.com/tensorflow/keras-applications/"
SILENCE = 30  # seconds after which a server that says nothing is given up
BGR_MEANS = (103.939, 116.779, 123.68)  # of ImageNet's training pixels


@dataclass(frozen=True)
class Published:
    """A network as keras.applications has it.

    pixels: `caffe` where the authors took BGR minus the mean of each channel, `tf` where they took [-1, 1]; least: the
    smallest legal height and width; path, md5: its weights on the server, without the classifier, and their hash.
    """

    function: str
    pixels: str
    least: int
    path: str
    md5: str

    @property
    def file(self):
        return self.path.rpartition("/")[2]


NETWORKS = {
    "vgg16": Published(
        "VGG16",
        "caffe",
        32,
        "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "6d6bbae143d832006294945121d1f1fc",
    ),
    "vgg19": Published(
        "VGG19",
        "caffe",
        32,
        "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "253f8cb515780f3b799900260a226db6",
    ),
    "resnet50": Published(
        "ResNet50",
        "caffe",
        32,
        "resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "4d473c1dd8becc155b73f8504c6f6626",
    ),
    "inceptionv3": Published(
        "InceptionV3",
        "tf",
        75,
        "inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "bcbd6486424b2319ff4ef7d526e38f63",
    ),
    "xception": Published(
        "Xception",
        "tf",
        71,
        "xception/xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "b0042744bf5b25fce3cb969f33bebb97",
    ),
    "inceptionresnetv2": Published(
        "InceptionResNetV2",
        "tf",
        75,
        "inception_resnet_v2/inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "d19885ff4a710c122648d3b5c3b684e4",
    ),
}


class WeightsUnavailable(UserError):
    """ImageNet weights could not be downloaded: a preset may go on without them, and then says so."""


def backbone(name, input_shape, weights="none", synchronized=False):
    """A network of NETWORKS up to its last feature map: pixels (B, H, W, 3) in [0, 255] -> (B, h, w, channels).

    input_shape: (H, W, 3). weights: as for `find_weights`. synchronized: whether batch normalisation takes its
    statistics over all replicas, as several of them need to step like one.
    UserError for an image smaller than the network can take, and as `find_weights`.
    """
    import keras

    published = NETWORKS[name]
    height, width, channels = input_shape
    if channels != 3 or min(height, width) < published.least:
        least = f"{published.least}x{published.least}x3"
        raise UserError(
            f"{name} takes images of at least {least}, got {height}x{width}x{channels}; choose a larger one"
        )
    file = find_weights(name, weights)
    image = keras.Input(input_shape, name="image")
    network = getattr(keras.applications, published.function)(
        include_top=False,
        weights=file and str(file),
        input_tensor=_as_published(image, published.pixels),
        input_shape=input_shape,
    )
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = synchronized  # keras.applications has no argument for it; read at every call
    return keras.Model(image, network.output, name=name)


def find_weights(name, weights):
    """The file of a network's ImageNet weights, or None where it starts from random ones.

    weights: `imagenet`, keras.applications' own file, downloaded once into Keras's folder; `none`; or a folder that
    holds the file under its published name. Its MD5 is compared in every case.
    WeightsUnavailable if it cannot be downloaded, UserError if the folder has no such file or another one.
    """
    published = NETWORKS[name]
    if weights == "none":
        return None
    if weights == "imagenet":
        return _downloaded(name, published)
    file = Path(weights).expanduser() / published.file
    if not file.is_file():
        raise UserError(
            f"--imagenet-weights {weights}: expected imagenet, none, or a folder with {published.file}; "
            f"download it from {SERVER}{published.path} (MD5 {published.md5})"
        )
    with open(file, "rb") as opened:
        md5 = hashlib.file_digest(opened, "md5").hexdigest()
    if md5 != published.md5:
        raise UserError(
            f"{file} is not the published file: expected MD5 {published.md5}, got {md5}; "
            f"download {SERVER}{published.path} again"
        )
    return file


def download(url, file_hash, whose, otherwise):
    """The path of a weight file, fetched once into Keras's folder and compared with its MD5 or SHA-256.

    WeightsUnavailable if it cannot be had, in one line: `whose` weights, and `otherwise`, what to do instead.
    """
    import keras

    algorithm, words = ("md5", "MD5") if len(file_hash) == 32 else ("sha256", "SHA-256")
    try:
        with _impatience(), redirect_stdout(sys.stderr):  # get_file tells of its progress there
            file = keras.utils.get_file(
                url.rpartition("/")[2], url, cache_subdir="models", file_hash=file_hash, hash_algorithm=algorithm
            )
    except Exception as error:  # get_file raises no narrower one
        reason = " ".join(str(error).split()).rpartition(" -- ")[2]  # without the URL, which follows
        raise WeightsUnavailable(
            f"the {whose} cannot be downloaded ({reason}); get {url} ({words} {file_hash}) by other "
            f"means and {otherwise}"
        ) from error
    return Path(file)


def _downloaded(name, published):
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    return download(
        SERVER + published.path, published.md5, f"ImageNet weights of {name}",
        f"put it as {published.file} into {folder} or any --imagenet-weights FOLDER, "
        "or start from random weights with --imagenet-weights none",
    )  # fmt: skip


@contextmanager
def _impatience():
    """Let a silent server end in an error: behind a firewall, a download would otherwise wait for minutes."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _as_published(image, pixels):
    """RGB in [0, 255] -> what the published weights expect. Stock layers in float32: they load in any process."""
    import keras

    if pixels == "tf":
        return keras.layers.Rescaling(1 / 127.5, -1.0, dtype="float32", name="pixels")(image)
    bgr = keras.ops.flip(image, axis=-1)
    return keras.layers.Rescaling(1.0, [-mean for mean in BGR_MEANS], dtype="float32", name="pixels")(bgr)
