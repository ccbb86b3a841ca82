"""What a printed number says: a range of values, which follows from its digits and from how it may be rounded."""

import re
from dataclasses import dataclass, replace
from fractions import Fraction

from common.errors import UserError

RULES = ("half-up", "half-even", "cut")
BINARY = "binary"  # as programs round: a binary number is just above or below the tie that it stands for
MAX_DIGITS, MAX_EXPONENT = 30, 3  # of a number, and characters of its exponent: exact arithmetic has no other limit
INNER = Fraction(2, 5)
MORE, LESS = ("more than", "over", "exceeding"), ("less than", "under", "below")
ABOUT = ("around", "approximately", "about", "nearly", "almost", "roughly")
SPREAD = re.compile(r"(?:\u00b1|\+\s*/?\s*[-\u2212\u2013]|\\pm\b)[\s$]*(\d*[.,]?\d+)")
NUMBER = re.compile(
    r"(?P<sign>(?<!\S)[-\u2212\u2013])?(?P<whole>\d{1,3}(?:[ ,]\d{3})+(?!\d)|\d+|(?<![\d.,])(?=\.\d))"
    r"(?:\.(?P<decimals>\d+))?"
    r"(?:[eE](?P<exponent>[-+]?\d+))?\s*(?P<mark>[%\uff05]|per ?cent|[kK]\b)?"
)
DECIMAL_COMMA = re.compile(r"(?<![\d.,])(\d*),(\d+)(?![\d.,])")  # only in shares; elsewhere a comma groups thousands


@dataclass(frozen=True)
class Range:
    """The values from low to high, Fractions. Each end is included (closed) or not."""

    low: Fraction
    high: Fraction
    low_closed: bool = True
    high_closed: bool = False

    def __contains__(self, value):
        above = value > self.low or (self.low_closed and value == self.low)
        return above and (value < self.high or (self.high_closed and value == self.high))


@dataclass(frozen=True)
class Printed:
    """A number as it is printed.

    Args:
        text: the printed form.
        value: the number: 0.94 for `94 %`, 30000 for `30k`.
        unit: one step of its last digit.
        hedge: `more than`, `less than`, `about`, or empty.
        exact: whether the number is a count, which is not rounded.
        spread: what follows a plus-minus sign; the number is then a mean, or has a margin of error.
        percent: whether the number is a percentage.
    """

    text: str
    value: Fraction
    unit: Fraction
    hedge: str = ""
    exact: bool = False
    spread: str = ""
    percent: bool = False

    def as_percentage(self) -> "Printed":
        """The number, a share up to 1, read as a percentage."""
        return replace(self, value=self.value / 100, unit=self.unit / 100, percent=True)

    def range(self, rule: str | None = None) -> Range:
        """The values that print like this.

        Args:
            rule: how numbers are rounded, one of RULES, BINARY, `inner` or `mean`; None: any of RULES.

                half-up    from half a unit below, up to but without half a unit above
                half-even  the same, but ties are rounded to the even last digit
                cut        digits are dropped: from the printed value, up to but without a unit above
                binary     half-even, of the nearest binary number
                inner      well within half a unit on either side, whatever the rule for ties
                mean       a unit below to a unit above: numbers are rounded, averaged, and rounded again

        Returns:
            The Range. `more than 67 %` is 67 % and up to one unit more, `less than 35` is 35 and up to one unit less,
            `around 90 %` is up to one unit off on either side.
        """
        if self.value < 0:  # rounding mirrors negative numbers
            mirrored = replace(self, value=-self.value).range(rule)
            return Range(-mirrored.high, -mirrored.low, mirrored.high_closed, mirrored.low_closed)
        value, unit, half = self.value, self.unit, self.unit / 2
        if self.exact:
            return Range(value, value, True, True)
        if self.hedge == "about":
            return Range(value - unit, value + unit, True, True)
        if self.hedge == "more than":
            return Range(value, value + unit)
        if self.hedge == "less than":
            return Range(value - unit, value, False)
        if rule == "inner":
            return Range(value - unit * INNER, value + unit * INNER, True, True)
        if rule == "mean":  # of numbers that were rounded before
            return Range(value - unit, value + unit, True, True)
        if rule == BINARY:
            return Range(value - half, value + half, self._rounds_up(value - half), not self._rounds_up(value + half))
        if rule in ("cut", None) and not value:  # a minus sign may have gone with the digits
            return Range(-unit, unit, False, False)
        if rule in ("cut", None):
            return Range(value if rule else value - half, value + unit)
        even = rule == "half-even" and (value / unit) % 2 == 0
        return Range(value - half, value + half, even or (rule == "half-up" and value > 0), even)

    def _rounds_up(self, tie):
        """Whether a program that prints the tie, as a share or a percentage, rounds it up."""
        exact = tie * 100 if self.percent else tie
        binary = Fraction(float(exact))
        return binary > exact or (binary == exact and (tie - self.unit / 2) / self.unit % 2 == 1)


def parse_printed(text: str, proportion: bool, digits: int | None = None) -> Printed:
    """Read the first number of a printed form.

    Args:
        text: for example `94.8 %`, `0.948`, `9,951`, `30k`, `more than 67%`.
        proportion: whether the number is a share. A share above 1 without a % sign is a percentage, as in `82.20`.
            Other numbers without decimals are counts, which are exact unless they are hedged.
        digits: decimals that the number was rounded to, if they are more than the printed ones (0.8 for 0.800000).

    Raises:
        UserError: if there is no number, or a share above 100 %.
    """
    plain = DECIMAL_COMMA.sub(r"\1.\2", text) if proportion else text
    match = NUMBER.search(plain)
    if not match:
        raise UserError(f"expected a printed number such as 94.8 %, 0.948 or 9,951; got {text!r}")
    sign, whole, decimals, exponent, mark = match.groups()
    if len(whole + (decimals or "")) > MAX_DIGITS or len(exponent or "") > MAX_EXPONENT:
        raise UserError(f"expected a number of at most {MAX_DIGITS} digits, got {text[:MAX_DIGITS]!r}...")
    number = Fraction((re.sub("[ ,]", "", whole) or "0") + "." + (decimals or "0")) * Fraction(10) ** int(exponent or 0)
    number = -number if sign else number
    unit = Fraction(10) ** (int(exponent or 0) - (len(decimals or "") if digits is None else digits))
    scale = Fraction(1)
    if mark and mark in "kK" and not proportion:  # behind a share, a letter marks a footnote
        scale = Fraction(1000)
    elif mark and mark not in "kK" or (proportion and number > 1):
        scale = Fraction(1, 100)
    if proportion and number * scale > 1:
        raise UserError(f"expected a share of at most 100 %, got {text!r}")
    before = plain[: match.start()].lower()
    hedges = {"about": ABOUT, "more than": MORE, "less than": LESS}
    hedge = next((name for name, phrases in hedges.items() if any(phrase in before for phrase in phrases)), "")
    exact = not hedge and not proportion and decimals is None
    spread = SPREAD.search(plain, match.end())
    return Printed(text, number * scale, unit * scale, hedge, exact, spread[1] if spread else "", scale < 1)
