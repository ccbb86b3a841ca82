"""A trained detector on disk: a network, perhaps a classifier on its features, and how to feed and read it.

models/<name>.json describes everything between a picture and its score (common.detectors.description). A score is in
[0, 1], grows with P(fake), and is decided at the threshold: the best on validation images of both classes, else 0.5.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import skops.io
from scipy.special import expit
from sklearn.base import is_classifier

import common.layers  # noqa: F401  registers what our networks are saved with
from common.archives import UnsafeArchive, check_archive
from common.data.image_reader import explain_damaged_images
from common.detectors.description import Description, descriptions
from common.detectors.novelty import TrainingSummary
from common.errors import UserError
from common.files import atomic_path, write_json
from common.labels import FAKE
from common.library_internals import SKLEARN_TREE, without_strategy
from common.networks.stored import UnusableNetwork, load_network
from common.training.step_progress import PredictionProgress

SKOPS_TRUSTED = [
    "sklearn.kernel_approximation.Nystroem",
    SKLEARN_TREE,  # of decision trees and forests
    "common.classifiers.NearestCentroid",
]
ROUNDING = 1e-5  # of a float32 sum of probabilities


@dataclass(frozen=True)
class Detector:
    """A detector in memory: `network` maps images to outputs or features, `classifier` maps features to margins.

    `summary` says where the training images are; None if they are not known.
    """

    description: Description
    network: keras.Model
    classifier: Any = None
    summary: TrainingSummary | None = None

    @explain_damaged_images()
    def score(self, batches: Any, count: int) -> np.ndarray:
        """Return scores.

        Args:
            batches: images (B, S, S, 3), as the network takes them; an array or a dataset.
            count: how many of them to score.

        Returns:
            float64 (count,), in [0, 1].

        Raises:
            UserError: if an image is damaged.
        """
        with without_strategy(self.network):
            outputs = self.network.predict(batches, verbose=0, callbacks=[PredictionProgress()])
        return self.score_outputs(outputs[:count])

    def score_outputs(self, outputs: np.ndarray) -> np.ndarray:
        """Return the scores (n,) of what the network put out, (n, 1) outputs or (n, d) features.

        Raises:
            UserError: if a score is not in [0, 1], or the classifier does not take the features.
        """
        outputs = np.asarray(outputs, np.float64)
        name = self.description.name or self.description.model
        try:
            if self.classifier is not None and self.description.head == "margin":
                outputs = self.classifier.decision_function(outputs)
            elif self.classifier is not None:
                outputs = self.classifier.predict_proba(outputs)[:, FAKE]
        except Exception as error:  # a classifier of other features, or one that was not fitted
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(f"the classifier of {name} does not take its network's features: {reason}") from error
        outputs = np.asarray(outputs).reshape(len(outputs))
        scores = expit(outputs) if self.description.head == "margin" else outputs
        if not ((scores > -ROUNDING) & (scores < 1 + ROUNDING)).all():  # false for NaN too
            raise UserError(f"the scores of {name} are not in [0, 1]: its weights or its description are damaged")
        return np.clip(scores, 0, 1)


def fake_score(network: keras.Model) -> keras.Model:
    """Return a network of P(fake) (B, 1) from one of probabilities (B, 2) of [real, fake]; they share their weights."""
    return keras.Model(network.input, network.output[:, FAKE:], name=network.name)


def feature_network(network: keras.Model, description: Description) -> keras.Model:
    """Return the part of a network up to the layer whose output a classifier takes; all of it if none is named."""
    if not description.features:
        return network
    return keras.Model(network.input, network.get_layer(description.features).output)


def in_float32(network: keras.Model) -> keras.Model:
    """Make a network that was trained in mixed precision compute in float32, in place; returns it."""
    for layer in network.layers:
        if hasattr(layer, "layers"):
            in_float32(layer)
        layer.dtype_policy = "float32"
    network.dtype_policy = "float32"
    return network


def save(detector: Detector, folder: Path) -> None:
    """Write a detector into a run's models/: .json, .keras, .skops if it has a classifier, .npz if it has a summary.

    A detector that takes its features from another one's layer shares that one's .keras file: save that one too.
    """
    description = detector.description
    if not description.features:
        save_network(detector.network, folder / description.network)
    if detector.classifier is not None:
        with atomic_path(folder / description.classifier) as temporary:
            skops.io.dump(detector.classifier, temporary)
    if detector.summary is not None:
        detector.summary.save(folder / description.summary)
    write_json(asdict(description), folder / f"{description.name}.json")


def save_network(network: keras.Model, file: Path) -> None:
    """Write a network without its optimizer, atomically."""
    with atomic_path(file) as temporary:
        network.save(temporary, include_optimizer=False)


def load(run: str | Path, name: str | None = None) -> Detector:
    """Load a detector from a run folder.

    Args:
        run: RUNS/<paper>/<run>.
        name: of a model in it; None: the paper's proposed one.

    Raises:
        UserError: if the folder is no run, has no such model, or a file is missing, damaged or not ours.
    """
    folder = Path(run) / "models"
    description = _choose(folder, name)
    try:
        network = load_network(folder / description.network)
        _check_shapes(network, description)
    except UnusableNetwork as error:
        file = folder / description.network
        raise UserError(f"{file} is missing or damaged: {error}; restore it or run again") from error
    summary = TrainingSummary.load(folder / description.summary) if description.summary else None
    if not description.classifier:
        return Detector(description, network, summary=summary)
    network = feature_network(network, description)
    return Detector(description, network, load_classifier(folder / description.classifier), summary)


def _choose(folder: Path, name: str | None) -> Description:
    known = descriptions(folder.parent)
    if not known:
        raise UserError(f"expected a run folder with trained models (RUNS/<paper>/<run>), got {folder.parent}")
    if name is None:
        return next((each for each in known.values() if each.proposed), next(iter(known.values())))
    if name not in known:
        raise UserError(f"{folder.parent} has no model {name!r}; it has {', '.join(known)}")
    return known[name]


def load_classifier(file: Path) -> Any:
    """Load a fitted scikit-learn classifier from a .skops file.

    Raises:
        UserError: if it is missing, damaged, or asks for foreign code.
    """
    try:
        check_archive(file, "schema.json")
        classifier = skops.io.load(file, trusted=SKOPS_TRUSTED)
        if not is_classifier(classifier):
            raise UnsafeArchive(f"it holds a {type(classifier).__name__}, expected a classifier")
    except skops.io.exceptions.UntrustedTypesFoundException as error:
        raise UserError(f"{file}: not loaded, it asks for foreign code: {error}") from error
    except Exception as error:  # skops, NumPy and scikit-learn raise a dozen kinds for damaged or hostile bytes
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{file} is missing or damaged: {reason}; restore it or run again") from error
    return classifier


def _check_shapes(network, description):
    """UnusableNetwork unless a network takes the description's pictures, and puts out what its head says."""
    size, features = description.preprocessing["size"], description.features
    if len(network.inputs) != 1 or tuple(network.input_shape[1:]) not in ((size, size, 3), (None, None, 3)):
        raise UnusableNetwork(f"its input is {network.input_shape}, expected (None, {size}, {size}, 3)")
    if features and features not in [layer.name for layer in network.layers]:
        raise UnusableNetwork(f"it has no layer {features!r}, whose output the classifier takes")
    if not description.classifier and (len(network.outputs) != 1 or tuple(network.output_shape) != (None, 1)):
        raise UnusableNetwork(f"its output is {network.output_shape}, expected (None, 1)")
