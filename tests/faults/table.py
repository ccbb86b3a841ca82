"""The table of faults: a row for each fault and command."""

import datetime
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tests.benchmarks.table import machine

COLUMNS = (
    *("fault", "command", "times", "lost", "half_written", "leftovers", "tracebacks", "wrong_exits"),
    *("largest_difference", "note", "machine", "date"),
)
KEY = ["fault", "command"]


@dataclass
class Row:
    """What one fault did to one command.

    Args:
        fault, command: their names.
        times: how often it happened while the command was at work.
        lost: restarts whose results differ from those of a command that nothing happened to, or rows that are missing.
        half_written: files under their final name that were not whole when the command had stopped.
        leftovers: files and folders, after the restart, that a command that nothing happened to does not leave.
        tracebacks: printed by the command, or by its restart.
        wrong_exits: exit codes, of the command or of its restart, other than the expected ones.
        largest_difference: of any number, in tables and in networks.
        note: in words, what else there is to know.
    """

    fault: str
    command: str
    times: int = 0
    lost: int = 0
    half_written: int = 0
    leftovers: int = 0
    tracebacks: int = 0
    wrong_exits: int = 0
    largest_difference: float = 0.0
    note: str = ""

    @property
    def is_clean(self) -> bool:
        counts = (self.lost, self.half_written, self.leftovers, self.tracebacks, self.wrong_exits)
        return not any(counts) and not self.largest_difference


def publish(row: Row, file: Path | None) -> None:
    """Print a row, and write it into a CSV, where it replaces that of the same fault and command."""
    cells = {name: str(getattr(row, name)) for name in COLUMNS[:-2]}
    cells["largest_difference"] = f"{row.largest_difference:.4g}"
    print(", ".join(f"{name} {value}" for name, value in cells.items() if value), flush=True)
    if file is None:
        return
    new = pd.DataFrame([cells | {"machine": machine(), "date": datetime.date.today().isoformat()}], dtype=str)
    before = pd.read_csv(file, dtype=str, keep_default_na=False) if file.exists() else new[:0]
    table = pd.concat([before, new])[list(COLUMNS)].drop_duplicates(KEY, keep="last")
    table.to_csv(file, index=False, lineterminator="\n")
