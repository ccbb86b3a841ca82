"""CelebA (Liu et al. 2015, 10.1109/ICCV.2015.425): its aligned faces, or the 100k cut of them on Kaggle.

list_eval_partition.txt and identity_CelebA.txt (or .csv, as a program or spreadsheet wrote them), anywhere below SRC,
give split and identity by the name of the file; without them both stay empty. If SRC holds several versions of the
images, the aligned ones are used.
"""

import re
from pathlib import Path

from common.errors import UserError
from data_prep.layouts.item import Item
from data_prep.layouts.tree import image_paths, paths_by_name, read_text, refuse_class_folder, strip_suffix

FOLDERS = ("img_align_celeba", "img_align_celeba_png", "img_celeba", "100k")
PARTITION, IDENTITY = "list_eval_partition", "identity_CelebA"
SPLITS = {"0": "train", "1": "val", "2": "test"}


def find(src: Path) -> list[Item]:
    """Return one version of the images as real, with split and identity by the lists; UserError if one is damaged."""
    paths = image_paths(src)
    refuse_class_folder("fake", src, paths, "celeba")
    splits, persons = _read_list(src, PARTITION), _read_list(src, IDENTITY)
    return [_item(path, splits, persons) for path in _choose_version(paths)]


def _choose_version(paths):
    for folder in FOLDERS:
        version = [path for path in paths if folder in path.split("/")[:-1]]
        if version:
            return version
    return paths


def _item(path, splits, persons):
    name = strip_suffix(path.rpartition("/")[2])
    split = "" if splits is None else SPLITS.get(splits.get(name), "")
    person = "" if persons is None else persons.get(name, "")
    problem = ""
    if splits is not None and not split:
        problem = f"unknown split: {splits[name]} in {PARTITION}" if name in splits else f"not listed: {PARTITION}"
    elif persons is not None and not person:
        problem = f"not listed: {IDENTITY}"
    return Item(path, "real", "celeba", identity=person, split=split, problem=problem)


def _read_list(src, stem):
    """Return {name of an image without suffix: the second column} of a list below `src`, None if there is no list."""
    path = next(iter(paths_by_name(src, f"{stem}.txt", f"{stem}.csv")), None)
    if path is None:
        return None
    rows = {}
    for number, line in enumerate(read_text(src / path).splitlines(), 1):
        columns = re.sub(r"""[,;"']""", " ", line).split()
        if len(columns) == 3 and columns[0].isdigit():  # the number of the row, of R and pandas
            columns = columns[1:]
        if not columns or "image_id" in columns or (number == 1 and len(columns) == 1 and columns[0].isdigit()):
            continue  # a header, or the number of images above it
        if len(columns) != 2:
            raise UserError(f"{src / path}: expected an image and a number in line {number}, got {line[:80]!r}")
        rows[strip_suffix(columns[0])] = columns[1]
    return rows
