"""From rows of printed numbers to groups of statements about one confusion matrix."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from common.errors import UserError
from results.audit.forms import COUNTS, METRICS, SHARES, metric_text
from results.audit.matrices import Sizes, Statement
from results.audit.names import FAKE, REAL, is_named_mean
from results.audit.relations import CELL, Relation
from results.audit.table import Table, cell_parts

MIN_SHARES = 3  # of a matrix of unknown size; fewer say too little
AVERAGE_ROWS = {"accuracy": "accuracy", "macro avg": "macro", "weighted avg": "weighted"}
FAKE_ROWS, REAL_ROWS = ("class 0", "0", "fakes", *FAKE), ("class 1", "1", "reals", *REAL)
SINGLE_RUN = "single run"  # in a relation: its source rules averages out


@dataclass(frozen=True)
class Group:
    """Statements about one confusion matrix.

    Args:
        title: what it is, for findings.
        table, row: where it is printed; the first place if there are several.
        statements: the printed metrics.
        sizes: what is printed about the class sizes.
        source: where the paper, or its code, says that the numbers belong together; empty if they are one row.
        cells: the cells that were read, `table / row / metric`.
        fold_shares: if the numbers are means over folds, the share of fakes in a fold: `any` in a row of a table, as in
            `random` folds where a paper names one test set, the `same` in all runs of a classification report.
        averages: whether the numbers may be averages over classes, folds or seeds.
        percentages: the statements, if numbers up to 1 are percentages like the others of the row; empty if not so.
        named_mean: whether the row or a metric is named a mean.
    """

    title: str
    table: str
    row: str
    statements: list[Statement]
    sizes: Sizes
    source: str = ""
    cells: list[str] = field(default_factory=list)
    fold_shares: str = "any"
    averages: bool = True
    percentages: list[Statement] = field(default_factory=list)
    named_mean: bool = False

    @property
    def of_means(self) -> bool:
        """Whether the table says that the numbers are means: then no single matrix is looked for."""
        return self.named_mean or any(one.printed.spread for one in self.statements)


def groups(table: Table, relations: Sequence[Relation] = ()) -> list[Group]:
    """Every group of statements about one matrix.

    Args:
        table: the printed numbers.
        relations: relations of the kind `matrix`, whose statement is a list, separated by `;`, of `[table / row]`,
            `[table / row / metric]`, `metric = [cell]`, `digits metric ... = 6`, and `single run` if the source says
            that the numbers are no averages. `[table / *]` makes one group of each row.

    Returns:
        The groups that the relations name, then classification reports of two classes, then single rows.

    Raises:
        UserError: if a relation or a printed number cannot be read.
    """
    found = [group for relation in relations for group in _groups_of_relation(table, relation)]
    used = {cell_parts(cell)[:2] for group in found for cell in group.cells}
    for name in dict.fromkeys(table.rows["table"]):
        report = _report(table, name)
        if report:
            found.append(report)
            continue
        for row in table.row_names(name):
            if (name, row) not in used:
                found += _group_of_row(table, name, row)
    return found


def _group_of_row(table, name, row):
    """The group of one row, as a list, which is empty if the row says too little."""
    cells = {cell: one for cell, one in table.statements(name, row).items() if one.metric != "auc"}
    sizes, statements = _split_sizes(cells.values(), table.n(name, row))
    shares = sum(statement.metric in SHARES for statement in statements)
    enough_shares = sizes.known and len(statements) > 0 or sizes.n and shares > 1 or shares >= MIN_SHARES
    all_counts = {"tp", "fp", "fn", "tn"} <= {statement.metric for statement in statements}
    if not (enough_shares or all_counts):
        return []
    percentages = _as_percentages(statements) if table.mixed_units else []
    named = any(is_named_mean(row, cell_parts(cell)[2]) for cell in cells)
    group = Group(f"{name} / {row}", name, row, statements, sizes, cells=list(cells), percentages=percentages)
    return [replace(group, named_mean=named)]


def _as_percentages(statements):
    """The statements with shares up to 1 read as percentages, if others of the row are above 1; else empty."""
    shares = [one for one in statements if one.metric in SHARES]
    plain = [one for one in shares if not one.printed.percent]
    if len(plain) in (0, len(shares)):
        return []
    return [replace(one, printed=one.printed.as_percentage()) if one in plain else one for one in statements]


def _report(table, name):
    """The group of a classification report: two class rows with their supports, and rows of averages."""
    rows = {row.strip().lower(): row for row in table.row_names(name)}
    support = table.rows[(table.rows["table"] == name) & (table.rows["metric"] == "support")]["row"]
    classes = [row for row in dict.fromkeys(support) if row.strip().lower() not in AVERAGE_ROWS]
    of_classes = {row.strip().lower() for row in classes} <= {*FAKE_ROWS, *REAL_ROWS} or rows.keys() & AVERAGE_ROWS
    if len(classes) != 2 or not of_classes:
        return None
    if classes[0].strip().lower() in REAL_ROWS and classes[1].strip().lower() in FAKE_ROWS:
        classes.reverse()
    cells, digits = {}, dict.fromkeys(SHARES, _most_decimals(table.rows[table.rows["table"] == name]))
    for row, kind in (*zip(classes, ("", "real"), strict=True), *((rows.get(key), key) for key in AVERAGE_ROWS)):
        for cell, statement in table.statements(name, row, digits).items() if row else ():
            metric, column = _metric_in_report(statement.metric, kind), cell.rpartition(" / ")[2]
            if metric:
                cells[cell] = Statement(metric, statement.printed, row if row == column else f"{row} {column}")
    sizes, statements = _split_sizes(cells.values(), None)
    return Group(f"{name}", name, "", statements, sizes, cells=list(cells), fold_shares="same")


def _most_decimals(rows):
    """The most decimals of a report's shares: it rounds all alike, so 0.9 stands for 0.90."""
    shares = rows.loc[rows["name"].isin(SHARES), "printed"]
    return int(shares.str.extract(r"\d\.(\d+)", expand=False).str.len().fillna(0).max())


