"""Files and folders that are either whole or absent, their fingerprints, and locks between processes."""

import csv
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import pandas as pd
import platformdirs
from filelock import FileLock, Timeout

from common.errors import UserError
from common.spreadsheets import escape_formulas
from common.temporaries import new_temporary, remove, temporaries, temporary_name

log = logging.getLogger("deepfake")
CACHE_VARIABLE = "DEEPFAKE_REPRODUCTIONS_CACHE"  # names a folder to use instead of the user's cache
MAX_NAME_BYTES = 255  # of a file name, on all common file systems
APPLICATION = "deepfake-reproductions"
SILENT_SECONDS = 1.0  # a shorter wait for a lock is not reported


@contextmanager
def atomic_path(path: str | Path, aside: Path | None = None, one_of_many: bool = False) -> Iterator[Path]:
    """Yield the path of an empty temporary file, which replaces `path` if the block ends without an error.

    The disk holds its bytes before it is put in place: after a power cut it is the old file or the new one. What killed
    processes left of earlier attempts is removed.

    Args:
        path: the file to write. Its folder is created.
        aside: an existing folder on the same file system for the temporary file; None: beside `path`. A process that
            outlives the folder can put nothing in place any more.
        one_of_many: leave it to `flush_all` to bring it to the disk, and to `remove_leftovers` to remove what was left
            of it; both take milliseconds for each file.

    Yields:
        A path that ends like `path`, for libraries that choose a format by it.
    """
    path = Path(path)
    with new_temporary(path, aside, locked=not one_of_many) as temporary:
        try:
            yield temporary
            _put_in_place(temporary, path, flush=not one_of_many)
        finally:
            remove(temporary)


@contextmanager
def atomic_folder(path: str | Path, aside: Path | None = None, one_of_many: bool = False) -> Iterator[Path]:
    """Yield a new temporary folder, which replaces the folder `path` if the block ends without an error.

    Args:
        path: the folder to write. A folder of that name is removed first, with all that it holds.
        aside: an existing folder on the same file system for the temporary one; None: beside `path`.
        one_of_many: as of `atomic_path`.
    """
    path = Path(path)
    with new_temporary(path, aside, folder=True, locked=not one_of_many) as temporary:
        try:
            yield temporary
            _put_in_place(temporary, path, flush=not one_of_many)
        finally:
            remove(temporary)


def remove_folder(path: str | Path) -> None:
    """Remove a folder with all that it holds, if it is there; a killed process leaves all of it or nothing.

    What is left of it under a temporary name is for `remove_leftovers`.
    """
    path = Path(path)
    if path.is_dir():
        temporary = temporary_name(path)
        os.replace(path, temporary)
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(folder: str | Path, name: str = "", deep: bool = True) -> None:
    """Remove the temporary files and folders of processes that were killed while they wrote.

    Args:
        folder: where to look. The caller holds its lock, so that no other process is writing there.
        name: of the file or folder that they would have become; empty: any.
        deep: whether to look in sub-folders too.
    """
    pattern = temporaries(name)
    for path in sorted(Path(folder).rglob(pattern) if deep else Path(folder).glob(pattern)):
        remove(path)


def flush_all() -> None:
    """Make the disks hold all that was written before, by any process: much faster than thousands of files one by one.

    Windows has no such call.
    """
    if hasattr(os, "sync"):
        os.sync()


