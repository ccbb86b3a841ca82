"""What models/<name>.json holds: everything between a picture and its score. Read without TensorFlow."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from common.conditions import is_synthetic
from common.data.text_tables import read_text_table
from common.detectors.description_rules import check_description
from common.errors import UserError
from common.files import read_json_object
from common.runs.environment import read_environment

# What to score photographs with, where a detector knows drawn faces alone.
PUBLISHED_COMMAND = "python -m common.predict --weights mesoinception4=published"


@dataclass(frozen=True)
class Description:
    """What models/<name>.json holds.

    Args:
        model: what was trained, e.g. `siamese`; the results' name for it.
        preprocessing: the fields of common.data.pipeline.Preprocessing, image size included.
        head: `probability` if the output is P(fake); `margin` if it is a signed distance m, whose score is
            1 / (1 + exp(-m)).
        features: the layer whose output feeds the classifier; empty: the network's output does.
        faces: how faces were cropped in the training images: the flags of data_prep, and of data that were face crops
            to begin with, `framing` and `crop_size` (common.faces.cropping).
        threshold: the score from which an image is called fake.
        proposed: whether it is the paper's own proposal, predict's default.
        width: the factor on the network's filters; None if it has none.
        protocol: how its training images were split.
        seed: of its training.
        part: the case or fold, if a run trains the model several times under one protocol and seed.
        trained_on: {data set: fingerprint} of its training images; empty if they are not known.
        name: the file's name without its suffix, unique in a run.
        network: the .keras file, which several descriptions can share.
        classifier: the .skops file; empty without a classifier.
        summary: the .npz file on where the training images are; empty if there is none.
    """

    model: str
    preprocessing: dict[str, Any]
    head: str = "probability"
    features: str = ""
    faces: dict[str, Any] = field(default_factory=dict)
    threshold: float = 0.5
    proposed: bool = False
    width: float | None = None
    protocol: str = ""
    seed: int | None = None
    part: str = ""
    trained_on: dict[str, str] = field(default_factory=dict)
    name: str = ""
    network: str = ""
    classifier: str = ""
    summary: str = ""

    @property
    def drawn_data(self) -> list[str]:
        """The drawn data sets among those that it was trained on."""
        return [name for name in self.trained_on if is_synthetic(name)]

    def placed(self, suffix: str, has_classifier: bool, has_summary: bool = False) -> "Description":
        """Return the description with file names: those of the model, or of `network` if another one's is shared.

        Args:
            suffix: what sets the run's models of one protocol and seed apart; empty for the first.
            has_classifier: whether a classifier is stored beside the network.
            has_summary: whether a summary of the training images is.
        """
        return replace(
            self,
            name=self.model + suffix,
            network=f"{self.network or self.model}{suffix}.keras",
            classifier=f"{self.model}{suffix}.skops" if has_classifier else "",
            summary=f"{self.model}{suffix}.npz" if has_summary else "",
        )


def descriptions(run: str | Path) -> dict[str, Description]:
    """Return all detectors of a run as {name: Description}.

    Raises:
        UserError: if a file breaks a rule of common.detectors.description_rules.
    """
    folder = Path(run) / "models"
    files = sorted(folder.glob("*.json"), key=lambda file: file.stem)  # x before x-frame-seed1
    documents = {file.stem: read_json_object(file) for file in files}
    if any("model" not in document for document in documents.values()):
        documents = _with_training(Path(run), documents)
    return {
        name: Description(**check_description(document, folder / f"{name}.json"))
        for name, document in documents.items()
    }


def _with_training(run: Path, documents: dict[str, dict]) -> dict[str, dict]:
    """Add model, protocol, seed, part and training data to the descriptions of a run from before they were stored.

    Such a run named its detectors MODEL, and after its first protocol and seed MODEL-PROTOCOL-seedN or MODEL-seedN; its
    predictions.csv has all three as columns. Models of a second case ended with it.
    """
    cases = _cases(run / "splits.csv")
    names: dict[str, dict] = {}
    table = run / "predictions.csv"
    if table.is_file():
        columns = _columns(table, "model", "protocol", "seed").drop_duplicates()
        for model, protocol, seed in columns.itertuples(index=False):
            if not seed.isdecimal():
                raise UserError(f"{table}: expected a whole number in the column seed, got {seed!r}")
            part = next((case for case in cases if model.endswith(f"-{case}")), cases[0] if cases else "")
            facts = {"model": model, "protocol": protocol, "seed": int(seed), "part": part}
            for name in (model, f"{model}-{protocol}-seed{seed}", f"{model}-seed{seed}"):
                names.setdefault(name, facts)
    data = {"trained_on": _training_data(run)}
    return {name: {"model": name} | data | names.get(name, {}) | document for name, document in documents.items()}


def _training_data(run: Path) -> dict[str, str]:
    """Return {data set: fingerprint} of the data sets that splits.csv has training images of."""
    table, environment = run / "splits.csv", run / "environment.json"
    if not table.is_file() or not environment.is_file():
        return {}
    rows = _columns(table, "dataset", "split")
    fingerprints = read_environment(environment).get("data", {})
    names = rows.loc[rows["split"] == "train", "dataset"].unique()
    return {name: fingerprints[name] for name in names if name in fingerprints}


def _cases(table: Path) -> list[str]:
    """Return the names in the column `case` of a splits.csv, if it has one."""
    if not table.is_file():
        return []
    cases = read_text_table(table).get("case", pd.Series(dtype=str))
    return [case for case in cases.unique() if case]


def _columns(table: Path, *names: str) -> pd.DataFrame:
    rows = read_text_table(table)
    if missing := [name for name in names if name not in rows]:
        raise UserError(f"{table}: expected the columns {', '.join(names)}; missing: {', '.join(missing)}")
    return rows[list(names)]
