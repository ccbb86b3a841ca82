"""What became of each raw image, noted in the prepared folder as soon as it is known."""

import json
import os
from dataclasses import asdict

from common.errors import UserError
from common.files import write_bytes
from data_prep.work import Outcome

NAME, LOCK = ".progress.jsonl", ".lock"


class Journal:
    """The file `folder`/.progress.jsonl: how the folder is prepared, then a line for each Outcome; a later line counts.

    description is a dict for JSON. UserError if the folder was begun with another description, or has no journal and
    holds something else. outcomes: {raw path: Outcome}.
    """

    def __init__(self, folder, description):
        self._path = folder / NAME
        self.description = description
        self.outcomes = {}
        if self._path.is_file():
            self._read(folder, description)
        elif any(entry.name != LOCK for entry in folder.iterdir()):
            raise UserError(
                f"expected a new or empty folder as DST, or one that data_prep began; {folder} holds other files"
            )
        else:
            write_bytes(_line(description), self._path)

    def add(self, outcomes):
        """Append the outcomes of one chunk."""
        with open(self._path, "ab") as file:
            file.write(b"".join(_line(asdict(outcome)) for outcome in outcomes))
        self.outcomes |= {outcome.path: outcome for outcome in outcomes}

    def _read(self, folder, description):
        data = self._path.read_bytes()
        whole = data.rfind(b"\n") + 1
        os.truncate(self._path, whole)  # a process that was killed may have left half a line
        begun, *lines = map(json.loads, data[:whole].splitlines())
        _refuse_difference(folder, begun, json.loads(_line(description)))
        for line in lines:
            line["images"] = tuple(map(tuple, line["images"]))
            self.outcomes[line["path"]] = Outcome(**line)


def _line(value):
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def _refuse_difference(folder, begun, now):
    begun, now = ({**each, **each["flags"]} for each in (begun, now))
    for name in now:
        if name != "flags" and begun.get(name) != now[name]:
            raise UserError(
                f"{folder} was begun with {name}={begun.get(name)}, not {now[name]}: use another DST, or delete it"
            )
