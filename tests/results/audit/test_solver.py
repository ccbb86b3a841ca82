"""The solver against brute force: every matrix, every metric as an exact fraction, printed by the decimal module."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from itertools import combinations
from math import isqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from results.audit.conflict import explain
from results.audit.forms import METRICS, NOT_LINEAR, SHARES
from results.audit.matrices import MAX_N, Sizes, Statement
from results.audit.printed import RULES, parse_printed
from results.audit.rounding import is_plausible, not_half_up
from results.audit.solver import solve, true_positives

ROUNDINGS = dict(zip(RULES, (ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_DOWN), strict=True))
LINEAR = tuple(metric for metric in METRICS if metric != "auc")


def ratio(numerator, denominator):
    return Fraction(numerator) / denominator if denominator else Fraction(0)


def root(square):
    """Exact for a square number, otherwise to 30 digits, which no tie needs."""
    return isqrt(square) if isqrt(square) ** 2 == square else Fraction(isqrt(square * 10**60), 10**30)


def harmonic(first, second):
    return ratio(2 * first * second, first + second)


def oracle(metric, tp, fp, fn, tn):
    """The metric's definition, term by term, undefined precision 0."""
    n, fakes, reals = tp + fp + fn + tn, tp + fn, fp + tn
    precision, precision_real = ratio(tp, tp + fp), ratio(tn, tn + fn)
    recall, specificity = ratio(tp, fakes), ratio(tn, reals)
    f1, f1_real = ratio(2 * tp, 2 * tp + fp + fn), ratio(2 * tn, 2 * tn + fp + fn)
    accuracy = Fraction(tp + tn, n)
    chance = Fraction((tp + fp) * fakes + (fn + tn) * reals, n * n)
    macro, weighted = (precision + precision_real) / 2, (fakes * precision + reals * precision_real) / n
    square = (tp + fp) * (fn + tn) * fakes * reals
    return {
        "tp": tp, "fp": fp, "fn": fn, "tn": tn, "fakes": fakes, "reals": reals, "n": n,
        "accuracy": accuracy, "error_rate": 1 - accuracy, "precision": precision, "recall": recall,
        "miss_rate": 1 - recall, "specificity": specificity, "false_alarm_rate": 1 - specificity, "f1": f1,
        "precision_real": precision_real, "f1_real": f1_real, "balanced_accuracy": (recall + specificity) / 2,
        "kappa": (accuracy - chance) / (1 - chance),
        "macro_precision": macro, "macro_f1": (f1 + f1_real) / 2,
        "weighted_precision": weighted, "weighted_specificity": (fakes * specificity + reals * recall) / n,
        "f1_of_macro": harmonic(macro, (recall + specificity) / 2), "f1_of_weighted": harmonic(weighted, accuracy),
        "mcc": ratio(tp * tn - fp * fn, root(square)),
        "weighted_f1": (fakes * f1 + reals * f1_real) / n,
    }[metric]  # fmt: skip


def prints(share, digits, rule):
    with localcontext(prec=60):
        exact = Decimal(share.numerator) / Decimal(share.denominator)
        return str(exact.quantize(Decimal(1).scaleb(-digits), ROUNDINGS[rule]) + 0)  # + 0: no -0.00


def matrices(sizes):
    """Every (tp, fp, fn, tn) of the sizes."""
    totals = [sizes.n] if sizes.n else [sizes.fakes + sizes.reals] if sizes.known else range(2, sizes.max_n + 1)
    for n in totals:
        for fakes in [sizes.fakes] if sizes.known else range(1, n):
            for tp in range(fakes + 1):
                for fp in range(n - fakes + 1):
                    yield tp, fp, fakes - tp, n - fakes - fp


def found(solutions):
    rows = zip(solutions.fakes, solutions.reals, solutions.tp, solutions.low, solutions.high, strict=True)
    return {
        (int(tp), fp, int(fakes - tp), int(reals - fp))
        for fakes, reals, tp, low, high in rows
        for fp in range(low, high + 1)
    }


def statement(metric, share, digits, rule, ties=False):
    text = str(share) if metric not in SHARES else prints(share, digits, rule)
    return Statement(metric, parse_printed(text, metric in SHARES), ties=ties)


planted = st.tuples(*[st.integers(0, 7)] * 4).filter(lambda counts: counts[0] + counts[2] and counts[1] + counts[3])
kinds = st.sampled_from(["known", "n", "nothing"])


def sizes_of(kind, tp, fp, fn, tn):
    if kind == "known":
        return Sizes(tp + fn, fp + tn)
    return Sizes(n=tp + fp + fn + tn) if kind == "n" else Sizes(max_n=9)


