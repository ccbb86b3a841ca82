"""Progress of long loops: a bar on a terminal, elsewhere one line every 30 seconds; nothing with --quiet."""

import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TypeVar

from tqdm import tqdm

SECONDS = 30.0  # between two lines where there is no terminal
DELAY_SECONDS = 1.0  # before a bar is shown: what is over at once needs none
LEAST_DONE = 0.05  # share of the whole from which the time that is left is estimated: processes start slowly
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


class ProgressBar:
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
        disabled = not (shown and sys.stderr.isatty())
        self._bar = tqdm(total=total, desc=subject, unit=unit, leave=False, delay=DELAY_SECONDS, disable=disabled)
        self._next_line = self.started + SECONDS if shown and self._bar.disable else float("inf")

    def update(self, count: int = 1) -> None:
        """Count `count` more."""
        self.done += count
        self._bar.update(count)
        now = time.monotonic()
        if now >= self._next_line:
            self._next_line = now + SECONDS
            print(self._line(now - self.started), file=sys.stderr, flush=True)

    def _line(self, elapsed):
        plural = "es" if self.unit.endswith("ch") else "s"  # batches
        units = self.unit + ("" if self.total == 1 else plural)
        line = f"{self.subject}: {self.done:,} of {self.total:,} {units} in {format_duration(elapsed)}"
        if self.done < LEAST_DONE * self.total:
            return line
        return f"{line}, about {format_duration((self.total - self.done) * elapsed / self.done)} left"

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.close()

    def close(self) -> None:
        """End the bar's line."""
        self._bar.close()


def show_progress(items: Iterable[Item], subject: str, total: int, unit: str, shown: bool = True) -> Iterator[Item]:
    """Yield the items, and show how many have been taken. The arguments are those of ProgressBar."""
    with ProgressBar(subject, total, unit, shown) as progress:
        for item in items:
            yield item
            progress.update()


def format_duration(seconds: float) -> str:
    """Seconds as `40 s` or `2 min 5 s`."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
