"""Temporary files and folders beside what they will become, and those that killed processes left there."""

import glob
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NAME_END = 40  # characters of a name in that of its temporary file


@contextmanager
def new_temporary(path: Path, aside: Path | None, folder: bool = False, locked: bool = True) -> Iterator[Path]:
    """Create an empty temporary file or folder, whose folder is created too, and yield its path.

    Args:
        path: what it will become.
        aside: an existing folder to create it in; None: beside `path`.
        folder: whether it is a folder.
        locked: hold its lock until the block ends, which tells other processes that it is in use, and first remove what
            killed processes left under the same name. Do not write HDF5 into a locked file: that library takes the same
            lock.
    """
    if not locked or fcntl is None:
        yield _create(path, aside, folder)
        return
    while True:
        temporary = _create(path, aside, folder)
        with suppress(FileNotFoundError):  # another writer took it for left behind before it was locked
            descriptor = os.open(temporary, os.O_RDONLY)
            if _lock(descriptor) and temporary.exists():
                break
            os.close(descriptor)
    _remove_abandoned(temporary, path.name)
    try:
        yield temporary
    finally:
        os.close(descriptor)


def temporary_name(path: Path, aside: Path | None = None) -> Path:
    """Return an unused path in `aside`, or beside `path`, that ends like `path`."""
    return (aside or path.parent) / f".{uuid.uuid4().hex}-{path.name[-NAME_END:]}"


def temporaries(name: str) -> str:
    """Return the glob pattern of temporary names of a file or folder name; of an empty one: of any."""
    return f".{'[0-9a-f]' * 32}-{glob.escape(name[-NAME_END:]) or '*'}"


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that it holds, if it is there."""
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _create(path, aside, folder):
    if aside is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path, aside)
    if folder:
        temporary.mkdir()
    else:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # the kernel applies the umask
    return temporary


def _remove_abandoned(temporary, name):
    """Remove what was being written under a name by processes that no longer hold its lock."""
    for path in temporary.parent.glob(temporaries(name)):
        if path == temporary:
            continue
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                if _lock(descriptor, unknown=False):
                    remove(path)
            finally:
                os.close(descriptor)


def _lock(descriptor, unknown=True):
    """Return whether the lock of an open file or folder could be taken; `unknown` on file systems without locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return unknown
    return True
