"""The checkpoints of one training: each is whole or absent, and a damaged one gives way to the one before it.

FOLDER/epoch-0003/ is the state after three epochs, FOLDER/epoch-0003-step-000120/ that after 120 steps of the fourth.
Each holds the weights and the optimizer of every network, and state.json with the facts of the training and the SHA-256
of each file.
"""

import json
import logging
import re
import time
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import keras

from common.errors import UserError
from common.files import atomic_folder, remove_folder, remove_leftovers, sha256, write_json

log = logging.getLogger("deepfake")

MINUTES = 10.0  # between checkpoints within an epoch
STATE = "state.json"
NAME = re.compile(r"epoch-(\d+)(?:-step-(\d+))?$")


class Checkpoints:
    """The checkpoints of a training in its folder: the two newest, and any that those two still need.

    Args:
        folder: of the training. One process at a time writes there.
        networks: what is trained, with optimizers that are built; if there are several, their names differ.
        minutes: between two checkpoints within an epoch, at least 0.
        suffix: `.weights.h5`, or `.keras` for files from which a network can be built.
    """

    def __init__(
        self, folder: Path, networks: Sequence[keras.Model], minutes: float = MINUTES, suffix: str = ".weights.h5"
    ):
        self.folder, self.networks, self.minutes, self.suffix = folder, networks, minutes, suffix
        self._last = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the minutes since the last checkpoint, or since the start, are over."""
        return time.monotonic() - self._last >= 60 * self.minutes

    def save(self, epochs: int, step: int, facts: dict[str, Any], keep: Iterable[int] = ()) -> None:
        """Write a checkpoint, then remove those that are no longer needed.

        Args:
            epochs: that were trained in full.
            step: steps of the next epoch that were trained; 0 after a full epoch.
            facts: what else a resumed training needs, in JSON's types.
            keep: checkpoints after these numbers of epochs are kept too.
        """
        keep = sorted(keep)
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_folder(self.folder / _name(epochs, step)) as temporary:
            for network in self.networks:
                file = temporary / self._file_name(network)
                (network.save if self.suffix == ".keras" else network.save_weights)(file)
            digests = {file.name: sha256(file) for file in sorted(temporary.iterdir())}
            write_json({"files": digests, "keep": keep, "facts": facts}, temporary / STATE)
        self._last = time.monotonic()
        self._remove_old(keep)

    def restore(self) -> dict[str, Any] | None:
        """Give the networks the state of the newest whole checkpoint.

        A damaged checkpoint is removed, with a warning, and the one before it is taken.

        Returns:
            Its facts, or None if there is no checkpoint.

        Raises:
            UserError: if a whole checkpoint is of another network.
        """
        damaged = False
        for path in reversed(self._paths()):
            state = read_state(path)
            if state is not None:
                self._load(path)
                return state["facts"]
            damaged = True
            log.warning("the checkpoint %s is damaged: resuming from the one before it", path)
            remove_folder(path)
        if damaged:
            log.warning("%s has no whole checkpoint: this training starts from its beginning", self.folder)
        return None

    def load_weights(self, epochs: int) -> None:
        """Give the networks the state after a number of epochs.

        Raises:
            UserError: if that checkpoint is damaged or of another network.
        """
        path = self.folder / _name(epochs)
        if read_state(path) is None:
            raise UserError(
                f"{path} is damaged, and its weights are the training's best: remove {self.folder} to train again"
            )
        self._load(path)

    def _load(self, path):
        for network in self.networks:
            file = path / self._file_name(network)
            try:
                network.load_weights(file)
            except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
                reason = str(error).strip().splitlines()[0]
                shapes = [getattr(network, name, "any") for name in ("input_shape", "output_shape")]
                raise UserError(
                    f"{file}: expected a {network.name} {shapes[0]} -> {shapes[1]} of this width ({reason}); remove "
                    f"the folder {path} to resume from the checkpoint before"
                ) from error

    def _file_name(self, network):
        """The name of a single network may be Keras's own, functional_7, which counts the networks of a process."""
        return f"{network.name if len(self.networks) > 1 else 'network'}{self.suffix}"

    def _paths(self):
        found = [path for path in self.folder.glob("epoch-*") if NAME.match(path.name)]
        return sorted(found, key=lambda path: _place(path.name))

    def _remove_old(self, keep):
        paths = self._paths()
        for before in paths[-2:-1]:
            keep = {*keep, *(read_state(before, verify=False) or {"keep": ()})["keep"]}
        for path in paths[:-2]:
            if _place(path.name) not in {(epochs, 0) for epochs in keep}:
                remove_folder(path)
        remove_leftovers(self.folder, deep=False)


def full_epochs(folder: Path) -> dict[int, Path]:
    """Return the checkpoints after full epochs as {epochs trained: path}, in order."""
    places = {_place(path.name): path for path in folder.glob("epoch-*") if NAME.match(path.name)}
    return {epochs: places[epochs, step] for epochs, step in sorted(places) if not step}


def read_state(path: Path, verify: bool = True) -> dict[str, Any] | None:
    """Return the document in a checkpoint's state.json, or None if the checkpoint is damaged.

    Args:
        path: of the checkpoint.
        verify: whether the bytes of all files are checked too.
    """
    try:
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        whole = not verify or all(sha256(path / name) == digest for name, digest in state["files"].items())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return state if whole else None


def _name(epochs, step=0):
    return f"epoch-{epochs:04d}" + (f"-step-{step:06d}" if step else "")


def _place(name):
    """Return (epochs, steps of the next epoch), which sorts checkpoints in the order of training."""
    epochs, step = NAME.match(name).groups()
    return int(epochs), int(step or 0)
