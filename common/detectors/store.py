"""A trained detector on disk: a network, a classifier on its features where there is one, and how to feed and read it.

models/<name>.json describes everything that lies between a picture and its score, so that predict needs nothing else.
A score is in [0, 1], grows with P(fake), and is decided at 0.5.
"""

import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from common.errors import UserError
from common.files import atomic_path, read_json, write_json
from common.labels import FAKE

SKOPS_TRUSTED = [
    "sklearn.kernel_approximation.Nystroem",
    "sklearn.tree._tree.Tree",  # of decision trees and forests
    "common.classifiers.NearestCentroid",
]


@dataclass(frozen=True)
class Description:
    """What models/<name>.json holds.

    network: the .keras file; features: the layer whose output feeds the classifier (empty: none); classifier: the
    .skops file (empty: none); head: `probability` where the output is P(fake), `margin` where it is a signed distance
    m and the score is 1 / (1 + exp(-m)); proposed: the paper's own proposal, predict's default.
    """

    name: str
    network: str
    preprocessing: dict  # fields of common.data.pipeline.Preprocessing
    head: str = "probability"
    features: str = ""
    classifier: str = ""
    faces: dict = field(default_factory=dict)  # how data_prep found faces in the training images
    threshold: float = 0.5
    proposed: bool = False


@dataclass(frozen=True)
class Detector:
    """A detector in memory: `network` maps images to outputs or features, `classifier` features to margins."""

    description: Description
    network: object
    classifier: object = None

    def score(self, batches, count):
        """The scores in [0, 1], float64 (count,), of the first `count` images of `batches` (B, S, S, 3)."""
        return self.score_outputs(self.network.predict(batches, verbose=0)[:count])

    def score_outputs(self, outputs):
        """The scores (n,) of what the network put out, (n, 1) outputs or (n, d) features."""
        from scipy.special import expit

        outputs = np.asarray(outputs, np.float64)
        if self.classifier is not None and self.description.head == "margin":
            outputs = self.classifier.decision_function(outputs)
        elif self.classifier is not None:
            outputs = self.classifier.predict_proba(outputs)[:, FAKE]
        outputs = outputs.reshape(len(outputs))
        return expit(outputs) if self.description.head == "margin" else outputs


def fake_score(network):
    """A network of the probabilities (B, 2) of [real, fake], its weights shared, with P(fake) (B, 1) as its output."""
    import keras

    return keras.Model(network.input, network.output[:, FAKE:], name=network.name)


def in_float32(network):
    """Let a network that was trained in mixed precision compute in float32, in its place; returns it."""
    for layer in network.layers:
        if hasattr(layer, "layers"):
            in_float32(layer)
        layer.dtype_policy = "float32"
    network.dtype_policy = "float32"
    return network


def save(detector, folder):
    """Write a detector into `folder` (a run's models/): .json, and .keras or, where it has a classifier, .skops.

    A detector with a classifier shares the .keras file of the detector whose features it takes: save that one too.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    description = detector.description
    if not description.features:
        with atomic_path(folder / description.network) as temporary:
            detector.network.save(temporary, include_optimizer=False)
    if detector.classifier is not None:
        import skops.io

        with atomic_path(folder / description.classifier) as temporary:
            skops.io.dump(detector.classifier, temporary)
    write_json(asdict(description), folder / f"{description.name}.json")


def load(run, name=None):
    """Load a detector from a run folder; without a name the paper's proposed one.

    UserError if the folder holds no run, no such model, or a file that does not belong.
    """
    import keras
    import skops.io

    import common.layers  # noqa: F401  registers what our networks are saved with

    folder = Path(run) / "models"
    description = _choose(folder, name)
    try:
        network = keras.models.load_model(folder / description.network, compile=False)
    except (ValueError, OSError, KeyError) as error:
        raise UserError(f"{folder / description.network} is missing or damaged; restore it or run anew") from error
    if not description.classifier:
        return Detector(description, network)
    if description.features:
        network = keras.Model(network.input, network.get_layer(description.features).output)
    try:
        classifier = skops.io.load(folder / description.classifier, trusted=SKOPS_TRUSTED)
    except skops.io.exceptions.UntrustedTypesFoundException as error:
        raise UserError(f"{folder / description.classifier}: not loaded, it asks for foreign code: {error}") from error
    except (zipfile.BadZipFile, OSError, KeyError, ValueError) as error:
        raise UserError(f"{folder / description.classifier} is missing or damaged; restore it or run anew") from error
    return Detector(description, network, classifier)


def descriptions(run):
    """All detectors of a run as {name: Description}."""
    files = sorted((Path(run) / "models").glob("*.json"), key=lambda file: file.stem)  # x before x-frame-seed1
    return {file.stem: Description(**read_json(file)) for file in files}


def _choose(folder, name):
    known = descriptions(folder.parent)
    if not known:
        raise UserError(f"expected a run folder with trained models (RUNS/<paper>/<run>), got {folder.parent}")
    if name is None:
        return next((each for each in known.values() if each.proposed), next(iter(known.values())))
    if name not in known:
        raise UserError(f"{folder.parent} has no model {name!r}; it has {', '.join(known)}")
    return known[name]
