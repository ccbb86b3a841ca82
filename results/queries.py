"""Queries: which rows of a results table a generated README table shows."""

from dataclasses import dataclass, fields
from fnmatch import fnmatchcase

import pandas as pd

from common.errors import UserError
from results.tables import known_papers

CONDITIONS = ("dataset", "protocol", "preset")  # columns that say how a number was measured


@dataclass(frozen=True)
class Query:
    """Which rows to show. All fields but paper and metrics are patterns: a row must match one of each field."""

    paper: str
    metrics: tuple[str, ...]
    rows: tuple[str, ...] = ("*",)
    table: tuple[str, ...] = ("extra",)
    dataset: tuple[str, ...] = ("*",)
    protocol: tuple[str, ...] = ("*",)
    preset: tuple[str, ...] = ("*",)


def read_query(text: str, table: str = "extra") -> Query:
    """Read a query such as `cffn_resnet; protocol=video; rows=cffn* | resnet*; metrics=accuracy auc`.

    Args:
        text: the paper, then settings NAME=VALUE; parts are separated by `;`, several values by `|`, metrics by blanks.
        table: the pattern of the table if the text has none.

    Raises:
        UserError: if the text is not a query.
    """
    paper, *settings = (part.strip() for part in " ".join(text.split()).split(";"))
    if paper not in known_papers():
        raise UserError(f"unknown paper {paper!r}; known: {', '.join(known_papers())}")
    values: dict[str, tuple[str, ...]] = {"table": (table,)}
    legal = [field.name for field in fields(Query) if field.name != "paper"]
    for setting in filter(None, settings):
        name, equals, value = (part.strip() for part in setting.partition("="))
        if not equals or not value or name not in legal:
            raise UserError(f"expected NAME=VALUE with a NAME of {', '.join(legal)}; got {setting!r}")
        values[name] = tuple(value.split()) if name == "metrics" else tuple(part.strip() for part in value.split("|"))
    if "metrics" not in values:
        raise UserError("expected metrics=, the table's columns, for instance metrics=accuracy auc")
    return Query(paper, **values)


def select_rows(rows: pd.DataFrame, query: Query) -> pd.DataFrame:
    """Select the rows that a query asks for, in the order of its patterns.

    Args:
        rows: a DataFrame with the columns table, row, metric, dataset, protocol, preset.
        query: the query; its paper is not looked at.

    Raises:
        UserError: if a part of the query matches nothing. The message names what there is.
    """
    for column, patterns in {
        **{name: getattr(query, name) for name in ("table", *CONDITIONS)},
        "row": query.rows,
        "metric": query.metrics,
    }.items():
        names = rows[column].drop_duplicates()
        matches = str.__eq__ if column == "metric" else fnmatchcase  # a metric is the heading of a column
        rank: dict[str, int] = {}  # {name: the place of the first pattern that it matches}
        for place, pattern in enumerate(patterns):
            matching = [name for name in names if matches(name, pattern)]
            if not matching:
                known = " | ".join(filter(None, names)) or "nothing, it was not run"
                raise UserError(f"{query.paper}: no {column} {pattern!r}; there is: {known}")
            rank = {name: place for name in matching} | rank
        rows = rows[rows[column].isin(rank)]
        rows = rows.iloc[rows[column].map(rank).argsort(kind="stable")] if column == "row" else rows
    return rows
