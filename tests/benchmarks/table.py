"""The table of all benchmarks: a row for each job and rival, both measured in turns in one run."""

import datetime
import importlib.metadata
import math
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pandas as pd

COLUMNS = ("job", "unit", "ours", "rival", "theirs", "ratio", "versions", "machine", "date")
KEY = ["job", "rival"]
RATES = ("images/s", "steps/s")  # more is better; of all other units less
PACKAGES = (
    *("tensorflow", "jax", "keras", "numpy", "scikit-learn", "pillow", "opencv-python-headless", "mtcnn"),
    *("torch", "torchvision", "facenet-pytorch", "pytorch-metric-learning"),
)


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """Flags of every benchmark that gives rows."""

    table: Path | None = None
    """A CSV for the rows."""


@dataclass(frozen=True)
class Row:
    """What one job takes.

    Args:
        job: with everything that its time depends on.
        ours: the median of ours, in `unit`.
        rival: the other implementation; empty without one.
        theirs: its median.
        unit: `ms`, `s`, `MiB`, `%`, `cores`, `images/s` or `steps/s`.
    """

    job: str
    ours: float
    rival: str = ""
    theirs: float = math.nan
    unit: str = "ms"

    @property
    def ratio(self) -> float:
        """How many times better ours is; below 1 it is worse. NaN without a rival."""
        return self.ours / self.theirs if self.unit in RATES else self.theirs / self.ours


def in_turns(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, tuple[float, float]]:
    """Time several steps in turns; the first turn is not counted.

    Args:
        ways: {name: a function that takes one step and returns its loss}.
        rounds: how many turns count.

    Returns:
        {name: (median milliseconds, loss of the first step)}.
    """
    measured: dict[str, list[float]] = {name: [] for name in ways}
    losses: dict[str, float] = {}
    for _ in range(rounds + 1):
        for name, step in ways.items():
            began = time.perf_counter()
            loss = step()
            measured[name].append(1000 * (time.perf_counter() - began))
            losses.setdefault(name, loss)
    return {name: (median(each[1:]), losses[name]) for name, each in measured.items()}


def publish(rows: Iterable[Row], file: Path | None) -> None:
    """Print the rows, and write them into a CSV, where they replace rows of the same job and rival.

    Args:
        rows: of one benchmark.
        file: the CSV; None: none.
    """
    rows = list(rows)
    for row in rows:
        print(f"{row.job}: {row.ours:.4g} {row.unit}{_against(row)}", flush=True)
    if file is None:
        return
    versions = ", ".join(f"{name} {version}" for name in PACKAGES if (version := _version(name)))
    cells = [
        (row.job, row.unit, f"{row.ours:.4g}", row.rival, _number(row.theirs), _number(row.ratio), versions, machine())
        for row in rows
    ]
    date = datetime.date.today().isoformat()
    table = pd.DataFrame([(*row, date) for row in cells], columns=list(COLUMNS), dtype=str)
    if file.exists():
        before = pd.read_csv(file, dtype=str, keep_default_na=False)
        table = pd.concat([before, table]).drop_duplicates(KEY, keep="last")
    table.to_csv(file, index=False)


def machine() -> str:
    """Return the processor and the number of cores in words."""
    name = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), name)
    return f"{name or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _against(row):
    return f"; {row.rival} {row.theirs:.4g} {row.unit}, ratio {row.ratio:.2f}" if row.rival else ""


def _number(value):
    return "" if math.isnan(value) else f"{value:.4g}"
