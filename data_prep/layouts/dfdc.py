"""Face crops of the Deepfake Detection Challenge, one a video, with a table of what they show.

SRC/metadata.csv has the columns videoname, label (REAL / FAKE) and original (the real video of a fake; empty for a real
one); the crop of x.mp4 is x.jpg or x.png anywhere below SRC.
"""

from pathlib import PurePosixPath

import pandas as pd

from common.errors import UserError
from common.labels import WORDS
from data_prep.layouts import Item, image_paths

TABLE = "metadata.csv"
COLUMNS = ("videoname", "label", "original")


def find(src):
    crops = _by_stem(image_paths(src))
    if not crops:
        return []
    rows = _read(src / TABLE)
    items = [_item(row, crops.pop(PurePosixPath(row.videoname).stem, None)) for row in rows.itertuples()]
    if all(item.problem for item in items):
        raise UserError(f"no row of {src / TABLE} has its crop below {src}: expected {items[0].path} for the first")
    return items + [Item(path, "", "dfdc", problem=f"no row in {TABLE}") for path in crops.values()]


def _item(row, crop):
    missing = {} if crop else {"problem": f"no crop for this row of {TABLE}"}
    path = crop or str(PurePosixPath(row.videoname).with_suffix(".jpg"))
    return Item(path, row.label, "dfdc", video=row.videoname, original=row.original, **missing)


def _by_stem(paths):
    crops = {}
    for path in paths:
        twin = crops.setdefault(PurePosixPath(path).stem, path)
        if twin != path:
            raise UserError(f"expected one crop a video, got {twin} and {path}")
    return crops


def _read(path):
    if not path.is_file():
        raise UserError(f"expected {path} with the columns {','.join(COLUMNS)}; there is no such file")
    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:  # also pandas' ParserError and UnicodeDecodeError
        raise UserError(f"{path} is not a readable CSV file: {str(error).strip()}") from error
    missing = [column for column in COLUMNS if column not in rows]
    if missing:
        raise UserError(f"{path}: expected the columns {','.join(COLUMNS)}; missing: {', '.join(missing)}")
    rows["label"] = rows["label"].str.lower()
    for problem, bad in {
        "label is not REAL or FAKE": ~rows["label"].isin(WORDS),
        "videoname is empty": rows["videoname"] == "",
        "videoname is listed twice": rows["videoname"].duplicated(),
    }.items():
        if bad.any():
            raise UserError(f"{path}: {problem} in {int(bad.sum())} rows, first in row {bad.idxmax() + 2}")
    return rows
