"""All our metrics with their intervals, against a plain bootstrap of three of them by scikit-learn's functions.

    python -m tests.benchmarks.evaluation [--images 1000000] [--videos 50000] [--resamples 20]

Both are timed in one run, in turns; what counts is the ratio. A bootstrap needs a thousand resamples; it is timed with
a few, and its time is scaled.
"""

import time
from dataclasses import dataclass
from statistics import median

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from common.cli import parse, run_main
from common.evaluation.evaluate import evaluate
from tests.benchmarks.table import Row, TableOptions, publish

ENOUGH = 1000  # resamples of a bootstrap


@dataclass(frozen=True)
class Options(TableOptions):
    """Flags of the benchmark."""

    images: int = 1_000_000
    videos: int = 50_000
    """0: every image for itself."""
    resamples: int = 20
    rounds: int = 3


def main(argv=None):
    options = parse(Options, argv, description=__doc__)
    predictions = draw(options.images, options.videos)
    ours, theirs = [], []
    for seed in range(options.rounds):
        values, seconds = timed(evaluate, predictions)
        ours.append(seconds)
        theirs.append(timed(plain_bootstrap, predictions, options.resamples, seed)[1] * ENOUGH / options.resamples)
    auc = values["auc"]
    print(f"AUC {auc.value:.4f} [{auc.low:.4f}, {auc.high:.4f}]")
    job = f"all metrics with intervals, {options.images:,} images of {options.videos:,} videos"
    rival = f"three metrics of scikit-learn, {ENOUGH:,} resamples"
    publish([Row(job, median(ours), rival, median(theirs), "s")], options.table)


def draw(images, videos):
    random = np.random.default_rng(0)
    number = np.arange(images) % (videos or images)
    fake = number % 2 == 0
    scores = 1 / (1 + np.exp(-random.normal(size=images) - fake))
    table = {"path": np.arange(images).astype(str), "label": np.where(fake, "fake", "real"), "score": scores}
    return pd.DataFrame(table | {"video": number.astype(str) if videos else ""})


def plain_bootstrap(predictions, resamples, seed):
    fake, scores = (predictions["label"] == "fake").to_numpy(), predictions["score"].to_numpy()
    clusters = pd.factorize(predictions["video"].where(predictions["video"] != "", predictions["path"]))[0]
    random, number, rows = np.random.default_rng(seed), clusters.max() + 1, []
    for _ in range(resamples):
        weights = np.bincount(random.integers(number, size=number), minlength=number)[clusters]
        drawn = weights > 0
        sample = {"y_true": fake[drawn], "y_score": scores[drawn], "sample_weight": weights[drawn]}
        false_positive, true_positive, _ = roc_curve(**sample)
        rate = false_positive[np.argmax(false_positive + true_positive >= 1)]
        rows.append((roc_auc_score(**sample), average_precision_score(**sample), rate))
    return np.percentile(rows, [2.5, 97.5], axis=0)


def timed(function, *arguments):
    began = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - began


if __name__ == "__main__":
    run_main(main)
