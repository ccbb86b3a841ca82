"""Prepared folders as data sets: from --data NAME=DIR to one table of images that know their data set."""

import hashlib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from common.conditions import SYNTHETIC, is_synthetic
from common.data.manifest import NAME, PREPARATION, read_manifest, unfinished_journal
from common.documents import OBJECT, TEXT, check_fields, optional
from common.errors import UserError
from common.files import read_json

# Layouts whose names of videos and persons are the publisher's, in all versions: Celeb-DF v2 extends v1.
PUBLISHED_NAMES = ("celebdf", "dfdc", "faceforensics", "celeba")


@dataclass(frozen=True)
class DataSet:
    """A prepared folder.

    Args:
        role: the paper's NAME for it.
        name: what the results call it.
        folder: the prepared folder.
        images: one row an image: the manifest's columns, and file (absolute path) and dataset (`name`).
        preparation: the content of prep.json: layout, flags, detector.
    """

    role: str
    name: str
    folder: Path
    images: pd.DataFrame
    preparation: dict[str, Any]

    @property
    def is_synthetic(self) -> bool:
        """Whether the images are drawn."""
        return is_synthetic(self.name)

    @property
    def scope(self) -> str:
        """Within what equal names of videos and persons mean the same ones: the data sets of one publisher, or this."""
        layout = self.preparation.get("layout", "")
        return layout if layout in PUBLISHED_NAMES and not self.is_synthetic else self.name

    @property
    def fingerprint(self) -> str:
        """A SHA-256 that changes with any image, label or grouping."""
        table = self.images.drop(columns=["file", "dataset"]).to_csv(index=False)
        return hashlib.sha256(table.encode()).hexdigest()


def read_data(pairs: Iterable[str], layouts: Mapping[str, str], limit: int | None = None) -> list[DataSet]:
    """Read the data sets that --data names.

    Args:
        pairs: `NAME=DIR` each.
        layouts: {legal NAME: the data_prep layout in which it usually comes}.
        limit: at most this number of images per class; None: all.

    Returns:
        A DataSet for each pair.

    Raises:
        UserError: if a word is no pair, a NAME is unknown or repeated, or a folder is missing or raw.
    """
    datasets: dict[str, DataSet] = {}
    for pair in pairs:
        role, equals, folder = pair.partition("=")
        if not equals or not folder or role not in layouts:
            raise UserError(f"--data: expected NAME=DIR with NAME one of {', '.join(layouts)}; got {pair!r}")
        if role in datasets:
            raise UserError(f"--data: {role} is given twice")
        datasets[role] = open_dataset(role, Path(folder).expanduser(), layouts[role], limit)
    names = [dataset.name for dataset in datasets.values()]
    if len(set(names)) < len(names):
        raise UserError(f"--data: two NAMEs have drawn images of one family ({', '.join(names)}); give one of them")
    return list(datasets.values())


def open_dataset(role: str, folder: Path, layout: str = "folders", limit: int | None = None) -> DataSet:
    """Open one prepared folder.

    Args:
        role: the paper's NAME for it. Drawn images are called `synthetic-FAMILY` whatever their role.
        folder: the prepared folder.
        layout: the data_prep layout that an error about a raw folder proposes.
        limit: at most this number of images per class, the same ones each time; None: all.

    Returns:
        The data set.

    Raises:
        UserError: if the folder is missing or raw, its preparation is unfinished, or its manifest is not valid.
    """
    if folder.is_dir() and not (folder / NAME).is_file() and not unfinished_journal(folder):
        target = folder.parent / f"{folder.name}-prepared"
        raise UserError(
            f"--data {role}={folder}: no {NAME} in it, so it is raw data; prepare it first: "
            f"{shlex.join(['python', '-m', 'data_prep', layout, str(folder), str(target)])}"
        )
    images = read_manifest(folder)
    preparation = _read_preparation(folder)
    drawing = preparation.get(SYNTHETIC)
    name = f"{SYNTHETIC}-{drawing['family']}" if drawing else role
    if limit:
        images = _limit_per_class(images, limit)
    root = folder.resolve()
    images = images.assign(file=[str(root / path) for path in images["path"]], dataset=name)
    return DataSet(role, name, folder, images, preparation)


def _read_preparation(folder):
    """The content of prep.json; empty without the file."""
    path = folder / PREPARATION
    if not path.is_file():
        return {}
    preparation = read_json(path)
    check_fields(preparation, {"layout": TEXT, "flags": OBJECT, SYNTHETIC: optional(OBJECT)}, (), path, closed=False)
    if drawing := preparation.get(SYNTHETIC):
        check_fields(drawing, {"family": TEXT}, ("family",), path, f"{SYNTHETIC}.", closed=False)
    return preparation


def merge(datasets: Sequence[DataSet], near_duplicates: int | None = None) -> pd.DataFrame:
    """Return all images of several data sets as one table with a fresh index.

    Args:
        datasets: one or more.
        near_duplicates: a distance of perceptual hashes, 0 to 63 bits. Images within it get the same number in a column
            `near`, which splits keep together. None: no such column.

    Returns:
        The columns of `DataSet.images`; `scope`, equal for data sets in which equal names of videos and persons mean
        the same; `near_duplicates`, the number of the group of near-duplicates, which is counted and decides nothing;
        and `near` if asked for.

    Raises:
        UserError: if an image is damaged.
    """
    from common.data.near_duplicates import hash_images, near_duplicate_groups

    images = pd.concat([dataset.images.assign(scope=dataset.scope) for dataset in datasets], ignore_index=True)
    hashes = hash_images(images["file"])
    if near_duplicates is None:
        return images.assign(near_duplicates=near_duplicate_groups(hashes))
    groups = near_duplicate_groups(hashes, near_duplicates)
    return images.assign(near_duplicates=groups, near=groups)


def _limit_per_class(images, limit):
    order = images["sha256"].where(images["sha256"] != "", images["path"]).map(_hash)
    kept = images.assign(order=order).sort_values("order").groupby("label").head(limit)
    return kept.drop(columns="order").sort_values("path", ignore_index=True)


def _hash(text):
    return hashlib.sha256(text.encode()).hexdigest()
