"""The bounds of a perfect ranking against samples that are drawn at them."""

import numpy as np
import pytest
from scipy.stats import norm

from common.evaluation.perfect_ranking import perfect_ranking, perfect_ranking_bounds


@pytest.mark.parametrize(("fakes", "reals"), [(6, 6), (2, 30), (40, 5)])
def test_samples_at_the_bound_of_a_perfect_ranking_are_separated_in_5_of_100(fakes, reals):
    random, distance = np.random.default_rng(0), perfect_ranking(fakes, reals)
    lowest = random.normal(distance, 1, (40_000, fakes)).min(axis=1)
    separated = lowest > random.normal(0, 1, (40_000, reals)).max(axis=1)
    assert separated.mean() == pytest.approx(0.05, abs=0.005)
    assert perfect_ranking_bounds(fakes, reals, 0.5)["auc"][0] == pytest.approx(norm.cdf(distance / np.sqrt(2)))


def test_six_and_six_videos_ranked_without_a_fault_leave_an_auc_of_eight_tenths_possible():
    """22 % of such samples are ranked without a fault at an AUC of 0.90, 6 % at 0.80."""
    bounds = perfect_ranking_bounds(6, 6, 0.5)
    assert bounds["auc"] == (pytest.approx(0.79, abs=0.01), 1.0)
    assert bounds["eer"][0] == 0 and bounds["eer"][1] == pytest.approx(norm.cdf(-perfect_ranking(6, 6) / 2))
    assert 0.5 < bounds["average_precision"][0] < 0.9


def test_average_precision_at_the_bound_is_that_of_a_large_sample():
    random, distance = np.random.default_rng(1), perfect_ranking(10, 20)
    scores = np.concatenate([random.normal(distance, 1, 100_000), random.normal(0, 1, 300_000)])
    fake = np.arange(len(scores)) < 100_000
    fake = fake[np.argsort(-scores)]
    precision = np.cumsum(fake) / np.arange(1, len(fake) + 1)
    low = perfect_ranking_bounds(10, 20, 0.25)["average_precision"][0]
    assert low == pytest.approx(precision[fake].mean(), abs=0.003)
