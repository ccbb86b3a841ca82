"""The interval of a difference against sums by hand, and that what it is said to need does decide."""

from math import inf, nan, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from common.evaluation.intervals import wilson
from results.differences import (
    Difference,
    Measured,
    Published,
    detectable_difference,
    effective_n,
    quantile,
)

EXACT = (0.0, 0.0)


def ours(value=0.9, n=7104, sd=0.004, seeds=3, clusters=None, bounds=None):
    return Measured(value, *(bounds or wilson(value * n, n)), n, n if clusters is None else clusters, sd, seeds)


@pytest.mark.parametrize(("value", "n"), [(0.9, 100), (1.0, 12), (0.0, 30), (0.5, 7), (0.875, 24), (0.998, 59000)])
def test_the_effective_n_of_wilsons_interval_is_its_n(value, n):
    assert effective_n(value, *wilson(value * n, n)) == pytest.approx(n)


def test_students_t():
    for error, freedom in ((0.05, 2), (0.01, 9), (1e-6, 1)):
        assert quantile(error, freedom) == pytest.approx(stats.t.ppf(1 - error / 2, freedom))
    assert quantile(0.05) == pytest.approx(1.959964) and quantile(0.05, 0) == quantile(0.05)


def test_three_errors_in_quadrature():
    """Ours 0.88 of 2000 with 3 seeds of sd 0.01, theirs 0.90 of 1000: each reach by scipy and Wilson."""
    difference = Difference(ours(0.88, 2000, 0.01, 3), Published(0.9, 0.005, 0.005, 1000))
    training = stats.t.ppf(0.975, 2) * 0.01 * sqrt(1 + 1 / 3)
    low, high = wilson(1760, 2000)
    their_low, their_high = wilson(900, 1000)
    down = sqrt((0.88 - low) ** 2 + (their_high - 0.9) ** 2 + training**2)
    up = sqrt((high - 0.88) ** 2 + (0.9 - their_low) ** 2 + training**2)
    assert difference.interval() == pytest.approx((-0.02 - 0.005 - down, -0.02 + 0.005 + up), abs=1e-9)


def test_a_design_effect_is_the_papers_too():
    """25 frames of each video: 1000 frames tell as much as 40; so the paper's 2500 frames tell as much as 100."""
    difference = Difference(ours(0.9, 1000, 0.0, 3, 40, wilson(36, 40)), Published(0.9, *EXACT, 2500))
    low, high = wilson(36, 40)
    their_low, their_high = wilson(90, 100)
    assert difference.interval() == pytest.approx(
        (-sqrt((0.9 - low) ** 2 + (their_high - 0.9) ** 2), min(sqrt((high - 0.9) ** 2 + (0.9 - their_low) ** 2), 0.1))
    )


def test_kappa_is_from_minus_one_to_one():
    """As wide as twice the interval of the accuracy that it follows from, with equal classes."""
    kappa = Measured(0.8, *(2 * end - 1 for end in wilson(900, 1000)), 1000, 1000, 0.0, 3)
    accuracy = Difference(ours(0.9, 1000, 0.0), Published(0.88, *EXACT, 500)).interval()
    found = Difference(kappa, Published(0.76, *EXACT, 500), -1.0).interval()
    assert found == pytest.approx([2 * end for end in accuracy], rel=1e-6)


@pytest.mark.parametrize(
    ("measured", "n", "why"),
    [
        (ours(seeds=1, sd=nan), 100, "one seed"),
        (ours(bounds=(nan, nan)), 100, "our number has no interval"),
        (ours(), 0, "the paper's n is unknown"),
    ],
)
def test_without_an_interval_nothing_is_certain(measured, n, why):
    difference = Difference(measured, Published(0.2, *EXACT, n))
    assert all(end != end for end in difference.interval())
    assert not difference.within(0.99) and difference.sign() == 0 and difference.p_value() == 1
    assert difference.needs(0.02).startswith(why)


def test_hedged_numbers_have_one_end():
    more, less = Published(0.67, 0.0, inf, 5000), Published(0.67, inf, 0.0, 5000)
    assert Difference(ours(0.8, 5000), more).within(0.02) and not Difference(ours(0.8, 5000), less).within(0.02)
    assert Difference(ours(0.5, 5000), less).within(0.02) and Difference(ours(0.5, 5000), more).sign() == -1
    assert Difference(ours(0.5, 5000), less).sign() == 0


def test_the_p_value_is_where_the_interval_touches_zero():
    difference = Difference(ours(0.86, 2000, 0.004, 5), Published(0.9, *EXACT, 2000))
    p = difference.p_value()
    assert 1e-9 < p < 0.05
    assert difference.interval(0.98 * p)[1] > 0 > difference.interval(1.02 * p)[1]


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.6, 0.97), st.floats(-0.04, 0.04), st.integers(20, 20000), st.floats(0.0005, 0.02), st.integers(2, 6),
    st.integers(20, 60000),
)  # fmt: skip
def test_what_is_needed_decides(value, gap, n, sd, seeds, their_n):
    """With so many seeds, or images, of the same value and spread, the interval is within 0.02 or excludes 0."""
    theirs = Published(value + gap, *EXACT, their_n)
    difference = Difference(ours(value, n, sd, seeds), theirs)
    if difference.within(0.02) or difference.sign():
        return
    needs = difference.needs(0.02)
    for way in needs.removeprefix("it takes ").split(" or ") if needs.startswith("it takes ") else ():
        words = way.split(" and ")
        more = {word.split()[1]: int(word.split()[0]) for word in words if word.endswith("seeds")}
        more_n = [int(word.removeprefix("n = ")) for word in words if word.startswith("n = ")]
        better = ours(value, (more_n or [n])[0] * 2, sd, more.get("seeds", seeds) + 1)
        decided = Difference(better, theirs)
        reach = (decided.interval()[1] - decided.interval()[0]) / 2
        assert reach <= 1.1 * max(abs(gap), 0.02 - abs(gap)), (needs, reach)


def test_the_difference_that_a_test_set_tells():
    """(1.96 + 0.84) sqrt(0.09 / 140) = 0.071."""
    assert detectable_difference(140) == pytest.approx(0.071, abs=5e-4) and detectable_difference(1) < 1
