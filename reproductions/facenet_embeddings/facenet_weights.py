"""FaceNet's published weights: finding them, and loading h5 files that Keras 2 wrote."""

import logging
from itertools import zip_longest
from pathlib import Path

import h5py
import keras
import numpy as np

from common.errors import UserError
from common.files import sha256
from common.networks.stored import check_weights
from common.networks.weights import FACENET_FILE, download

log = logging.getLogger("deepfake")


def find_facenet_weights(choice: str) -> Path | None:
    """Find the file of FaceNet's weights.

    Args:
        choice: `download`, FACENET_FILE, which is downloaded once into Keras's folder and checked by its SHA-256;
            `none`; or a file for `load_facenet_weights`; the log then reports whether it is FACENET_FILE.

    Returns:
        The file; None for `none`.

    Raises:
        WeightsUnavailable: if FACENET_FILE cannot be downloaded.
        UserError: if there is no such file.
    """
    if choice == "none":
        return None
    if choice == "download":
        remedy = "name it with --facenet-weights FILE, or start from random weights with --facenet-weights none"
        return download(FACENET_FILE, "weights of FaceNet", remedy)
    file = Path(choice).expanduser()
    if not file.is_file():
        raise UserError(
            f"--facenet-weights {choice}: expected download, none, or a file; "
            f"get {FACENET_FILE.url} ({FACENET_FILE.labelled_digest}) and name it here"
        )
    digest = sha256(file)
    kind = FACENET_FILE.name if digest == FACENET_FILE.digest else "not the published file"
    log.info("%s is %s: SHA-256 %s", file, kind, digest)
    return file


def load_facenet_weights(network: keras.Model, file: Path) -> None:
    """Load the weights of an h5 file that Keras 2 wrote.

    Two layouts are read: weights alone, as keras-facenet publishes them (20180402-114759-weights.h5), and a whole model
    (facenet_keras.h5), whose weights are in its group `model_weights`; only arrays are read from either. In both the
    layers are named as in `inception_resnet_v1` (`Conv2d_1a_3x3`, `Block35_1_Branch_0_Conv2d_1x1_BatchNorm`,
    `Bottleneck`), and arrays are assigned by these names. If a file has none of these names, because its model's layers
    were not named, arrays are assigned in their order, which Keras 2 and 3 derive from the graph in the same way, with
    a warning. The name (kernel, bias, beta, moving_mean, moving_variance) and shape of every array are compared before
    any weight is set.

    Args:
        network: of `inception_resnet_v1`.
        file: the h5 file.

    Raises:
        UserError: for a file of another network, naming the first array that differs. An example is the widespread
            facenet_keras.h5 of 2017 with 128 dimensions, which expects pixels standardised image by image.
    """
    arrays = _read_arrays(file)
    layers = [layer for layer in network.layers if layer.weights]
    names = [layer.name for layer in layers]
    if arrays.keys() & set(names):
        names += [name for name in arrays if name not in names]
    else:
        log.warning("%s names no layer of FaceNet: its arrays are assigned in their order", file)
        names = list(arrays)
    values = []
    for layer, name in zip_longest(layers, names):
        expected = [(weight.name, tuple(weight.shape)) for weight in layer.weights] if layer else []
        stored = arrays.get(name, [])
        for expected_array, stored_array in zip_longest(expected, [(weight, array.shape) for weight, array in stored]):
            if expected_array != stored_array:
                raise UserError(
                    f"{file} does not fit FaceNet: expected {_describe(layer and layer.name, expected_array)}, "
                    f"got {_describe(name, stored_array)}; get {FACENET_FILE.url}"
                )
        values += [array for _, array in stored]
    network.set_weights(values)


def _read_arrays(file):
    """The arrays of a Keras 2 h5 file in their order: {layer: [(name, array)]}, without layers that have none."""
    try:
        check_weights(file)
        with h5py.File(file) as opened:
            groups = opened.get("model_weights", opened)
            layers = {
                name: [
                    (weight.rpartition("/")[2].removesuffix(":0"), np.asarray(groups[name][weight]))
                    for weight in _texts(groups[name].attrs["weight_names"])
                ]
                for name in _texts(groups.attrs["layer_names"])
            }
    except Exception as error:  # h5py and NumPy raise a dozen kinds for damaged or hostile bytes
        reason = " ".join(str(error).split())
        raise UserError(f"{file} is not a weight file of Keras 2 ({reason}); get {FACENET_FILE.url}") from error
    return {name: arrays for name, arrays in layers.items() if arrays}


def _texts(attribute):
    """The strings of an h5 attribute, which some versions of Keras stored as bytes."""
    return [text.decode() if isinstance(text, bytes) else str(text) for text in attribute]


def _describe(layer, array):
    return "nothing" if array is None else f"{layer}/{array[0]} {array[1]}"
