"""Several processes that write one table of results, some of which are killed."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from tests.faults.processes import ROOT, TRACEBACK
from tests.faults.table import Row

ROWS = 20  # of each process
WRITER = """
import sys
from results.tables import upsert
table, name, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
for number in range(rows):
    row = {"paper": "p", "table": "Table 1", "row": f"{name}-{number}", "metric": "accuracy", "value": number / 100,
           "dataset": "d", "protocol": "frame", "preset": "smoke", "seed": 0, "run": name, "commit": "c", "note": "n"}
    upsert([row], table)
    print(number, flush=True)
"""


def several_writers(work: Path, seed: int) -> Iterator[Row]:
    """Two and eight processes; as on one host, and as on two, which share nothing but the folder; and with kills."""
    for number in (2, 8):
        yield _write(work / f"together-{number}", number, hosts=1, name=f"{number} processes write one table")
    yield _write(work / "hosts", 2, hosts=2, name="2 processes, a home and a temporary folder each, write one table")
    yield _write(work / "killed", 8, 1, "SIGKILL of 4 of 8 processes that write one table", random.Random(seed))


def _write(folder, number, hosts, name, kills=None):
    """Start the writers at once; a row is lost if its writer said that it was written, and it is not there."""
    folder.mkdir()
    table = folder / "shared" / "p.csv"
    table.parent.mkdir()
    row, began = Row(name, "results.tables.upsert", times=number * ROWS), time.monotonic()
    processes = [_start(table, folder / f"host-{writer % hosts}", f"w{writer}") for writer in range(number)]
    if kills:
        row.times = number // 2
        _kill_some(processes[: number // 2], table, kills)
    said = [process.communicate() for process in processes]
    codes = [process.returncode for process in processes]
    written = {f"w{writer}-{line}" for writer, (output, _) in enumerate(said) for line in output.split()}
    found = pd.read_csv(table)
    row.lost = len(written - set(found["row"])) + int(found["row"].duplicated().sum())
    row.half_written = int(found.isna()[["value", "run", "note"]].any(axis=1).sum())
    if kills:  # the next writer removes what the killed ones left
        last = _start(table, folder / "host-0", "last")
        said.append(last.communicate())
        codes.append(last.returncode)
    expected = {"p.csv", ".p.csv.lock"}
    row.leftovers = len({path.name for path in table.parent.iterdir()} - expected)
    row.tracebacks = sum(errors.count(TRACEBACK) for _, errors in said)
    row.wrong_exits = sum(code not in ((0, -9) if kills else (0,)) for code in codes)
    row.note = f"{len(found)} rows in {time.monotonic() - began:.0f} s"
    return row


def _start(table, home, name):
    """A writer with a home and a temporary folder of its own host."""
    home.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(home), "TMPDIR": str(home)}
    words = [sys.executable, "-c", WRITER, str(table), name, str(ROWS)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def _kill_some(processes, table, moments):
    """Kill processes one by one at random moments after the first row was written."""
    while not table.exists():
        time.sleep(0.01)
    for process in processes:
        time.sleep(moments.uniform(0, 0.5))
        process.kill()
