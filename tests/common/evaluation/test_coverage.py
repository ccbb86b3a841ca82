"""How often a 95 % interval holds the truth: simulated videos of a few frames that resemble each other.

    python tests/common/evaluation/test_coverage.py 300      # the whole table, with 300 repetitions of each case

A frame's score is expit(1.5 x): x has the class's mean, an effect of the video (60 % of the variance, of which 30 % are
the person's where there are persons), and noise of its own.
"""

import itertools
import sys
from functools import cache

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm

from common.evaluation.cluster_intervals import ClusterIntervals
from common.evaluation.metrics import COUNTS, METRICS, Ranking, as_metrics

MEASURED = [name for name in METRICS if name not in COUNTS]
VIDEO_SHARE, PERSON_SHARE = 0.6, 0.3
FEW = 30  # clusters of a class


def draw(random, videos, fake_share, auc, persons=0):
    """Labels, scores and clusters of the frames, 4 to 25 of each video, from the highest score to the lowest."""
    fake = np.arange(videos) < round(videos * fake_share)
    owner = random.integers(persons, size=videos) if persons else np.arange(videos)
    of_person = PERSON_SHARE if persons else 0.0
    effect = np.sqrt(VIDEO_SHARE * (1 - of_person)) * random.normal(size=videos)
    effect += np.sqrt(VIDEO_SHARE * of_person) * random.normal(size=persons or 1)[owner if persons else 0]
    frames = np.repeat(np.arange(videos), random.integers(4, 26, videos))
    middle = norm.ppf(auc) / np.sqrt(2)
    x = np.where(fake, middle, -middle)[frames] + effect[frames]
    scores = expit(1.5 * (x + np.sqrt(1 - VIDEO_SHARE) * random.normal(size=len(x))))
    order = np.argsort(-scores, kind="stable")
    return fake[frames][order], scores[order], np.unique(owner[frames], return_inverse=True)[1][order]


def values_of(fake, scores):
    found = as_metrics(Ranking(fake, scores, 0.5).measure(np.ones(len(fake), dtype=np.int64)))
    return {name: float(value) for name, value in found.items()}


@cache
def truth(fake_share, auc):
    return values_of(*draw(np.random.default_rng(99), 60_000, fake_share, auc)[:2])


def coverage(videos, fake_share, auc, persons, repetitions, seed=0):
    """{metric: (share of the intervals that hold the truth, their number)}."""
    random, expected = np.random.default_rng(seed), truth(fake_share, auc)
    held = dict.fromkeys(MEASURED, 0)
    made = dict.fromkeys(MEASURED, 0)
    for _ in range(repetitions):
        fake, scores, clusters = draw(random, videos, fake_share, auc, persons)
        values = values_of(fake, scores)
        intervals = ClusterIntervals(fake, scores, 0.5, clusters, "video", values)
        for name in MEASURED:
            if np.isnan(values[name]):
                continue
            (low, high), reason = intervals.interval(name)
            if not reason:
                made[name] += 1
                held[name] += low <= expected[name] <= high
    return {name: (held[name] / made[name], made[name]) for name in MEASURED if made[name]}


def cases():
    for videos, share, auc in itertools.product((12, 30, 100, 500), (0.5, 0.87), (0.75, 0.92, 0.99)):
        for persons in (0, max(videos // 5, 6)):
            yield videos, share, auc, persons


@pytest.mark.slow
@pytest.mark.parametrize(
    ("videos", "fake_share", "auc", "persons"),
    [
        (12, 0.5, 0.92, 0),
        (30, 0.87, 0.99, 0),
        (100, 0.5, 0.75, 0),
        (100, 0.87, 0.92, 0),
        (500, 0.5, 0.99, 0),
        (100, 0.5, 0.92, 40),
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_say(videos, fake_share, auc, persons):
    """0.93 to 0.98, with few clusters of a class at least 0.90; three standard errors are the simulation's own."""
    repetitions = 60 if videos == 500 else 160
    few = min(persons or videos, videos - round(videos * fake_share)) < FEW
    for name, (share, number) in coverage(videos, fake_share, auc, persons, repetitions).items():
        error = 3 * np.sqrt(0.05 * 0.95 / number)
        assert share >= (0.90 if few else 0.93) - error, (name, share, number)


if __name__ == "__main__":
    print("videos", "fakes", "AUC", "persons", *MEASURED, sep=",")
    for case in cases():
        found = coverage(*case, repetitions=int(sys.argv[1]))
        print(*case, *(f"{found[name][0]:.3f}" if name in found else "" for name in MEASURED), sep=",", flush=True)
