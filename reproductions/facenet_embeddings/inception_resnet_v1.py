"""FaceNet's Inception-ResNet-v1: a face becomes 512 numbers of length 1, and the published weights for it.

Architecture: Szegedy, Ioffe, Vanhoucke, Alemi 2017, "Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning", doi:10.48550/arXiv.1602.07261, in the form of D. Sandberg's facenet (batch normalisation
without scale, a bottleneck in the place of the classifier), which all public FaceNet weights share. The embedding is
Schroff, Kalenichenko, Philbin 2015, doi:10.1109/CVPR.2015.7298682.

As in common.networks.backbones the network takes RGB pixels in [0, 255] and scales them in its own first layer.
"""

import logging
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers

from common.errors import UserError
from common.files import sha256
from common.layers import l2_normalize
from common.networks.backbones import download

log = logging.getLogger("deepfake")

DIMENSIONS = 512
LEAST = 75  # the smallest image of which the last reduction leaves a pixel

# The branches of a block: (name, filters) of each convolution. A name ends with the kernel's height and width.
BLOCK35 = (
    (("Conv2d_1x1", 32),),
    (("Conv2d_0a_1x1", 32), ("Conv2d_0b_3x3", 32)),
    (("Conv2d_0a_1x1", 32), ("Conv2d_0b_3x3", 32), ("Conv2d_0c_3x3", 32)),
)
BLOCK17 = (
    (("Conv2d_1x1", 128),),
    (("Conv2d_0a_1x1", 128), ("Conv2d_0b_1x7", 128), ("Conv2d_0c_7x1", 128)),
)
BLOCK8 = (
    (("Conv2d_1x1", 192),),
    (("Conv2d_0a_1x1", 192), ("Conv2d_0b_1x3", 192), ("Conv2d_0c_3x1", 192)),
)
REDUCTION_A = (
    (("Conv2d_1a_3x3", 384),),
    (("Conv2d_0a_1x1", 192), ("Conv2d_0b_3x3", 192), ("Conv2d_1a_3x3", 256)),
)
REDUCTION_B = (
    (("Conv2d_0a_1x1", 256), ("Conv2d_1a_3x3", 384)),
    (("Conv2d_0a_1x1", 256), ("Conv2d_1a_3x3", 256)),
    (("Conv2d_0a_1x1", 256), ("Conv2d_0b_3x3", 256), ("Conv2d_1a_3x3", 256)),
)


@dataclass(frozen=True)
class Published:
    """A weight file: where it is to be had, and the SHA-256 that its publisher states."""

    url: str
    sha256: str

    @property
    def file(self):
        return self.url.rpartition("/")[2]


# Sandberg's 20180402-114759, trained on VGGFace2 with fixed scaling of pixels, as the package keras-facenet converted
# it and states its hash (keras_facenet/metadata.py).
FACENET = Published(
    "https://github.com/faustomorales/keras-facenet/releases/download/v0.3.1/20180402-114759-weights.h5",
    "8b71e7045497e841c00ee568f031d1a4d30908fceadf6884aef2dec4d545202b",
)