QUESTIONS = (
    planted,
    kinds,
    st.sampled_from(RULES),
    st.lists(st.tuples(st.sampled_from(LINEAR), st.integers(1, 4), planted), min_size=1, max_size=4),
    st.booleans(),
)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(*QUESTIONS)
def test_it_finds_what_brute_force_finds(counts, kind, rule, wanted, true):
    check_against_brute_force(counts, kind, rule, wanted, true)


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(*QUESTIONS)
def test_it_finds_what_brute_force_finds_in_many_cases(counts, kind, rule, wanted, true):
    check_against_brute_force(counts, kind, rule, wanted, true)


def check_against_brute_force(counts, kind, rule, wanted, true):
    """For numbers of one matrix (true) and of several (mostly false): no matrix is lost. One is too many only if an
    average, which is compared as a float, is a tie."""
    sizes = sizes_of(kind, *counts)
    chosen = [(metric, digits, oracle(metric, *(counts if true else other))) for metric, digits, other in wanted]
    if kind == "known":
        chosen = [one for one in chosen if one[0] not in ("fakes", "reals", "n")]
        assume(chosen)
    statements = [statement(metric, share, digits, rule) for metric, digits, share in chosen]
    expected = {
        matrix
        for matrix in matrices(sizes)
        if all(
            oracle(metric, *matrix) == share
            if metric not in SHARES
            else prints(oracle(metric, *matrix), digits, rule) == prints(share, digits, rule)
            for metric, digits, share in chosen
        )
    }
    solutions = found(solve(statements, sizes, rule))
    assert solutions == found(solve(statements, sizes, rule, within=solve(statements, sizes)))
    assert expected <= solutions
    for extra in solutions - expected:
        averages = [(oracle(metric, *extra), digits) for metric, digits, _ in chosen if metric in NOT_LINEAR]
        assert any((2 * average * 10**digits).denominator == 1 for average, digits in averages)
    if true and (kind != "nothing" or sum(counts) <= sizes.max_n):
        assert counts in expected


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 324), st.integers(2, 5), st.booleans())
def test_an_auc_is_a_count_of_pairs(fakes, reals, halves, digits, ties):
    """Without ties only whole pairs, with them half pairs; and a matrix bounds the curve through its point."""
    pairs = fakes * reals
    auc = Fraction(min(halves, 2 * pairs), 2 * pairs)
    shown = prints(auc, digits, "half-up")
    solutions = solve([statement("auc", auc, digits, "half-up", ties)], Sizes(fakes, reals), "half-up")
    steps = 2 * pairs if ties else pairs
    exists = any(prints(Fraction(k, steps), digits, "half-up") == shown for k in range(steps + 1))
    assert bool(solutions.count) == exists
    low, high = parse_printed(shown, True).range("half-up").low, parse_printed(shown, True).range("half-up").high
    expected = {
        (tp, fp, fakes - tp, reals - fp)
        for tp in range(fakes + 1)
        for fp in range(reals + 1)
        if exists and Fraction(tp * (reals - fp), pairs) <= high and 1 - Fraction(fp * (fakes - tp), pairs) >= low
    }
    assert found(solutions) == expected


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=12), st.lists(st.booleans(), min_size=12, max_size=12), st.data())
def test_the_auc_of_real_scores_fits_their_own_matrix(scores, labels, data):
    from sklearn.metrics import roc_auc_score

    labels = np.array(labels[: len(scores)])
    assume(0 < labels.sum() < len(labels))
    called = np.array(scores) >= data.draw(st.sampled_from(scores))
    counts = [int((called == call)[labels == label].sum()) for call, label in ((1, 1), (1, 0), (0, 1), (0, 0))]
    auc = Fraction(roc_auc_score(labels, scores)).limit_denominator(1000)
    statements = [statement("auc", auc, 4, "half-up", ties=True)]
    statements += [statement(metric, oracle(metric, *counts), 3, "half-up") for metric in ("accuracy", "recall")]
    assert tuple(counts) in found(solve(statements, Sizes(int(labels.sum()), int((~labels).sum()))))


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(
    planted,
    st.lists(st.tuples(st.sampled_from(LINEAR[:4] + SHARES[:12]), planted), min_size=2, max_size=5),
    st.sampled_from(["known", "n"]),
)
def test_a_smallest_clash_is_one(counts, wanted, kind):
    """No matrix satisfies it, one satisfies each of its parts, and no smaller set of the statements clashes."""
    assume(all(metric != "auc" for metric, _ in wanted))
    sizes = sizes_of(kind, *counts)
    statements = [statement(metric, oracle(metric, *other), 2, "half-up") for metric, other in wanted]
    matrices_of = [found(solve([one], sizes)) for one in statements]
    assume(not set.intersection(*matrices_of))
    conflict = explain(statements, sizes)
    size = len(conflict.clashes[0])
    sets = dict(zip(map(id, statements), matrices_of, strict=True))
    for clash in conflict.clashes:
        assert len(clash) == size and not set.intersection(*(sets[id(one)] for one in clash))
    for smaller in range(1, size):
        for places in combinations(range(len(statements)), smaller):
            assert set.intersection(*(matrices_of[place] for place in places))
    kept = [place for place, one in enumerate(statements) if one not in conflict.left_out]
    if kept:
        assert found(conflict.rest) == set.intersection(*(matrices_of[place] for place in kept)) != set()


