"""Averages over classes, folds and seeds are no contradiction; what nothing prints is one."""

import cProfile
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_fscore_support

from results.audit.averages import Restriction, is_mean, least_spread
from results.audit.check import audit_table
from results.audit.matrices import Sizes, Statement
from results.audit.names import is_named_mean
from results.audit.printed import parse_printed
from results.audit.readings import class_averages, means
from results.audit.region import find_region
from results.audit.verdicts import CONTRADICTION, NO_SINGLE, RANGE, ROUNDING, UNIQUE
from tests.results.audit.simulated import FOUR, KINDS, SEVEN, altered, honest_row

FITTING = (UNIQUE, RANGE)


def audit(folder, rows):
    path = folder / "table.csv"
    pd.DataFrame(rows, columns=("row", "metric", "printed")).to_csv(path, index=False)
    findings, _ = audit_table(path)
    return findings


def statements(**printed):
    return [Statement(metric, parse_printed(text, proportion=True)) for metric, text in printed.items()]


def verdicts(folder, kind, number):
    """Of tables with class sizes, with n, and without, in turn."""
    random = np.random.default_rng(sum(map(ord, kind)))
    tables = [honest_row(random, kind, ("n", "classes", "")[place % 3], FOUR) for place in range(number)]
    return [(audit(folder, rows)[0].verdict, rows) for rows in tables]


def check_honest(folder, kind, number):
    allowed = {"truncated": (*FITTING, NO_SINGLE, ROUNDING)}.get(kind, (*FITTING, NO_SINGLE))
    if kind in ("single", "mixed digits"):
        allowed = FITTING
    accused = [(verdict, rows) for verdict, rows in verdicts(folder, kind, number) if verdict not in allowed]
    assert not accused


