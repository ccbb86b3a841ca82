"""Printed numbers by cell."""

from collections.abc import Mapping

import pandas as pd

from common.errors import UserError
from results.audit.forms import METRICS, SHARES
from results.audit.matrices import Statement
from results.audit.names import parse_name
from results.audit.printed import Printed, parse_printed

AREAS = ("auc", "roc_auc", "auroc")


class Table:
    """Printed numbers by cell.

    Args:
        rows: a DataFrame with the columns table, row, metric, printed, and optionally n.
        mixed_units: whether a number up to 1 may be a percentage, if others of its row are above 1.
    """

    def __init__(self, rows: pd.DataFrame, mixed_units: bool = False):
        self.mixed_units = mixed_units
        self.rows = rows.assign(name=[metric_name(metric) for metric in rows["metric"]])
        self._by_cell = {(row.table, row.row, row.metric): row for row in self.rows.itertuples()}
        self._by_row: dict[tuple[str, str], list] = {}
        for row in self._by_cell.values():
            self._by_row.setdefault((row.table, row.row), []).append(row)

    def printed(self, cell: str, digits: int | None = None) -> Printed:
        """The printed number of a cell.

        Args:
            cell: `table / row / metric`; `table / row / metric @ 2` gives `digits` too.
            digits: decimals that the number was rounded to, if it prints fewer.

        Raises:
            UserError: if there is no such cell, or it is not a number.
        """
        name, at, decimals = cell.partition(" @ ")
        row = self._by_cell.get(cell_parts(name))  # type: ignore[arg-type]
        if row is None:
            raise UserError(f"expected a cell of the table, table / row / metric; there is no [{cell}]")
        digits = int(decimals) if at else digits
        try:
            return parse_printed(row.printed, is_share(row.name), digits)
        except UserError as error:
            raise UserError(f"[{cell}]: {error}") from None

    def statements(self, table: str, row: str, digits: Mapping[str, int] | None = None) -> dict[str, Statement]:
        """The statements of one row as {cell: Statement}, without metrics that say nothing about a matrix.

        Args:
            table, row: their names.
            digits: {metric: decimals that it was rounded to}, if it prints fewer.
        """
        found = {}
        for line in self._by_row.get((table, row), ()):
            if line.name in METRICS:
                cell = f"{line.table} / {line.row} / {line.metric}"
                found[cell] = Statement(line.name, self.printed(cell, (digits or {}).get(line.name)))
        return found

    def row_names(self, table: str) -> list[str]:
        """The names of the rows of a table, in its order."""
        return [row for name, row in self._by_row if name == table]

    def n(self, table: str, row: str) -> int | None:
        """The number in the column n of a row's shares; None if it is empty or there are several."""
        lines = [line for line in self._by_row.get((table, row), ()) if line.name in SHARES and "n" in line._fields]
        numbers = {int(line.n) for line in lines if pd.notna(line.n)}
        return numbers.pop() if len(numbers) == 1 else None


def is_share(metric: str) -> bool:
    """Whether numbers of this metric are shares, so that one above 1 is a percentage."""
    return metric in SHARES or metric.endswith(("share", "accuracy", "gain"))


def cell_parts(cell: str) -> tuple[str, ...]:
    """Split `table / row / metric`."""
    return tuple(part.strip() for part in cell.split(" / "))


def metric_name(text: str) -> str:
    """The metric of forms.METRICS that a name means, `auc`, or the name in lower case."""
    plain = text.strip().lower().replace(" ", "_")
    return "auc" if plain in AREAS else parse_name(text).metric or plain
