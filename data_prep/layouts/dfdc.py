"""The Deepfake Detection Challenge (Dolhansky et al. 2020, arXiv:2006.07397): its videos, or face crops of them.

Videos are in folders dfdc_train_part_N/, each with a metadata.json {name: {label, split, original}}; SRC may also be
one such folder. Other folders without a list, such as Kaggle's test_videos/, have no labels and are left out. Crops are
one a video, with a metadata.csv (columns videoname, label, original); the crop of x.mp4 is x.jpg or x.png. Both may be
anywhere below SRC. Labels are REAL and FAKE; the original of a fake is the real video it was made from.

The Preview (Dolhansky et al. 2019, arXiv:1910.08854) has one dataset.json {path: {label, set, target_id, swapped_id}}.
TARGET is the person of a video and SWAPPED the person whose face a fake shows:

    original_videos/TARGET/TARGET_A_001.mp4
    method_A/TARGET/TARGET_A/SWAPPED_TARGET_A_001.mp4       method_B/ likewise
"""

import json
from pathlib import Path, PurePosixPath

from common.data.manifest import leaves_folder
from common.data.text_tables import read_text_table
from common.errors import UserError
from common.labels import FAKE, REAL, WORDS
from data_prep.layouts.item import MISSING, Item
from data_prep.layouts.tree import image_paths, is_video, media_paths, paths_by_name, read_text, strip_suffix

TABLE, METADATA, PREVIEW = "metadata.csv", "metadata.json", "dataset.json"
PREVIEW_FOLDERS = ("method_A", "method_B", "original_videos")
COLUMNS = ("videoname", "label", "original")
MISSING_VALUES = ("nan", "na", "none", "null")  # as pandas, R and the table on Kaggle write that there is no original
LISTED_TWICE = "listed twice, differently"
SPLITS = {"train": "train", "validation": "val", "val": "val", "test": "test"}


def find(src: Path) -> list[Item]:
    """Return the videos by metadata.json or dataset.json, or without one the crops by metadata.csv.

    Raises:
        UserError: if a list is damaged.
    """
    lists = paths_by_name(src, METADATA, PREVIEW)
    if lists:
        return _videos(src, lists)
    videos = [path for path in media_paths(src) if is_video(path)]
    tables = paths_by_name(src, TABLE)
    if videos and not tables:
        problem = f"not listed: there is no {METADATA} to tell real from fake"
        return [Item(path, "", "dfdc", problem=problem) for path in videos]
    return _crops(src, tables)


def _videos(src, lists):
    present = {path for path in media_paths(src) if is_video(path)}
    challenge, preview = {}, {}
    for path in lists:
        folder, _, name = path.rpartition("/")
        rows = {f"{folder}/{video}" if folder else video: row for video, row in _read_json(src / path).items()}
        (preview if name.lower() == PREVIEW else challenge).update(rows)
    path_of_name = {path.rpartition("/")[2]: path for path in sorted(challenge)}
    items = [_video(path, row, present, path_of_name) for path, row in challenge.items()]
    originals = {_name(path): path for path, row in preview.items() if str(row.get("label")).lower() == WORDS[REAL]}
    items += [_preview_video(path, row, present, originals) for path, row in preview.items()]
    listed = {path.rpartition("/")[0] for path in lists}
    unlisted = sorted(
        path
        for path in present - set(challenge) - set(preview)
        if preview or path.rpartition("/")[0] in listed or "train" in path.rpartition("/")[0].lower()
    )
    expected = METADATA if challenge else PREVIEW
    return items + [Item(path, "", "dfdc", problem=f"not listed: {expected}") for path in unlisted]


def _video(path, row, present, path_of_name):
    original = row.get("original") or ""
    label, split, problem = _label_and_split(path, row, "split", METADATA, present)
    if original == LISTED_TWICE:
        problem = f"contradiction: {LISTED_TWICE} in {METADATA}"
    elif not isinstance(original, str) or original == path.rpartition("/")[2]:
        problem = f"contradiction: its original in {METADATA} is {original!r}"
    elif leaves_folder(original):
        problem = f"leaves SRC: listed in {METADATA}"
    if problem:
        original = ""
    elif original:
        folder = path.rpartition("/")[0] + "/" if "/" in path else ""
        original = strip_suffix(path_of_name.get(original, folder + original))
    return Item(path, label, "dfdc", strip_suffix(path), original=original, split=split, problem=problem)


def _preview_video(path, row, present, originals):
    """Return a video of the Preview. The name of a fake ends in that of its original, after the swapped person."""
    label, split, problem = _label_and_split(path, row, "set", PREVIEW, present)
    persons = [row.get("target_id"), *([row.get("swapped_id")] if label == WORDS[FAKE] else [])]
    if not problem and not all(isinstance(person, str | int) and str(person) for person in persons):
        problem = f"unknown person: target_id or swapped_id in {PREVIEW}"
    if problem:
        return Item(path, label, "dfdc", strip_suffix(path), split=split, problem=problem)
    original = originals.get(_name(path).partition("_")[2], "") if label == WORDS[FAKE] else ""
    method = next((part for part in path.split("/") if part in PREVIEW_FOLDERS), "dfdc")
    return Item(
        path, label, method, strip_suffix(path), identity=";".join(map(str, persons)),
        original=strip_suffix(original), split=split,
    )  # fmt: skip


def _label_and_split(path, row, split, listed_in, present):
    """Return the label and the split of a listed video, and the problem of the list with it or ''."""
    label = str(row.get("label") or "")
    if label == LISTED_TWICE:
        problem = f"contradiction: {LISTED_TWICE} in {listed_in}"
    elif leaves_folder(path):
        problem = f"leaves SRC: listed in {listed_in}"
    elif label.lower() not in WORDS:
        problem = f"unknown label: {label or 'none'} in {listed_in}"
    elif path not in present:
        problem = f"{MISSING}: listed in {listed_in}"
    else:
        problem = ""
    return label.lower(), SPLITS.get(str(row.get(split)), ""), problem


def _name(path):
    return strip_suffix(path.rpartition("/")[2])


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
    if not tables:
        problem = f"not listed: there is no {TABLE} to tell real from fake"
        return [Item(path, "", "dfdc", problem=problem) for path in paths]
    crops = _index_by_stem(paths)
    if not crops:
        return []
    if len(tables) > 1:
        raise UserError(
            f"expected one {TABLE} of crops, got {tables[0]} and {tables[1]}: give one of the folders as SRC"
        )
    rows = _read_csv(src / tables[0])
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
    rows = read_text_table(path)
    missing = [column for column in COLUMNS if column not in rows]
    if missing:
        raise UserError(f"{path}: expected the columns {','.join(COLUMNS)}; missing: {', '.join(missing)}")
    rows["label"] = rows["label"].str.lower()
    rows["original"] = rows["original"].where(~rows["original"].str.lower().isin(MISSING_VALUES), "")
    checks = {
        "label is not REAL or FAKE": ~rows["label"].isin(WORDS),
        "videoname is empty": rows["videoname"] == "",
        "videoname is listed twice": rows["videoname"].duplicated(),
    }
    for problem, bad in checks.items():
        if bad.any():
            raise UserError(f"{path}: {problem} in {int(bad.sum())} rows, first in row {bad.idxmax() + 2}")
    return rows
