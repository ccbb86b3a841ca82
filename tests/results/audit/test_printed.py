from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import UserError
from results.audit.printed import RULES, parse_printed

DECIMAL_RULES = dict(zip(RULES, (ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_DOWN), strict=True))


@given(st.integers(1, 400), st.integers(0, 400), st.integers(1, 6), st.sampled_from(RULES), st.booleans())
def test_a_share_lies_in_the_range_of_what_the_decimal_module_prints(whole, part, digits, rule, percent):
    share = Fraction(min(part, whole), whole)
    with localcontext(prec=60):
        exact = Decimal(share.numerator) * (100 if percent else 1) / Decimal(share.denominator)
        shown = exact.quantize(Decimal(1).scaleb(-digits), DECIMAL_RULES[rule])
    printed = parse_printed(f"{shown} %" if percent else str(shown), proportion=True)
    assert share in printed.range(rule) and share in printed.range()
    assert printed.value - printed.unit not in printed.range() and printed.value + printed.unit not in printed.range()


@pytest.mark.parametrize(
    ("text", "proportion", "value", "unit", "exact"),
    [
        ("94.67%", True, "0.9467", "0.0001", False),
        ("82.20", True, "0.8220", "0.0001", False),
        ("0.956400", True, "0.9564", "0.000001", False),
        ("1.0", True, "1", "0.1", False),
        ("54,279,266", False, "54279266", "1", True),
        ("9 951", False, "9951", "1", True),
        ("80 k", False, "80000", "1000", True),
        ("15 per cent", True, "0.15", "0.01", False),
        ("0.0003", False, "0.0003", "0.0001", False),
        ("1e-4", False, "0.0001", "0.0001", True),
        ("-0.05", True, "-0.05", "0.01", False),
        ("3-4 fakes", False, "3", "1", True),
        ("70:20:10", True, "0.7", "0.01", False),
    ],
)
def test_printed_forms(text, proportion, value, unit, exact):
    printed = parse_printed(text, proportion)
    assert (printed.value, printed.unit, printed.exact) == (Fraction(value), Fraction(unit), exact)


def test_hedges_widen():
    more, around = parse_printed("more than 67%", True).range(), parse_printed("around 90%", True).range()
    assert Fraction("0.6757") in more and Fraction("0.68") not in more and Fraction("0.6699") not in more
    assert Fraction("0.89") in around and Fraction("0.91") in around and Fraction("0.92") not in around
    assert Fraction(98_000) in parse_printed("approximately 98K", False).range()
    assert not parse_printed("over 590,000", False).exact


def test_digits_that_were_dropped_come_back():
    assert Fraction("0.8000004") in parse_printed("0.8", True, digits=6).range()
    assert Fraction("0.81") not in parse_printed("0.8", True, digits=6).range()


@pytest.mark.parametrize("text", ["", "high", "120 %"])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(UserError, match="expected a"):
        parse_printed(text, True)
