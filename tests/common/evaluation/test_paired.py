"""Paired tests against brute force and arithmetic by hand."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from common.errors import UserError
from common.evaluation.differences import accuracy_difference, accuracy_p, auc_difference, permutation_p
from common.evaluation.paired import compare_models


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


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 25), st.integers(2, 25), st.sampled_from([0, 1, 3]))
def test_of_single_images_delong_equals_brute_force(seed, fakes, reals, decimals):
    """Rounded scores make ties, within a class and across. The interval is a little wider: t, and (n + 2) / n."""
    random = np.random.default_rng(seed)
    fake = np.arange(fakes + reals) < fakes
    a, b = (np.round(random.normal(size=fakes + reals) + fake, decimals) for _ in range(2))
    found_a, found_b, difference = auc_difference(fake, a, b, np.arange(len(fake)))
    auc_a, auc_b, variance = brute_delong(fake, a, b)
    assert (found_a, found_b) == pytest.approx((auc_a, auc_b))
    assert difference.value == pytest.approx(auc_a - auc_b)
    if variance > 1e-12:
        reach = 1.959964 * np.sqrt(variance)
        assert reach < (difference.high - difference.low) / 2
        if min(fakes, reals) >= 20:
            assert (difference.high - difference.low) / 2 < 1.35 * reach


def test_delong_of_equal_detectors_and_of_too_few_images():
    fake, scores = np.array([True, True, False, False]), np.array([0.9, 0.2, 0.4, 0.1])
    alone = np.arange(4)
    assert auc_difference(fake, scores, scores, alone)[2].p == 1
    opposite = auc_difference(fake, fake * 1.0, 1.0 - fake, alone)[2]
    assert opposite.value == 1 and np.isnan(opposite.p) and opposite.reason
    assert np.isnan(auc_difference(fake[1:3], scores[1:3], -scores[1:3], alone[:2])[2].low)
    assert np.isnan(auc_difference(fake[:2], scores[:2], scores[:2], alone[:2])[0])


def equal_detectors(random, videos, frames):
    """Two detectors that are equally good: frames of a video share most of their score, of each detector apart."""
    fake = np.repeat(np.arange(videos) < videos // 2, frames)
    clusters = np.repeat(np.arange(videos), frames)
    scores = [fake + random.normal(size=videos)[clusters] + 0.6 * random.normal(size=len(fake)) for _ in range(2)]
    return fake, *scores, clusters


def test_of_equal_detectors_one_p_value_in_twenty_is_below_5_percent():
    """Ten frames of each of 60 videos, both tests; with frames as independent it is one in three (also shown)."""
    random, values, naive = np.random.default_rng(0), [], []
    for _ in range(200):
        fake, a, b, clusters = equal_detectors(random, 60, 10)
        correct = (a >= 0.5) == fake, (b >= 0.5) == fake
        values.append((auc_difference(fake, a, b, clusters)[2].p, accuracy_p(*correct, clusters)))
        naive.append(auc_difference(fake, a, b, np.arange(len(fake)))[2].p)
    assert (np.mean(np.array(values) < 0.05, axis=0) <= 0.09).all()
    assert (np.mean(np.array(values), axis=0) > 0.4).all()
    assert np.mean(np.array(naive) < 0.05) > 0.2


def test_of_single_images_the_permutation_is_mcnemars_test_by_hand():
    """9 against 1 discordant: 2 (C(10, 0) + C(10, 1)) / 2^10 = 22 / 1024, whatever both agree on."""
    correct_a = np.array([True] * 9 + [False] + [True] * 50)
    correct_b = np.array([False] * 9 + [True] + [True] * 50)
    fake, alone = np.arange(60) % 2 == 0, np.arange(60)
    result = accuracy_difference(fake, correct_a, correct_b, alone)
    assert result.value == pytest.approx(8 / 60) and np.isnan(result.p)
    assert accuracy_p(correct_a, correct_b, alone) == pytest.approx(22 / 1024)
    assert accuracy_p(correct_a, correct_a, alone) == 1 and np.isnan(accuracy_p(correct_a, correct_b, alone * 0))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(-6, 6), min_size=1, max_size=9))
def test_the_permutation_of_clusters_equals_all_sign_changes(sums):
    totals = [abs(np.dot(signs, sums)) for signs in itertools.product((1, -1), repeat=len(sums))]
    assert permutation_p(np.array(sums)) == pytest.approx(np.mean(np.array(totals) >= abs(sum(sums))))


def test_a_permutation_of_many_frames_is_fast_and_near_the_normal_distribution():
    sums = np.random.default_rng(1).integers(-25, 26, 4000)
    ratio = (abs(sums.sum()) - 0.5) / np.sqrt((sums**2).sum())
    assert permutation_p(sums) == pytest.approx(2 * norm.sf(ratio), abs=0.01)


def predictions(scores, labels=("fake", "fake", "real", "real"), videos=("", "", "", "")):
    return pd.DataFrame({"path": list("abcd"), "dataset": "d", "video": videos, "label": labels, "score": scores})


def test_models_are_compared_on_shared_images_only():
    a = predictions([0.9, 0.8, 0.7, 0.1])
    b = predictions([3.0, -1.0, -2.0, -3.0])[1:]  # not probabilities: the threshold is 0
    (result,) = compare_models(a, b)
    assert (result.level, result.n, result.accuracy_a, result.accuracy_b) == ("image", 3, 2 / 3, 2 / 3)
    assert (result.only_a, result.only_b) == (1, 1)
    assert (result.auc_a, result.auc_b) == (1, 1)


def test_videos_are_compared_too_if_one_has_several_images_and_frames_have_no_p_value():
    a = predictions([0.9, 0.2, 0.7, 0.1], videos=("v", "v", "w", "w"))
    frame, video = compare_models(a, a)
    assert (frame.level, frame.n, video.level, video.n) == ("frame", 4, "video", 2)
    assert (frame.accuracy_a, video.accuracy_a) == (0.5, 1)
    assert np.isnan([frame.accuracy.p, frame.auc.p]).all() and frame.clusters == 2
    assert video.accuracy.p == 1


def test_videos_of_one_person_are_one_cluster():
    videos = [f"v{number}" for number in range(40)]
    a = pd.DataFrame({"path": videos, "dataset": "d", "video": videos, "label": ["fake", "real"] * 20, "score": 0.7})
    person = a.assign(identity=[f"p{number // 10}" for number in range(40)])
    b = person[["dataset", "path", "label"]].assign(score=[0.1, 0.9] * 15 + [0.9, 0.1] * 5)
    (alone,), (together,) = compare_models(a, b), compare_models(person, b)
    assert (alone.level, alone.clusters, together.clusters) == ("video", 40, 4)
    assert together.accuracy.value == alone.accuracy.value and together.accuracy.p > alone.accuracy.p


def test_conflicting_labels_disjoint_images_and_repeated_images():
    a = predictions([0.9, 0.8, 0.7, 0.1])
    with pytest.raises(UserError, match="labels of 1 of 4 shared images differ, first b: fake in A, real in B"):
        compare_models(a, predictions([0.9, 0.8, 0.7, 0.1], labels=("fake", "real", "real", "real")))
    assert compare_models(a, a.assign(dataset="other")) == []
    with pytest.raises(UserError, match="twice"):
        compare_models(pd.concat([a, a]), a)
