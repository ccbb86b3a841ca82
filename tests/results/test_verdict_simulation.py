"""How often verdicts are wrong, in simulations where the truth is known.

    python tests/results/test_verdict_simulation.py      # the table of power

Theirs is one training, tested on n images of their own. Ours are k trainings, tested on one set of n images: an image
of difficulty u is classified correctly by a training of accuracy a if u < a, so that the errors of the trainings are as
dependent as they can be. Trainings differ by a standard deviation of their own.
"""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from common.evaluation.cluster_intervals import LEAST
from common.evaluation.evaluate import evaluate
from common.evaluation.intervals import wilson
from results.differences import Difference, Measured, Published
from results.verdicts import MARGIN, Rate, joint_p_value, verdict

SIZES, SEEDS = (24, 140, 1000, 7104), (1, 3, 10)
ACCURACY = 0.9
WRONG = 0.05  # at most this share of verdicts


def share(n, seeds, sd, gap, random, accuracy=ACCURACY):
    """Ours and theirs as a Difference, of detectors whose accuracies differ by `gap`."""
    theirs = random.binomial(n, np.clip(accuracy + sd * random.normal(), 0, 1)) / n
    accuracies = accuracy - gap + sd * random.normal(size=seeds)
    values = np.searchsorted(np.sort(random.random(n)), accuracies) / n
    bounds = np.mean([wilson(value * n, n) for value in values], axis=0)
    deviation = values.std(ddof=1) if seeds > 1 else np.nan
    return Difference(Measured(values.mean(), *bounds, n, n, deviation, seeds), Published(theirs, 0, 0, n))


def verdicts(n, seeds, sd=0.01, gap=0.0, repetitions=400, rates=1):
    """{verdict: share} of claims that are tested by so many rates, each on n images."""
    random = np.random.default_rng([n, seeds, rates, round(1000 * gap)])
    found = Counter()
    for _ in range(repetitions):
        claim = [Rate("", "accuracy", share(n, seeds, sd, gap, random), MARGIN) for _ in range(rates)]
        found[verdict(claim, joint_p_value(claim)).partition(":")[0]] += 1 / repetitions
    return found


def at_most(limit, repetitions):
    """The limit, and two standard errors of a simulation with so many repetitions."""
    return limit + 2 * (limit * (1 - limit) / repetitions) ** 0.5


@pytest.mark.parametrize(("n", "seeds"), [(140, 3), (7104, 1), (7104, 3)])
def test_verdicts_are_seldom_wrong(n, seeds):
    equal = verdicts(n, seeds, repetitions=300)
    assert equal["better"] + equal["worse"] <= at_most(WRONG, 300), equal
    assert verdicts(n, seeds, gap=0.10, repetitions=300)["reproduced"] <= WRONG
    assert seeds > 1 or set(equal) == {"inconclusive"}


@pytest.mark.slow
@pytest.mark.parametrize("sd", [0.0, 0.01])
@pytest.mark.parametrize("n", SIZES)
def test_verdicts_are_seldom_wrong_at_every_size(n, sd):
    for seeds in SEEDS:
        for rates in (1, 2):
            equal = verdicts(n, seeds, sd, rates=rates, repetitions=300)
            assert equal["better"] + equal["worse"] <= at_most(WRONG, 300), (seeds, rates, equal)
            worse = verdicts(n, seeds, sd, gap=0.10, rates=rates, repetitions=300)
            assert worse["reproduced"] <= WRONG and worse["better"] <= WRONG, (seeds, rates, worse)


@pytest.mark.slow
def test_the_published_value_of_every_metric_has_an_error():
    """Two test sets of 300 images of one detector, whose d' is 1.8: seldom a difference, whatever the metric."""
    random, repetitions = np.random.default_rng(5), 60
    found = Counter()
    for _ in range(repetitions):
        ours, theirs = (evaluate(detector_scores(300, random), probability=False, threshold=0.9) for _ in range(2))
        for metric in ("auc", "f1", "kappa", "balanced_accuracy", "eer", "accuracy"):
            one = ours[metric]
            measured = Measured(one.value, one.low, one.high, one.n, one.clusters, 0.0, 3)
            difference = Difference(measured, Published(theirs[metric].value, 0, 0, one.n), LEAST.get(metric, 0.0))
            found[metric] += difference.sign() != 0
    assert all(count <= repetitions * at_most(WRONG, repetitions) for count in found.values()), found
    assert sum(found.values()) > 0  # the intervals are not endless


def detector_scores(n, random):
    labels = np.repeat(["fake", "real"], n // 2)
    scores = random.normal(size=n) + 1.8 * (labels == "fake")
    return pd.DataFrame({"path": [f"{index}.png" for index in range(n)], "label": labels, "score": scores})


def print_power():
    """Print the share of each right verdict by n, number of seeds and deviation of trainings."""
    heading = "n", "seeds", "sd", "equal: reproduced", "5 points worse: worse", "10 points worse: worse", "equal: wrong"
    print("  ".join(heading))
    for sd in (0.002, 0.005, 0.01, 0.02):
        for n in SIZES:
            for seeds in SEEDS:
                equal = verdicts(n, seeds, sd)
                worse = [verdicts(n, seeds, sd, gap)["worse"] for gap in (0.05, 0.10)]
                shares = (equal["reproduced"], *worse, equal["better"] + equal["worse"])
                cells = (str(n), str(seeds), f"{sd:g}", *(f"{100 * share:.0f} %" for share in shares))
                print("  ".join(cell.rjust(len(name)) for cell, name in zip(cells, heading, strict=True)))


if __name__ == "__main__":
    print_power()
