"""From rows of printed numbers to groups of statements that speak of one confusion matrix."""

from dataclasses import dataclass, field, replace

from common.errors import UserError
from results.audit.forms import ALIASES, COUNTS, METRICS, SHARES, words
from results.audit.printed import parse_printed
from results.audit.relations import CELL
from results.audit.solver import Sizes, Statement

ENOUGH = 3  # shares that pin a matrix of unknown size at all
AVERAGE_ROWS = {"accuracy": "accuracy", "macro avg": "macro", "weighted avg": "weighted"}
FIRST, SECOND = ("class 0", "0", "fake", "forged"), ("class 1", "1", "real", "genuine")


@dataclass(frozen=True)
class Group:
    """Statements about one matrix. about: what it is; table, row: where it begins; sizes: what is given."""

    about: str
    table: str
    row: str
    statements: list
    sizes: Sizes
    source: str = ""
    cells: list = field(default_factory=list)


class Table:
    """Printed numbers by cell; rows: a DataFrame with table, row, metric, printed, and n where it is stated."""

    def __init__(self, rows):
        self.rows = rows.assign(name=rows["metric"].str.strip().str.lower().str.replace(" ", "_"))
        self.rows["name"] = self.rows["name"].replace(ALIASES)
        self._by_cell = {(one.table, one.row, one.metric): one for one in self.rows.itertuples()}

    def printed(self, cell, digits=None):
        """The Printed of the cell `table / row / metric`; UserError for a cell that is not there.

        digits, or `table / row / metric @ 2`: decimals that the number was rounded to, where it prints fewer.
        """
        name, at, decimals = cell.partition(" @ ")
        row = self._by_cell.get(_parts(name))
        if row is None:
            raise UserError(f"expected a cell of the table, table / row / metric; there is no [{cell}]")
        digits = int(decimals) if at else digits
        try:
            return parse_printed(row.printed, is_share(row.name), digits)
        except UserError as error:
            raise UserError(f"[{cell}]: {error}") from None

    def statements(self, table, row, digits=None):
        """The statements of one row, {cell: Statement}; metrics that say nothing about a matrix are left out."""
        found = {}
        for one in self.rows[(self.rows["table"] == table) & (self.rows["row"] == row)].itertuples():
            if one.name in METRICS:
                cell = f"{one.table} / {one.row} / {one.metric}"
                found[cell] = Statement(one.name, self.printed(cell, (digits or {}).get(one.name)))
        return found

    def rows_of(self, table):
        """The names of the rows of a table, in its order."""
        return list(dict.fromkeys(self.rows.loc[self.rows["table"] == table, "row"]))

    def n_of(self, table, row):
        """The n column of a row's shares, None where it is empty or not one number."""
        chosen = self.rows[(self.rows["table"] == table) & (self.rows["row"] == row) & self.rows["name"].isin(SHARES)]
        stated = chosen["n"].dropna().unique() if "n" in chosen else []
        return int(stated[0]) if len(stated) == 1 else None


def is_share(metric):
    """Is a number of this metric a share, so that one above 1 is a percentage?"""
    return metric in SHARES or metric.endswith(("share", "accuracy", "gain"))


def groups(table, relations=()):
    """Every Group of a Table: those that the matrix relations name, then reports of two classes, then single rows."""
    found = [group for relation in relations for group in _stated(table, relation)]
    taken = {_parts(cell)[:2] for group in found for cell in group.cells}
    for name in dict.fromkeys(table.rows["table"]):
        report = _report(table, name)
        if report:
            found.append(report)
            continue
        for row in table.rows_of(name):
            if (name, row) not in taken:
                found += _single(table, name, row)
    return found


def _single(table, name, row):
    """The group of one row, as a list; none if it says too little."""
    cells = table.statements(name, row)
    sizes, statements = _given(cells.values(), table.n_of(name, row))
    shares = sum(statement.metric in SHARES for statement in statements)
    pinned = sizes.known and len(statements) > 0 or sizes.n and shares > 1 or shares >= ENOUGH
    counted = {"tp", "fp", "fn", "tn"} <= {statement.metric for statement in statements}
    if not (pinned or counted):
        return []
    return [Group(f"{name} / {row}", name, row, statements, sizes, cells=list(cells))]


