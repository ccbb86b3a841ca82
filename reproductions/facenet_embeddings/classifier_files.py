"""The classifiers that a run stored beside its base network, for data that have only one class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.errors import UserError
from common.labels import FAKE, REAL, to_numbers
from reproductions.facenet_embeddings import model
from reproductions.facenet_embeddings.config import BASE, ON_EMBEDDINGS, PROPOSED
from reproductions.splitting import Split


def stored_classifiers(weights: Path | None) -> dict[str, Path]:
    """Return {name: .skops file} of the classifiers beside a run's base network; empty if PROPOSED is not among them.

    Args:
        weights: models/base_network<suffix>.keras of a run, another file, or None.
    """
    if weights is None or not weights.stem.startswith(BASE):
        return {}
    suffix = weights.stem.removeprefix(BASE)
    names = (*model.classifiers(seed=0), ON_EMBEDDINGS)
    files = {name: weights.with_name(f"{name}{suffix}.skops") for name in names}
    return {name: file for name, file in files.items() if file.is_file() and files[PROPOSED].is_file()}


def require_classifiers(splits: Sequence[Split], weights: Path | None) -> None:
    """Check that phase II without training has classifiers: some to fit, or those of the run that `weights` are from.

    Raises:
        UserError: if a part has no training images of both classes, and no classifiers are stored beside the file.
    """
    parts = [images for split in splits for images in split.parts.values()]
    fitted = all(has_both_classes(to_numbers(part.loc[part["split"] == "train", "label"])) for part in parts)
    if not fitted and not stored_classifiers(weights):
        raise UserError(
            f"--weights {BASE}={weights}: its classifiers need training images of both classes, or {PROPOSED}.skops "
            "beside that file: give data of both classes, or RUN/models/base_network.keras of a run"
        )


def has_both_classes(labels: np.ndarray) -> bool:
    """Return whether labels, int (n,), have fakes and reals."""
    return set(labels) == {FAKE, REAL}
