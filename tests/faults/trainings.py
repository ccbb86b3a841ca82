"""What a training can meet: a loss that is no number, data that change, a damaged state, a clock that goes back."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from tests.faults.commands import training, with_own_data
from tests.faults.kills import Reference
from tests.faults.outcome import outcome
from tests.faults.processes import begin, run
from tests.faults.table import Row

FUTURE = 400 * 24 * 3600  # seconds


def diverging(inputs: Path, work: Path) -> Row:
    """A learning rate at which the loss overflows after some steps: no row, no predictions, twice the same error."""
    command = training(inputs, "--learning-rate", "1e18", "--epochs", "8")
    row, folder = Row("NaN within a training", command.name), begin(command, work / "diverging")
    for _ in range(2):
        ended = run(command, folder)
        row.times += 1
        row.tracebacks += ended.tracebacks
        last = (ended.errors.strip().splitlines() or [""])[-1]
        row.wrong_exits += ended.code != 2 or "diverged" not in last
        row.note = last[:100]
        published = [name for name in outcome(folder) if name.endswith(("predictions.csv", "mesoinception_svm.csv"))]
        row.half_written += len(published)
    return row


def changed_data(inputs: Path, work: Path) -> Iterator[Row]:
    """Pictures that are replaced, cut off or removed while a training reads them, or between a kill and the restart.

    Each must end in an error that names what changed, or with the numbers of the unchanged data: never in others. With
    the old pictures, the same command ends as if nothing had happened.
    """
    command = with_own_data(training(inputs), inputs)
    reference = Reference(command, work)
    changes = {"replaced": _replace, "cut off": _cut_off, "removed": _remove}
    for name, change in changes.items():
        for when in ("under a running training", "between a kill and the restart"):
            row, folder = Row(f"pictures {name} {when}", command.name), begin(command, reference.new_folder())
            pictures = folder / "out" / "prepared"
            if when.startswith("under"):
                ended = run(command, folder, reference.seconds * 0.5, act=lambda: change(pictures))  # noqa: B023
            else:
                run(command, folder, reference.seconds * 0.6, signal.SIGKILL)
                change(pictures)
                ended = run(command, folder)
            row.times, row.tracebacks = 1, ended.tracebacks
            said = (ended.errors.strip().splitlines() or [""])[-1].replace(f"{folder}/", "")
            row.note = f"exit code {ended.code}: {said[:110]}" if ended.code else "numbers of the unchanged pictures"
            shutil.rmtree(pictures)
            shutil.copytree(inputs / "prepared", pictures)
            if ended.code:
                reference.count_exit(row, ended, (2,))
                reference.settle(row, folder)
            else:
                row.lost = int(not reference.is_complete(folder))
                row.note = "other numbers, and no error" if row.lost else row.note
            yield row


def damaged_state(reference: Reference) -> Iterator[Row]:
    """Cut off a file of the newest checkpoint of a killed training: the one before is taken, with a warning."""
    for suffix in (".h5", "state.json"):
        row = Row(f"newest checkpoint's {suffix.strip('.')} cut off", reference.command.name)
        folder = _killed_with_checkpoints(reference)
        newest = _checkpoints(folder)[-1]
        file = next(path for path in newest.iterdir() if path.name.endswith(suffix))
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        ended = run(reference.command, folder)
        row.times, row.tracebacks = 1, ended.tracebacks
        said = "resuming from the one before it" in ended.errors
        row.wrong_exits = int(ended.code != 0 or not said)
        row.note = "the warning names it" if said else "no warning"
        reference.settle(row, folder)
        yield row


def clock_back(reference: Reference, moment: float = 0.7) -> Row:
    """Date all files of a killed command 400 days ahead, as if the clock had gone back, and start it again."""
    row, folder = Row("clock goes back", reference.command.name), begin(reference.command, reference.new_folder())
    ended = run(reference.command, folder, reference.seconds * moment)
    row.times, row.tracebacks = 1, ended.tracebacks
    future = time.time() + FUTURE
    for path in [*(folder / "out").rglob("*")]:
        os.utime(path, (future, future))
    reference.settle(row, folder)
    return row


def _killed_with_checkpoints(reference: Reference) -> Path:
    folder = begin(reference.command, reference.new_folder())
    for share in (0.6, 0.7, 0.8, 0.9):
        run(reference.command, folder, reference.seconds * share)
        if len(_checkpoints(folder)) > 1:
            return folder
    raise SystemExit(f"{reference.command.name}: no moment with two checkpoints was found")


def _checkpoints(folder):
    return sorted((folder / "out").glob("runs/*/*/checkpoints/*/epoch-*"))


def _pictures(folder):
    return sorted(path for path in folder.rglob("*.png"))


def _replace(folder):
    for path in _pictures(folder):
        temporary = path.with_suffix(".new.png")
        Image.new("RGB", (160, 160), "gray").save(temporary)
        temporary.replace(path)


def _cut_off(folder):
    for path in _pictures(folder):
        os.truncate(path, path.stat().st_size // 2)


def _remove(folder):
    for path in _pictures(folder):
        path.unlink()