def _report(table, name):
    """The group of a classification report: two class rows with their supports, and rows of averages."""
    rows = {row.strip().lower(): row for row in table.rows_of(name)}
    support = table.rows[(table.rows["table"] == name) & (table.rows["metric"] == "support")]["row"]
    classes = [row for row in dict.fromkeys(support) if row.strip().lower() not in AVERAGE_ROWS]
    if len(classes) != 2:
        return None
    if classes[0].strip().lower() in SECOND and classes[1].strip().lower() in FIRST:
        classes.reverse()
    cells, finest = {}, dict.fromkeys(SHARES, _finest(table.rows[table.rows["table"] == name]))
    for row, kind in (*zip(classes, ("", "real"), strict=True), *((rows.get(key), key) for key in AVERAGE_ROWS)):
        for cell, statement in table.statements(name, row, finest).items() if row else ():
            metric, of = _in_report(statement.metric, kind), cell.rpartition(" / ")[2]
            if metric:
                cells[cell] = Statement(metric, statement.printed, row if row == of else f"{row} {of}")
    sizes, statements = _given(cells.values(), None)
    return Group(f"{name}", name, "", statements, sizes, cells=list(cells))


def _finest(rows):
    """The most decimals of a report's shares: it rounds all alike, and 0.9 stands for 0.90."""
    shares = rows.loc[rows["name"].isin(SHARES), "printed"]
    return int(shares.str.extract(r"\d\.(\d+)", expand=False).str.len().fillna(0).max())


def _in_report(metric, kind):
    """The metric of the whole matrix that a report's cell stands for."""
    if kind in ("", "real"):
        of_real = {"n": "reals", "precision": "precision_real", "recall": "specificity", "f1": "f1_real"}
        return of_real.get(metric) if kind else {"n": "fakes"}.get(metric, metric)
    if metric == "n":
        return "n"
    average = AVERAGE_ROWS[kind]
    if average == "accuracy":
        return metric if metric == "accuracy" else None
    return ALIASES.get(f"{average}_{metric}", f"{average}_{metric}")


def _stated(table, relation):
    """The groups of a matrix relation: `[table / row]; metric = [cell]; digits metric ... = 6`.

    [table / *] makes a group of each row. `metric = [cell]` reads a cell as that metric; of the AUC there may be many.
    """
    wholes, roles, digits = [], [], {}
    for part in (part.strip() for part in relation.statement.split(";")):
        left, _, right = ("", "", part) if part.startswith("[") else (each.strip() for each in part.rpartition("="))
        cell = CELL.fullmatch(right)
        if cell and not left:
            wholes.append(_parts(cell[1]))
        elif cell and left in METRICS:
            roles.append((left, cell[1]))
        elif left.startswith("digits ") and right.isdigit():
            digits |= dict.fromkeys(left.split()[1:], int(right))
        else:
            raise UserError(f"expected [table / row], metric = [cell] or digits metric ... = number; got {part!r}")
    first, row = wholes[0][:2]
    for name in table.rows_of(first) if row == "*" else [row]:
        cells = {}
        for where, line, *metric in wholes:
            found = table.statements(where, name if line == "*" else line, digits)
            cells |= {cell: one for cell, one in found.items() if not metric or _parts(cell)[2] == metric[0]}
        for role, cell in roles:
            read_otherwise = cell in cells and role != cells[cell].metric
            cells[cell if read_otherwise else f"{cell} as {role}"] = Statement(role, table.printed(cell))
        about = relation.finding + (f": {name}" if row == "*" else "")
        sizes, statements = _given(_named(cells), None)
        yield Group(about, first, name, statements, sizes, relation.source, list(cells))


def _named(cells):
    """The statements; those about one matrix but from several tables carry their table's name."""
    tables = {_parts(cell)[0] for cell in cells if " as " not in cell}
    if len(tables) < 2:
        return list(cells.values())
    return [replace(one, name=f"{words(one.metric)} ({_parts(cell)[0]})") for cell, one in cells.items()]


def _given(statements, n):
    """What is known about the sizes, and the statements without those that only say this."""
    statements = list(statements)
    counts = {one.metric: int(one.printed.value) for one in reversed(statements) if one.metric in COUNTS}
    fakes, reals, n = counts.get("fakes"), counts.get("reals"), counts.get("n", n)
    if fakes is None and {"tp", "fn"} <= set(counts):
        fakes = counts["tp"] + counts["fn"]
    if reals is None and {"fp", "tn"} <= set(counts):
        reals = counts["fp"] + counts["tn"]
    if n is not None and (fakes is None) != (reals is None):
        known = reals if fakes is None else fakes
        if known > n:
            raise UserError(
                f"expected class sizes of at most n, got {known} of n = {n}: {', '.join(map(str, statements))}"
            )
        fakes, reals = (n - known, known) if fakes is None else (known, n - known)
    if fakes is not None and reals is not None and "n" not in counts:
        n = None
    kept = [one for one in statements if one.metric not in ("fakes", "reals")]
    if n is None or fakes is None or reals is None or fakes + reals == n:
        kept = [one for one in kept if one.metric != "n"]
    return Sizes(fakes, reals, None if fakes is not None and reals is not None else n), kept


def _parts(cell):
    return tuple(part.strip() for part in cell.split(" / "))
