"""Commands that are killed, stopped or interrupted at random moments, and started again."""

import random
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.faults.outcome import OF_TENSORFLOW, differing, half_written, largest_difference, leftovers, outcome
from tests.faults.processes import Command, Ended, begin, run
from tests.faults.table import Row

SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "Ctrl-C": signal.SIGINT}
EXITS = {"SIGKILL": (-9,), "SIGTERM": (-15, 143), "Ctrl-C": (130,)}
ATTEMPTS = 3  # for each time that a signal is to hit: a command may end before the moment that was drawn


class Reference:
    """What a command leaves if nothing happens to it.

    Args:
        command: the command.
        work: a folder for it.
    """

    def __init__(self, command: Command, work: Path):
        self.command, self.work = command, work
        ended, self.folder = self.fresh()
        self.outcome, self.seconds = outcome(self.folder), ended.seconds
        self.before = outcome(begin(command, self.new_folder()))

    def fresh(self) -> tuple[Ended, Path]:
        """Run the command in a new folder to its end."""
        folder = begin(self.command, self.new_folder())
        ended = run(self.command, folder)
        if ended.code:
            raise SystemExit(f"{self.command.name}: exit code {ended.code}\n{ended.errors[-2000:]}")
        return ended, folder

    def new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(prefix="run-", dir=self.work))

    def settle(self, row: Row, folder: Path, **variables: str) -> None:
        """Start the command again in the folder where something happened to it, and count what is wrong.

        A command that was complete when it happened is not started again: of a finished run it would make a second one.
        """
        if not self.is_complete(folder):
            ended = run(self.command, folder, **variables)
            row.tracebacks += ended.tracebacks
            self.count_exit(row, ended, (0,))
        after = outcome(folder)
        found, more = differing(self.outcome, after), leftovers(after, self.outcome)
        row.lost += bool(found)
        row.leftovers += len(more)
        if foreign := sum(name.startswith(OF_TENSORFLOW) for name in more):
            row.note += f"; {foreign} leftovers are TensorFlow's, in the folder of temporary files"
        row.largest_difference = max(row.largest_difference, largest_difference(self.outcome, after))
        if found or more:
            print(f"  {self.command.name}: differing: {found[:5]}; left over: {more[:5]}", flush=True)

    def is_complete(self, folder: Path) -> bool:
        """Whether the command has left all that it ever leaves, and nothing else but TensorFlow's temporary files."""
        after = outcome(folder)
        more = [name for name in leftovers(after, self.outcome) if not name.startswith(OF_TENSORFLOW)]
        return not differing(self.outcome, after) and not more

    def stopped(self, row: Row, folder: Path, ended: Ended) -> None:
        """Count what a command has left, and said, at the moment when it stopped."""
        row.times += 1
        row.tracebacks += ended.tracebacks
        found = half_written(outcome(folder), self.outcome, folder, self.before)
        row.half_written += len(found)
        if found or ended.tracebacks:
            print(f"  {self.command.name}: half-written: {found[:5]}\n{ended.errors[-1500:]}", flush=True)

    def count_exit(self, row: Row, ended: Ended, expected: tuple[int, ...]) -> None:
        """Count an exit code that was not expected."""
        if ended.code not in expected:
            row.wrong_exits += 1
            print(f"  {self.command.name}: exit code {ended.code}, expected {expected}\n{ended.errors[-1500:]}")


def interrupted(reference: Reference, name: str, times: int, chain: int, seed: int) -> Iterator[Row]:
    """Send a signal to a command at random moments, uniform over its time, and start it again.

    Args:
        reference: the command.
        name: of the signal, a key of SIGNALS.
        times: how often it is to hit.
        chain: how often it hits before the command may go on to its end.
        seed: of the moments.

    Yields:
        The row so far, after each restart that went on to its end.
    """
    row = Row(name, reference.command.name)
    row.note = f"moments uniform over {reference.seconds:.0f} s" + (f", up to {chain} in a row" if chain > 1 else "")
    moments = random.Random(f"{seed} {name} {reference.command.name}")
    for _ in range(ATTEMPTS * times):
        if row.times >= times:
            break
        folder = begin(reference.command, reference.new_folder())
        for _ in range(min(chain, times - row.times)):
            moment = moments.uniform(0, reference.seconds)
            ended = run(reference.command, folder, moment, SIGNALS[name])
            if not ended.hit:
                reference.count_exit(row, ended, (0,))
                break
            reference.count_exit(row, ended, (*EXITS[name], 0))  # 0: it was about to end anyway
            reference.stopped(row, folder, ended)
            if reference.is_complete(folder):
                break
        reference.settle(row, folder)
        _remove(folder)
        yield row


def _remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("stdout", "stderr"):
        folder.with_name(f"{folder.name}.{name}").unlink(missing_ok=True)
