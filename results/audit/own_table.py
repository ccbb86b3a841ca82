"""A user's own table: one number a line (row, metric, printed), or one model a line with a column for each metric."""

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from common.errors import UserError
from results.audit.forms import COUNTS, SHARES
from results.audit.names import parse_name
from results.audit.printed import NUMBER, SPREAD, parse_printed

REQUIRED_COLUMNS = ("row", "metric", "printed")  # of the long form
CELL_COLUMNS = ["table", "row", "metric"]
BLANK = re.compile(r"[\s\-\u2010-\u2015\u2212/.]*|n/?\.?a\.?|nan|none|null|tbd", re.IGNORECASE)
MARKS = re.compile(r"[*\u2020\u2021\u00a7\u00b6\u2190-\u2193\u00b9\u00b2\u00b3\u2070-\u2079$~{}\s%]|\\\w+|<[^>]*>")
BRACKETS = re.compile(r"^\W?[a-z]?$|^\[\w+\]$|^\^?\w$", re.IGNORECASE)  # what may follow a number as a footnote mark
MAX_COUNT = 10_000_000  # of images: all class sizes are tried
ENCODINGS = ("utf-8-sig", "cp1252")


@dataclass
class OwnTable:
    """What was read.

    Args:
        rows: a DataFrame with the columns table, row, metric, printed, n.
        unused: lines that name what is not used, and why.
    """

    rows: pd.DataFrame
    unused: list[str] = field(default_factory=list)


def read_own_table(path: str | Path) -> OwnTable:
    """Read a CSV file, separated by commas, semicolons or tabs, in the long or the wide form.

    Args:
        path: in the long form the columns are row, metric, printed, and optionally table and n. In the wide form
            there is a column for each metric, under any of its usual names, and others, which name the row.

    Raises:
        UserError: if the file is in neither form, or it has no rows, or prints a number twice.
    """
    lines, decimal_comma = _read_lines(path)
    header = [name.strip() for name in lines[0]] if lines else []
    lower = [name.lower() for name in header]
    if "metric" in lower or ("row" in lower and "printed" in lower):
        table = _read_long(path, lower, lines[1:])
    else:
        table = _read_wide(path, header, lines[1:])
    rows = table.rows
    duplicated = rows.duplicated(CELL_COLUMNS)
    if rows.empty or duplicated.any():
        problem = "no rows" if rows.empty else f"{' / '.join(rows.loc[duplicated, CELL_COLUMNS].iloc[0])} twice"
        raise UserError(f"{path}: expected each number once, table / row / metric; found {problem}")
    return _checked(table, decimal_comma)


