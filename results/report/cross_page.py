"""Every detector on every data set, and under perturbations: what `python -m results.cross` wrote, for drawing."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from common.data.perturbations import STRENGTHS
from results.cross.__main__ import read_table
from results.cross.figures import AXES
from results.report.rows import is_synthetic
from results.seeds import count, over_seeds

DETECTOR = ["paper", "run", "model", "protocol"]
NONE, CLEAN = "none", "clean"  # the perturbation of an image as it is, and its tick
LOWER_IS_BETTER = ("eer",)
COIN = 0.5  # what guessing gives by each of the metrics of results.cross
COLOURS, STYLES = 6, 3  # curves that differ: 18
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 300, 200, 34, 12, 10, 34  # a panel and its margins, in SVG units


@dataclass(frozen=True)
class Cell:
    """A measured value; heat: how strong its colour is, 0 to 1, below: whether it is worse than a coin."""

    value: float
    sd: float
    low: float
    high: float
    n: int
    seeds: str
    note: str
    heat: float
    below: bool
    seen: bool  # the detector was trained on this data set
    synthetic: bool


@dataclass(frozen=True)
class Matrix:
    """One metric at one level: rows of (detector as a dictionary of DETECTOR and trained_on, [Cell or None for each of
    datasets])."""

    metric: str
    level: str
    datasets: list
    rows: list


@dataclass(frozen=True)
class Line:
    """A detector's curve in a panel: points and band as SVG `points`, dots as (x, y, what to say)."""

    name: str
    colour: int
    style: int
    points: str
    band: str
    dots: list


@dataclass(frozen=True)
class Panel:
    """One perturbation: ticks are (position, text) on both axes, lines one for each detector."""

    title: str
    x_ticks: list
    y_ticks: list
    lines: list


@dataclass(frozen=True)
class Curves:
    """The panels of one paper on one data set."""

    paper: str
    dataset: str
    synthetic: bool
    panels: list


def read_scores(path):
    """The rows of a cross.csv or robustness.csv, of several seeds their mean (see results.seeds); none without a file.

    UserError if it is another table.
    """
    table = read_table(Path(path)).rename(columns={"run": "of"})  # a run is no seed: its rows stay apart
    table = over_seeds(table.assign(run="", commit=""))
    return table.drop(columns=["run", "commit"]).rename(columns={"of": "run"})


def matrices(table):
    """The Matrix of every level and metric of a cross table, AUC first."""
    found = []
    for (level, metric), part in table.groupby(["level", "metric"], sort=False):
        datasets = sorted(part["dataset"].unique())
        rows = []
        for detector, tests in part.groupby(DETECTOR, sort=False):
            cells = {test.dataset: _cell(test) for test in tests.itertuples()}
            about = dict(zip(DETECTOR, detector, strict=True)) | {"trained_on": _trained_on(tests)}
            rows.append((about, [cells.get(name) for name in datasets]))
        found.append(Matrix(metric, level, datasets, rows))
    return sorted(found, key=lambda matrix: (matrix.metric != "auc", matrix.level))


def curves(table):
    """The Curves of every paper and data set of a robustness table: AUC by image, as results.cross draws it."""
    found = []
    chosen = table[table["metric"].eq("auc") & table["level"].eq("frame")]
    for (paper, dataset), part in chosen.groupby(["paper", "dataset"], sort=False):
        names = list(dict.fromkeys(map(_name, part.itertuples())))
        clean, perturbed = part[part["perturbation"] == NONE], part[part["perturbation"] != NONE]
        kinds = sorted(perturbed["perturbation"].unique(), key=lambda kind: [*AXES, kind].index(kind))
        panels = [
            _panel(kind, pd.concat([clean, perturbed[perturbed["perturbation"] == kind]]), names) for kind in kinds
        ]
        synthetic = is_synthetic(dataset) or part["trained_on"].map(is_synthetic).any()
        found.append(Curves(paper, dataset, bool(synthetic), panels))
    return found


def _trained_on(tests):
    """What a detector was trained on; a row of a data set that is this one calls it by the name it has there."""
    seen = [test for test in tests.itertuples() if test.dataset in test.trained_on.split("+")]
    return seen[0].trained_on if seen else tests["trained_on"].iloc[0]


def _cell(test):
    better = (COIN - test.value) if test.metric in LOWER_IS_BETTER else (test.value - COIN)
    return Cell(
        value=test.value,
        sd=test.sd,
        low=test.ci_low,
        high=test.ci_high,
        n=test.n,
        seeds=test.seeds,
        note=test.note,
        heat=0.0 if pd.isna(better) else round(min(abs(better) / COIN, 1), 3),
        below=better < 0,
        seen=test.dataset in test.trained_on.split("+"),
        synthetic=is_synthetic(test.dataset) or is_synthetic(test.trained_on),
    )


def _panel(kind, rows, names):
    """One perturbation's curves, from the image as it is to the strongest."""
    ticks = rows["strength"].where(rows["perturbation"] != NONE, CLEAN)
    known = [f"{strength:g}" for strength in STRENGTHS.get(kind, ())]
    there = dict.fromkeys(ticks)
    stops = [stop for stop in (CLEAN, *known) if stop in there] + [s for s in there if s not in (CLEAN, *known)]
    start = COIN if rows[["value", "ci_low"]].min(axis=None) >= COIN else 0.0

    def x(stop):
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (stops.index(stop) + 0.5) / len(stops), 1)

    def y(value):
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - start) / (1 - start)), 1)

    lines = []
    for place, name in enumerate(names):
        own = rows.assign(stop=ticks)[[_name(row) == name and pd.notna(row.value) for row in rows.itertuples()]]
        own = sorted(own.itertuples(), key=lambda row: stops.index(row.stop))
        sure = [row for row in own if pd.notna(row.ci_low) and pd.notna(row.ci_high)]
        lines.append(
            Line(
                name=name,
                colour=place % COLOURS,
                style=place // COLOURS % STYLES,
                points=_points((x(row.stop), y(row.value)) for row in own),
                band=_points(
                    [(x(row.stop), y(row.ci_low)) for row in sure]
                    + [(x(row.stop), y(row.ci_high)) for row in reversed(sure)]
                ),
                dots=[(x(row.stop), y(row.value), f"{name}, {row.stop}: {row.value:.4f}") for row in own],
            )
        )
    marks = [start + (1 - start) * part / 5 for part in range(6)]
    return Panel(AXES.get(kind, kind), [(x(s), s) for s in stops], [(y(mark), f"{mark:.1f}") for mark in marks], lines)


def _name(row):
    seeds = f", mean of {count(row.seeds)} seeds" if count(row.seeds) > 1 else ""
    return f"{row.model}, trained on {row.trained_on}, {row.protocol}{seeds} ({row.run})"


def _points(pairs):
    return " ".join(f"{x},{y}" for x, y in pairs)
