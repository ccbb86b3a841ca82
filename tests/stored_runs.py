"""How two runs of one command differ: weights, classifiers, predictions and history."""

import io
import zipfile
from pathlib import Path

import h5py
import numpy as np

TABLES = ("history.csv", "predictions.csv", "splits.csv", "steps.csv", "gan_losses.csv")


def differences(one: Path, other: Path) -> dict[str, float]:
    """Return {file: largest difference of its numbers} of two run folders, for the files that differ.

    Of tables and classifiers it is only known that they differ: infinity.
    """
    found = {name: np.inf for name in TABLES if _bytes(one / name) != _bytes(other / name)}
    models = [{path.name: path for path in (run / "models").iterdir()} for run in (one, other)]
    found |= dict.fromkeys(models[0].keys() ^ models[1].keys(), np.inf)
    for name in sorted(models[0].keys() & models[1].keys()):
        first, second = (folder[name] for folder in models)
        if first.suffix == ".keras":
            found[name] = _largest_difference(_weights(first), _weights(second))
        elif first.suffix == ".skops":
            found[name] = 0.0 if _members(first) == _members(second) else np.inf
    return {name: difference for name, difference in found.items() if difference}


def _bytes(path):
    return path.read_bytes() if path.is_file() else None


def _members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != "schema.json"}


def _weights(path):
    arrays = {}
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(lambda name, item: arrays.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return arrays


def _largest_difference(one, other):
    if one.keys() != other.keys() or any(one[name].shape != other[name].shape for name in one):
        return np.inf
    return max((float(np.abs(one[name].astype(float) - other[name]).max(initial=0)) for name in one), default=0.0)