def inception_resnet_v1(image_size=160, synchronized=False):
    """Pixels (B, S, S, 3) in [0, 255] -> embeddings (B, 512), float32, of length 1; 23,497,424 parameters.

    The published weights are for 160 px; the network takes any size from 75 on. synchronized: whether batch
    normalisation takes its statistics over all replicas, as several of them need to step like one.
    UserError for a smaller image.
    """
    if image_size < LEAST:
        raise UserError(f"FaceNet takes images of at least {LEAST}x{LEAST}, got {image_size}x{image_size}")
    convolve = partial(_convolve, synchronized=synchronized)
    image = keras.Input((image_size, image_size, 3), name="image")
    x = layers.Rescaling(1 / 127.5, -1.0, dtype="float32", name="pixels")(image)  # (x - 127.5) / 127.5
    x = convolve(x, "Conv2d_1a_3x3", 32, strides=2, padding="valid")  # (B, 79, 79, 32)
    x = convolve(x, "Conv2d_2a_3x3", 32, padding="valid")
    x = convolve(x, "Conv2d_2b_3x3", 64)
    x = layers.MaxPooling2D(3, 2, name="MaxPool_3a_3x3")(x)  # (B, 38, 38, 64)
    x = convolve(x, "Conv2d_3b_1x1", 80)
    x = convolve(x, "Conv2d_4a_3x3", 192, padding="valid")
    x = convolve(x, "Conv2d_4b_3x3", 256, strides=2, padding="valid")  # (B, 17, 17, 256)
    for number in range(1, 6):
        x = _residual(x, convolve, f"Block35_{number}", BLOCK35, scale=0.17)
    x = _reduce(x, convolve, "Mixed_6a", REDUCTION_A)  # (B, 8, 8, 896)
    for number in range(1, 11):
        x = _residual(x, convolve, f"Block17_{number}", BLOCK17, scale=0.1)
    x = _reduce(x, convolve, "Mixed_7a", REDUCTION_B)  # (B, 3, 3, 1792)
    for number in range(1, 6):
        x = _residual(x, convolve, f"Block8_{number}", BLOCK8, scale=0.2)
    x = _residual(x, convolve, "Block8_6", BLOCK8, scale=1.0, activate=False)
    x = layers.GlobalAveragePooling2D(name="AvgPool")(x)  # (B, 1792)
    x = layers.Dropout(0.2, name="Dropout")(x)
    x = layers.Dense(DIMENSIONS, use_bias=False, name="Bottleneck")(x)
    x = _normalization("Bottleneck", synchronized)(x)
    x = layers.Lambda(l2_normalize, dtype="float32", name="embedding")(x)
    return keras.Model(image, x, name="inception_resnet_v1")


def find_facenet_weights(choice):
    """The file of FaceNet's weights, or None where the network starts from random ones.

    choice: `download`, FACENET, fetched once into Keras's folder and compared with its SHA-256; `none`; or a file for
    `load_facenet_weights`, of which the log says whether it is FACENET.
    WeightsUnavailable if it cannot be downloaded, UserError if there is no such file.
    """
    if choice == "none":
        return None
    if choice == "download":
        return download(
            FACENET.url, FACENET.sha256, "weights of FaceNet",
            "name it with --facenet-weights FILE, or do without them: --facenet-weights none",
        )  # fmt: skip
    file = Path(choice).expanduser()
    if not file.is_file():
        raise UserError(
            f"--facenet-weights {choice}: expected download, none, or a file; "
            f"get {FACENET.url} (SHA-256 {FACENET.sha256}) and name it here"
        )
    found = sha256(file)
    log.info("%s is %s: SHA-256 %s", file, FACENET.file if found == FACENET.sha256 else "not the published file", found)
    return file


def load_facenet_weights(network, file):
    """Give an `inception_resnet_v1` the weights of an h5 file that Keras 2 wrote.

    Two layouts are read: weights alone, as keras-facenet publishes them (20180402-114759-weights.h5), and a whole model
    (facenet_keras.h5), whose weights lie in its group `model_weights`; nothing but arrays is taken from either. Both
    name their layers as here (`Conv2d_1a_3x3`, `Block35_1_Branch_0_Conv2d_1x1_BatchNorm`, `Bottleneck`), and arrays go
    by these names. A file with none of these names, of a model whose layers were not named, is taken in its own order,
    which Keras 2 and 3 derive from the graph alike; the log then says so. The name (kernel, bias, beta,
    moving_mean, moving_variance) and shape of every array are compared before any weight is set.

    UserError, with the first array that differs, for a file of another network, such as the widespread
    facenet_keras.h5 with 128 dimensions; it is of 2017 and expects pixels standardised image by image.
    """
    stored = _stored(file)
    weighted = [layer for layer in network.layers if layer.weights]
    names = [layer.name for layer in weighted]
    if stored.keys() & set(names):
        names += [name for name in stored if name not in names]
    else:
        log.warning("%s names no layer of FaceNet: its arrays are taken in their order", file)
        names = list(stored)
    values = []
    for layer, name in zip_longest(weighted, names):
        expected = [(weight.name, tuple(weight.shape)) for weight in layer.weights] if layer else []
        found = stored.get(name, [])
        for wanted, got in zip_longest(expected, [(weight, array.shape) for weight, array in found]):
            if wanted != got:
                raise UserError(
                    f"{file} does not fit FaceNet: expected {_in_words(layer and layer.name, wanted)}, "
                    f"got {_in_words(name, got)}; get {FACENET.url}"
                )
        values += [array for _, array in found]
    network.set_weights(values)


