"""How a network starts from a file: its own weights, part of a larger network, or a layout that a paper reads."""

from collections.abc import Callable
from pathlib import Path

import keras

from common.errors import UserError
from common.files import sha256
from common.library_internals import all_layers
from common.networks.stored import check_weights, load_network

Reader = Callable[[keras.Model, Path], None]


def load_initial_weights(model: keras.Model, file: Path, flag: str, other: Reader | None = None) -> None:
    """Give a model the weights of a .keras file of this suite.

    The file holds a network of the same layers, or one that contains it as a layer of the model's name.

    Args:
        model: a built model.
        file: the file.
        flag: what names it, for the error, e.g. `--weights meso4`.
        other: reads a file that does not end in .keras; it raises ValueError, OSError or KeyError if the file does not
            fit.

    Raises:
        UserError: if the file cannot be read, or its weights, input or activations differ.
    """
    try:
        if other is not None and file.suffix != ".keras":
            check_weights(file)
            other(model, file)
        else:
            _copy_weights(stored_network(file, model.name), model)
    except Exception as error:  # Keras and h5py raise a dozen kinds for damaged or hostile bytes
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"{flag}={file}: the file does not fit this network: {reason}") from error


def stored_network(file: Path, name: str = "") -> keras.Model:
    """Return the network in a .keras file, or its layer `name` if it has one.

    Raises:
        UnusableNetwork: a ValueError, if the file cannot be read or is not safe to load.
    """
    network = load_network(file)
    inner = [layer for layer in network.layers if layer.name == name and isinstance(layer, keras.Model)]
    return inner[0] if inner else network


def initial_weights_note(file: Path) -> str:
    """Return the note on a network that starts from a weight file."""
    return f"started from {file.name} ({sha256(file)[:12]}), whose training images are not known"


def _copy_weights(stored: keras.Model, model: keras.Model) -> None:
    for what, ours, theirs in (
        ("input", model.input_shape[1:], stored.input_shape[1:]),
        ("output", model.output_shape[1:], stored.output_shape[1:]),
        ("activation", _activations(model), _activations(stored)),
        ("number of parameters", f"{model.count_params():,}", f"{stored.count_params():,}"),
    ):
        if ours != theirs:
            raise ValueError(f"its {what} is {theirs}, expected {ours}; give the flags that it was trained with")
    model.set_weights(stored.get_weights())


def _activations(model: keras.Model) -> str:
    """Return the kinds of activations in a network, in alphabetical order, as words."""
    layers = all_layers(model)
    kinds = {keras.activations.serialize(layer.activation) for layer in layers if hasattr(layer, "activation")}
    return " ".join(sorted(map(str, kinds)))
