"""Thresholds against a search through all of them; the interval of an operating point is in test_coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.evaluation.operating_points import choose_threshold, operating_point_interval


def balanced(fake, scores, threshold):
    called = scores >= threshold
    return (called[fake].mean() + (~called[~fake]).mean()) / 2


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=30))
def test_the_chosen_threshold_is_the_best_and_of_equals_the_nearest_to_the_default(images):
    fake, scores = np.array([image[0] for image in images]), np.array([image[1] / 9 for image in images])
    chosen = choose_threshold(fake, scores)
    if fake.all() or not fake.any():
        assert chosen == 0.5
        return
    every = np.append(np.linspace(-0.05, 1.05, 1101), 0.5)
    best = max(balanced(fake, scores, threshold) for threshold in every)
    assert balanced(fake, scores, chosen) == pytest.approx(best)
    if balanced(fake, scores, 0.5) == pytest.approx(best):
        assert chosen == 0.5


def test_a_detector_that_calls_everything_real_at_one_half_gets_a_threshold_between_the_classes():
    fake, scores = np.array([False, False, True, True]), np.array([0.01, 0.02, 0.04, 0.09])
    assert choose_threshold(fake, scores) == pytest.approx(0.03)


def test_scores_that_are_no_probabilities_have_their_own_default():
    fake, scores = np.array([False, True]), np.array([-3.0, 2.0])
    assert choose_threshold(fake, scores, default=0.0) == 0.0


def test_neighbouring_numbers_are_told_apart():
    """No number lies between them: the threshold is the upper one."""
    low = 0.7
    fake, scores = np.array([False, True]), np.array([low, np.nextafter(low, 1)])
    assert choose_threshold(fake, scores) == scores[1]


def test_the_interval_of_an_operating_point_holds_it_and_shrinks_with_more_reals():
    random, widths = np.random.default_rng(0), []
    for number in (200, 5000):
        fake = np.arange(2 * number) < number
        scores = random.normal(size=2 * number) + 2 * fake
        order = np.argsort(-scores)
        fake, scores = fake[order], scores[order]
        threshold = np.sort(scores[~fake])[::-1][number // 100]
        value = np.mean(scores[fake] > threshold)
        low, high = operating_point_interval(fake, scores, np.arange(2 * number), 100)
        assert 0 <= low < value < high <= 1
        widths.append(high - low)
    assert widths[1] < widths[0] / 3
