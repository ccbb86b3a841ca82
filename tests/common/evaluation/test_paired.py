"""Paired tests against brute force and arithmetic by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from common.errors import UserError
from common.evaluation.paired import compare_models, delong, mcnemar


def brute_delong(fake, a, b):
    """DeLong et al. 1988, equations 4 to 8, by comparing every fake with every real image."""
    components = []
    for scores in (a, b):
        beats = np.array([[(x > y) + 0.5 * (x == y) for y in scores[~fake]] for x in scores[fake]])
        components.append((beats.mean(axis=1), beats.mean(axis=0), beats.mean()))
    (a10, a01, auc_a), (b10, b01, auc_b) = components
    m, n = fake.sum(), (~fake).sum()
    s10, s01 = np.cov(a10, b10), np.cov(a01, b01)
    contrast = np.array([1, -1])
    variance = contrast @ (s10 / m + s01 / n) @ contrast
    return auc_a, auc_b, variance


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(2, 25), st.integers(2, 25), st.sampled_from([0, 1, 3]))
def test_delong_equals_brute_force(seed, fakes, reals, decimals):
    """Rounded scores make ties, within a class and across."""
    random = np.random.default_rng(seed)
    fake = np.arange(fakes + reals) < fakes
    a, b = (np.round(random.normal(size=fakes + reals) + fake, decimals) for _ in range(2))
    result = delong(fake, a, b)
    auc_a, auc_b, variance = brute_delong(fake, a, b)
    assert (result.auc_a, result.auc_b) == pytest.approx((auc_a, auc_b))
    assert result.auc_a == pytest.approx(roc_auc_score(fake, a))
    if variance > 1e-12:
        assert result.p == pytest.approx(2 * (1 - norm.cdf(abs(auc_a - auc_b) / np.sqrt(variance))), abs=1e-9)
        assert result.high - result.low == pytest.approx(2 * 1.959964 * np.sqrt(variance), rel=1e-6)


def test_delong_of_equal_detectors_and_of_too_few_images():
    fake, scores = np.array([True, True, False, False]), np.array([0.9, 0.2, 0.4, 0.1])
    assert delong(fake, scores, scores).p == 1
    assert np.isnan(delong(fake, fake * 1.0, 1.0 - fake).p)
    assert np.isnan(delong(np.array([True, False]), [1, 0], [0, 1]).p)
    assert np.isnan(delong(np.array([True, True]), [1, 0], [0, 1]).auc_a)


def test_delong_p_values_are_uniform_without_a_difference():
    random, values = np.random.default_rng(0), []
    for _ in range(300):
        fake = np.arange(200) < 100
        values.append(delong(fake, random.normal(size=200) + fake, random.normal(size=200) + fake).p)
    assert 0.02 <= np.mean(np.array(values) < 0.05) <= 0.09
    assert 0.4 <= np.mean(values) <= 0.6


def test_mcnemar_by_hand():
    """9 against 1 discordant: 2 (C(10, 0) + C(10, 1)) / 2^10 = 22 / 1024, whatever both agree on."""
    correct_a = np.array([True] * 9 + [False] + [True] * 50)
    correct_b = np.array([False] * 9 + [True] + [True] * 50)
    result = mcnemar(correct_a, correct_b)
    assert (result.only_a, result.only_b) == (9, 1)
    assert result.p == pytest.approx(22 / 1024)
    assert mcnemar(correct_a, correct_a).p == 1


def predictions(scores, labels=("fake", "fake", "real", "real"), videos=("", "", "", "")):
    return pd.DataFrame({"path": list("abcd"), "dataset": "d", "video": videos, "label": labels, "score": scores})


def test_models_are_compared_on_shared_images_only():
    a = predictions([0.9, 0.8, 0.7, 0.1])
    b = predictions([3.0, -1.0, -2.0, -3.0])[1:]  # not probabilities: the threshold is 0
    (result,) = compare_models(a, b)
    assert (result.level, result.n, result.accuracy_a, result.accuracy_b) == ("frame", 3, 2 / 3, 2 / 3)
    assert (result.mcnemar.only_a, result.mcnemar.only_b) == (1, 1)
    assert (result.delong.auc_a, result.delong.auc_b) == (1, 1)


def test_videos_are_compared_too_if_one_has_several_images():
    a = predictions([0.9, 0.2, 0.7, 0.1], videos=("v", "v", "w", "w"))
    frame, video = compare_models(a, a)
    assert (frame.n, video.n) == (4, 2)
    assert (frame.accuracy_a, video.accuracy_a) == (0.5, 1)


def test_conflicting_labels_disjoint_images_and_repeated_images():
    a = predictions([0.9, 0.8, 0.7, 0.1])
    with pytest.raises(UserError, match="labels of 1 of 4 shared images differ, first b: fake in A, real in B"):
        compare_models(a, predictions([0.9, 0.8, 0.7, 0.1], labels=("fake", "real", "real", "real")))
    assert compare_models(a, a.assign(dataset="other")) == []
    with pytest.raises(UserError, match="twice"):
        compare_models(pd.concat([a, a]), a)
