"""What each rule of a flag allows."""

import math

import pytest

from common.runs.rules import Above, AtLeast, AtMost, Below, Distinct


@pytest.mark.parametrize(
    ("rule", "legal", "illegal"),
    [
        (AtLeast(0), [0, 0.0, 1e9, (0, 5), ()], [-1, -1e-9, math.inf, math.nan, (0, -1)]),
        (Above(0), [1e-9, (0.9, 0.1)], [0, -1, math.inf, math.nan, (0.9, 0.0)]),
        (AtMost(63), [63, -5, (1, 63)], [64, math.nan, (1, 64)]),
        (Below(1), [0.999, (0.1, 0.2)], [1, math.nan, (0.1, 1)]),
        (Distinct(), [(), ("a",), ("a", "b")], [("a", "a")]),
        (Distinct(1), [(3,), (3, 5)], [(), (3, 3)]),
    ],
)
def test_a_rule_allows_what_it_says(rule, legal, illegal):
    assert [value for value in legal if not rule.allows(value)] == []
    assert [value for value in illegal if rule.allows(value)] == []


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (AtLeast(35), "a number of at least 35"),
        (Above(0), "a number above 0"),
        (AtMost(0.5), "a number of at most 0.5"),
        (Below(1), "a number below 1"),
        (Distinct(), "each value once"),
        (Distinct(2), "each value once, at least 2 of them"),
    ],
)
def test_a_rule_says_what_is_expected(rule, expected):
    assert rule.expected == expected
