"""The audit of a paper, or of a user's own table: read, solve, collect."""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from common.errors import UserError
from common.files import write_csv
from results.audit.findings import READING, Finding, audit_group, audit_relation
from results.audit.relations import CELL
from results.audit.table import Table, groups, is_share
from results.tables import natural_key, published_folder, read_published

RELATIONS = ("finding", "kind", "statement", "source")
NOTES = ("finding", "table", "row", "detail", "source")
AUDIT = ("paper", "finding", "table", "row", "detail", "verdict")
OWN = ("row", "metric", "printed")


@dataclass(frozen=True)
class Relation:
    """A line of <paper>_relations.csv: a matrix that statements share, or a comparison of printed numbers."""

    finding: str
    kind: str
    statement: str
    source: str


def audit_paper(paper):
    """Return the Findings about a paper's published numbers, then those of its notes."""
    rows = read_published(paper)
    relations = [Relation(*row) for row in _read(f"{paper}_relations.csv", RELATIONS).itertuples(index=False)]
    findings, _ = _audit(paper, Table(rows), relations)
    for note in _read(f"{paper}_notes.csv", NOTES).itertuples():
        detail = f"{note.detail} Source: {note.source}."
        findings.append(Finding(paper, note.finding, note.table, note.row, detail, READING))
    return findings


def audit_table(path):
    """Return the Findings about a user's own table, and lines on what was not checked; UserError if it is none."""
    try:
        rows = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8", skipinitialspace=True)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not a readable CSV file: {str(error).strip()}") from error
    missing = [column for column in OWN if column not in rows]
    if missing:
        raise UserError(
            f"{path}: expected the columns {', '.join(OWN)}, and if wanted table and n; missing: {', '.join(missing)}"
        )
    rows = rows.assign(table=rows.get("table", "table"))
    rows["n"] = [_whole(n, path) for n in rows["n"]] if "n" in rows else None
    twice = rows.duplicated(["table", "row", "metric"])
    if rows.empty or twice.any():
        what = "no rows" if rows.empty else f"{' / '.join(rows.loc[twice, ['table', 'row', 'metric']].iloc[0])} twice"
        raise UserError(f"{path}: expected each number once, table / row / metric; found {what}")
    findings, checked = _audit(Path(path).stem, Table(rows), [])
    names = rows["table"] + " / " + rows["row"] + " / " + rows["metric"]
    unchecked = [f"not checked: {name}" for name in names[~names.isin(checked)]]
    if not findings:
        raise UserError(
            f"{path}: nothing in it can be checked: expected rows with n, class sizes (metrics fakes, reals), counts "
            f"(tp, fp, fn, tn), or three or more of accuracy, precision, recall, f1, kappa, ..."
        )
    return findings, unchecked


def write_findings(findings, folder):
    """Write audit.csv into `folder`, made if need be; return its path."""
    path = Path(folder) / "audit.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_csv(pd.DataFrame([vars(finding) for finding in findings], columns=AUDIT), path)
    return path


def _audit(paper, table, relations):
    """The Findings in the order of the tables, and the cells that were looked at."""
    matrices = groups(table, [one for one in relations if one.kind == "matrix"])
    comparisons = [one for one in relations if one.kind != "matrix"] + list(sums(table))
    findings = [audit_group(paper, group) for group in matrices]
    findings += [audit_relation(paper, relation, table) for relation in comparisons]
    checked = {cell for group in matrices for cell in group.cells}
    checked |= {cell.strip() for one in comparisons for cell in CELL.findall(one.statement)}
    return sorted(findings, key=lambda finding: natural_key(finding.table)), checked


def sums(table):
    """The sums that a table states by the word total.

    A metric `total` is the sum of the row's other counts; a row `total`, or `Case I: total`, the sum of its table's
    other rows, or of the other rows `Case I: ...`.
    """
    rows = table.rows
    for one in rows.itertuples():
        if one.metric == "total":
            beside = rows[(rows["table"] == one.table) & (rows["row"] == one.row) & (rows["metric"] != "total")]
            yield from _sum(table, one, beside, "metric")
        case, colon, word = one.row.rpartition(":")
        if word.strip() == "total":
            others = rows[(rows["table"] == one.table) & (rows["metric"] == one.metric) & (rows["row"] != one.row)]
            above = others[others["row"].str.rpartition(":")[0].eq(case)] if colon else others
            yield from _sum(table, one, above, "row")


def _sum(table, total, parts, named_by):
    cells = [f"{part.table} / {part.row} / {part.metric}" for part in parts.itertuples()]
    if not cells or is_share(total.name) or not all(table.printed(cell).exact for cell in cells):
        return
    left = " + ".join(f"[{cell}]" for cell in cells)
    words = " + ".join(parts[named_by])
    where = " / ".join(filter(None, (total.table, total.row, total.metric if named_by == "row" else "")))
    statement = f"{left} = [{total.table} / {total.row} / {total.metric}]"
    yield Relation(f"{where}: {words}", "relation", statement, f"{total.table} prints the total")


def _whole(text, path):
    if not text.strip():
        return None
    if not re.fullmatch(r"\d+", text.strip().replace(",", "")):
        raise UserError(f"{path}: expected a whole number in the column n, got {text!r}")
    return int(text.strip().replace(",", ""))


def _read(name, columns):
    path = published_folder() / name
    if not path.exists():
        return pd.DataFrame(columns=columns)
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    if tuple(rows) != columns:
        raise UserError(f"{path}: expected the columns {','.join(columns)}; found: {','.join(rows)}")
    return rows
