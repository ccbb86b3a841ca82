"""Wilson's interval against its equation; the bootstrap against what is known of its draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.evaluation.intervals import bootstrap, percentile, wilson


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


def test_bootstrap_draws_whole_clusters():
    clusters = np.array([0, 0, 0, 1, 2, 2])
    drawn = bootstrap(lambda weights: weights.astype(float), clusters, 300, seed=1)
    assert (drawn[:, 0] == drawn[:, 1]).all() and (drawn[:, 1] == drawn[:, 2]).all()
    assert (drawn[:, 4] == drawn[:, 5]).all()
    assert (drawn[:, [0, 3, 4]].sum(axis=1) == 3).all()
    assert len(np.unique(drawn, axis=0)) == 10  # all ways to draw 3 of 3 with replacement


def test_bootstrap_of_a_mean_has_its_standard_error():
    values = np.random.default_rng(0).normal(size=400)
    means = bootstrap(lambda weights: np.array([weights @ values / weights.sum()]), np.arange(400), 2000, seed=0)
    assert means.std() == pytest.approx(values.std() / 20, rel=0.08)


def test_a_seed_determines_the_bootstrap():
    def total(weights):
        return np.array([weights[0]], dtype=float)

    first, again, other = (bootstrap(total, np.arange(9), 50, seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_percentile_ignores_nan():
    assert percentile(np.append(np.arange(101.0), np.nan)) == pytest.approx((2.5, 97.5))
    assert np.isnan(percentile(np.array([np.nan]))).all()
