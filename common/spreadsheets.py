"""CSV cells that no spreadsheet takes for formulas.

A spreadsheet runs a cell that begins with `=`, `+`, `-`, `@`, a tab or a line end (OWASP, "CSV Injection"). In every
CSV that the suite writes such a cell has an apostrophe before it, unless it is a number; the suite's readers take it
away again. A cell that had apostrophes before such a character gets one more, so that nothing is lost.
"""

import re

import pandas as pd

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff0b", "\uff0d", "\uff1d", "\uff20", "'")
FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff0b\uff0d\uff1d\uff20]")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf", re.ASCII)


def escape_formula(cell: str) -> str:
    """Return a cell's text, with an apostrophe before it if a spreadsheet would take it for a formula."""
    return f"'{cell}" if FORMULA.match(cell) and not NUMBER.fullmatch(cell) else cell


def escape_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose header and texts are escaped."""
    changes = {}
    for name, column in table.select_dtypes(exclude=["number", "bool"]).items():
        suspect = column.astype(str).str.startswith(STARTS).to_numpy(dtype=bool)
        if suspect.any():
            changes[name] = column.where(~suspect, column.map(_escape_text))
    escaped = table.assign(**changes) if changes else table
    return escaped.rename(columns=_escape_text) if any(map(FORMULA.match, map(str, table))) else escaped


def unescape_formulas(column: pd.Series) -> pd.Series:
    """Return texts as they were before `escape_formulas`."""
    suspect = column.str.startswith("'").to_numpy(dtype=bool)
    return column.where(~suspect, column.map(unescape_formula)) if suspect.any() else column


def unescape_formula(cell: str) -> str:
    """Return a text as it was before `escape_formula`."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell[1:]) else cell


def _escape_text(cell):
    return escape_formula(cell) if isinstance(cell, str) else cell
