"""What a command has left in a folder, and how two such folders differ.

This is an oracle of its own: it imports nothing of the suite.
"""

import hashlib
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

TEMPORARY = re.compile(r"\.[0-9a-f]{32}-|\..*partial")  # how names of files begin that are being written
PRESENT = "present"  # of files with times and machines in them, which may differ
SECONDS = ("log.txt", "times.csv")
OF_TENSORFLOW = "tmp/__autograph_generated_file"  # sources that it removes at its end; a killed process cannot
CHECKPOINT = re.compile(r"epoch-\d+(-step-\d+)?$")


def outcome(folder: Path) -> dict[str, Any]:
    """Return {path: content} of all files and folders below a folder, but for lock files.

    The content is what must be equal after a restart: bytes; {name: array} of networks and archives of arrays; the
    lines of a journal in any order; and PRESENT of what holds the time. A file that cannot be read so is None.
    """
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            found[f"{name}/"] = PRESENT
        elif not (path.name.endswith(".lock") or path.name.startswith(".lock")):
            try:
                found[name] = _content(path)
            except FileNotFoundError:  # a worker whose parent was killed may still be at work
                continue
            except (OSError, ValueError, KeyError, zipfile.BadZipFile):
                found[name] = None
    return found


def largest_difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Return the largest difference of two outcomes; infinity where a file is missing, or is no number."""
    return max((difference(content, other.get(name)) for name, content in one.items()), default=0.0)


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return the files of one outcome that the other has not, or has with another content."""
    return [name for name, content in one.items() if difference(content, other.get(name))]


def half_written(
    partial: dict[str, Any], whole: dict[str, Any], folder: Path, before: dict[str, Any] | None = None
) -> list[str]:
    """Return the files that have their final name but not their final content.

    Args:
        partial: the outcome of a command that was stopped.
        whole: that of one that was not.
        folder: where the stopped one has written, to check its checkpoints against their own digests.
        before: what was there when it began, if anything; a file that it has not replaced yet is whole.
    """
    found = []
    for name, content in partial.items():
        parts = Path(name).parts
        if any(TEMPORARY.match(part) for part in parts) or name.endswith((".jsonl", "log.txt")):
            continue
        if before and name in before and content is not None and not difference(content, before[name]):
            continue
        if any(CHECKPOINT.match(part) for part in parts[:-1]):  # a whole checkpoint has whole files
            continue
        if name.endswith("/") and CHECKPOINT.match(parts[-1]):
            found += [] if _is_whole_checkpoint(folder / name) else [name]
        elif content is None or (name in whole and not _is_part(content, whole[name])):
            found.append(name)
    return found


def leftovers(after: dict[str, Any], whole: dict[str, Any]) -> list[str]:
    """Return what a restarted command has left that one without an interruption has not."""
    return sorted(after.keys() - whole.keys())


def difference(one: Any, other: Any) -> float:
    """Return the largest difference of two contents of `outcome`: 0 if they are equal, infinity if not comparable."""
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return np.inf
        return max((_of_arrays(one[name], other[name]) for name in one), default=0.0)
    if one == other:
        return 0.0
    if not (isinstance(one, bytes) and isinstance(other, bytes)):
        return np.inf
    try:
        tables = [pd.read_csv(io.BytesIO(content)).select_dtypes("number") for content in (one, other)]
    except (ValueError, UnicodeDecodeError):
        return np.inf
    if tables[0].shape != tables[1].shape:
        return np.inf
    return float(np.abs(tables[0].to_numpy(float) - tables[1].to_numpy(float)).max(initial=0)) or np.inf


def _content(path):
    if path.name in SECONDS:
        return PRESENT
    if path.name == "environment.json":
        json.loads(path.read_text("utf-8"))
        return PRESENT
    if path.suffix == ".jsonl":
        lines = {line.partition(b'"stamp"')[0]: line for line in path.read_bytes().splitlines()}
        return b"\n".join(sorted(lines.values()))
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            return _weights(archive.read("model.weights.h5"))
    if path.suffix in (".npz", ".skops"):
        with zipfile.ZipFile(path) as archive:  # schema.json of skops has addresses of memory
            return {name: archive.read(name) for name in archive.namelist() if name != "schema.json"}
    return path.read_bytes()


def _weights(data):
    arrays: dict[str, Any] = {}

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    with h5py.File(io.BytesIO(data)) as file:
        file.visititems(add)
    return arrays


def _of_arrays(one, other):
    if isinstance(one, bytes):
        return 0.0 if one == other else np.inf
    if one.shape != other.shape:
        return np.inf
    if one.dtype.kind not in "fiub":
        return 0.0 if np.array_equal(one, other) else np.inf
    return float(np.abs(one.astype(float) - other.astype(float)).max(initial=0))


def _is_part(content, whole):
    """Whether a file is whole, or a table some of whose rows are still to come."""
    if not difference(content, whole):
        return True
    if not (isinstance(content, bytes) and isinstance(whole, bytes)) or not content.endswith(b"\n"):
        return False
    return set(content.splitlines()) <= set(whole.splitlines())


def _is_whole_checkpoint(folder):
    try:
        files = json.loads((folder / "state.json").read_text("utf-8"))["files"]
        return all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest for name, digest in files.items())
    except (OSError, ValueError, KeyError):
        return False
