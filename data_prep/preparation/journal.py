"""What became of each raw file, noted in the prepared folder as soon as it is known.

`.progress.jsonl` holds how the folder is prepared, then a line for each Outcome; of a raw file the later line counts.
A shard writes one of its own, `.progress-2-of-4.jsonl`, and everyone reads all of them.
"""

import json
from contextlib import ExitStack, suppress
from dataclasses import asdict

from common.data.manifest import JOURNALS
from common.errors import UserError
from common.files import write_bytes
from data_prep.preparation.process import Outcome


class Journal:
    """The journals of `folder`, of which the one named `.progress<suffix>.jsonl` is ours to write.

    description is a dict for JSON. UserError as from refuse_folder. Of the Outcomes only their places in the files are
    held in memory, since there are as many as raw files. A damaged line is passed over: its file is done again.
    """

    def __init__(self, folder, description, suffix=""):
        self._path = folder / f".progress{suffix}.jsonl"
        self._folder = folder
        self.description = description
        refuse_folder(folder, description)
        if self._path.is_file():
            _mend(self._path)
        else:
            write_bytes(_line(description), self._path)
        self.read()

    def read(self):
        """Take in what all journals say by now."""
        self._files = [self._path] + [path for path in _journals(self._folder) if path != self._path]
        self._places = {}  # {raw path: number of the file + number of files * offset of the line}
        for path in _journals(self._folder):
            with open(path, "rb") as file:
                offset = len(file.readline())
                for line in file:
                    if outcome := _outcome(line):
                        self._note(outcome.path, path, offset)
                    offset += len(line)

    def add(self, outcomes):
        """Append the outcomes of one chunk."""
        with open(self._path, "ab") as file:
            for outcome in outcomes:
                self._note(outcome.path, self._path, file.tell())
                file.write(_line(asdict(outcome)))

    def paths(self):
        """The raw paths that have an Outcome."""
        return self._places.keys()

    def outcomes(self, paths):
        """Yield the Outcome of each raw path, None where there is none."""
        with ExitStack() as stack:
            files = [stack.enter_context(open(path, "rb")) for path in self._files]
            for path in paths:
                if path not in self._places:
                    yield None
                    continue
                offset, number = divmod(self._places[path], len(files))
                files[number].seek(offset)
                yield _outcome(files[number].readline())

    def _note(self, path, file, offset):
        self._places[path] = self._files.index(file) + len(self._files) * offset


def refuse_folder(folder, description):
    """Raise UserError if `folder` cannot be the one of this description; nothing is written.

    It was begun with another description, or its journal does not say with which, or there is none and it holds
    something else.
    """
    if not folder.is_dir():
        return
    journals = _journals(folder)
    if not journals and any(not _ours(entry.name) for entry in folder.iterdir()):
        raise UserError(
            f"expected a new or empty folder as DST, or one that data_prep began; {folder} holds other files"
        )
    for path in journals:
        with open(path, "rb") as file:
            _refuse_difference(folder, _begun(path, file.readline()), json.loads(_line(description)))


def _begun(path, line):
    """The description in a journal's first line."""
    with suppress(ValueError, TypeError, KeyError):
        begun = json.loads(line)
        return {**begun, "flags": {**begun["flags"]}}
    raise UserError(
        f"{path} is damaged: its first line does not say how the folder was prepared; use another DST, or delete it"
    )


def _journals(folder):
    """The journals there are, the one last written to at the end."""
    return sorted(folder.glob(JOURNALS), key=lambda path: path.stat().st_mtime_ns)


def _ours(name):
    """True for a lock, and for the half-written journal of a process that was killed."""
    return name.startswith(".lock") or (name.startswith(".") and name.endswith(".jsonl"))


def _mend(path):
    """A process that was killed may have left half a line."""
    with open(path, "rb+") as file:
        data = file.read()
        file.truncate(data.rfind(b"\n") + 1)


def _outcome(line):
    """The Outcome in a line of a journal; None if it is damaged, or another shard is in the midst of it."""
    with suppress(ValueError, TypeError, KeyError):
        values = json.loads(line)
        values["images"] = tuple(map(tuple, values["images"]))
        return Outcome(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
    return None


def _line(value):
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def _refuse_difference(folder, begun, now):
    """Flags first: another --faces is another detector too."""
    flags = [(_as_flag(name, begun["flags"].get(name)), _as_flag(name, value)) for name, value in now["flags"].items()]
    others = [(_in_words(name, begun.get(name)), _in_words(name, now[name])) for name in now if name != "flags"]
    for before, wanted in flags + others:
        if before != wanted:
            raise UserError(f"{folder} was begun {before}, not {wanted}: use another DST, or delete it")


def _as_flag(name, value):
    flag = "--" + name.replace("_", "-")
    return f"without {flag}" if value is None else f"with {flag} {value}"


def _in_words(name, value):
    value = " ".join(map(str, value.values())) if isinstance(value, dict) else value
    return f"with the {name.replace('_', ' ')} {value}"
