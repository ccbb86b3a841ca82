"""CSV files as text: those of other programs, with R's row names and rows that do not fit their header, and our own,
whose formulas have an apostrophe (common.spreadsheets)."""

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd

from common.errors import UserError
from common.spreadsheets import unescape_formula, unescape_formulas

DECIMAL = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*|[+-]?inf", re.ASCII)
CHUNK = 1 << 20  # bytes
ROW_NAMES = "row.names"  # what R calls the column that its write.table leaves out of the header


def read_header(file: Path) -> list[str]:
    """Return the names of the columns, without R's row names.

    Raises:
        UserError: as `read_text_table`.
    """
    return _read_form(file)[0]


def read_text_table(file: Path) -> pd.DataFrame:
    """Read a CSV file with a header; pandas would take an additional first field for an index, in silence.

    Args:
        file: the file, UTF-8.

    Returns:
        All cells as text; an empty cell is ''. R's row names, and apostrophes before formulas, are left out.

    Raises:
        UserError: if the file is missing, not CSV or not UTF-8, or a row has more fields than the header. One more in
            every row is the form of R's write.table, whose first column has no name, and names each row once.
    """
    header, has_row_names = _read_form(file)
    names = [ROW_NAMES, *header] if has_row_names else header
    try:
        table = pd.read_csv(
            file, dtype=str, keep_default_na=False, encoding="utf-8-sig", header=0, names=names,
            index_col=False, usecols=header,
        )  # fmt: skip
    except ValueError as error:  # also pandas' ParserError and UnicodeDecodeError
        raise _unreadable(file, error) from error
    table = table.fillna("")  # the missing cells at the end of a short row
    return table.rename(columns=unescape_formula).apply(unescape_formulas)


def as_decimals(column: pd.Series) -> pd.Series:
    """Read texts as decimal numbers, exactly as Python does; other writings that Python knows, as 1_0, are no numbers.

    Args:
        column: texts (n,).

    Returns:
        float64 (n,); NaN for what is no decimal number.
    """
    texts = column.astype(str)
    return texts.where(texts.map(lambda text: bool(DECIMAL.fullmatch(text))), "nan").astype(np.float64)


def _read_form(file):
    """Return the header and whether each row has one field more, a name."""
    _refuse_null_bytes(file)
    try:
        with open(file, encoding="utf-8-sig", newline="") as opened:
            reader = csv.reader(opened)
            header = next(reader, [])
            longer = rows = filled = 0
            row_names = set()
            first = (0, 0)
            for row in reader:
                rows += bool(row)
                if len(row) > len(header):
                    longer += len(row) == len(header) + 1
                    row_names.add(row[0])
                    filled += row[-1] != ""  # an empty last field is a comma too many, no column of names
                    first = first if first[0] else (reader.line_num, len(row))
    except (csv.Error, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from error
    if not header:
        raise _unreadable(file, "it is empty")
    if longer and longer == rows == len(row_names) and filled and len(set(header)) == len(header):
        return header, True
    if first[0]:
        raise UserError(
            f"{file}: line {first[0]} has {first[1]} fields, the header {len(header)}; quote fields with commas, or "
            "name each column"
        )
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise UserError(f"{file}: the column {twice!r} is there twice; rename one")
    return header, False


def _refuse_null_bytes(file):
    """UserError at a byte 0: pandas would end the cell there, in silence."""
    if not file.is_file():
        raise UserError(f"no such file: {file}")
    with open(file, "rb") as opened:
        while chunk := opened.read(CHUNK):
            if b"\0" in chunk:
                raise _unreadable(file, "it has bytes that are 0; if it is UTF-16, save it as UTF-8")


def _unreadable(file, error):
    return UserError(f"{file} is not a readable CSV file: {str(error).strip()}")
