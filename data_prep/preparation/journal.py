"""What became of each raw file, stored in the prepared folder as soon as it is known.

`.progress.jsonl` holds a line that describes how the folder is prepared, then a line for each FileResult. If a raw file
has several lines, the last one is valid. Each shard writes its own file, e.g. `.progress-2-of-4.jsonl`, and reads all.
"""

import json
from collections.abc import Iterable, Iterator, KeysView
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from common.data.manifest import JOURNALS
from common.errors import UserError
from common.files import write_bytes
from data_prep.preparation.process import FileResult


class Line(NamedTuple):
    """Where a line is stored: a journal file and the offset of the line in bytes."""

    file: Path
    offset: int


class Journal:
    """The journals of a prepared folder, one of which belongs to this run.

    In memory are only the places of the lines, since there are as many FileResults as raw files. A damaged line is
    ignored; its raw file is processed again.

    Args:
        folder: the prepared folder.
        description: how it is prepared, as a dict for JSON.
        suffix: `.progress<suffix>.jsonl` is the file that this run writes.

    Raises:
        UserError: as in refuse_folder.
    """

    def __init__(self, folder: Path, description: dict[str, Any], suffix: str = ""):
        self._path = folder / f".progress{suffix}.jsonl"
        self._folder = folder
        self.description = description
        refuse_folder(folder, description)
        if self._path.is_file():
            _drop_partial_line(self._path)
        else:
            write_bytes(_encode(description), self._path)
        self.read()

    def read(self) -> None:
        """Read all journals again, including what other shards have added."""
        self._lines: dict[str, Line] = {}  # of each raw path the valid one
        for path in _journals(self._folder):
            with open(path, "rb") as file:
                offset = len(file.readline())
                for line in file:
                    if result := _decode_result(line):
                        self._lines[result.path] = Line(path, offset)
                    offset += len(line)

    def add(self, results: Iterable[FileResult]) -> None:
        """Append the results of one chunk."""
        with open(self._path, "ab") as file:
            for result in results:
                self._lines[result.path] = Line(self._path, file.tell())
                file.write(_encode(asdict(result)))

    def paths(self) -> KeysView[str]:
        """Return the raw paths that have a FileResult."""
        return self._lines.keys()

    def results(self, paths: Iterable[str]) -> Iterator[FileResult | None]:
        """Yield the FileResult of each raw path, None if there is none."""
        with ExitStack() as stack:
            files: dict[Path, Any] = {}
            for path in paths:
                if path not in self._lines:
                    yield None
                    continue
                line = self._lines[path]
                if line.file not in files:
                    files[line.file] = stack.enter_context(open(line.file, "rb"))
                files[line.file].seek(line.offset)
                yield _decode_result(files[line.file].readline())


def refuse_folder(folder: Path, description: dict[str, Any]) -> None:
    """Check, without writing, that `folder` can be prepared as `description` says.

    Raises:
        UserError: if it was started with another description, its journal does not tell the description, or it has no
            journal and holds other files.
    """
    if not folder.is_dir():
        return
    journals = _journals(folder)
    if not journals and any(not _is_our_file(entry.name) for entry in folder.iterdir()):
        raise UserError(
            f"expected a new or empty folder as DST, or one that data_prep started; {folder} holds other files"
        )
    for path in journals:
        with open(path, "rb") as file:
            _refuse_difference(folder, _description_of(path, file.readline()), json.loads(_encode(description)))


def _description_of(path, line):
    """Return the description in the first line of a journal."""
    with suppress(ValueError, TypeError, KeyError):
        description = json.loads(line)
        return {**description, "flags": {**description["flags"]}}
    raise UserError(
        f"{path} is damaged: its first line does not say how the folder was prepared; use another DST, or delete it"
    )


def _journals(folder):
    """Return the journals of a folder, the one written last at the end."""
    return sorted(folder.glob(JOURNALS), key=lambda path: path.stat().st_mtime_ns)


def _is_our_file(name):
    """Return True for a lock, and for the half-written journal of a process that was killed."""
    return name.startswith(".lock") or (name.startswith(".") and name.endswith(".jsonl"))


def _drop_partial_line(path):
    """Remove the half line that a killed process may have left at the end of its journal."""
    with open(path, "rb+") as file:
        data = file.read()
        file.truncate(data.rfind(b"\n") + 1)


def _decode_result(line):
    """Return the FileResult in a line; None if it is damaged, or another shard has not finished writing it."""
    with suppress(ValueError, TypeError, KeyError):
        values = json.loads(line)
        values["images"] = tuple(map(tuple, values["images"]))
        return FileResult(
            **{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        )
    return None


def _encode(value):
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def _refuse_difference(folder, before, now):
    """Compare flags first: another --faces means another detector too."""
    flags = [(_as_flag(name, before["flags"].get(name)), _as_flag(name, value)) for name, value in now["flags"].items()]
    others = [(_as_words(name, before.get(name)), _as_words(name, now[name])) for name in now if name != "flags"]
    for stored, wanted in flags + others:
        if stored != wanted:
            raise UserError(f"{folder} was started {stored}, not {wanted}: use another DST, or delete it")


def _as_flag(name, value):
    flag = "--" + name.replace("_", "-")
    return f"without {flag}" if value is None else f"with {flag} {value}"


def _as_words(name, value):
    value = " ".join(map(str, value.values())) if isinstance(value, dict) else value
    return f"with the {name.replace('_', ' ')} {value}"