def _metric_in_report(metric, kind):
    """The metric of the whole matrix that a report's cell stands for."""
    if kind in ("", "real"):
        real_metrics = {"n": "reals", "precision": "precision_real", "recall": "specificity", "f1": "f1_real"}
        return real_metrics.get(metric) if kind else {"n": "fakes"}.get(metric, metric)
    if metric == "n":
        return "n"
    average = AVERAGE_ROWS[kind]
    if average == "accuracy":
        return "accuracy" if metric in SHARES else None
    return {"macro_recall": "balanced_accuracy", "weighted_recall": "accuracy"}.get(
        f"{average}_{metric}", f"{average}_{metric}"
    )


def _groups_of_relation(table, relation):
    """The groups of a matrix relation. Of an AUC, there may be several cells."""
    wholes, roles, digits, single_run = _parse_matrix(relation.statement)
    first, row = wholes[0][:2]
    for name in table.row_names(first) if row == "*" else [row]:
        cells = {}
        for table_name, row_name, *metric in wholes:
            found = table.statements(table_name, name if row_name == "*" else row_name, digits)
            cells |= {cell: found[cell] for cell in found if not metric or cell_parts(cell)[2] == metric[0]}
        for role, cell in roles:
            read_as_other = cell in cells and role != cells[cell].metric
            cells[cell if read_as_other else f"{cell} as {role}"] = Statement(role, table.printed(cell))
        title = relation.finding + (f": {name}" if row == "*" else "")
        sizes, statements = _split_sizes(_with_table_names(cells), None)
        yield Group(title, first, name, statements, sizes, relation.source, list(cells), "random", not single_run)


def _parse_matrix(statement):
    """What a matrix relation lists: rows and cells, [(metric, cell), ...], {metric: decimals}; and is it one run?"""
    wholes, roles, digits, single_run = [], [], {}, False
    for part in (part.strip() for part in statement.split(";")):
        left, _, right = ("", "", part) if part.startswith("[") else map(str.strip, part.rpartition("="))
        cell = CELL.fullmatch(right)
        if part == SINGLE_RUN:
            single_run = True
        elif cell and not left:
            wholes.append(cell_parts(cell[1]))
        elif cell and left in METRICS:
            roles.append((left, cell[1]))
        elif left.startswith("digits ") and right.isdigit():
            digits |= dict.fromkeys(left.split()[1:], int(right))
        else:
            raise UserError(
                f"expected [table / row], metric = [cell], digits metric ... = number or {SINGLE_RUN}; got {part!r}"
            )
    return wholes, roles, digits, single_run


def _with_table_names(cells):
    """The statements; if they are from several tables, each has its table's name."""
    tables = {cell_parts(cell)[0] for cell in cells if " as " not in cell}
    if len(tables) < 2:
        return list(cells.values())
    return [
        replace(statement, name=f"{metric_text(statement.metric)} ({cell_parts(cell)[0]})")
        for cell, statement in cells.items()
    ]


def _split_sizes(statements, n):
    """What is known about the sizes, and the statements without those that say nothing else."""
    statements = list(statements)
    printed = {statement.metric: statement.printed for statement in reversed(statements)}
    counts = {metric: int(number.value) for metric, number in printed.items() if metric in COUNTS and number.exact}
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
    kept = [statement for statement in statements if statement.metric not in ("fakes", "reals")]
    if n is None or fakes is None or reals is None or fakes + reals == n:
        kept = [statement for statement in kept if statement.metric != "n"]
    return Sizes(fakes, reals, None if fakes is not None and reals is not None else n), kept
