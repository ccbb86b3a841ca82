"""manifest.csv: the table that data_prep writes and everything else reads.

One row an image: path (relative to the folder), label (fake / real), source (where it comes from: ffhq, stylegan,
Deepfakes, ...), video (full source path of the clip, empty for single pictures), identity (the person; `target;source`
for a swap), original (the real video or picture a fake was made from; several are joined by `;`), frame (index in the
clip, or empty), split (train / val / test where the data set has an official one, else empty), sha256 of the bytes.
"""

from contextlib import suppress
from pathlib import Path, PureWindowsPath

import pandas as pd

from common.errors import UserError
from common.files import write_bytes
from common.labels import WORDS

NAME, PREPARATION, JOURNALS = "manifest.csv", "prep.json", ".progress*.jsonl"
COLUMNS = ("path", "label", "source", "video", "identity", "original", "frame", "split", "sha256")
SPLITS = ("train", "val", "test")


def read_manifest(folder):
    """Read and validate `folder`/manifest.csv.

    Returns a DataFrame with the columns COLUMNS, every cell a string, empty where the file has nothing.
    UserError if there is no manifest, a column is missing, a label or split is unknown, a path is empty, repeated,
    absolute or leaves the folder, or there is no row. That the images are there is `verify`'s business.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"no such folder: {folder}")
    path = folder / NAME
    if not path.is_file() and (journal := unfinished(folder)):
        raise UserError(
            f"{folder} has no {NAME} yet, its preparation is unfinished: run the data_prep command that began it again "
            f"(layout and flags stand in the first line of {journal})"
        )
    if not path.is_file():
        raise UserError(
            f"{folder} has no {NAME}: prepare the raw data first, e.g. "
            f"`python -m data_prep folders {folder} {folder}-prepared` (layouts: `python -m data_prep --help`)"
        )
    try:
        images = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except (ValueError, pd.errors.ParserError) as error:
        raise UserError(f"{path} is not a readable CSV file: {str(error).strip()}") from error
    check_manifest(images, path)
    return images[list(COLUMNS)]


def unfinished(folder):
    """The journal of a preparation in `folder` that was begun and has no manifest yet, None where there is none."""
    folder = Path(folder)
    return None if (folder / NAME).is_file() else next(iter(sorted(folder.glob(JOURNALS))), None)


def is_prepared(folder):
    """True if data_prep made the folder, or began to: it has a journal, a manifest or a prep.json of ours."""
    folder = Path(folder)
    if any(folder.glob(JOURNALS)):
        return True
    beginnings = {NAME: ",".join(COLUMNS), PREPARATION: '{\n  "layout": '}
    for name, beginning in beginnings.items():
        with suppress(OSError), open(folder / name, encoding="utf-8", errors="replace") as file:
            if file.read(len(beginning)) == beginning:
                return True
    return False


def check_manifest(images, where):
    """Raise UserError, naming `where`, if `images` breaks the schema that this module's docstring states."""
    missing = [column for column in COLUMNS if column not in images.columns]
    if missing:
        raise UserError(f"{where}: expected the columns {','.join(COLUMNS)}; missing: {', '.join(missing)}")
    if images.empty:
        raise UserError(f"{where} lists no images: run data_prep again and read its skipped.csv")
    problems = {
        f"label is not {' or '.join(WORDS)}": ~images["label"].isin(WORDS),
        f"split is not empty or one of {', '.join(SPLITS)}": ~images["split"].isin(("", *SPLITS)),
        "path is empty": images["path"] == "",
        "path is listed twice": images["path"].duplicated(),
        "path leaves the folder": images["path"].map(leaves_folder),
    }
    for problem, rows in problems.items():
        if rows.any():
            first = images.loc[rows].iloc[0]
            raise UserError(
                f"{where}: {problem} in {int(rows.sum())} of {len(images)} rows, "
                f"first in row {rows.idxmax() + 2}: path={first['path']!r} label={first['label']!r} "
                f"split={first['split']!r}"
            )


def write_manifest(images, folder):
    """Write the validated table atomically, sorted by path, so that equal data give equal bytes."""
    check_manifest(images, Path(folder) / NAME)
    write_bytes(manifest_bytes(images), Path(folder) / NAME)


def manifest_bytes(images):
    """What write_manifest writes."""
    return images[list(COLUMNS)].sort_values("path").to_csv(index=False, lineterminator="\n").encode()


def leaves_folder(path: str) -> bool:
    """Return True if a relative path leads out of its folder on any system; a list or a manifest may be hostile."""
    windows = PureWindowsPath(path)  # its separators and roots include those of POSIX
    return bool(windows.drive or windows.root or ".." in windows.parts)
