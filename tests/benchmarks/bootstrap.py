"""Our bootstrap of ROC AUC, average precision and EER against a plain loop over scikit-learn's functions.

    python tests/benchmarks/bootstrap.py [--images 1000000] [--resamples 3] [--videos 50000]

Both are timed in one run, in turns; what counts is the ratio.
"""

import argparse
import time

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from common.evaluation.intervals import bootstrap
from common.evaluation.metrics import Ranking


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--videos", type=int, default=0, help="0: every image for itself")
    parser.add_argument("--resamples", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    fake = random.random(options.images) < 0.5
    scores = 1 / (1 + np.exp(-random.normal(size=options.images) - fake))
    videos = np.arange(options.images) % (options.videos or options.images)
    ratios = []
    for round_ in range(options.rounds):
        ours, our_time = timed(our_bootstrap, fake, scores, videos, options.resamples, round_)
        theirs, their_time = timed(plain_bootstrap, fake, scores, videos, options.resamples, round_)
        np.testing.assert_allclose(ours, theirs, atol=1e-9)
        ratios.append(their_time / our_time)
        each = [f"{1000 * seconds / options.resamples:.1f} ms" for seconds in (our_time, their_time)]
        print(f"a resample: ours {each[0]}, scikit-learn {each[1]}, ratio {ratios[-1]:.1f}")
    print(f"{options.images} images, same numbers; median ratio {np.median(ratios):.1f}")


def our_bootstrap(fake, scores, videos, resamples, seed):
    ranking = Ranking(fake, scores, threshold=0.5)
    return bootstrap(ranking.measure, videos[ranking.order], resamples, seed)[:, 4:7]


def plain_bootstrap(fake, scores, videos, resamples, seed):
    random, number = np.random.default_rng(seed), videos.max() + 1
    rows = []
    for _ in range(resamples):
        weights = np.bincount(random.integers(number, size=number), minlength=number)[videos]
        drawn = weights > 0
        sample = {"y_true": fake[drawn], "y_score": scores[drawn], "sample_weight": weights[drawn]}
        false_positive, true_positive, _ = roc_curve(**sample)
        corner = np.flatnonzero(false_positive + true_positive >= 1)[0]
        (x0, x1), (y0, y1) = false_positive[corner - 1 : corner + 1], true_positive[corner - 1 : corner + 1]
        eer = x0 + (x1 - x0) * (1 - x0 - y0) / (x1 - x0 + y1 - y0)
        rows.append((roc_auc_score(**sample), average_precision_score(**sample), eer))
    return np.array(rows)


def timed(function, *arguments):
    began = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - began


if __name__ == "__main__":
    main()
