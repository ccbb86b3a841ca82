"""Intervals against their equations, and how often they hold the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from common.evaluation.influence import Variance
from common.evaluation.intervals import (
    combine_halves,
    logit_interval,
    share_interval,
    wilson,
)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_the_root_of_the_score_equation(case):
    """Both ends p satisfy |k / n - p| = z sqrt(p (1 - p) / n), z = 1.959964."""
    successes, n = case
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    for end in (low, high):
        assert abs(successes / n - end) == pytest.approx(1.959964 * np.sqrt(end * (1 - end) / n), abs=1e-6)


def test_wilson_of_nothing_is_nan():
    assert np.isnan(wilson(0, 0)).all()


@given(st.floats(0.01, 0.99), st.floats(1e-6, 0.01), st.floats(1, 200), st.sampled_from([0.0, -1.0]))
def test_the_logit_interval_is_symmetric_on_its_scale(value, variance, freedom, least):
    low, high = logit_interval(value, Variance(variance, freedom), least)
    assert least <= low < value < high <= 1

    def logit(x):
        return np.log((x - least) / (1 - x))

    if high < 1 - 1e-9 and low > least + 1e-9:
        slope = (1 - least) / ((value - least) * (1 - value))
        reach = t.ppf(0.975, freedom) * np.sqrt(variance) * slope
        assert logit(high) - logit(value) == pytest.approx(reach, rel=1e-5)
        assert logit(value) - logit(low) == pytest.approx(reach, rel=1e-5)


def test_the_mean_of_two_metrics_has_the_shorter_of_their_intervals_combined():
    """Two intervals of half width h give the mean a half width of h / sqrt 2."""
    low, high = combine_halves(0.6, (0.5, 0.7), 0.8, (0.7, 0.9))
    assert (low, high) == pytest.approx((0.7 - 0.1 / np.sqrt(2), 0.7 + 0.1 / np.sqrt(2)))


def test_one_error_in_pairs_is_no_wider_than_if_pairs_were_single_images():
    """29 of 30 images in 15 pairs: at most Wilson's of 14.5 of 15. Student's t would begin at 0.36."""
    hits = np.arange(30) != 7
    found = share_interval(hits, np.ones(30, bool), np.arange(30) // 2)
    np.testing.assert_allclose(found, wilson(14.5, 15))
    assert found[0] > 0.7