@pytest.mark.parametrize("kind", KINDS)
def test_an_honest_table_is_not_accused(tmp_path, kind):
    check_honest(tmp_path, kind, 2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_fifteen_honest_tables_are_not_accused(tmp_path, kind):
    """`python -m tests.benchmarks.audit_tables` does the same with more tables."""
    check_honest(tmp_path, kind, 15)


@pytest.mark.slow
@pytest.mark.parametrize("sizes", ["classes", "n"])
def test_an_altered_digit_is_found(tmp_path, sizes):
    """Seven numbers of one matrix, one digit changed: they fit no matrix as rounded numbers.

    `python -m tests.benchmarks.audit_tables` does the same with more tables.
    """
    random, found = np.random.default_rng(5), 0
    for _ in range(30):
        rows = altered(random, honest_row(random, "single", sizes, SEVEN))
        found += audit(tmp_path, rows)[0].verdict not in FITTING
    assert found >= 29


@pytest.mark.parametrize(
    ("numbers", "sizes", "name"),
    [
        (dict(accuracy="0.800", precision="0.8030", recall="0.800", f1="0.7995"), Sizes(100, 100), "macro averages"),
        (dict(accuracy="0.800", precision="0.8030", recall="0.800", f1="0.7995"), Sizes(n=200), "macro averages"),
        (dict(accuracy="0.85", precision="0.8631", recall="0.85", f1="0.8542"), Sizes(50, 150), "weighted averages"),
    ],
)  # fmt: skip
def test_averages_over_classes_are_recognised(numbers, sizes, name):
    """TP 85, FP 25, FN 15, TN 75: precision 0.7727 and 0.8333, recall 0.85 and 0.75, F1 0.8095 and 0.7895.
    TP 40, FP 20, FN 10, TN 130: precision 0.6667 and 0.9286, recall 0.8 and 0.8667, F1 0.7273 and 0.8966."""
    assert find_region(statements(**numbers), sizes) is None
    reading = class_averages(statements(**numbers), sizes)
    assert reading and reading.name == name


def test_python_rounds_ties_as_binary_numbers(tmp_path):
    """651 / 800 = 0.81375 is printed as 0.8137, and 667 / 800 = 0.83375 as 0.8337: TP 336, FP 84, FN 64, TN 316."""
    assert (f"{651 / 800:.4f}", f"{652 / 800:.4f}") == ("0.8137", "0.8150")
    for shift in range(6):  # one more false alarm each: some accuracies are ties
        tp, fp, fn, tn = 336, 84 + shift, 64, 316 - shift
        numbers = {
            "accuracy": (tp + tn) / 800,
            "precision": tp / (tp + fp),
            "recall": tp / (tp + fn),
            "f1": 2 * tp / (2 * tp + fp + fn),
        }
        rows = [("a", metric, f"{value:.4f}") for metric, value in numbers.items()]
        (one,) = audit(tmp_path, [*rows, ("a", "fakes", "400"), ("a", "reals", "400")])
        assert one.verdict == UNIQUE, (rows, one.detail)


def test_a_row_of_mixed_units_is_not_excused_by_percentages_below_one(tmp_path):
    """F1 of precision 0.968 and recall 0.981 is 0.974; as 0.947 % anything is an average of something."""
    rows = [("a", "accuracy", "97.2"), ("a", "precision", "0.968"), ("a", "recall", "0.981"), ("a", "f1", "0.947")]
    (one,) = audit(tmp_path, [*rows, ("a", "n", "2000")])
    told = one.finding.partition(":")[2]
    assert "f1 0.947" in told and "accuracy" not in told and "no single confusion matrix" in told
    assert "Read as percentages" not in one.detail


def test_averages_beside_the_counts_of_their_matrix(tmp_path):
    """TP 412, FP 61, FN 88, TN 239: weighted averages as of scikit-learn."""
    labels, called = np.repeat([1, 0], [500, 300]), np.repeat([1, 0, 1, 0], [412, 88, 61, 239])
    found = precision_recall_fscore_support(labels, called, average="weighted")
    rows = [("a", metric, f"{value:.4f}") for metric, value in zip(("precision", "recall", "f1"), found, strict=False)]
    counts = [("a", name, str(count)) for name, count in (("tp", 412), ("fp", 61), ("fn", 88), ("tn", 239))]
    (one,) = audit(tmp_path, [*rows, *counts])
    assert one.verdict == NO_SINGLE and "weighted averages" in one.finding


def test_what_no_average_prints_is_a_contradiction(tmp_path):
    """In any matrix, and so in any mean, kappa is at most accuracy, and F1 at most the mean of precision and recall."""
    for wrong in ({"kappa": "0.95"}, {"f1": "0.96"}):
        numbers = {"accuracy": "0.90", "precision": "0.91", "recall": "0.90", **wrong}
        (one,) = audit(tmp_path, [("a", metric, text) for metric, text in numbers.items()])
        assert one.verdict == CONTRADICTION and "averages" in one.detail


def test_means_of_very_different_folds():
    """Precision 1 and 1, recall 1 and 0.2, F1 1 and 1/3: recall is 0.4 off its mean 0.6, F1 a third."""
    numbers = statements(precision="1.000", recall="0.600", f1="0.667")
    assert find_region(numbers, Sizes()) is None
    assert is_mean(numbers, Restriction())
    assert least_spread(numbers, Restriction()) > 0.2
    assert not is_mean(numbers, Restriction(spread=0.1))


def test_means_over_seeds_of_one_test_set_have_its_class_shares():
    """Recall 0.80 of 2000 and specificity 0.77 of 3000 make the accuracy 0.782; folds of other shares can have more."""
    numbers = statements(recall="0.800", specificity="0.770", accuracy="0.900")
    assert means(numbers, Sizes(2000, 3000), "same") is None
    assert means(numbers, Sizes(2000, 3000), "any")


def test_plus_minus_says_that_a_number_is_a_mean(tmp_path):
    rows = [
        ("ours", "precision", "1.000 ± 0.000"),
        ("ours", "recall", "0.600 ± 0.566"),
        ("ours", "f1", "0.667 ± 0.471"),
    ]
    (one,) = audit(tmp_path, [*rows, ("ours", "fakes", "100"), ("ours", "reals", "100")])
    assert one.verdict == NO_SINGLE and "±" in one.finding
    assert "about 45% or more off" in one.detail and "usually" not in one.detail, "the table prints how far"
    rows = [("ours", "precision", "0.90 ± 0.01"), ("ours", "recall", "0.80 ± 0.01"), ("ours", "f1", "0.95 ± 0.01")]
    assert audit(tmp_path, rows)[0].verdict == CONTRADICTION


@pytest.mark.parametrize(
    ("row", "metric"), [("Average", "{}"), ("ours (mean)", "{}"), ("Xception, 5-fold", "{}"), ("ours", "mean {}")]
)
def test_a_name_says_that_numbers_are_means(tmp_path, row, metric):
    """TP 60, FP 0, FN 40, TN 100 print them, but no matrix has to; the same numbers of one run are that matrix."""
    numbers = {"precision": "1.000", "recall": "0.600", "f1": "0.750"}
    sizes = [("fakes", "100"), ("reals", "100")]
    rows = [(row, metric.format(name), text) for name, text in numbers.items()]
    (one,) = audit(tmp_path, [*rows, *((row, *size) for size in sizes)])
    assert one.verdict == NO_SINGLE and "means by their name" in one.finding
    (one,) = audit(tmp_path, [("run 5", *number) for number in [*numbers.items(), *sizes]])
    assert one.verdict == UNIQUE


@pytest.mark.parametrize(
    ("row", "metric", "mean"),
    [
        ("Average over data sets", "accuracy", True),
        ("10-fold cross-validation", "recall", True),
        ("ours, over 3 seeds", "f1", True),
        ("Mean Teacher", "accuracy", False),
        ("global average pooling", "accuracy", False),
        ("FedAvg", "accuracy", False),
        ("ours", "Avg. Acc (%)", True),
        ("ours", "macro avg F1", False),
        ("ours", "mean class accuracy", False),
    ],
)
def test_names_of_means(row, metric, mean):
    assert is_named_mean(row, metric) == mean


def test_more_images_than_are_searched(tmp_path):
    """TP 18004, FP 3999, FN 1996, TN 16001 print six digits that no matrix of up to 1000 images prints."""
    tp, fp, fn, tn = 18004, 3999, 1996, 16001
    shares = {
        "accuracy": (tp + tn, 40000),
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "specificity": (tn, tn + fp),
    }
    rows = [("a", metric, f"{float(Fraction(*share)):.6f}") for metric, share in shares.items()]
    (one,) = audit(tmp_path, rows)
    assert one.verdict == RANGE and "more than 1000 images" in one.finding


@pytest.mark.slow
@pytest.mark.parametrize("case", ["many columns", "a million", "unknown", "many rows", "contradictions"])
def test_hostile_tables_take_limited_work(tmp_path, case):
    """Counted as calls of Python functions, which are the same on every machine."""
    random = np.random.default_rng(1)
    rows = {
        "many columns": lambda: honest_row(random, "folds", "n", (*SEVEN, "balanced_accuracy")),
        "a million": lambda: [("a", "accuracy", "0.9"), ("a", "f1", "0.9"), ("a", "n", "1000000")],
        "unknown": lambda: honest_row(random, "single", "", SEVEN),
        "many rows": lambda: _many([honest_row(random, "single", "n") for _ in range(100)], 2000),
        "contradictions": lambda: _many([altered(random, honest_row(random, "single", "")) for _ in range(100)], 500),
    }[case]()
    profile = cProfile.Profile()
    findings = profile.runcall(audit, tmp_path, rows)
    assert findings
    assert sum(entry.callcount for entry in profile.getstats()) < 10_000_000


def _many(tables, number):
    """The rows of `number` models, whose tables are taken in turn."""
    return [(f"model {place}", *rest) for place in range(number) for _, *rest in tables[place % len(tables)]]
