"""Numbers and tables as text and as Markdown."""

from collections.abc import Iterable, Sequence

import pandas as pd

from common.evaluation.metrics import COUNTS


def format_decimals(value: float | None, digits: int = 3) -> str:
    """A number with a fixed number of decimals; empty if it is missing (None or NaN)."""
    return "" if value is None or pd.isna(value) else f"{value:.{digits}f}"


def format_interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """An interval as `0.123 to 0.456`; empty if it is missing (None or NaN)."""
    return "" if low is None or pd.isna(low) else f"{low:.{digits}f} to {high:.{digits}f}"


def format_count(value: float | None) -> str:
    """A whole number without decimals; empty if it is missing (None or NaN)."""
    return "" if value is None or pd.isna(value) else str(int(value))


def format_number(
    value: float, metric: str = "", sd: float = float("nan"), digits: int = 4, plus_minus: str = "+-"
) -> str:
    """A value and its standard deviation, for example `0.9123 +- 0.0040`.

    Args:
        value: the number; NaN if it is missing.
        metric: its metric. Counts, and whole numbers above 1, have no decimals; the mean of several counts has one.
        sd: standard deviation over seeds; NaN for a single seed.
        digits: decimals of everything else.
        plus_minus: the sign between the two.

    Returns:
        The text; empty if the value is missing.
    """
    if pd.isna(value):
        return ""
    without_sd = pd.isna(sd)
    if metric in (*COUNTS, "parameters") or (value > 1 and float(value).is_integer()):
        without_sd = without_sd or sd == 0
        digits = 0 if without_sd else 1
    return f"{value:.{digits}f}" + ("" if without_sd else f" {plus_minus} {sd:.{digits}f}")


def text_table(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Align rows of text in columns. A column that is empty below its heading is left out.

    Args:
        rows: rows of equally many cells; the first row is the heading.
        left: this many columns, and columns without a heading, are aligned left; all others are aligned right.

    Returns:
        The lines, without trailing blanks.
    """
    aligned = []
    for place, column in enumerate(zip(*rows, strict=True)):
        if any(column[1:]):
            width = max(map(len, column))
            align_left = place < left or not column[0]
            aligned.append([cell.ljust(width) if align_left else cell.rjust(width) for cell in column])
    return ["  ".join(cells).rstrip() for cells in zip(*aligned, strict=True)]


def markdown_table(rows: Iterable[Sequence[str]], left: Sequence[str]) -> list[str]:
    """A Markdown table of rows of text.

    Args:
        rows: rows of equally many cells; the first row is the heading.
        left: headings of the columns that are aligned left; all others are aligned right.

    Returns:
        The lines. `|` and line breaks in cells are escaped.
    """
    heading, *body = [[cell.replace("|", r"\|").replace("\n", " ") for cell in row] for row in rows]
    rule = ["---" if name in left else "---:" for name in heading]
    return [f"| {' | '.join(cells)} |" for cells in (heading, rule, *body)]
