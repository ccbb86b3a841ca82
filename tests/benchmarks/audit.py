"""What the audit's solver costs, against looking at every confusion matrix with NumPy.

    python -m tests.benchmarks.audit [--size 10000] [--totals 1000]

First a row of five numbers on SIZE + SIZE images: the solver and the full search give the same matrices. Then three
numbers and an AUC on test sets of unknown size, all totals up to TOTALS, which a full search would need hours for.
"""

import time
from dataclasses import dataclass

import numpy as np

from common.cli import parse, run_main
from results.audit.conflict import explain
from results.audit.forms import value
from results.audit.matrices import Sizes, Statement
from results.audit.printed import parse_printed
from results.audit.solver import solve
from tests.benchmarks.table import Row, TableOptions, publish

ROW = {"accuracy": "94.67%", "precision": "95.84%", "recall": "93.4%", "f1": "94.6%", "kappa": "89.3%"}
UNKNOWN = {"accuracy": "0.875", "f1": "0.888889", "auc": "0.95833", "kappa": "0.75"}
FALSE = {"accuracy": "0.900", "precision": "0.800", "f1": "0.950"}


@dataclass(frozen=True)
class Options(TableOptions):
    """Flags of the benchmark."""

    size: int = 10_000
    """Images a class."""
    totals: int = 1000
    """Largest total that is tried where the size is unknown."""


def main(argv=None):
    options = parse(Options, argv, description=__doc__)
    sizes = Sizes(options.size, options.size)
    solver, solutions = timed(lambda: solve(statements(ROW), sizes))
    brute, matrices = timed(lambda: full_search(statements(ROW), options.size))
    print(f"matrices: {solutions.count} and {matrices}")
    job = f"audit of five numbers, {options.size:,} + {options.size:,} images"
    rows = [Row(job, solver, "NumPy over all matrices", brute, "s")]
    unknown = Sizes(max_n=options.totals)
    seconds, solutions = timed(lambda: solve(statements(UNKNOWN), unknown))
    print(f"{len(solutions.totals)} totals fit")
    rows.append(Row(f"audit of four numbers, unknown size up to {options.totals:,}", seconds, unit="s"))
    seconds, conflict = timed(lambda: explain(statements(FALSE), unknown))
    print(f"{len(conflict.clashes)} smallest clashes")
    rows.append(Row(f"audit of a contradiction, unknown size up to {options.totals:,}", seconds, unit="s"))
    publish(rows, options.table)


def statements(row):
    return [Statement(metric, parse_printed(text, proportion=True)) for metric, text in row.items()]


def full_search(wanted, size):
    """Count the matrices by computing every metric of each, a million at a time."""
    count, step = 0, max(1, 1_000_000 // size)
    fp = np.arange(size + 1.0)
    for start in range(0, size + 1, step):
        tp = np.arange(start, min(start + step, size + 1.0))[:, None]
        fits = np.ones((len(tp), len(fp)), bool)
        for one in wanted:
            allowed, shares = one.printed.range(), value(one.metric, size, size, tp, fp)
            fits &= (shares >= float(allowed.low) - 1e-12) & (shares < float(allowed.high) - 1e-12)
        count += int(fits.sum())
    return count


def timed(work):
    start = time.perf_counter()
    done = work()
    return time.perf_counter() - start, done


if __name__ == "__main__":
    run_main(main)
