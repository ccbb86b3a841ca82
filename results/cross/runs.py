"""What the detectors of a run were trained on, so that they are not tested on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from common.conditions import RESUBSTITUTION, is_synthetic
from common.data.datasets import DataSet, open_dataset
from common.data.text_tables import read_text_table
from common.detectors.description import Description, descriptions
from common.documents import check_fields, is_whole, optional
from common.errors import UserError
from common.files import read_json
from common.runs.environment import read_environment
from common.splits.components import component_units, identity_units
from common.splits.knowledge import shares_names
from common.splits.protocols import protocol_unit

CONFIG_FIELDS = {"limit": optional((is_whole, "a whole number"))}
SPLIT_COLUMNS = ("path", "dataset", "split", "protocol", "seed", "sha256")
FACE_FLAGS = ("faces", "rescale", "size", "margin", "min_confidence", "pick")  # of data_prep, kept by a Description


@dataclass(frozen=True)
class TrainedDetector:
    """One detector of a run.

    Args:
        run: the run.
        description: its description.
        protocol: the protocols that it was trained under, joined by +.
        seed: the seed of its training, as text.
        splits: the rows of splits.csv that it was trained and tested under.
    """

    run: "TrainedRun"
    description: Description
    protocol: str
    seed: str
    splits: pd.DataFrame

    @property
    def model(self) -> str:
        """What was trained, without protocol and seed, as in predictions.csv."""
        return self.description.model

    @property
    def trained_on(self) -> list[str]:
        """The data sets of its train and val images, by the names that the run knows."""
        return list(dict.fromkeys(self.splits.loc[self.splits["split"] != "test", "dataset"]))

    @property
    def digests(self) -> set[str]:
        """The sha256 of its train and val images."""
        return set(self.splits.loc[self.splits["split"] != "test", "sha256"]) - {""}


@dataclass(frozen=True)
class Selection:
    """The images of a data set that a detector may be tested on.

    Args:
        images: rows of the data set's manifest.
        trained_on: the detector's training data, joined by +. If this data set is one of them, it has its name here.
        note: what was left out and why, and which manifest this was. No note is the beginning of another one.
    """

    images: pd.DataFrame
    trained_on: str
    note: str


class TrainedRun:
    """A finished run.

    Args:
        folder: the run's folder.
        datasets: prepared data sets, of which some may be the run's own.

    Raises:
        UserError: if the folder is not a finished run with trained detectors.
    """

    def __init__(self, folder: Path, datasets: Sequence[DataSet]):
        self.folder = Path(folder)
        required = ("environment.json", "config.json", "splits.csv")
        missing = [name for name in required if not (self.folder / name).is_file()]
        self.descriptions = descriptions(self.folder)
        if missing or not self.descriptions:
            problem = ", ".join(missing) or "detectors in models/"
            raise UserError(f"expected a finished run (RUNS/<paper>/<run>), got {folder}: it has no {problem}")
        environment = read_environment(self.folder / "environment.json")
        if "finished" not in environment:
            raise UserError(f"{folder} is not finished; give its command again to resume it")
        check_fields(environment, {}, ("paper", "data"), self.folder / "environment.json", closed=False)
        self.paper, self._fingerprints = environment["paper"], environment["data"]
        self._config = read_json(self.folder / "config.json")
        check_fields(self._config, CONFIG_FIELDS, (), self.folder / "config.json", closed=False)
        self.splits = read_text_table(self.folder / "splits.csv")
        if missing := [name for name in SPLIT_COLUMNS if name not in self.splits]:
            raise UserError(
                f"{folder}: splits.csv of an earlier version, without {', '.join(missing)}; run the paper again"
            )
        self._current = {data.name: data.fingerprint for data in datasets}
        self._own_names = {data.name: name for data in datasets for name in self._fingerprints if self._is(data, name)}

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.resolve().name

    @cached_property
    def all_detectors(self) -> list[TrainedDetector]:
        """All its detectors, also those that are not proposed."""
        return [self._detector(description) for description in self.descriptions.values()]

    def detectors(self, models: Sequence[str] = ()) -> list[TrainedDetector]:
        """Choose detectors.

        Args:
            models: names of models, with or without protocol and seed. None: the paper's proposed model, under every
                protocol and seed, or the first model if the run does not have the proposed one.
        """
        found = self.all_detectors
        if models:
            return [detector for detector in found if {detector.description.name, detector.model} & set(models)]
        proposed = [detector for detector in found if detector.description.proposed]
        return proposed or [detector for detector in found if detector.model == found[0].model]

    def select(self, detector: TrainedDetector, data: DataSet) -> Selection:
        """Select the images of a data set that a detector of this run has not been trained on."""
        name = self._own_names.get(data.name, data.name)
        images, notes = data.images, _preparation_note(detector.description, data)
        if name in detector.trained_on:
            own = detector.splits[detector.splits["dataset"] == name]
            kept = images["path"].isin(own.loc[own["split"] == "test", "path"])
            notes.append(f"test split of the run's own data: {(~kept).sum()} of {len(images)} images left out")
            if data.name not in self._own_names:
                notes.append("prepared again since the run: images recognised by their paths")
        else:
            shown = _shown_in_training(images, data.scope, detector)
            kept = ~shown
            if shown.any():
                unit = "persons" if protocol_unit(detector.protocol) == "person" else "videos"
                notes.append(f"{shown.sum()} images of {unit} that it was trained on left out")
        copies = _with_connected(images, kept & images["sha256"].isin(detector.digests), detector.protocol)
        if (kept & copies).any():
            copied = "images" if protocol_unit(detector.protocol) == "image" else "images, and what belongs with them,"
            notes.append(f"{(kept & copies).sum()} copies of its training {copied} left out")
        if self._config.get("weights"):
            notes.append("started from given weights, whose training images are not known")
        trained_on = "+".join(data.name if own_name == name else own_name for own_name in detector.trained_on)
        notes.append(f"manifest {self._current[data.name][:12]}")
        return Selection(images[kept & ~copies], trained_on, "; ".join(notes))

    def _detector(self, description):
        """A detector with its rows of splits.csv; all rows if its protocol and seed are not known."""
        splits = self.splits
        if description.seed is not None:
            splits = splits[splits["seed"] == str(description.seed)]
        protocols = self._protocols(description, splits)
        splits = splits[splits["protocol"].isin(protocols)]
        if description.part and "case" in splits:
            splits = splits[splits["case"] == description.part]
        if splits.empty:
            raise UserError(
                f"{self.folder}: splits.csv has no images of protocol {description.protocol}, seed {description.seed}, "
                f"under which {description.name} was trained; restore the file or run the paper again"
            )
        seed = splits["seed"].iloc[0] if description.seed is None else str(description.seed)
        return TrainedDetector(self, description, "+".join(protocols), seed, splits)

    def _protocols(self, description, splits):
        """The protocols of a detector: its own, and those of its seed that no detector was trained under."""
        own = description.protocol.split("+")
        trained = {
            protocol
            for other in self.descriptions.values()
            if other.seed == description.seed
            for protocol in other.protocol.split("+")
        }
        names = [name for name in dict.fromkeys(splits["protocol"]) if name != RESUBSTITUTION] or [RESUBSTITUTION]
        return [name for name in names if name in own or name not in trained or not description.protocol]

    def _is(self, data, name):
        """Whether `data` is what the run knew as `name`: the same manifest, or the part that its --limit left."""
        if self._current[data.name] == self._fingerprints[name]:
            return True
        limit = self._config.get("limit")
        return bool(limit) and open_dataset(data.role, data.folder, limit=limit).fingerprint == self._fingerprints[name]


def _preparation_note(description, data):
    """A note if the data were prepared in another way than those that the run was trained on; a list of up to one."""
    ours, theirs = (
        {key: flags.get(key) for key in FACE_FLAGS} | {"faces": flags.get("faces") or "none"}
        for flags in (data.preparation.get("flags", {}), description.faces)
    )
    compared = FACE_FLAGS if ours["faces"] == theirs["faces"] != "none" else ("faces", "rescale", "size")
    ours, theirs = ({key: "any" if flags[key] is None else flags[key] for key in compared} for flags in (ours, theirs))
    differences = [f"{key} {ours[key]} (the run's: {theirs[key]})" for key in compared if ours[key] != theirs[key]]
    return [f"prepared differently: {', '.join(differences)}"] if differences else []


def _shown_in_training(images, scope, detector):
    """bool (n,): images of another data set that show a video that the detector was trained on, or a person if its
    protocol keeps persons on one side. Names mean the same ones in data sets of one scope, such as Celeb-DF v1 and v2.
    """
    trained = detector.splits[detector.splits["split"] != "test"]
    trained = trained[~trained["dataset"].map(is_synthetic)]
    if not {"scope", "video", "identity", "original"} <= set(trained) or not trained["scope"].eq(scope).any():
        return pd.Series(False, index=images.index)
    columns = ["video", "identity", "original", "scope"]
    together = pd.concat([images.assign(scope=scope)[columns], trained[columns]], ignore_index=True)
    chosen = pd.Series(together.index >= len(images))
    protocol = "identity" if protocol_unit(detector.protocol) == "person" else "video"
    return shares_names(together, chosen, protocol)[: len(images)].set_axis(images.index)


def _with_connected(images, leaked, protocol):
    """bool (n,): `leaked` images, and all that the protocol keeps on the same side as these."""
    unit = protocol_unit(protocol)
    if not leaked.any() or unit == "image":
        return leaked
    rows = images.reset_index(drop=True)
    by_person = unit == "person" and (rows["identity"] != "").any()
    units = identity_units(rows) if by_person else component_units(rows, by_name=True)
    leaked_units = np.unique(units.unit[leaked.to_numpy()[units.row]])
    connected = np.zeros(len(rows), bool)
    connected[units.row[np.isin(units.unit, leaked_units)]] = True
    return pd.Series(connected, index=images.index)
