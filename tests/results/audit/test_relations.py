from fractions import Fraction

import pytest

from common.errors import UserError
from results.audit.printed import parse_printed
from results.audit.relations import agreeing_decimals, check_relation

NUMBERS = {"t / a / x": ("5740", False), "t / b / x": ("8270", False), "t / c / x": ("14020", False)}
SHARES = {"t / a / accuracy": ("94.98%", True), "t / b / accuracy": ("94.9%", True), "t / c / accuracy": ("95%", True)}


def check(text):
    return check_relation(text, lambda cell: parse_printed(*(NUMBERS | SHARES)[cell]))


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("[t / a / x] + [t / b / x] = 14010", True),
        ("[t / a / x] + [t / b / x] = [t / c / x]", False),
        ("[t / a / x] / [t / b / x] < 0.695", True),
        ("[t / a / x] * 2 - 1 >= 11479", True),
        ("[t / a / x] > 5740", False),
        ("[t / a / accuracy] = [t / c / accuracy]", True),  # 94.98 and 95 round alike
        ("[t / a / accuracy] = [t / b / accuracy]", True),  # 94.9 may be 94.98 cut
        ("[t / a / accuracy] - [t / c / accuracy] > 0.01", False),
        ("half = [t / a / x] / 2; half + half = [t / a / x]", True),
    ],
)
def test_relations(text, holds):
    assert check(text).holds == holds


def test_both_sides_are_ranges():
    outcome = check("[t / a / accuracy] + 1 <= 2")
    assert outcome.left == (Fraction("1.94975"), Fraction("1.9499")) and outcome.right == (2, 2)


@pytest.mark.parametrize(
    "text",
    [
        "[t / a / x]",
        "[t / a / x] = ",
        "[t / a / x] = open('f')",
        "[t / a / x] == 1 == 2",
        "a = a; a = 1",
        "[t / a / x] ** 2 = 1",
    ],
)
def test_what_is_no_relation_is_refused(text):
    with pytest.raises(UserError, match="expected a relation"):
        check(text)


def test_division_by_zero_is_refused():
    with pytest.raises(UserError, match="divides by zero"):
        check("[t / a / x] / 0 = 1")


def test_decimals_to_which_two_shares_agree():
    assert agreeing_decimals(Fraction("0.9467"), Fraction("0.9470")) == 1
    assert agreeing_decimals(Fraction("0.9498"), Fraction("0.9490")) == 1
    assert agreeing_decimals(Fraction("0.667"), Fraction("0.6633")) == 0
    assert agreeing_decimals(Fraction("0.96"), Fraction("0.67")) is None
