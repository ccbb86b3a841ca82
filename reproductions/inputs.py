"""What a run starts from: its data sets, the batches that it needs, and the weights that its networks start from."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from common.conditions import NO_IMAGENET_WEIGHTS, OTHER_DATA, PARTIAL_DATA, is_synthetic
from common.data.datasets import DataSet, open_dataset, read_data
from common.errors import UserError
from common.evaluation.sampling import sampling_of
from common.labels import FAKE, WORDS
from common.networks import weights
from common.runs.options import RunOptions
from data_prep.embedded import embedded_images
from data_prep.layouts.framing import find_framing
from reproductions.splitting import Split
from results.differences import detectable_difference

log = logging.getLogger("deepfake")

MORE_IMAGES, OTHER_SHARE = 1.05, 0.02  # factor of the paper's number, and share of fakes, beyond which data are others


@dataclass(frozen=True)
class RunData:
    """The data of a run.

    Args:
        datasets: all prepared folders.
        trained: the names of those that are trained on; empty if all are only tested.
        splits: a Split for each protocol and seed.
    """

    datasets: list[DataSet]
    trained: tuple[str, ...]
    splits: list[Split]

    @property
    def roles(self) -> dict[str, str]:
        """{NAME of --data: name of the data set}."""
        return {data.role: data.name for data in self.datasets}

    @property
    def fingerprints(self) -> dict[str, str]:
        """{name of the data set: hash of its manifest}."""
        return {data.name: data.fingerprint for data in self.datasets}

    def training_images(self) -> int:
        """Return the number of images in the data sets that are trained on, before they are split."""
        return sum(len(data.images) for data in self.datasets if data.name in self.trained)

    def face_cropping(self) -> dict:
        """Return how faces were cropped, for predict; of data sets that differ, as in the first.

        Returns:
            The flags of data_prep. Of data that were face crops to begin with, also `framing` (the fields of
            common.faces.cropping.Framing) and `crop_size`, their median [height, width].
        """
        keys = ("faces", "rescale", "size", "margin", "min_confidence", "pick")
        used = [data for data in self.datasets if data.name in self.trained] or self.datasets
        chains = [{key: data.preparation.get("flags", {}).get(key) for key in keys} for data in used]
        if any(chain != chains[0] for chain in chains):
            log.info("the data sets were prepared with different face flags; predict uses those of %s", used[0].name)
        return chains[0] | _face_crops(used[0])

    def log_images(self) -> None:
        """Log how many images each data set has in each split, by class; of several cases or folds, in the first."""
        for split in self.splits:
            part, images = next(iter(split.parts.items()))
            title = ", ".join(filter(None, [f"protocol {split.protocol}", f"seed {split.seed}", part]))
            for name, own in images.groupby("dataset", sort=False):
                counts = own.groupby(["split", "label"]).size()
                sides = [
                    f"{side} " + " and ".join(f"{number:,} {label}" for label, number in counts[side].items())
                    for side in ("train", "val", "test")
                    if side in counts
                ]
                log.info("%s: %s: %s", title, name, "; ".join(sides))

    def log_missing(self, layouts: Mapping[str, str]) -> None:
        """Log which of a paper's data sets were not given with others; the embedded data take the place of all."""
        missing = sorted(set(layouts) - set(self.roles))
        if missing and not any(is_synthetic(data.name) for data in self.datasets):
            log.info("data sets of this paper that were not given: %s", ", ".join(missing))


@dataclass(frozen=True)
class Batch:
    """A batch that a run needs: the flag that sets its size, and the training images that must fill it."""

    flag: str
    size: int
    images: int
    subject: str = "the training split"
    fake_share: float | None = None

    def check(self) -> None:
        """Raise UserError if there are fewer images than a batch has, or --fake-share leaves a class out of it."""
        if self.images < self.size:
            raise UserError(f"{self.flag} {self.size}: {self.subject} has only {self.images} images; lower it")
        if self.fake_share is not None and not 0 < round(self.fake_share * self.size) < self.size:
            raise UserError(
                f"--fake-share {self.fake_share:g}: expected both classes in each batch of {self.size}, got "
                f"{round(self.fake_share * self.size)} fakes; choose a share that leaves at least one image to each"
            )


def _face_crops(data: DataSet) -> dict[str, Any]:
    """Return how faces lie in the images of a data set, and the size of these; nothing if they are not known."""
    sizes = data.preparation.get("source_size") or {}
    known: dict[str, Any] = {}
    if sizes and data.preparation.get("flags", {}).get("faces") == "none":
        known["crop_size"] = [round(np.median([size[side] for size in sizes.values()])) for side in ("height", "width")]
        if framing := find_framing(data.preparation, data.images):
            known["framing"] = asdict(framing)
    return known


