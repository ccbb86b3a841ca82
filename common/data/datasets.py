"""Prepared folders as data sets: from --data NAME=DIR to one table of images that know where they are from."""

import hashlib
import shlex
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from common.conditions import SYNTHETIC, is_synthetic
from common.data.manifest import NAME, read_manifest, unfinished
from common.errors import UserError
from common.files import read_json


@dataclass(frozen=True)
class DataSet:
    """A prepared folder. role: the paper's NAME for it; name: what the results call it."""

    role: str
    name: str
    folder: Path
    images: pd.DataFrame  # the manifest's columns, and file (absolute path), dataset (name)
    preparation: dict  # prep.json: layout, flags, detector

    @property
    def is_synthetic(self):
        return is_synthetic(self.name)

    @property
    def fingerprint(self):
        """A hash that changes with any image, label or grouping."""
        table = self.images.drop(columns=["file", "dataset"]).to_csv(index=False)
        return hashlib.sha256(table.encode()).hexdigest()


def read_data(pairs, layouts, limit=None):
    """Read `NAME=DIR` pairs, e.g. --data, into a list of DataSet.

    layouts: {legal NAME: the data_prep layout it usually comes in}. limit: at most so many images per class.
    UserError for a word that is no pair, an unknown or repeated NAME, a missing or raw folder.
    """
    found = {}
    for pair in pairs:
        role, equals, folder = pair.partition("=")
        if not equals or not folder or role not in layouts:
            raise UserError(f"--data: expected NAME=DIR with NAME one of {', '.join(layouts)}; got {pair!r}")
        if role in found:
            raise UserError(f"--data: {role} is given twice")
        found[role] = open_dataset(role, Path(folder).expanduser(), layouts[role], limit)
    names = [data.name for data in found.values()]
    if len(set(names)) < len(names):
        raise UserError(f"--data: drawn images of one family stand under two NAMEs ({', '.join(names)}); give one")
    return list(found.values())


def open_dataset(role, folder, layout="folders", limit=None):
    """One prepared folder as a DataSet; drawn images are called `synthetic-<family>` whatever their role."""
    if folder.is_dir() and not (folder / NAME).is_file() and not unfinished(folder):
        target = folder.parent / f"{folder.name}-prepared"
        raise UserError(
            f"--data {role}={folder}: no {NAME} in it, so it is raw data; prepare it first: "
            f"{shlex.join(['python', '-m', 'data_prep', layout, str(folder), str(target)])}"
        )
    images = read_manifest(folder)
    preparation = read_json(path) if (path := folder / "prep.json").is_file() else {}
    drawn = preparation.get(SYNTHETIC)
    name = f"{SYNTHETIC}-{drawn['family']}" if drawn else role
    if limit:
        images = _limited(images, limit)
    root = folder.resolve()
    images = images.assign(file=[str(root / path) for path in images["path"]], dataset=name)
    return DataSet(role, name, folder, images, preparation)


def merge(datasets, near_duplicates=None):
    """All images of several data sets as one table with a fresh index.

    near_duplicates: a Hamming distance of perceptual hashes; images within it get one number in a column `near`, which
    splits obey.
    """
    images = pd.concat([data.images for data in datasets], ignore_index=True)
    if near_duplicates is None:
        return images
    from common.data.near_duplicates import hash_images, near_duplicate_groups

    return images.assign(near=near_duplicate_groups(hash_images(images["file"]), near_duplicates))


def _limited(images, limit):
    order = images["sha256"].where(images["sha256"] != "", images["path"]).map(_hash)
    kept = images.assign(order=order).sort_values("order").groupby("label").head(limit)
    return kept.drop(columns="order").sort_values("path", ignore_index=True)


def _hash(text):
    return hashlib.sha256(text.encode()).hexdigest()
