"""CelebA (Liu et al. 2015, 10.1109/ICCV.2015.425): its aligned faces, or the 100k cut of them on Kaggle.

list_eval_partition.txt (or .csv) and identity_CelebA.txt, anywhere below SRC, give split and identity by the file's
name; without them these stay empty. Where the same pictures lie there in several versions, the aligned ones count.
"""

from common.errors import UserError
from data_prep.layouts import Item
from data_prep.layouts.tree import image_paths, named_paths, read_text, refuse_folder, without_suffix

FOLDERS = ("img_align_celeba", "img_align_celeba_png", "img_celeba", "100k")
PARTITION, IDENTITY = "list_eval_partition", "identity_CelebA"
SPLITS = {"0": "train", "1": "val", "2": "test"}


def find(src):
    paths = image_paths(src)
    refuse_folder("fake", src, paths, "celeba")
    splits, people = _read_list(src, PARTITION), _read_list(src, IDENTITY)
    return [_item(path, splits, people) for path in _one_version(paths)]


def _one_version(paths):
    for folder in FOLDERS:
        version = [path for path in paths if folder in path.split("/")[:-1]]
        if version:
            return version
    return paths


def _item(path, splits, people):
    name = without_suffix(path.rpartition("/")[2])
    split = "" if splits is None else SPLITS.get(splits.get(name), "")
    person = "" if people is None else people.get(name, "")
    problem = ""
    if splits is not None and not split:
        problem = f"unknown split: {splits[name]} in {PARTITION}" if name in splits else f"not listed: {PARTITION}"
    elif people is not None and not person:
        problem = f"not listed: {IDENTITY}"
    return Item(path, "real", "celeba", identity=person, split=split, problem=problem)


def _read_list(src, stem):
    """{image's name without suffix: the second column} of a list below `src`, or None where there is none."""
    path = next(iter(named_paths(src, f"{stem}.txt", f"{stem}.csv")), None)
    if path is None:
        return None
    rows = {}
    for number, line in enumerate(read_text(src / path).splitlines(), 1):
        columns = line.replace(",", " ").split()
        if not columns or columns[0] == "image_id":
            continue
        if len(columns) != 2:
            raise UserError(f"{src / path}: expected an image and a number in line {number}, got {line[:80]!r}")
        rows[without_suffix(columns[0])] = columns[1]
    return rows
