"""Influences against differences of the metrics themselves; their variance against repeated drawing."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from common.evaluation.influence import cluster_variance, denominator, influences
from common.evaluation.metrics import PROPORTIONS, Ranking, as_metrics

MANY = 100_000


def ranked(fake, scores):
    order = np.argsort(-scores, kind="stable")
    return fake[order], scores[order]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=4, max_size=25))
def test_an_influence_is_the_derivative_with_respect_to_a_weight(images):
    """Every image counts 100,000 times, one of them once more; ties and all. EER has corners: it is tested apart.

    The calibration error has a corner where a bin has no gap."""
    fake, scores = ranked(np.array([image[0] for image in images]), np.array([image[1] / 8 for image in images]))
    assume(0 < fake.sum() < len(fake))
    ranking = Ranking(fake, scores, 0.5)
    found, weights = influences(fake, scores, 0.5), np.full(len(fake), MANY)
    value = as_metrics(ranking.measure(weights))
    gaps = np.bincount(ranking.bins, ranking.residual)[np.unique(ranking.bins)]
    corners = {"eer"} if (np.abs(gaps) > 1e-9).all() else {"eer", "calibration_error"}
    for place in range(len(fake)):
        changed = as_metrics(ranking.measure(weights + (np.arange(len(fake)) == place)))
        for name in set(found) - corners:
            if not np.isnan(value[name]):
                assert found[name][place] == pytest.approx((changed[name] - value[name]) * MANY, abs=1e-4), name


def test_the_influence_on_the_equal_error_rate_gives_its_spread():
    """Of 300 drawings of 400 fakes and 400 reals; the mean variance by influences is the variance of the drawings."""
    random, values, variances = np.random.default_rng(0), [], []
    for _ in range(300):
        fake = np.arange(800) < 400
        fake, scores = ranked(fake, random.normal(size=800) + 1.5 * fake)
        values.append(as_metrics(Ranking(fake, scores, 0).measure(np.ones(800, int)))["eer"])
        variances.append(cluster_variance(influences(fake, scores, 0)["eer"], np.arange(800), [fake, ~fake]).value)
    assert np.mean(variances) == pytest.approx(np.var(values), rel=0.2)


def test_the_variance_of_a_mean_of_independent_images_is_the_textbooks():
    """With two more than n - 1 in the place of n: (n + 2) / n above s^2 / n."""
    values = np.random.default_rng(0).normal(size=50)
    variance = cluster_variance((values - values.mean()) / 50, np.arange(50), [np.ones(50, bool)])
    assert variance.value == pytest.approx(values.var(ddof=1) / 50 * 52 / 50)
    assert 20 < variance.freedom <= 49


def test_copies_of_an_image_in_one_cluster_tell_nothing_new():
    values = np.random.default_rng(0).normal(size=50)
    alone = cluster_variance((values - values.mean()) / 50, np.arange(50), [np.ones(50, bool)])
    copies = np.repeat((values - values.mean()) / 500, 10)
    assert cluster_variance(copies, np.repeat(np.arange(50), 10), [np.ones(500, bool)]).value == pytest.approx(
        alone.value
    )


def test_one_cluster_with_all_the_errors_leaves_few_degrees_of_freedom():
    errors = np.zeros(100)
    errors[0] = 1
    variance = cluster_variance((errors - errors.mean()) / 100, np.arange(100), [np.ones(100, bool)])
    assert variance.freedom < 3


def test_a_person_with_real_and_fake_videos_couples_both_classes():
    """If a person's fakes and reals are wrong together, errors of an accuracy add up."""
    fake = np.tile([True, False], 30)
    influence = np.repeat(np.random.default_rng(0).normal(size=30), 2) / 60
    together = cluster_variance(influence, np.repeat(np.arange(30), 2), [fake, ~fake]).value
    apart = cluster_variance(influence, np.arange(60), [fake, ~fake]).value
    assert together == pytest.approx(2 * apart, rel=0.05)


@pytest.mark.parametrize("name", PROPORTIONS)
def test_the_denominator_of_a_proportion_is_the_images_that_it_counts(name):
    fake, called = np.array([1, 1, 0, 0], bool), np.array([1, 0, 1, 0], bool)
    expected = {
        "accuracy": [1, 1, 1, 1], "precision": [1, 0, 1, 0], "recall": [1, 1, 0, 0], "specificity": [0, 0, 1, 1],
        "precision_real": [0, 1, 0, 1],
    }  # fmt: skip
    assert denominator(name, fake, called).tolist() == [bool(value) for value in expected[name]]
