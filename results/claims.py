"""Which published numbers make one claim, and the margin within which a claim counts as reproduced.

The numbers of one confusion matrix are one claim: given the sizes of the classes, they all follow from two rates. Which
numbers share a matrix, and which are printed twice, is in results/published/<paper>_relations.csv; so are the claims
that one method is better than another, `[A] > [B]`.
"""

import re

import pandas as pd

from common.evaluation.metrics import SCORE_METRICS
from results.audit.groups import AVERAGE_ROWS, groups
from results.audit.relations import Relation
from results.audit.table import Table
from results.tables import published_folder

Cell = tuple[str, str, str]  # table, row, metric
CLAIMED_KINDS = ("metric", "count")
PAIR = re.compile(r"\[([^\[\]]+)\] *(=|>=|>) *\[([^\[\]]+)\]")
SAME_WITHIN = 0.01  # two printed numbers of one thing; if they differ by more, they are two claims
GAIN_SHARE = 0.5  # of a gain that a paper claims


def read_claims(paper: str, published: pd.DataFrame) -> dict[Cell, str]:
    """Read which claim each published metric and count belongs to.

    Args:
        paper: its name.
        published: what `results.tables.read_published` returned.

    Returns:
        {(table, row, metric): name of the claim}. AUC and other metrics of the scores are no part of a matrix.
    """
    kept = published[published["kind"].isin(CLAIMED_KINDS)]
    values = {(row.table, row.row, row.metric): row.value for row in kept.itertuples()}
    lead = {cell: cell for cell in values}  # {cell: an earlier cell of its claim}

    def join(first, second):
        roots = [_root(lead, cell) for cell in (first, second)]
        order = list(values)
        early, late = sorted(roots, key=order.index)
        lead[late] = early

    relations = _read_relations(paper)
    first_of_row: dict[tuple[str, str], Cell] = {}
    for cell in values:
        if cell[2] not in SCORE_METRICS:
            join(first_of_row.setdefault(cell[:2], cell), cell)
    for group in groups(Table(published), [relation for relation in relations if relation.kind == "matrix"]):
        cells = [cell for cell in map(_cell, group.cells) if cell in values and cell[2] not in SCORE_METRICS]
        for cell in cells[1:]:
            join(cells[0], cell)
    for first, second in _copies(relations, values):
        join(first, second)
    members: dict[Cell, list[Cell]] = {}
    for cell in values:
        members.setdefault(_root(lead, cell), []).append(cell)
    return {cell: _name(cells) for cells in members.values() for cell in cells}


def read_copies(paper: str, published: pd.DataFrame) -> dict[Cell, Cell]:
    """Read which published numbers are one number that is printed in several places.

    Args:
        paper: its name.
        published: what `results.tables.read_published` returned.

    Returns:
        {(table, row, metric): the first place of the same number}; of a number that is printed once, itself.
    """
    values = {(row.table, row.row, row.metric): row.value for row in published.itertuples()}
    lead = {cell: cell for cell in values}
    for first, second in _copies(_read_relations(paper), values):
        early, late = sorted((_root(lead, first), _root(lead, second)), key=list(values).index)
        lead[late] = early
    return {cell: _root(lead, cell) for cell in values}


def read_margins(paper: str, published: pd.DataFrame, margin: float) -> dict[Cell, float]:
    """Read the margin of each number: `margin`, or half of a gain that the paper claims if that is smaller.

    Args:
        paper: its name.
        published: what `results.tables.read_published` returned.
        margin: of numbers without a claimed gain.
    """
    values = {(row.table, row.row, row.metric): row.value for row in published.itertuples()}
    margins = dict.fromkeys(values, margin)
    for better, sign, worse in _pairs(_read_relations(paper)):
        if sign != "=" and better in values and worse in values and better[2] == worse[2]:
            gain = values[better] - values[worse]
            for cell in (better, worse) if gain > 0 else ():
                margins[cell] = min(margins[cell], GAIN_SHARE * gain)
    return margins


def free_rates(cells: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Choose the numbers that a matrix is tested by: two that determine it, or the only one.

    Args:
        cells: (row, metric) of the numbers at hand.

    Returns:
        At most two of them: recalls of both classes if possible, or else the ones that a reader looks at first.
    """
    metrics = ("recall", "specificity", "false_alarm_rate", "precision", "accuracy")
    single = [cell for cell in cells if cell[0].strip().lower() not in AVERAGE_ROWS or cell[1] == "accuracy"]
    ranked = sorted(
        dict.fromkeys(single or cells), key=lambda cell: metrics.index(cell[1]) if cell[1] in metrics else len(metrics)
    )
    if {"specificity", "false_alarm_rate"} <= {metric for _, metric in ranked}:
        ranked = [cell for cell in ranked if cell[1] != "false_alarm_rate"]  # one rate under two names
    return ranked[:2]


def _read_relations(paper):
    path = published_folder() / f"{paper}_relations.csv"
    if not path.is_file():
        return []
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    return [Relation(*row) for row in rows.itertuples(index=False)]


def _copies(relations, values):
    """Yield pairs of cells of {cell: value} that are one number, printed twice."""
    for first, sign, second in _pairs(relations):
        same = first in values and second in values and abs(values[first] - values[second]) <= SAME_WITHIN
        if sign == "=" and same and first[2] == second[2]:
            yield first, second


def _pairs(relations):
    """(cell, sign, cell) of the relations that compare two numbers."""
    for relation in relations:
        if relation.kind != "matrix" and (found := PAIR.fullmatch(relation.statement.strip())):
            yield _cell(found[1]), found[2], _cell(found[3])


def _cell(text):
    """`table / row / metric @ 2` as a cell."""
    return tuple(part.strip() for part in text.partition(" @ ")[0].split(" / "))


def _root(lead, cell):
    while lead[cell] != cell:
        cell = lead[cell]
    return cell


def _name(cells):
    """What the cells of the first table share: `Table 4`, `Table 2 / VGG16`, or the first cell."""
    first = [cell for cell in cells if cell[0] == cells[0][0]]
    rows, metrics = ({cell[place] for cell in first} for place in (1, 2))
    if len(metrics) == 1:
        return " / ".join(cells[0])
    return cells[0][0] if len(rows) > 1 else " / ".join(cells[0][:2])
