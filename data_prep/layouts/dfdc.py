"""The Deepfake Detection Challenge (Dolhansky et al. 2020, arXiv:2006.07397): its videos, or face crops of them.

Videos are in folders dfdc_train_part_N/, each with a metadata.json {name: {label, split, original}}; SRC may also be
one such folder. Crops are one a video, with SRC/metadata.csv (columns videoname, label, original); the crop of x.mp4 is
x.jpg or x.png anywhere below SRC. Labels are REAL and FAKE; the original of a fake is the real video it was made from.
"""

import json
from pathlib import Path, PurePosixPath

import pandas as pd

from common.data.manifest import leaves_folder
from common.errors import UserError
from common.labels import WORDS
from data_prep.layouts.item import MISSING, Item
from data_prep.layouts.tree import image_paths, is_video, media_paths, paths_by_name, read_text, strip_suffix

TABLE, METADATA = "metadata.csv", "metadata.json"
COLUMNS = ("videoname", "label", "original")
LISTED_TWICE = "listed twice, differently"
SPLITS = {"train": "train", "validation": "val", "val": "val", "test": "test"}


def find(src: Path) -> list[Item]:
    """Return the videos by metadata.json, or without one the crops by metadata.csv; UserError if a list is damaged."""
    parts = paths_by_name(src, METADATA)
    if parts:
        return _videos(src, parts)
    videos = [path for path in media_paths(src) if is_video(path)]
    tables = paths_by_name(src, TABLE)
    if videos and not tables:
        problem = f"not listed: there is no {METADATA} to tell real from fake"
        return [Item(path, "", "dfdc", problem=problem) for path in videos]
    return _crops(src, tables)


def _videos(src, parts):
    present = {path for path in media_paths(src) if is_video(path)}
    listed = {part.removesuffix(METADATA) + name: row for part in parts for name, row in _read_json(src / part).items()}
    path_of_name = {path.rpartition("/")[2]: path for path in sorted(listed)}
    items = [_video(path, row, present, path_of_name) for path, row in listed.items()]
    unlisted = sorted(present - set(listed))
    return items + [Item(path, "", "dfdc", problem=f"not listed: {METADATA}") for path in unlisted]


def _video(path, row, present, path_of_name):
    label, original = str(row.get("label") or ""), row.get("original") or ""
    split = SPLITS.get(str(row.get("split")), "")
    problem = ""
    if LISTED_TWICE in (label, original):
        problem = f"contradiction: {LISTED_TWICE} in {METADATA}"
    elif not isinstance(original, str) or original == path.rpartition("/")[2]:
        problem = f"contradiction: its original in {METADATA} is {original!r}"
    elif leaves_folder(path) or leaves_folder(original):
        problem = f"leaves SRC: listed in {METADATA}"
    elif label.lower() not in WORDS:
        problem = f"unknown label: {label or 'none'} in {METADATA}"
    elif path not in present:
        problem = f"{MISSING}: listed in {METADATA}"
    if problem:
        original = ""
    elif original:
        folder = path.rpartition("/")[0] + "/" if "/" in path else ""
        original = strip_suffix(path_of_name.get(original, folder + original))
    return Item(path, label.lower(), "dfdc", strip_suffix(path), original=original, split=split, problem=problem)


def _read_json(path):
    try:
        rows = json.loads(read_text(path), object_pairs_hook=_mark_contradicting_keys)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged, it is not JSON ({error}): get it again") from error
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise UserError(f'{path}: expected {{"x.mp4": {{"label": "REAL", ...}}, ...}} as in DFDC: get it again')
    return rows


def _mark_contradicting_keys(pairs):
    """Build the dict of a JSON object; a key with two different values gets LISTED_TWICE, a video as its label."""
    values = {}
    for name, value in pairs:
        if values.setdefault(name, value) != value:
            values[name] = {"label": LISTED_TWICE} if isinstance(value, dict) else LISTED_TWICE
    return values


def _crops(src, tables):
    paths = image_paths(src)
    if TABLE not in tables:
        problem = f"not listed: there is no {TABLE} in SRC to tell real from fake"
        return [Item(path, "", "dfdc", problem=problem) for path in paths]
    crops = _index_by_stem(paths)
    if not crops:
        return []
    rows = _read_csv(src / TABLE)
    items = [_crop(row, crops.pop(PurePosixPath(row.videoname).stem, None)) for row in rows.itertuples()]
    return items + [Item(path, "", "dfdc", problem=f"not listed: {TABLE}") for path in crops.values()]


def _crop(row, crop):
    problem = "" if crop else f"{MISSING}: listed in {TABLE}"
    if leaves_folder(row.videoname):
        problem = f"leaves SRC: listed in {TABLE}"
    path = crop or str(PurePosixPath(row.videoname).with_suffix(".jpg"))
    return Item(path, row.label, "dfdc", video=row.videoname, original=row.original, problem=problem)


def _index_by_stem(paths):
    crops = {}
    for path in paths:
        first = crops.setdefault(PurePosixPath(path).stem, path)
        if first != path:
            raise UserError(f"expected one crop a video, got {first} and {path}")
    return crops


def _read_csv(path):
    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:  # also pandas' ParserError and UnicodeDecodeError
        raise UserError(f"{path} is not a readable CSV file: {str(error).strip()}") from error
    missing = [column for column in COLUMNS if column not in rows]
    if missing:
        raise UserError(f"{path}: expected the columns {','.join(COLUMNS)}; missing: {', '.join(missing)}")
    rows["label"] = rows["label"].str.lower()
    checks = {
        "label is not REAL or FAKE": ~rows["label"].isin(WORDS),
        "videoname is empty": rows["videoname"] == "",
        "videoname is listed twice": rows["videoname"].duplicated(),
    }
    for problem, bad in checks.items():
        if bad.any():
            raise UserError(f"{path}: {problem} in {int(bad.sum())} rows, first in row {bad.idxmax() + 2}")
    return rows
