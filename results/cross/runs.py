"""What a run was trained on, by its splits.csv, so that nothing of it is tested on."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from common.data.datasets import open_dataset
from common.detectors.description import Description, descriptions
from common.errors import UserError
from common.files import read_json
from common.splits.components import identity_units, component_units

BY_IMAGE = ("frame", "paper")  # protocols that let frames of one video stand on both sides
BY_PERSON = ("identity", "heldout")
FACES = ("faces", "size", "margin", "min_confidence", "pick")  # flags of data_prep that a Description keeps


@dataclass(frozen=True)
class Trained:
    """One detector of a run. model: its name without protocol and seed, as in predictions.csv; protocol: several are
    joined by +; splits: the rows of splits.csv that it was trained and tested under."""

    run: "TrainedRun"
    description: Description
    model: str
    protocol: str
    seed: str
    splits: pd.DataFrame

    @property
    def trained_on(self):
        """The data sets of its train and val images, as the run called them."""
        return list(dict.fromkeys(self.splits.loc[self.splits["split"] != "test", "dataset"]))

    @property
    def digests(self):
        """The sha256 of its train and val images."""
        return set(self.splits.loc[self.splits["split"] != "test", "sha256"]) - {""}


@dataclass(frozen=True)
class Selection:
    """What of a data set a detector may be tested on."""

    images: pd.DataFrame
    trained_on: str  # its training sets, joined by +; what is known to be this one goes by its name here
    note: str  # what was left out and why, and which manifest that was; no note is the beginning of another


class TrainedRun:
    """A finished run's folder. datasets: the prepared folders at hand (DataSet), of which some may be the run's own.

    UserError if the folder is no finished run with trained detectors.
    """

    def __init__(self, folder, datasets):
        self.folder = Path(folder)
        missing = [name for name in ("environment.json", "config.json", "splits.csv") if not self._path(name).is_file()]
        if missing or not descriptions(self.folder):
            lacking = ", ".join(missing) or "detectors in models/"
            raise UserError(f"expected a finished run (RUNS/<paper>/<run>), got {folder}: it has no {lacking}")
        environment = read_json(self._path("environment.json"))
        if "finished" not in environment:
            raise UserError(f"{folder} is not finished; its command, given again, goes on with it")
        self.paper, self._prints = environment["paper"], environment["data"]
        self._config = read_json(self._path("config.json"))
        self.splits = pd.read_csv(self._path("splits.csv"), dtype=str, keep_default_na=False)
        if "sha256" not in self.splits:
            raise UserError(f"{folder}: no column sha256 in splits.csv, an earlier version made it; run the paper anew")
        self._current = {data.name: data.fingerprint for data in datasets}
        self._found = {data.name: name for data in datasets for name in self._prints if self._is(data, name)}

    @property
    def name(self):
        return self.folder.resolve().name

    @cached_property
    def all_detectors(self):
        return [self._trained(name, description) for name, description in descriptions(self.folder).items()]

    def detectors(self, models=()):
        """Its detectors named by `models`, plain or with protocol and seed; none: the paper's proposed one under every
        protocol and seed, or what predict takes where the run has not got it."""
        found = self.all_detectors
        if models:
            return [each for each in found if {each.description.name, each.model} & set(models)]
        proposed = [each for each in found if each.description.proposed]
        return proposed or [each for each in found if each.model == found[0].model]

    def select(self, trained, data):
        """The Selection of the images of `data` that the detector `trained` has not seen."""
        name = self._found.get(data.name, data.name)
        images, notes = data.images, _faces_note(trained.description, data)
        if name in trained.trained_on:
            own = trained.splits[trained.splits["dataset"] == name]
            kept = images["path"].isin(own.loc[own["split"] == "test", "path"])
            notes.append(f"test split of the run's own data: {(~kept).sum()} of {len(images)} images left out")
            if data.name not in self._found:
                notes.append("prepared anew since the run: images told by their paths")
        else:
            kept = pd.Series(True, index=images.index)
        copies = _together(images, kept & images["sha256"].isin(trained.digests), trained.protocol)
        if (kept & copies).any():
            what = "images" if trained.protocol in BY_IMAGE else "images, and what belongs with them,"
            notes.append(f"{(kept & copies).sum()} copies of its training {what} left out")
        if self._config.get("weights"):
            notes.append("started from given weights, whose training images are not known")
        trained_on = "+".join(data.name if each == name else each for each in trained.trained_on)
        notes.append(f"manifest {self._current[data.name][:12]}")
        return Selection(images[kept & ~copies], trained_on, "; ".join(notes))

    def _path(self, name):
        return self.folder / name

    def _trained(self, name, description):
        """A detector with its part of splits.csv; one without a protocol in its name stands for all those of its seed
        that have no detector of their own."""
        pairs = list(dict.fromkeys(zip(self.splits["protocol"], self.splits["seed"], strict=True)))
        endings = {pair: f"-{pair[0]}-seed{pair[1]}" for pair in pairs}
        mine = [pair for pair in pairs if name.endswith(endings[pair])]
        if not mine:
            seed = next((seed for _, seed in pairs if name.endswith(f"-seed{seed}")), pairs[0][1])
            names = tuple(descriptions(self.folder))
            mine = [pair for pair in pairs if pair[1] == seed and not any(n.endswith(endings[pair]) for n in names)]
        protocols, seed = [protocol for protocol, _ in mine], mine[0][1]
        model = re.sub(rf"(-({'|'.join(map(re.escape, protocols))}))?-seed{seed}$", "", name)
        splits = self.splits[self.splits["protocol"].isin(protocols) & (self.splits["seed"] == seed)]
        if "case" in splits:
            cases = list(dict.fromkeys(splits["case"]))
            case = next((case for case in cases if case and model.endswith(f"-{case}")), cases[0])
            splits = splits[splits["case"] == case]
        return Trained(self, description, model, "+".join(protocols), seed, splits)

    def _is(self, data, name):
        """Whether `data` is what the run knew as `name`: the same manifest, or the part of it that its --limit left."""
        if self._current[data.name] == self._prints[name]:
            return True
        limit = self._config.get("limit")
        return bool(limit) and open_dataset(data.role, data.folder, limit=limit).fingerprint == self._prints[name]


def _faces_note(description, data):
    """A note where the data were prepared in another way than those that the run was trained on."""
    ours, theirs = (
        {key: flags.get(key) for key in FACES} | {"faces": flags.get("faces") or "none"}
        for flags in (data.preparation.get("flags", {}), description.faces)
    )
    compared = FACES if ours["faces"] == theirs["faces"] != "none" else ("faces", "size")
    ours, theirs = ({key: "any" if each[key] is None else each[key] for key in compared} for each in (ours, theirs))
    words = [f"{key} {ours[key]} (the run's: {theirs[key]})" for key in compared if ours[key] != theirs[key]]
    return [f"prepared otherwise: {', '.join(words)}"] if words else []


def _together(images, leaked, protocol):
    """bool (n,): `leaked` images, and what the protocol does not let stand on another side than they."""
    if not leaked.any() or protocol in BY_IMAGE:
        return leaked
    rows = images.reset_index(drop=True)
    by_person = set(protocol.split("+")) & set(BY_PERSON) and (rows["identity"] != "").any()
    units = identity_units(rows) if by_person else component_units(rows, by_name=True)
    touched = np.unique(units.unit[leaked.to_numpy()[units.row]])
    together = np.zeros(len(rows), bool)
    together[units.row[np.isin(units.unit, touched)]] = True
    return pd.Series(together, index=images.index)
