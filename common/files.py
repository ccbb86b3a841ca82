"""Files that are either whole or absent, and their fingerprints."""

import hashlib
import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

from common.errors import UserError


@contextmanager
def atomic_path(path):
    """Yield a temporary path beside `path`; it takes the name `path` only if the block ends without an error.

    The temporary name ends like `path`, for libraries that choose a format by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", suffix=f"-{path.name}", dir=path.parent)
    os.close(handle)
    os.chmod(name, 0o666 & ~_umask())  # mkstemp makes files private: give them the usual rights
    temporary = Path(name)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(data, path):
    """Write bytes atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_csv(frame, path):
    """Write a DataFrame atomically, without its index; a missing value is an empty cell."""
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False)


def write_json(value, path):
    """Write a JSON document atomically, indented, with a final newline."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"
    write_bytes(text.encode(), path)


def read_json(path):
    """The document in a JSON file of ours; UserError if it is no JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is damaged, it is no JSON ({error}); restore it or start anew") from error


def sha256(path):
    """The SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
