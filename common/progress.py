"""Progress of long loops: a bar on a terminal, elsewhere one line every 30 seconds; nothing with --quiet."""

import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TypeVar

from tqdm import tqdm

SECONDS = 30.0  # between two lines where there is no terminal
Item = TypeVar("Item")


class _Output:
    quiet = False  # of this process; the command line sets it


def set_quiet(quiet: bool) -> None:
    """Show no progress in this process, or show it again."""
    _Output.quiet = quiet


def is_quiet() -> bool:
    """Return whether --quiet was given."""
    return _Output.quiet


def announce(text: str) -> None:
    """Print a line to stderr before something long begins, unless --quiet was given."""
    if not _Output.quiet:
        print(text, file=sys.stderr, flush=True)


class Progress:
    """Counts what a loop has done, on stderr.

    Args:
        subject: what is done, e.g. `drawing`.
        total: how often, at least 0.
        unit: what is counted, e.g. `face`.
        shown: whether to show anything.
    """

    def __init__(self, subject: str, total: int, unit: str, shown: bool = True):
        self.subject, self.total, self.unit = subject, total, unit
        self.done, self.started = 0, time.monotonic()
        shown = shown and not _Output.quiet
        self._bar = tqdm(total=total, desc=subject, unit=unit, disable=not (shown and sys.stderr.isatty()))
        self._next_line = self.started + SECONDS if shown and self._bar.disable else float("inf")

    def update(self, count: int = 1) -> None:
        """Count `count` more."""
        self.done += count
        self._bar.update(count)
        now = time.monotonic()
        if now >= self._next_line:
            self._next_line = now + SECONDS
            elapsed, units = now - self.started, self.unit + ("" if self.total == 1 else "s")
            left = (self.total - self.done) * elapsed / max(self.done, 1)
            line = f"{self.subject}: {self.done:,} of {self.total:,} {units} in {_clock(elapsed)}, {_clock(left)} left"
            print(line, file=sys.stderr, flush=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._bar.close()


def show_progress(items: Iterable[Item], subject: str, total: int, unit: str, shown: bool = True) -> Iterator[Item]:
    """Yield the items, and show how many have been taken. The arguments are those of Progress."""
    with Progress(subject, total, unit, shown) as progress:
        for item in items:
            yield item
            progress.update()


def _clock(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d} min"