@contextmanager
def file_lock(path: str | Path, subject: str, timeout: float = 0) -> Iterator[FileLock]:
    """Hold the lock file `path` while the block runs.

    Args:
        path: the lock file. Its folder is created. The file stays behind.
        subject: what is locked, for the error, e.g. `the prepared folder DST`.
        timeout: seconds to wait for another process, which is reported once; 0 refuses at once.

    Raises:
        UserError: if another process holds the lock.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        _acquire(lock, subject, timeout)
    except Timeout as error:
        raise UserError(
            f"another process is working on {subject} (lock {path}): wait until it ends, or stop it"
        ) from error
    try:
        yield lock
    finally:
        lock.release()


def cache_folder() -> Path:
    """Return the user's cache folder, or the one that DEEPFAKE_REPRODUCTIONS_CACHE names.

    A user without a home, or with one that is not there, as in many containers, has one among the temporary files.
    """
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    with suppress(RuntimeError):  # no HOME, and no line in the user database
        if os.path.expanduser("~") != "/" and _can_exist(folder := platformdirs.user_cache_path(APPLICATION)):
            return folder
    return Path(tempfile.gettempdir()) / f"{APPLICATION}-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


def _can_exist(folder):
    """Whether a folder is there, perhaps only to be read, or can be created."""
    there = next(place for place in (folder, *folder.parents) if place.is_dir())
    return there == folder or os.access(there, os.W_OK)


def short_name(stem: str, ending: str) -> str:
    """Return a file name that file systems accept: `stem` and `ending`, the stem cut and hashed if they are too long.

    Args:
        stem: any name.
        ending: what the name must end with.
    """
    if len(os.fsencode(stem + ending)) <= MAX_NAME_BYTES:
        return stem + ending
    encoded = os.fsencode(stem)
    ending = f"-{hashlib.sha256(encoded).hexdigest()[:8]}{ending}"
    return encoded[: MAX_NAME_BYTES - len(ending)].decode(errors="ignore") + ending


def write_bytes(data: bytes, path: str | Path, one_of_many: bool = False) -> None:
    """Write bytes atomically; the arguments are those of `atomic_path`."""
    with atomic_path(path, one_of_many=one_of_many) as temporary:
        temporary.write_bytes(data)


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a DataFrame atomically, without its index; a missing value is an empty cell.

    No cell is a formula for a spreadsheet: see common.spreadsheets.
    """
    table = escape_formulas(frame)
    form: dict[str, Any] = {"index": False, "lineterminator": "\n", "errors": "backslashreplace"}
    with atomic_path(path) as temporary:
        table.to_csv(temporary, **form)
        if b"\r" in temporary.read_bytes():  # pandas does not quote it, and readers take it for the end of a line
            table.to_csv(temporary, quoting=csv.QUOTE_NONNUMERIC, **form)


def write_json(value: Any, path: str | Path) -> None:
    """Write a JSON document atomically, indented, with a final newline."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"
    write_bytes(text.encode(), path)


def read_json(path: str | Path) -> Any:
    """Return the document in a JSON file that this suite wrote.

    Raises:
        UserError: if the file is not JSON.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        json.dumps(document, ensure_ascii=False).encode()  # half of a surrogate pair is no text
        return document
    except (ValueError, RecursionError) as error:  # json recurses: nesting of a few thousand levels ends it
        raise UserError(
            f"{path} is damaged, it is not JSON ({error}); restore it, or delete it and start over"
        ) from error


def read_json_object(path: str | Path) -> dict[str, Any]:
    """Return the object in a JSON file that this suite wrote.

    Raises:
        UserError: if the file is not JSON, or something else than an object.
    """
    document = read_json(path)
    if not isinstance(document, dict):
        raise UserError(f"{path} is damaged: expected an object {{...}}, got {type(document).__name__}; restore it")
    return document


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _put_in_place(temporary, path, flush):
    """Give a temporary file or folder its name, and let the disk hold it before and after."""
    is_folder = temporary.is_dir()
    for each in (temporary.rglob("*") if is_folder else [temporary]) if flush else ():
        _flush(each)
    if is_folder:
        remove_folder(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.replace(temporary, path)
    if flush:
        _flush(path.parent)


def _flush(path):
    """Make the disk hold the bytes of a file, or the entries of a folder."""
    if path.is_dir():
        if not hasattr(os, "O_DIRECTORY"):  # Windows opens no folders
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    else:
        descriptor = os.open(path, os.O_RDWR)  # Windows flushes only what may be written
    try:
        with suppress(OSError) if path.is_dir() else nullcontext():  # some network file systems refuse it for folders
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _acquire(lock, subject, timeout):
    with suppress(Timeout):
        lock.acquire(timeout=min(timeout, SILENT_SECONDS))
        return
    if timeout > SILENT_SECONDS:
        log.warning("waiting for another process that works on %s, at most %.0f s", subject, timeout)
    lock.acquire(timeout=max(timeout - SILENT_SECONDS, 0))
