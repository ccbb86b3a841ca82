"""Commands as processes of their own, which can be interrupted at any moment."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Command:
    """A command line that writes into its current folder.

    Args:
        name: in the table.
        words: after `python`; all paths to inputs are absolute, those to outputs are relative.
        set_up: fills the current folder before the first start.
        environment: further variables.
        root: the checkout of the suite that it runs.
    """

    name: str
    words: tuple[str, ...]
    set_up: Callable[[Path], None] = lambda folder: None
    environment: Mapping[str, str] = field(default_factory=dict)
    root: Path = ROOT


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Args:
        code: its exit code, negative for a signal.
        output, errors: what it printed.
        seconds: how long it took.
        hit: whether it was still running when its signal was due.
    """

    code: int
    output: str
    errors: str
    seconds: float
    hit: bool = False

    @property
    def tracebacks(self) -> int:
        return (self.output + self.errors).count(TRACEBACK)


def begin(command: Command, folder: Path) -> Path:
    """Create the folder in which a command runs: out/ is its current folder, tmp/ that of its temporary files."""
    for name in ("out", "tmp"):
        (folder / name).mkdir(parents=True)
    command.set_up(folder / "out")
    return folder


def run(
    command: Command,
    folder: Path,
    moment: float | None = None,
    number: int = signal.SIGKILL,
    file_size: int | None = None,
    act: Callable[[], None] | None = None,
    **variables: str,
) -> Ended:
    """Run a command to its end, or until a signal.

    Args:
        command: the command.
        folder: of `begin`.
        moment: seconds after the start at which something happens to it; None: nothing.
        number: the signal that it gets at that moment. Ctrl-C goes to all of its processes, others to the first alone.
        file_size: bytes that a file may have.
        act: what happens at that moment instead of a signal.
        variables: further environment variables; an empty one is removed.
    """
    environment = {**os.environ, "PYTHONUNBUFFERED": "", "PYTHONPATH": str(command.root), **command.environment}
    environment |= {name: str(folder / "tmp") for name in ("TMPDIR", "JOBLIB_TEMP_FOLDER")} | variables
    environment = {name: value for name, value in environment.items() if value}

    def before_start():
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # it is ignored by what a shell starts in the background
        if file_size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))

    streams = [folder.with_name(f"{folder.name}.{name}") for name in ("stdout", "stderr")]
    began = time.monotonic()
    with open(streams[0], "wb") as output, open(streams[1], "wb") as errors:
        process = subprocess.Popen(
            [sys.executable, *command.words], cwd=folder / "out", env=environment, stdin=subprocess.DEVNULL,
            stdout=output, stderr=errors, start_new_session=True, preexec_fn=before_start,
        )  # fmt: skip
        hit = False
        if moment is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(moment)
            hit = process.poll() is None
            if hit and act:
                act()
            elif hit and number == signal.SIGINT:
                os.killpg(process.pid, number)
            elif hit:
                process.send_signal(number)
        code = process.wait()
    seconds = time.monotonic() - began
    output_text, error_text = (stream.read_text("utf-8", "replace") for stream in streams)
    return Ended(code, output_text, error_text, seconds, hit)
