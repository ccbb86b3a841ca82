"""Numbers and tables as text and as Markdown."""

import re
from collections.abc import Iterable, Sequence

import pandas as pd

from common.evaluation.metrics import COUNTS, METRICS

TAG = re.compile(r"<(?=[A-Za-z/!?])")
LINK = re.compile(r"\]\(")


def format_decimals(value: float | None, digits: int = 3) -> str:
    """A number with a fixed number of decimals; empty if it is missing (None or NaN)."""
    return "" if value is None or pd.isna(value) else f"{value:.{digits}f}"


def format_interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """An interval as `0.123 to 0.456`; empty if it is missing (None or NaN)."""
    return "" if low is None or pd.isna(low) else f"{low:.{digits}f} to {high:.{digits}f}"


def format_count(value: float | None) -> str:
    """A whole number without decimals; empty if it is missing (None or NaN)."""
    return "" if value is None or pd.isna(value) else str(int(value))


def format_number(value: float, metric: str = "", digits: int = 4) -> str:
    """A number; empty if it is missing (NaN).

    Args:
        value: the number.
        metric: its metric. Counts, and whole numbers above 1, have no decimals, or one if they are a mean.
        digits: decimals of everything else.
    """
    if pd.isna(value):
        return ""
    if _is_whole(value, metric):
        digits = 0 if float(value).is_integer() else 1
    return f"{value:.{digits}f}"


def format_measured(
    value: float,
    metric: str = "",
    interval: tuple[float, float] = (float("nan"), float("nan")),
    sd: float = float("nan"),
    seeds: int = 1,
    digits: int = 4,
) -> str:
    """A measured number, for example `0.9123 [0.8870, 0.9310] (sd 0.0040 over 3 seeds)`.

    Args:
        value: the mean over the seeds; NaN if it is missing.
        metric: as for `format_number`.
        interval: the 95 % interval of the mean; NaN if there is none.
        sd: standard deviation over the seeds; NaN for a single one.
        seeds: how many; 0 leaves the number out.
        digits: as for `format_number`.

    Returns:
        The text; empty if the value is missing.
    """
    if pd.isna(value):
        return ""
    if _is_whole(value, metric):
        digits = 1 if sd > 0 else 0  # the mean of counts
    ends = "" if pd.isna(interval[0]) else f" [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"
    if not ends and metric in METRICS and metric not in COUNTS and not pd.isna(sd):
        ends = " [no interval]"
    told = sd_text(sd, seeds, digits)
    return f"{value:.{digits}f}{ends}" + (f" ({told})" if told else "")


def sd_text(sd: float, seeds: int = 0, digits: int = 4) -> str:
    """A standard deviation over seeds, for example `sd 0.0040 over 3 seeds`; empty if it is missing (NaN).

    Args:
        sd: the deviation.
        seeds: how many; 0 leaves the number out.
        digits: decimals.
    """
    return "" if pd.isna(sd) else f"sd {sd:.{digits}f}" + (f" over {seeds} seeds" if seeds else "")


def _is_whole(value, metric):
    return metric in (*COUNTS, "parameters") or (value > 1 and float(value).is_integer())


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


def markdown_text(text: str) -> str:
    """Text for one line of Markdown: no tag of HTML, no link and no line break of its own."""
    line = " ".join(text.splitlines()) if len(text.splitlines()) > 1 else text.strip("\r\n")
    return LINK.sub(r"]\\(", TAG.sub("&lt;", line))


def markdown_table(rows: Iterable[Sequence[str]], left: Sequence[str]) -> list[str]:
    """A Markdown table of rows of text.

    Args:
        rows: rows of equally many cells; the first row is the heading.
        left: headings of the columns that are aligned left; all others are aligned right.

    Returns:
        The lines. `|`, line breaks, HTML and links in cells are escaped.
    """
    heading, *body = [[markdown_text(cell).replace("|", r"\|") for cell in row] for row in rows]
    rule = ["---" if name in left else "---:" for name in heading]
    return [f"| {' | '.join(cells)} |" for cells in (heading, rule, *body)]