def load_data(
    config: Any, layouts: Mapping[str, str], families: Mapping[str, tuple[str, float]], frames: int = 1,
    **preparation: Any,
) -> list[DataSet]:  # fmt: skip
    """Return the data sets of --data, or the embedded ones if there are none.

    Args:
        config: the run's config, with `synthetic_images`.
        layouts: {legal NAME: its data_prep layout}.
        families: {NAME: (family of drawn fakes, share of --synthetic-images)}, the embedded data.
        frames: images of an embedded clip; above 1 they are clips.
        preparation: faces, size, jpeg: flags of data_prep for the embedded data.
    """
    if config.data:
        return read_data(config.data, layouts, config.limit)
    counts = {role: max(10, round(share * config.synthetic_images / frames)) for role, (_, share) in families.items()}
    return [
        open_dataset(role, embedded_images(family, counts[role], frames=frames, **preparation), limit=config.limit)
        for role, (family, _) in families.items()
    ]


def require_weights(config: RunOptions, given: Mapping[str, object], models: Sequence[str]) -> None:
    """Check that a run with --epochs 0 has a network to evaluate.

    Args:
        config: the run's config.
        given: {model: file} of --weights.
        models: the models that --weights can start, the run's own first.

    Raises:
        UserError: if nothing is trained and no weights are given.
    """
    if config.epochs == 0 and not set(given) & set(models):
        others = f", or another of {', '.join(models[1:])}" if len(models) > 1 else ""
        raise UserError(f"--epochs 0 trains nothing: give --weights {models[0]}=FILE{others}")


def require_classes(images: pd.DataFrame, config: RunOptions, remedy: str) -> None:
    """Check that there is something to train on.

    Args:
        images: the images of the data sets that are trained on, with the column label.
        config: the run's config; with --epochs 0 any images will do.
        remedy: what to give, e.g. `--data dfdc=DIR with both`.

    Raises:
        UserError: if a class is missing and something is trained.
    """
    if config.epochs and set(images["label"]) != {"fake", "real"}:
        found = ", ".join(sorted(set(images["label"]))) or "none"
        raise UserError(f"training needs real and fake images, got {found}: give {remedy}")


def partial_data(
    config: RunOptions, count: int, published: int, unit: str = "images", share: float = 0.99
) -> list[str]:
    """Return the note that a run has fewer images than its paper, as a list that is empty if it has enough.

    Args:
        config: the run's config; embedded data are never called partial.
        count: the run's images.
        published: the paper's.
        unit: what is counted, e.g. `frames`.
        share: of the published number from which the data count as whole: a few unreadable files are not another data
            set.
    """
    if not config.data or count >= share * published:
        return []
    return [f"{PARTIAL_DATA}: {count} of the paper's {published} {unit}"]


def other_data(
    config: RunOptions, labels: pd.Series, published: int, fake_share: float, unit: str = "images", share: float = 0.99
) -> list[str]:
    """Return notes on data that are not the paper's: fewer or more, or with another share of fakes.

    Args:
        config: the run's config; embedded data are never compared.
        labels: of all images of the data sets that are trained on.
        published: the paper's number of images.
        fake_share: the paper's share of fakes, 0 to 1.
        unit: what is counted.
        share: of `published` from which the data count as complete.

    Returns:
        Notes with the conditions PARTIAL_DATA and OTHER_DATA; none if the data are like the paper's.
    """
    if not config.data or labels.empty:
        return []
    count, fakes = len(labels), float((labels == WORDS[FAKE]).mean())
    notes = partial_data(config, count, published, unit, share)
    if count > MORE_IMAGES * published or abs(fakes - fake_share) > OTHER_SHARE:
        shares = [f"{100 * value:.0f} %" for value in (fakes, fake_share)]
        notes.append(f"{OTHER_DATA}: {count} {unit}, {shares[0]} fake; the authors' {published}, {shares[1]}")
    return notes


def log_resolution(splits: Sequence[Split]) -> None:
    """Log, before anything is trained, which differences of accuracy the test sets can tell.

    Args:
        splits: of each protocol and seed; of each protocol, the smallest test set counts.
    """
    smallest: dict[str, tuple[int, str]] = {}  # {protocol: (number of clusters, what a cluster is)}
    for split in splits:
        for images in split.parts.values():
            test = images[images["split"] == "test"]
            if len(test):
                drawn = sampling_of(test)
                size = int(drawn.clusters.max()) + 1, drawn.unit
                smallest[split.protocol] = min(size, smallest.get(split.protocol, size))
    points = [
        f"{100 * detectable_difference(n):.2g} points ({protocol}: {n} {unit}{'s' if n > 1 else ''})"
        for protocol, (n, unit) in smallest.items()
    ]
    if points:
        log.info("this test set can tell differences of %s near an accuracy of 90 %%", ", ".join(points))


def resolve_imagenet_weights(backbone: str, config: RunOptions) -> tuple[str, list[str]]:
    """Find the ImageNet weights of a backbone before anything is trained.

    A run that cannot have the weights that it asks for stops, so that its numbers do not depend on the network.

    Args:
        backbone: a network of common.networks.backbones.
        config: the run's config.

    Returns:
        (what the backbone starts from: `imagenet`, `none` or a folder; notes).

    Raises:
        UserError: if they cannot be downloaded, or the folder lacks them.
    """
    chosen = config.imagenet_weights
    weights.find_weights(backbone, chosen)
    return chosen, [NO_IMAGENET_WEIGHTS] if chosen == "none" else []
