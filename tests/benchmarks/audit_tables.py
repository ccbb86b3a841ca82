"""How often the audit accuses an honest table, and how often it finds an altered digit.

    python -m tests.benchmarks.audit_tables --tables 60

Honest tables are numbers of simulated confusion matrices, printed and averaged as people do; each way has a line.
Altered tables are seven numbers of one matrix, of which one digit is changed.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from common.cli import parse, run_main
from results.audit.check import audit_table
from results.audit.verdicts import CONTRADICTION, RANGE, UNIQUE
from tests.results.audit.simulated import FOUR, KINDS, SEVEN, altered, honest_row

SIZES = ("n", "classes", "")  # what is known of the numbers of images


def verdict_of(folder: Path, rows: list[tuple[str, str, str]]) -> str:
    """Return the verdict on the only group of a table of (row, metric, printed)."""
    path = folder / "table.csv"
    pd.DataFrame(rows, columns=("row", "metric", "printed")).to_csv(path, index=False)
    return audit_table(path)[0][0].verdict


@dataclass(frozen=True)
class Options:
    """Flags of the benchmark."""

    tables: int = 60
    """Of each kind."""


def main(argv=None):
    number = parse(Options, argv, description=__doc__).tables
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in KINDS:
            random = np.random.default_rng(sum(map(ord, kind)))
            tables = [honest_row(random, kind, SIZES[place % 3], FOUR) for place in range(number)]
            accused = sum(verdict_of(folder, rows) == CONTRADICTION for rows in tables)
            print(f"honest, {kind}: {accused} of {number} called a contradiction", flush=True)
        for sizes in SIZES[:2]:
            random = np.random.default_rng(5)
            tables = [altered(random, honest_row(random, "single", sizes, SEVEN)) for _ in range(number)]
            found = sum(verdict_of(folder, rows) not in (UNIQUE, RANGE) for rows in tables)
            print(f"one digit altered, {sizes} known: {found} of {number} fit no matrix", flush=True)


if __name__ == "__main__":
    run_main(main)
