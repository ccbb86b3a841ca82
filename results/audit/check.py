"""The audit of a paper, or of a user's own table: read the numbers, check them, collect the findings."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from common.errors import UserError
from common.files import write_csv
from results.audit.findings import Finding, audit_groups, audit_relation
from results.audit.groups import groups
from results.audit.names import parse_name
from results.audit.own_table import read_own_table
from results.audit.relations import CELL, Relation
from results.audit.table import Table, is_share
from results.audit.verdicts import READING
from results.tables import natural_key, published_folder, read_published

RELATION_COLUMNS = ("finding", "kind", "statement", "source")
NOTE_COLUMNS = ("finding", "table", "row", "detail", "source")
MAX_NAMED = 3  # lines that an error shows
AUDIT_COLUMNS = ("paper", "finding", "table", "row", "detail", "verdict")


def audit_paper(paper: str) -> list[Finding]:
    """Audit a paper's published numbers.

    Args:
        paper: one of `results.tables.known_papers()`.

    Returns:
        The findings about its numbers, then those of <paper>_notes.csv.

    Raises:
        UserError: if the paper is unknown, or a file cannot be read.
    """
    rows = read_published(paper)
    relations = [Relation(*row) for row in _read(f"{paper}_relations.csv", RELATION_COLUMNS).itertuples(index=False)]
    findings, _ = _audit(paper, Table(rows), relations)
    for note in _read(f"{paper}_notes.csv", NOTE_COLUMNS).itertuples():
        detail = f"{note.detail} Source: {note.source}."
        findings.append(Finding(paper, note.finding, note.table, note.row, detail, READING))
    return findings


def audit_table(path: str | Path) -> tuple[list[Finding], list[str]]:
    """Audit a user's own table.

    Args:
        path: a CSV file, see results.audit.own_table.

    Returns:
        The findings, and lines that name what was not used and the numbers that were not checked.

    Raises:
        UserError: if the file is not such a table, or nothing in it can be checked.
    """
    own = read_own_table(path)
    rows = own.rows
    findings, checked = _audit(Path(path).stem, Table(rows, mixed_units=True), [])
    names = rows["table"] + " / " + rows["row"] + " / " + rows["metric"]
    unchecked = [f"not checked: {name}{_why_unchecked(name)}" for name in names[~names.isin(checked)]]
    if not findings:
        named = f"; {'; '.join(own.unused[:MAX_NAMED])}" if own.unused else ""
        raise UserError(
            f"{path}: nothing in it can be checked: expected rows with n, class sizes (metrics fakes, reals), counts "
            f"(tp, fp, fn, tn), or three or more of accuracy, precision, recall, f1, kappa, ...{named}"
        )
    return findings, own.unused + unchecked


def write_findings(findings: Sequence[Finding], folder: str | Path) -> Path:
    """Write audit.csv into a folder, which is created; return its path."""
    path = Path(folder) / "audit.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_csv(pd.DataFrame([vars(finding) for finding in findings], columns=list(AUDIT_COLUMNS)), path)
    return path


def total_relations(table: Table) -> Iterator[Relation]:
    """Yield the sums that a table states by the word total.

    A metric `total` is the sum of the row's other counts. A row `total` is the sum of its table's other rows, and a row
    `Case I: total` that of the other rows `Case I: ...`.
    """
    rows = table.rows
    for total in rows.itertuples():
        if total.metric == "total":
            parts = rows[(rows["table"] == total.table) & (rows["row"] == total.row) & (rows["metric"] != "total")]
            yield from _sum(table, total, parts, "metric")
        case, colon, name = total.row.rpartition(":")
        if name.strip() == "total":
            others = rows[(rows["table"] == total.table) & (rows["metric"] == total.metric)]
            others = others[others["row"] != total.row]
            parts = others[others["row"].str.rpartition(":")[0].eq(case)] if colon else others
            yield from _sum(table, total, parts, "row")


def _audit(paper, table, relations):
    """The findings in the order of the tables, and the cells that were checked."""
    matrices = groups(table, [relation for relation in relations if relation.kind == "matrix"])
    comparisons = [relation for relation in relations if relation.kind != "matrix"] + list(total_relations(table))
    findings = audit_groups(paper, matrices)
    findings += [audit_relation(paper, relation, table) for relation in comparisons]
    checked = {cell for group in matrices for cell in group.cells}
    checked |= {cell.strip() for relation in comparisons for cell in CELL.findall(relation.statement)}
    return sorted(findings, key=lambda finding: natural_key(finding.table)), checked


def _why_unchecked(cell):
    """Why a cell of a user's table was not checked, if its metric alone is the reason."""
    name = parse_name(cell.rpartition(" / ")[2])
    if name.unused:
        return f": {name.unused}"
    return "" if name.metric else ": its metric is not known"


def _sum(table, total, parts, named_by):
    cells = [f"{part.table} / {part.row} / {part.metric}" for part in parts.itertuples()]
    if not cells or is_share(total.name) or not all(table.printed(cell).exact for cell in cells):
        return
    left = " + ".join(f"[{cell}]" for cell in cells)
    names = " + ".join(parts[named_by])
    title = " / ".join(filter(None, (total.table, total.row, total.metric if named_by == "row" else "")))
    statement = f"{left} = [{total.table} / {total.row} / {total.metric}]"
    yield Relation(f"{title}: {names}", "relation", statement, f"{total.table} prints the total")


def _read(name, columns):
    path = published_folder() / name
    if not path.exists():
        return pd.DataFrame(columns=list(columns))
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    if tuple(rows) != columns:
        raise UserError(f"{path}: expected the columns {','.join(columns)}; found: {','.join(rows)}")
    return rows
