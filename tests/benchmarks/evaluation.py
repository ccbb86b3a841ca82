"""All our metrics with their intervals, against a plain bootstrap of three of them by scikit-learn's functions.

    python tests/benchmarks/evaluation.py [--images 1000000] [--videos 50000] [--resamples 20]

Both are timed in one run, in turns; what counts is the ratio. A bootstrap needs a thousand resamples; it is timed with
a few, and its time is scaled.
"""

import argparse
import time

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from common.evaluation.evaluate import evaluate

ENOUGH = 1000  # resamples of a bootstrap


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--videos", type=int, default=50_000, help="0: every image for itself")
    parser.add_argument("--resamples", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    predictions = draw(options.images, options.videos)
    ratios = []
    for seed in range(options.rounds):
        values, ours = timed(evaluate, predictions)
        _, theirs = timed(plain_bootstrap, predictions, options.resamples, seed)
        theirs *= ENOUGH / options.resamples
        ratios.append(theirs / ours)
        print(f"ours {ours:.1f} s, scikit-learn {theirs:.0f} s for {ENOUGH} resamples, ratio {ratios[-1]:.0f}")
    auc = values["auc"]
    print(
        f"{options.images} images; AUC {auc.value:.4f} [{auc.low:.4f}, {auc.high:.4f}]; median {np.median(ratios):.0f}"
    )


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
    main()