def _stored(file):
    """The arrays of a Keras 2 h5 file in their order: {layer: [(name, array)]}, without layers that have none."""
    try:
        with h5py.File(file) as opened:
            groups = opened.get("model_weights", opened)
            stored = {
                name: [
                    (weight.rpartition("/")[2].removesuffix(":0"), np.asarray(groups[name][weight]))
                    for weight in _texts(groups[name].attrs["weight_names"])
                ]
                for name in _texts(groups.attrs["layer_names"])
            }
    except (OSError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{file} is no weight file of Keras 2 ({reason}); get {FACENET.url}") from error
    return {name: arrays for name, arrays in stored.items() if arrays}


def _texts(attribute):
    return [text.decode() if isinstance(text, bytes) else str(text) for text in attribute]


def _in_words(layer, array):
    return "nothing" if array is None else f"{layer}/{array[0]} {array[1]}"


def _residual(x, convolve, name, branches, scale, activate=True):
    """x + scale * up([branches of x]), then ReLU: scaling keeps deep residual networks stable (Szegedy, sec. 3.3)."""
    mixed = layers.Concatenate(name=f"{name}_Concatenate")(_branches(x, convolve, name, branches))
    up = layers.Conv2D(x.shape[-1], 1, name=f"{name}_Conv2d_1x1")(mixed)
    x = layers.Add(name=f"{name}_Add")([x, layers.Rescaling(scale, name=f"{name}_Scale")(up)])
    return layers.ReLU(name=f"{name}_Activation")(x) if activate else x


def _reduce(x, convolve, name, branches):
    """Halve height and width: the last convolution of every branch has stride 2, beside them a max pooling."""
    reduced = _branches(x, convolve, name, branches, strides=2, padding="valid")
    pooled = layers.MaxPooling2D(3, 2, name=f"{name}_Branch_{len(branches)}_MaxPool_1a_3x3")(x)
    return layers.Concatenate(name=name)([*reduced, pooled])


def _branches(x, convolve, name, branches, **of_last):
    outputs = []
    for number, convolutions in enumerate(branches):
        y = x
        for place, (convolution, filters) in enumerate(convolutions, start=1):
            options = of_last if place == len(convolutions) else {}
            y = convolve(y, f"{name}_Branch_{number}_{convolution}", filters, **options)
        outputs.append(y)
    return outputs


def _convolve(x, name, filters, strides=1, padding="same", synchronized=False):
    """Convolution without bias, batch normalisation, ReLU."""
    kernel = [int(size) for size in name.rpartition("_")[2].split("x")]
    x = layers.Conv2D(filters, kernel, strides, padding, use_bias=False, name=name)(x)
    return layers.ReLU(name=f"{name}_Activation")(_normalization(name, synchronized)(x))


def _normalization(name, synchronized):
    return layers.BatchNormalization(
        momentum=0.995, epsilon=1e-3, scale=False, synchronized=synchronized, name=f"{name}_BatchNorm"
    )
