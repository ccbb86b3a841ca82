"""What the RBF SVM costs: exact against Nystroem's approximation, on 16 features with a tenth of the labels turned.

    python -m tests.benchmarks.svm_cost [--sizes 5000 10000 15000]

Prints seconds to fit, seconds to score as many features again, and how often the two agree.
"""

import time
from dataclasses import dataclass

import numpy as np

from common.cli import parse, run_main
from reproductions.mesoinception_svm.model import fit_svm
from tests.benchmarks.table import Row, TableOptions, publish


@dataclass(frozen=True)
class Options(TableOptions):
    """Flags of the benchmark."""

    sizes: tuple[int, ...] = (5000, 10000, 15000)
    """Numbers of features to fit on."""


def main(argv=None):
    options = parse(Options, argv, description=__doc__)
    for size in options.sizes:
        features, labels = overlapping(size)
        exact, *exact_seconds = timed(features, labels, max_exact=size)
        near, *near_seconds = timed(features, labels, max_exact=0)
        print(f"{size} features: the two agree on {np.mean(exact == near):.3f}")
        rows = (
            Row(f"RBF SVM by Nystroem, {what} {size:,} features", ours, "exact", theirs, "s")
            for what, ours, theirs in zip(("fit on", "score"), near_seconds, exact_seconds, strict=True)
        )
        publish(rows, options.table)


def overlapping(size):
    """Features (size, 16) of two overlapping classes, a tenth of whose labels (size,) are wrong."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, size)
    features = generator.normal(size=(size, 16)) * np.where(labels == 1, 1.0, 1.6)[:, None]
    return features, labels ^ (generator.random(size) < 0.1)


def timed(features, labels, max_exact):
    """(verdicts on the features, seconds to fit, seconds to score)."""
    started = time.perf_counter()
    svm, _ = fit_svm(features, labels, max_exact, seed=0)
    fitted = time.perf_counter()
    verdicts = svm.predict(features)
    return verdicts, fitted - started, time.perf_counter() - fitted


if __name__ == "__main__":
    run_main(main)
