"""The metrics against scikit-learn, or against plain loops for what it does not have (EER, calibration error)."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from common.evaluation.metrics import (
    BINS,
    BLOCK_SIZE,
    METRICS,
    OPERATING_POINTS,
    Ranking,
    as_metrics,
    from_counts,
)

# Few distinct scores give many ties, among them ties with the threshold 0.5.
IMAGES = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.5000001, 0.9, 1.0])), min_size=2)
BOTH_CLASSES = IMAGES.filter(lambda images: len({fake for fake, _ in images}) == 2)


def measured(fake, scores, weights=None, threshold=0.5):
    ranking = Ranking(np.asarray(fake, dtype=bool), np.asarray(scores, dtype=float), threshold)
    weights = np.ones(len(fake), dtype=np.int64) if weights is None else np.asarray(weights)[ranking.order]
    return {name: float(value) for name, value in as_metrics(ranking.measure(weights)).items()}


def oracle(fake, scores):
    """All metrics by scikit-learn's functions; NaN where scikit-learn would warn and return 0."""
    called = np.asarray(scores) >= 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = sklearn_metrics.classification_report(
            fake, called, labels=[0, 1], output_dict=True, zero_division=np.nan
        )
        averages = {
            f"{kind}_{ours}": report[f"{kind} avg"][theirs]
            for kind in ("macro", "weighted")
            for ours, theirs in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score"))
        }
        tn, fp, fn, tp = sklearn_metrics.confusion_matrix(fake, called, labels=[0, 1]).ravel()
    return averages | {
        "accuracy": sklearn_metrics.accuracy_score(fake, called),
        "precision": report["1"]["precision"],
        "recall": report["1"]["recall"],
        "specificity": report["0"]["recall"],
        "precision_real": report["0"]["precision"],
        "f1": report["1"]["f1-score"],
        "f1_real": report["0"]["f1-score"],
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(fake, called),
        "kappa": sklearn_metrics.cohen_kappa_score(fake, called, labels=[0, 1]),
        "auc": sklearn_metrics.roc_auc_score(fake, scores),
        "average_precision": sklearn_metrics.average_precision_score(fake, scores),
        "brier": sklearn_metrics.brier_score_loss(fake, scores),
        "log_loss": sklearn_metrics.log_loss(fake, np.array(scores), labels=[0, 1]),
        "calibration_error": plain_calibration_error(fake, scores),
        **{"tp": tp, "fp": fp, "tn": tn, "fn": fn},
    }


def plain_calibration_error(fake, scores):
    """Guo et al. 2017, equation 3, as a loop over bins of equal width."""
    fake, scores, error = np.array(fake, float), np.array(scores), 0.0
    for place in range(BINS):
        last = place == BINS - 1
        inside = (scores * BINS >= place) & ((scores * BINS < place + 1) | last)
        if inside.any():
            error += inside.mean() * abs(fake[inside].mean() - scores[inside].mean())
    return error


@settings(deadline=None, max_examples=60)
@given(BOTH_CLASSES)
def test_every_metric_equals_scikit_learn(images):
    fake, scores = zip(*images, strict=True)
    ours, theirs = measured(fake, scores), oracle(fake, scores)
    assert set(ours) == set(theirs) | {"eer", *OPERATING_POINTS} == set(METRICS)
    undefined = {name for name in theirs if np.isnan(ours[name])}
    # Nothing called fake (or real) leaves precision undefined; scikit-learn's averages then skip the class.
    assert undefined <= {f"{kind}precision{real}" for kind in ("", "macro_", "weighted_") for real in ("", "_real")}
    for name in set(theirs) - undefined:
        assert ours[name] == pytest.approx(theirs[name], abs=1e-9), name


