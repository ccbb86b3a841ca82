"""manifest.csv: the table that data_prep writes and everything else reads.

One row an image:

    path      relative to the folder
    label     fake / real
    source    where the image comes from: ffhq, stylegan, Deepfakes, ...
    video     full source path of the clip; empty for single pictures
    identity  the person; `target;source` for a swap
    original  the real video or picture that a fake was made from; several are joined by `;`
    frame     index in the clip, from 0; empty for single pictures
    split     train / val / test if the data set has an official split, else empty
    sha256    of the file's bytes
"""

from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath

import pandas as pd

from common.data.text_tables import read_text_table
from common.errors import UserError
from common.files import write_bytes
from common.labels import WORDS
from common.spreadsheets import escape_formulas

NAME, PREPARATION, JOURNALS = "manifest.csv", "prep.json", ".progress*.jsonl"
COLUMNS = ("path", "label", "source", "video", "identity", "original", "frame", "split", "sha256")
SPLITS = ("train", "val", "test")
MAX_FRAME_DIGITS = 18  # an int64 has them
FRAME = rf"[0-9]{{0,{MAX_FRAME_DIGITS}}}"


def read_manifest(folder: str | Path) -> pd.DataFrame:
    """Read and validate the manifest of a prepared folder. Whether the images exist is checked by `verify`.

    Args:
        folder: the prepared folder.

    Returns:
        A DataFrame with the columns COLUMNS, every cell a string, empty if the file has nothing there.

    Raises:
        UserError: if there is no folder or no manifest, or the manifest breaks a rule of `check_manifest`.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"no such folder: {folder}")
    path = folder / NAME
    if not path.is_file() and (journal := unfinished_journal(folder)):
        raise UserError(
            f"{folder} has no {NAME} yet, its preparation is unfinished: run the data_prep command that started it "
            f"again (layout and flags are in the first line of {journal})"
        )
    if not path.is_file():
        raise UserError(
            f"{folder} has no {NAME}: prepare the raw data first, e.g. "
            f"`python -m data_prep folders {folder} {folder}-prepared` (layouts: `python -m data_prep --help`)"
        )
    images = read_text_table(path)
    check_manifest(images, path)
    return images[list(COLUMNS)]


def unfinished_journal(folder: str | Path) -> Path | None:
    """Return a journal of a preparation that was started in `folder` and has no manifest yet; None if there is none."""
    folder = Path(folder)
    return None if (folder / NAME).is_file() else next(iter(sorted(folder.glob(JOURNALS))), None)


def is_prepared(folder: str | Path) -> bool:
    """Return True if data_prep made the folder, or started to: it has a journal, a manifest or a prep.json of ours."""
    folder = Path(folder)
    if any(folder.glob(JOURNALS)):
        return True
    file_starts = {NAME: ",".join(COLUMNS), PREPARATION: '{\n  "layout": '}
    for name, start in file_starts.items():
        with suppress(OSError), open(folder / name, encoding="utf-8", errors="replace") as file:
            if file.read(len(start)) == start:
                return True
    return False


def check_manifest(images: pd.DataFrame, path: str | Path) -> None:
    """Check a table against the schema in this module's docstring.

    Args:
        images: the table.
        path: of the manifest, for the message.

    Raises:
        UserError: if a column is missing, there is no row, a label or split is unknown, a frame is no number, or a path
            is empty, repeated, absolute or leads out of the folder.
    """
    missing = [column for column in COLUMNS if column not in images.columns]
    if missing:
        raise UserError(f"{path}: expected the columns {','.join(COLUMNS)}; missing: {', '.join(missing)}")
    if images.empty:
        raise UserError(f"{path} lists no images: run data_prep again and read its skipped.csv")
    frames = images["frame"].astype(str)
    problems = {
        f"label is not {' or '.join(WORDS)}": ~images["label"].isin(WORDS),
        f"split is not empty or one of {', '.join(SPLITS)}": ~images["split"].isin(("", *SPLITS)),
        f"frame is not empty or a whole number of at most {MAX_FRAME_DIGITS} digits": ~frames.str.fullmatch(FRAME),
        "path is empty": images["path"].isin(("", ".")),
        "path is listed twice": images["path"].map(_plain_path).duplicated(),
        "path leaves the folder": images["path"].map(leaves_folder),
    }
    for problem, rows in problems.items():
        if rows.any():
            first = images.loc[rows].iloc[0]
            raise UserError(
                f"{path}: {problem} in {int(rows.sum())} of {len(images)} rows, "
                f"first in row {rows.idxmax() + 2}: path={first['path']!r} label={first['label']!r} "
                f"split={first['split']!r}"
            )


def write_manifest(images: pd.DataFrame, folder: str | Path) -> None:
    """Write a table as the manifest of `folder`, atomically.

    Args:
        images: a table with at least the columns COLUMNS.
        folder: the prepared folder.

    Raises:
        UserError: if the table breaks a rule of `check_manifest`.
    """
    check_manifest(images, Path(folder) / NAME)
    write_bytes(manifest_bytes(images), Path(folder) / NAME)


def manifest_bytes(images: pd.DataFrame) -> bytes:
    """Return what write_manifest writes: sorted by path, so that equal data give equal bytes."""
    table = escape_formulas(images[list(COLUMNS)].sort_values("path"))
    return table.to_csv(index=False, lineterminator="\n").encode()


def _plain_path(path: str) -> str:
    """A path without what makes no difference: `a//b` and `a/./b` are `a/b`."""
    return str(PurePosixPath(path)) if "//" in path or "./" in path or path.endswith("/") else path


def leaves_folder(path: str) -> bool:
    """Return True if a relative path leads out of its folder on any system; a list or a manifest may be hostile."""
    windows = PureWindowsPath(path)  # its separators and roots include those of POSIX
    return bool(windows.drive or windows.root or ".." in windows.parts)