def _read_lines(path):
    """The fields of each line that is not empty, and whether numbers have decimal commas."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path} is not a readable CSV file: {error.strerror or error}") from error
    for encoding in ENCODINGS:
        try:
            text = raw.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise UserError(f"{path} is not a readable CSV file: it is neither UTF-8 nor Windows-1252")
    header = text.partition("\n")[0]
    separator = max(",;\t", key=header.count)
    try:
        lines = list(csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise UserError(f"{path} is not a readable CSV file: {error}") from error
    lines = [line for line in lines if any(value.strip() for value in line)]
    if len(lines) > 1 and all(len(line) == len(lines[0]) + 1 for line in lines[1:]):
        lines[0].insert(0, "")  # as R's write.table, whose header has no name for the rows
    for number, line in enumerate(lines[1:], 2):
        if any(value.strip() for value in line[len(lines[0]) :]):
            raise UserError(
                f"{path}: expected {len(lines[0])} fields a line, as in the header, found {len(line)} in row {number}; "
                "put values with commas into quotes, or separate fields by semicolons"
            )
    return lines, bool(re.search(r"(?<![\d.,])\d+,\d{1,2}(?![\d.,])", text)) and separator != ","


def _read_long(path, header, lines):
    header = ["printed" if name == "value" else name for name in header]
    missing = [column for column in REQUIRED_COLUMNS if column not in header]
    if missing:
        raise UserError(
            f"{path}: expected the columns {', '.join(REQUIRED_COLUMNS)}, and optionally table and n, or one line a "
            f"model with a column for each metric; missing: {', '.join(missing)}"
        )
    width = len(header)
    rows = pd.DataFrame([(line + [""] * width)[:width] for line in lines], columns=header, dtype=str)
    unknown = [name for name in header if name not in ("table", "row", "metric", "printed", "n")]
    unused = [f"not used: column {name}" for name in unknown]
    rows = rows.assign(table=rows.get("table", "table"))
    rows["n"] = [_parse_n(n, path) for n in rows["n"]] if "n" in rows else None
    return OwnTable(rows.drop(columns=unknown), unused)


def _read_wide(path, header, lines):
    names = [parse_name(name) for name in header]
    metrics = [place for place, name in enumerate(names) if name.metric]
    if not metrics:
        raise UserError(
            f"{path}: expected the columns {', '.join(REQUIRED_COLUMNS)}, or one line a model with a column for each "
            f"metric, such as accuracy, precision, recall, F1, n; found {', '.join(header) or 'no columns'}"
        )
    labels = [place for place in range(len(header)) if not names[place].metric and _is_text(lines, place)]
    unused = [f"not used: column {header[place]}: {name.unused}" for place, name in enumerate(names) if name.unused]
    others = set(range(len(header))) - {*metrics, *labels} - {p for p, name in enumerate(names) if name.unused}
    unused += [f"not understood: column {header[place] or place + 1}" for place in sorted(others)]
    labels = [place for place in labels if not names[place].unused]
    percent = {place for place in metrics if names[place].percent or _has_percentages(lines, place, names[place])}
    rows, seen = [], {}
    for line_number, line in enumerate(lines, 2):
        line = line + [""] * (len(header) - len(line))
        row = " / ".join(filter(None, (line[p].strip().replace(" / ", "/") for p in labels))).replace(" / ", ", ")
        seen[row] = seen.get(row, 0) + 1
        row = row if row and seen[row] == 1 else f"{row} (line {line_number})".strip()
        for place in metrics:
            mark = " %" if place in percent and _plain_share(line[place], names[place]) else ""
            rows.append(("table", row, header[place], _marked(line[place], mark), None))
    return OwnTable(pd.DataFrame(rows, columns=[*CELL_COLUMNS, "printed", "n"]), unused)


def _checked(table, decimal_comma):
    """The table without blank cells and cells that are no numbers, which are named."""
    rows, blank, keep = table.rows, 0, []
    for cell in rows.itertuples():
        name, text = parse_name(cell.metric), str(cell.printed).strip()
        title = f"[{cell.table} / {cell.row} / {cell.metric}]"
        metric = name.metric or cell.metric.strip().lower()
        reason = ""
        if BLANK.fullmatch(text):
            blank += 1
            keep.append(False)
            continue
        if decimal_comma and metric in COUNTS:
            text = re.sub(r"(?<=\d)\.(?=\d{3}(?!\d))", "", text)  # where the comma is decimal, the point groups
        try:
            printed = parse_printed(text, metric in SHARES)
            rest = _rest(text, metric in SHARES)
            if rest:
                table.unused.append(f"not used: {rest!r} in {title} {text!r}, read as {float(printed.value):g}")
            if metric in COUNTS and abs(printed.value) > MAX_COUNT:
                reason = f"a count above {MAX_COUNT:,}, which is not compared"
            elif metric in COUNTS and not printed.exact:
                reason = "a count that is not whole, so a mean, which was not compared"
        except UserError as error:
            reason = str(error)
        if reason:
            table.unused.append(f"not understood: {title}: {reason}")
        keep.append(not reason)
        rows.at[cell.Index, "printed"] = text
    if blank:
        table.unused.append(f"blank: {blank} of {len(rows)} cells")
    return OwnTable(rows[keep].reset_index(drop=True), table.unused)


def _rest(text, share):
    """What stands behind a number and its spread and is no footnote mark."""
    plain = text.replace(",", ".") if share else text
    match = NUMBER.search(plain)
    spread = SPREAD.search(plain, match.end())
    start, end = spread.span() if spread else (match.end(), match.end())
    rest, before = text[match.end() : start] + text[end:], text[: match.start()]
    if not BRACKETS.match(MARKS.sub("", rest)):
        return rest.strip()
    return before.strip() if re.search(r"\d", MARKS.sub("", before)) else ""


def _is_text(lines, place):
    """Whether a column names rows: most of its fields have letters."""
    fields = [line[place] for line in lines if place < len(line) and line[place].strip()]
    return bool(fields) and sum(bool(re.search(r"[^\W\d_]", field)) for field in fields) > len(fields) / 2


def _plain_share(text, name):
    return name.metric in SHARES and NUMBER.search(text.replace(",", ".")) and "%" not in text


def _has_percentages(lines, place, name):
    """Whether a number of the column is above 1, so that all are percentages."""
    fields = [line[place].replace(",", ".") for line in lines if place < len(line)]
    matches = [match for match in map(NUMBER.search, fields) if match]
    numbers = [float(f"{re.sub(r'[^0-9]', '', match['whole'] or '0')}.{match['decimals'] or 0}") for match in matches]
    return name.metric in SHARES and max(numbers, default=0) > 1


def _marked(text, mark):
    """The text, with the mark behind its number."""
    match = NUMBER.search(text.replace(",", ".")) if mark else None
    return f"{text[: match.end()].rstrip()}{mark} {text[match.end() :]}".strip() if match else text


def _parse_n(text, path):
    digits = re.sub(r"[,\s\u00a0\u202f']", "", text)
    if BLANK.fullmatch(digits):
        return None
    if not re.fullmatch(r"\d+", digits):
        raise UserError(f"{path}: expected a whole number in the column n, got {text!r}")
    if len(digits) > len(str(MAX_COUNT)) or int(digits) > MAX_COUNT:
        raise UserError(f"{path}: expected at most {MAX_COUNT:,} in the column n, got {text[:40]!r}")
    return int(digits)