def test_the_largest_fit_leaves_out_as_little_as_possible():
    statements = [statement(m, v, 3, "half-up") for m, v in (("accuracy", Fraction(9, 10)), ("recall", Fraction(4, 5)))]
    statements += [statement(m, Fraction(9, 10), 3, "half-up") for m in ("specificity", "precision")]
    conflict = explain(statements, Sizes(50, 50))
    assert [one.metric for one in conflict.left_out] == ["recall"] or len(conflict.left_out) == 1


def test_exchanged_counts_are_recognised():
    counts = {"tp": 90, "fp": 20, "fn": 5, "tn": 85}
    statements = [Statement(metric, parse_printed(str(count), False)) for metric, count in counts.items()]
    conflict = explain(statements, Sizes(110, 90))
    (exchanged,) = conflict.readings.values()
    assert exchanged.first_matrix() == {"tp": 90, "fp": 5, "fn": 20, "tn": 85}
    turned = explain(statements, Sizes(105, 95)).readings
    assert turned["with real as the positive class"].first_matrix() == {"tp": 85, "fp": 5, "fn": 20, "tn": 90}


def test_the_number_that_was_cut_is_named():
    """8 of 9 as 0.888 was cut; 7 of 9 as 0.778 was rounded."""
    recall = Statement("recall", parse_printed("0.888", True))
    specificity = Statement("specificity", parse_printed("0.778", True))
    sizes = Sizes(9, 9)
    assert all(not solve([recall, specificity], sizes, rule).count for rule in RULES)
    assert solve([recall, specificity], sizes).count == 1
    assert not_half_up([specificity, recall], sizes) == (recall,)


def test_a_few_cut_numbers_are_plausible_and_half_of_them_are_not():
    """TP 20, FP 4, FN 10, TN 26: each of these four has a fifth digit above 5, so that it shows whether it was cut."""
    exact = {"recall": Fraction(2, 3), "specificity": Fraction(26, 30), "accuracy": Fraction(46, 60)}
    exact["f1_real"] = Fraction(52, 66)
    cut, rounded = (
        [statement(metric, share, 4, rule) for metric, share in exact.items()] for rule in ("cut", "half-up")
    )
    for number, plausible in enumerate((True, True, False, True, True)):
        mixed = cut[:number] + rounded[number:]
        solutions = solve(mixed, Sizes(30, 30))
        assert solutions.count == 1 and is_plausible(mixed, solutions) == plausible
        assert len(not_half_up(mixed, Sizes(30, 30))) == number


def test_one_class_size_may_be_given():
    recall, precision = (Statement(metric, parse_printed("0.5000", True)) for metric in ("recall", "precision"))
    solutions = solve([recall, precision], Sizes(fakes=2000))
    assert set(solutions.fakes) == {2000} and solutions.reals.max() == MAX_N
    assert (solutions.tp == 1000).all() and solve([recall], Sizes(reals=3)).count


def test_bounds_of_the_true_positives_lose_nothing():
    """The rows that `true_positives` keeps are few, and hold all solutions: all class sizes of n = 40."""
    fakes = np.arange(1.0, 40)
    statements = [Statement("precision", parse_printed("0.80", True)), Statement("f1", parse_printed("0.70", True))]
    low, high = true_positives(statements, fakes, 40 - fakes)
    solutions = found(solve(statements, Sizes(n=40)))
    assert solutions and all(low[tp + fn - 1] <= tp <= high[tp + fn - 1] for tp, fp, fn, tn in solutions)
    assert (high - low + 1).clip(0).sum() < (fakes + 1).sum() / 2


def test_large_numbers_lose_nothing():
    """Beyond 2^53 the arithmetic is inexact; the planted matrix must survive."""
    tp, fp, fn, tn = 4_000_003, 999_999, 1_000_000, 5_000_001
    statements = [statement(metric, oracle(metric, tp, fp, fn, tn), 6, "half-up") for metric in ("kappa", "precision")]
    solutions = solve([*statements, Statement("tp", parse_printed(str(tp), False))], Sizes(tp + fn, fp + tn))
    row = solutions.tp == tp
    assert row.any() and solutions.low[row][0] <= fp <= solutions.high[row][0]


@pytest.mark.parametrize("metric", LINEAR)
def test_ranges_are_those_of_the_solutions(metric):
    statements = [Statement("accuracy", parse_printed("0.7", True))]
    solutions = solve(statements, Sizes(7, 5))
    values = [float(oracle(metric, *matrix)) for matrix in found(solutions)]
    if metric not in ("precision", "precision_real"):  # undefined ones are left out of a range
        assert solutions.range(metric) == pytest.approx((min(values), max(values)))
