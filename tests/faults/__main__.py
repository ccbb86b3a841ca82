"""What happens to the suite's commands is killed, starved and changed under them, and whether anything is lost.

    python -m tests.faults --table faults.csv [--only kills writers] [--kills 20] [--commands images evaluate]

One row for each fault and command. A command is a process of its own, is started again by the same words, and what it
leaves is compared byte by byte with what it leaves if nothing happens. All parts take hours on two cores.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from common.cli import parse, run_main
from tests.faults.commands import PAPERS, cheap_commands, make_inputs, smoke_run, training
from tests.faults.kills import Reference, interrupted
from tests.faults.starved import closed_output, full_disk, no_home, read_only_folder
from tests.faults.table import Row, publish
from tests.faults.trainings import changed_data, clock_back, damaged_state, diverging
from tests.faults.writers import several_writers

Part = Literal["kills", "training", "papers", "states", "starved", "pipes", "writers", "data"]


@dataclass(frozen=True)
class Options:
    """Flags of the command."""

    table: Path | None = None
    """A CSV for the rows."""
    only: tuple[Part, ...] = ()
    """Parts; none: all."""
    kills: int = 20
    """SIGKILLs of each command; of other signals a quarter, of each paper's run three."""
    signals: tuple[Literal["SIGKILL", "SIGTERM", "Ctrl-C"], ...] = ("SIGKILL", "SIGTERM", "Ctrl-C")
    """Those of the parts kills and training."""
    chain: int = 4
    """Signals that follow each other before a command may go on to its end."""
    seed: int = 0
    """Of the moments."""
    commands: tuple[str, ...] = ()
    """Words that a command's name must have one of; none: all commands."""


def kills(options: Options, inputs: Path, work: Path) -> Iterator[Row]:
    """The commands of data_prep and results."""
    for command in cheap_commands(inputs):
        if chosen(options, command.name):
            reference = Reference(command, work)
            for name in options.signals:
                yield from interrupted(reference, name, number(options, name), options.chain, options.seed)


def kills_of_training(options: Options, inputs: Path, work: Path) -> Iterator[Row]:
    """One training."""
    reference = Reference(training(inputs), work)
    for name in options.signals:
        yield from interrupted(reference, name, number(options, name), options.chain, options.seed)


def states(options: Options, inputs: Path, work: Path) -> Iterator[Row]:
    """What else can happen to the files of a training."""
    reference = Reference(training(inputs), work)
    yield from damaged_state(reference)
    yield clock_back(reference)
    yield full_disk(reference, number(options, "full disk"), options.seed)
    yield read_only_folder(reference)
    yield no_home(reference)


def kills_of_papers(options: Options, inputs: Path, work: Path) -> Iterator[Row]:
    """A whole run of each paper, three kills of it in a row."""
    for paper in PAPERS:
        if chosen(options, paper):
            yield from interrupted(Reference(smoke_run(paper), work), "SIGKILL", 3, 3, options.seed)


def starved(options: Options, inputs: Path, work: Path) -> Iterator[Row]:
    """The same commands on a full disk, in a read-only folder, without a home, after the clock went back."""
    for command in cheap_commands(inputs):
        if chosen(options, command.name):
            reference = Reference(command, work)
            yield full_disk(reference, options.kills // 2, options.seed)
            yield read_only_folder(reference)
            yield no_home(reference)
            yield clock_back(reference)


def data(options: Options, inputs: Path, work: Path) -> Iterator[Row]:
    """What a training reads is no longer what it was, or gives a loss that is no number."""
    yield diverging(inputs, work)
    yield from changed_data(inputs, work)


PARTS: dict[str, Callable[[Options, Path, Path], Iterator[Row]]] = {
    "kills": kills,
    "training": kills_of_training,
    "papers": kills_of_papers,
    "states": states,
    "starved": starved,
    "pipes": lambda options, inputs, work: closed_output(inputs, work),
    "writers": lambda options, inputs, work: several_writers(work, options.seed),
    "data": data,
}


def main(argv=None):
    options = parse(Options, argv, prog="python -m tests.faults", description=__doc__)
    work = Path(tempfile.mkdtemp(prefix="faults-"))
    clean = True
    try:
        make_inputs(work / "inputs")
        for part in options.only or get_args(Part):
            for row in PARTS[part](options, work / "inputs", work):
                publish(row, options.table)
                clean &= row.is_clean
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if not clean:
        print("something was lost or left behind: see the rows above", file=sys.stderr)
    return 0 if clean else 1


def chosen(options, name):
    return not options.commands or any(word in name for word in options.commands)


def number(options, name):
    return options.kills if name == "SIGKILL" else max(1, options.kills // 4)


if __name__ == "__main__":
    run_main(main)
