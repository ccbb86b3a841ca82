"""Networks in .keras files, which may come from strangers: no code of theirs runs, no memory is taken unasked.

Keras's safe mode refuses code in Lambda layers, and foreign modules. Beyond that the file is checked before Keras sees
it, and the network's variables are allocated only when their number is known.
"""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras

import common.layers  # noqa: F401  registers what our networks are saved with
from common.archives import MAX_UNPACKED, check_archive
from common.library_internals import forget_uninitialized_variables

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
OWN_PACKAGE = "deepfake>"  # how the registered names of this suite's layers begin
REFUSED_CLASSES = (  # they hold code, or read files and vocabularies; no network of pictures needs them
    *("__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"),
    *("StringLookup", "IntegerLookup", "TextVectorization"),
)
MAX_VARIABLES = MAX_UNPACKED // 4  # of float32


class UnusableNetwork(ValueError):
    """A file whose network is not loaded. The message is the reason, in one line, without the file's name."""


def load_network(file: str | Path) -> keras.Model:
    """Load a network without its optimizer.

    Args:
        file: a .keras file.

    Returns:
        The network.

    Raises:
        UnusableNetwork: if the file is missing or damaged, asks for foreign code, or for more memory than MAX_UNPACKED.
    """
    try:
        check_archive(file, CONFIG)
        with zipfile.ZipFile(file) as archive:
            config = json.loads(archive.read(CONFIG))
            with archive.open(WEIGHTS) as member:
                check_weights(member)
        check_classes(config)
        network = _build(config | {"compile_config": None})
        network.load_weights(str(file))
    except UnusableNetwork:
        raise
    except Exception as error:  # Keras, h5py and zipfile raise a dozen kinds for damaged or hostile bytes
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UnusableNetwork(reason[:300]) from error
    return network


def check_weights(file: Any) -> None:
    """Check the arrays of an h5 file by their headers; other files pass.

    Args:
        file: its path, or an open file.

    Raises:
        UnusableNetwork: if they need more than MAX_UNPACKED bytes, or are stored in another file.
    """
    if isinstance(file, str | Path) and not h5py.is_hdf5(file):
        return
    sizes: list[int] = []

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            if item.external:
                raise UnusableNetwork(f"its array {name} is stored in another file")
            sizes.append(int(item.size or 0) * max(item.dtype.itemsize, 1))

    with h5py.File(file, "r") as opened:
        opened.visititems(look)
    if sum(sizes) > MAX_UNPACKED:
        raise UnusableNetwork(f"its arrays take {sum(sizes) / 1e9:.1f} GB, at most {MAX_UNPACKED / 1e9:.1f} are read")


def check_classes(config: Any) -> None:
    """Check what a network's config asks Keras to make.

    Args:
        config: the document in config.json.

    Raises:
        UnusableNetwork: if it is no network, or asks for anything but layers of Keras and of this suite.
    """
    if not isinstance(config, dict) or config.get("class_name") not in ("Functional", "Sequential", "Model"):
        raise UnusableNetwork("its config.json describes no network")
    for name, module, registered, named in _named_classes(config):
        if name == "function":  # of a Lambda layer: saved by its name
            name, module = named, None if _is_own_function(named) else f"function {module}"
        own = str(registered or "").startswith(OWN_PACKAGE)
        builtin = module is None or str(module) in ("keras", "builtins") or str(module).startswith("keras.")
        if name in REFUSED_CLASSES or not (own or builtin):
            raise UnusableNetwork(f"it asks for foreign code: {module or ''}{'.' if module else ''}{name}")


def _is_own_function(name: Any) -> bool:
    """Whether a name is that of a function that this suite has registered."""
    return isinstance(name, str) and name.startswith(OWN_PACKAGE) and bool(keras.saving.get_registered_object(name))


def _named_classes(config: Any) -> Iterator[tuple[Any, Any, Any, Any]]:
    """Yield (class, module, registered name, config) of everything in a config that names a class; no recursion, it may
    be deep."""
    items = [config]
    while items:
        item = items.pop()
        if isinstance(item, dict):
            if "class_name" in item:
                yield item["class_name"], item.get("module"), item.get("registered_name"), item.get("config")
            items.extend(item.values())
        elif isinstance(item, list):
            items.extend(item)


def _build(config: dict[str, Any]) -> keras.Model:
    """Make a network; its variables get memory only at the end, if there are not too many."""
    with keras.StatelessScope(initialize_variables=False) as scope:
        try:
            network = keras.saving.deserialize_keras_object(config, safe_mode=True)
            if not isinstance(network, keras.Model) or not network.built:
                raise UnusableNetwork("its config.json describes no network")
            count = sum(_size(variable.shape) for variable in network.variables)
            if count > MAX_VARIABLES:
                raise UnusableNetwork(f"its network has {count:,} numbers, at most {MAX_VARIABLES:,} are read")
        except BaseException:
            forget_uninitialized_variables()
            raise
        scope.initialize_variables = True
    return network


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for side in shape:
        size *= int(side)
    return size