@settings(deadline=None)
@given(BOTH_CLASSES)
def test_eer_is_where_both_error_rates_cross_on_the_roc(images):
    """Walk along the corners (false positive rate, false negative rate) until the two cross."""
    fake, scores = (np.array(column) for column in zip(*images, strict=True))
    corners = [(0.0, 1.0)]
    for threshold in sorted(set(scores), reverse=True):
        called = scores >= threshold
        corners.append((np.mean(called[~fake]), np.mean(~called[fake])))
    for (x0, y0), (x1, y1) in zip(corners, corners[1:], strict=False):
        if x0 - y0 < 0 <= x1 - y1:
            share = (y0 - x0) / ((x1 - x0) - (y1 - y0))
            expected = x0 + share * (x1 - x0)
    assert measured(fake, scores)["eer"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("decimals", [2, 16])
def test_curves_longer_than_a_block_equal_scikit_learn(decimals):
    random = np.random.default_rng(0)
    fake = random.random(3 * BLOCK_SIZE) < 0.2
    scores = np.round(1 / (1 + np.exp(-random.normal(size=len(fake)) - fake)), decimals)
    ours = measured(fake, scores)
    assert ours["auc"] == pytest.approx(sklearn_metrics.roc_auc_score(fake, scores), abs=1e-12)
    assert ours["average_precision"] == pytest.approx(sklearn_metrics.average_precision_score(fake, scores), abs=1e-12)


def test_eer_between_two_corners():
    """Reals 0.1 0.4, fakes 0.3 0.8 0.9: corners (0, 1) (0, 2/3 missed) (0, 1/3) (1/2, 1/3) ...: crosses at 1/3."""
    assert measured([0, 0, 1, 1, 1], [0.1, 0.4, 0.3, 0.8, 0.9])["eer"] == pytest.approx(1 / 3)


@settings(deadline=None)
@given(BOTH_CLASSES, st.randoms(use_true_random=False))
def test_weights_are_repetitions(images, random):
    weights = [random.randint(0, 3) for _ in images]
    repeated = [image for image, weight in zip(images, weights, strict=True) for _ in range(weight)]
    if len({fake for fake, _ in repeated}) < 2:
        return
    assert measured(*zip(*images, strict=True), weights) == pytest.approx(
        measured(*zip(*repeated, strict=True)), abs=1e-12, nan_ok=True
    )


def test_counts_of_many_resamples_at_once_equal_one_by_one():
    counts = np.random.default_rng(0).integers(0, 4, size=(4, 200))
    together = from_counts(*counts)
    for column in range(200):
        alone = from_counts(*counts[:, column])
        for name, value in alone.items():
            assert np.array_equal(together[name][column], value, equal_nan=True), name


def test_with_one_class_only_its_own_metrics_are_defined():
    fakes = measured([1, 1, 1], [0.2, 0.6, 0.9])
    defined = {name for name, value in fakes.items() if not np.isnan(value)}
    assert defined == {"accuracy", "recall", "brier", "log_loss", "calibration_error", "tp", "fp", "tn", "fn"}
    reals = measured([0, 0], [0.2, 0.6])
    assert {name for name, value in reals.items() if not np.isnan(value)} == defined - {"recall"} | {"specificity"}
    assert {name for name, value in measured([], []).items() if not np.isnan(value)} == {"tp", "fp", "tn", "fn"}


def test_a_score_at_the_threshold_is_fake():
    assert measured([1, 0], [0.5, 0.49])["tp"] == 1


def test_scores_need_not_be_probabilities():
    scores = np.array([-3.0, 2.0, 0.1, -0.4, 7.0])
    fake = [0, 1, 0, 1, 1]
    assert measured(fake, scores)["auc"] == pytest.approx(sklearn_metrics.roc_auc_score(fake, scores))


def drawn(fakes, reals, decimals, seed=0):
    random = np.random.default_rng(seed)
    fake = np.arange(fakes + reals) < fakes
    return fake, np.round(1 / (1 + np.exp(-random.normal(size=len(fake)) - 2 * fake)), decimals)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60), st.integers(80, 320), st.integers(1, 3), st.integers(0, 9))
def test_an_operating_point_is_the_best_threshold_with_few_enough_false_alarms(fakes, reals, decimals, seed):
    """Every threshold is tried; rounded scores make ties."""
    fake, scores = drawn(fakes, reals, decimals, seed)
    found = measured(fake, scores)["tpr_at_fpr_0.01"]
    if reals < 100:
        assert np.isnan(found)
        return
    rates = [np.mean(scores[fake] >= t) for t in (*scores, 2) if 100 * np.sum(scores[~fake] >= t) <= reals]
    assert found == max(rates)


def test_a_rate_of_one_in_1000_needs_1000_reals():
    name = "tpr_at_fpr_0.001"
    assert np.isnan(measured(*drawn(50, 999, 6))[name]) and measured(*drawn(50, 1000, 6))[name] > 0
