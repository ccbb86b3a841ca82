"""How long a paper's run takes: as its run.py says, and as the run itself sees."""

import ast
import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from common.progress import format_duration

log = logging.getLogger("deepfake")

Item = TypeVar("Item")
DURATION = re.compile(r"(\d+) (?:to \d+ )?minutes on 2 CPU cores")


def measured_duration(paper: Path) -> re.Match[str] | None:
    """Return the duration of the preset quick on embedded data, for example `6 to 9 minutes on 2 CPU cores`.

    Args:
        paper: the paper's folder.

    Returns:
        The text in the docstring of run.py, whose first group is the fewest minutes; None if there is none.
    """
    docstring = ast.get_docstring(ast.parse((paper / "run.py").read_text(encoding="utf-8"))) or ""
    return DURATION.search(docstring)


def log_expected_duration(paper: Path | None, seeds: int) -> None:
    """Log how long a run will take if that was measured, else when it will be known.

    Args:
        paper: the paper's folder, if the run is the measured one: the preset quick on embedded data.
        seeds: how many.
    """
    if measured := paper and measured_duration(paper):
        each = " for each seed" if seeds > 1 else ""
        log.info("this takes %s%s, as measured", measured[0], each)
    else:
        log.info("how long a training takes is estimated from its first steps")


def log_durations(items: Sequence[Item], title: Callable[[Item], str]) -> Iterator[Item]:
    """Yield the items; after each but the last, log how long it took, and by it how long all others will take.

    Args:
        items: what a run does one after the other, such as its seeds.
        title: the name of an item in the log.
    """
    for left, item in zip(reversed(range(len(items))), items, strict=True):
        started = time.monotonic()
        yield item
        if left:
            seconds = time.monotonic() - started
            took, rest = format_duration(seconds), format_duration(left * seconds)
            log.info("%s took %s; %d more, about %s", title(item), took, left, rest)
