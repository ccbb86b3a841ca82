"""What `python -m results.cross` wrote, prepared for the page: matrices of all tests, curves on perturbed images."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from common.conditions import is_synthetic
from common.data.perturbations import STRENGTHS
from results.cross.plots import PERTURBATION_AXES
from results.cross.table import UNPERTURBED, read_table
from results.seeds import PER_SEED_COLUMNS, aggregate_seeds, count_seeds

DETECTOR = ["paper", "run", "model", "protocol"]
CLEAN = "clean"  # the tick of the unperturbed image
LOWER_IS_BETTER = ("eer",)
CHANCE = 0.5  # what guessing gives, by each metric of results.cross
COLOURS, STYLES = 6, 3  # so that 18 curves differ
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 300, 200, 34, 12, 10, 34  # a panel and its margins, in SVG units


@dataclass(frozen=True)
class Cell:
    """A measured value.

    Args:
        value, sd, low, high, n, seeds, note: as `aggregate_seeds` returns them.
        heat: the strength of its colour, 0 to 1.
        below: whether it is worse than guessing.
        seen: whether the detector was trained on this data set.
        synthetic: whether test or training data are drawn.
    """

    value: float
    sd: float
    low: float
    high: float
    n: int
    seeds: str
    note: str
    heat: float
    below: bool
    seen: bool
    synthetic: bool


@dataclass(frozen=True)
class Matrix:
    """One metric at one level: detectors by data sets.

    Args:
        metric, level: what is measured.
        datasets: names of the columns.
        rows: [(a detector as {column of DETECTOR, or trained_on: value}, its cells, None if not tested), ...].
    """

    metric: str
    level: str
    datasets: list[str]
    rows: list[tuple[dict[str, str], list[Cell | None]]]


@dataclass(frozen=True)
class Line:
    """A detector's curve in a panel.

    Args:
        name: the detector.
        colour, style: numbers of its colour and its dashes.
        points, band: the curve and its interval, as the attribute `points` of SVG.
        dots: [(x, y, text), ...] in SVG units.
    """

    name: str
    colour: int
    style: int
    points: str
    band: str
    dots: list[tuple[float, float, str]]


@dataclass(frozen=True)
class Panel:
    """One perturbation: its name, ticks [(position, text), ...] on both axes, and one line for each detector."""

    title: str
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    lines: list[Line]


@dataclass(frozen=True)
class Curves:
    """The panels of one paper on one data set."""

    paper: str
    dataset: str
    synthetic: bool
    panels: list[Panel]


def read_scores(path: str | Path) -> pd.DataFrame:
    """Read cross.csv or robustness.csv, with the mean of several seeds.

    Args:
        path: the file. If it does not exist, there are no rows.

    Raises:
        UserError: if it is another table.
    """
    table = read_table(path)
    by = [column for column in table if column not in PER_SEED_COLUMNS or column == "run"]  # runs stay apart
    return aggregate_seeds(table, by)


def matrices(table: pd.DataFrame) -> list[Matrix]:
    """The matrix of every level and metric of what `read_scores` returned, AUC first."""
    found = []
    for (level, metric), part in table.groupby(["level", "metric"], sort=False):
        datasets = sorted(part["dataset"].unique())
        rows = []
        for detector, tests in part.groupby(DETECTOR, sort=False):
            cells = {test.dataset: _cell(test) for test in tests.itertuples()}
            names = dict(zip(DETECTOR, detector, strict=True)) | {"trained_on": _trained_on(tests)}
            rows.append((names, [cells.get(dataset) for dataset in datasets]))
        found.append(Matrix(metric, level, datasets, rows))
    return sorted(found, key=lambda matrix: (matrix.metric != "auc", matrix.level))


def curves(table: pd.DataFrame) -> list[Curves]:
    """The curves of every paper and data set of what `read_scores` returned for robustness.csv: AUC by image."""
    found = []
    chosen = table[table["metric"].eq("auc") & table["level"].eq("frame")]
    for (paper, dataset), part in chosen.groupby(["paper", "dataset"], sort=False):
        names = list(dict.fromkeys(map(_name, part.itertuples())))
        clean = part[part["perturbation"] == UNPERTURBED]
        perturbed = part[part["perturbation"] != UNPERTURBED]
        order = [*PERTURBATION_AXES, *perturbed["perturbation"].unique()]
        panels = [
            _panel(kind, pd.concat([clean, perturbed[perturbed["perturbation"] == kind]]), names)
            for kind in sorted(perturbed["perturbation"].unique(), key=order.index)
        ]
        synthetic = is_synthetic(dataset) or part["trained_on"].map(is_synthetic).any()
        found.append(Curves(paper, dataset, bool(synthetic), panels))
    return found


def _trained_on(tests):
    """What a detector was trained on. A test on its own data has the name that they have there."""
    seen = [test for test in tests.itertuples() if test.dataset in test.trained_on.split("+")]
    return seen[0].trained_on if seen else tests["trained_on"].iloc[0]


def _cell(test):
    advantage = (CHANCE - test.value) if test.metric in LOWER_IS_BETTER else (test.value - CHANCE)
    return Cell(
        value=test.value,
        sd=test.sd,
        low=test.ci_low,
        high=test.ci_high,
        n=test.n,
        seeds=test.seeds,
        note=test.note,
        heat=0.0 if pd.isna(advantage) else round(min(abs(advantage) / CHANCE, 1), 3),
        below=advantage < 0,
        seen=test.dataset in test.trained_on.split("+"),
        synthetic=is_synthetic(test.dataset) or is_synthetic(test.trained_on),
    )


def _panel(kind, rows, names):
    """The curves of one perturbation, from the unperturbed image to the strongest."""
    rows = rows.assign(tick=rows["strength"].where(rows["perturbation"] != UNPERTURBED, CLEAN))
    strengths = _strengths(kind, list(dict.fromkeys(rows["tick"])))
    start = CHANCE if rows[["value", "ci_low"]].min(axis=None) >= CHANCE else 0.0

    def x(strength):
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (strengths.index(strength) + 0.5) / len(strengths), 1)

    def y(value):
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - start) / (1 - start)), 1)

    lines = []
    for place, name in enumerate(names):
        own = rows[[_name(row) == name and pd.notna(row.value) for row in rows.itertuples()]]
        own = sorted(own.itertuples(), key=lambda row: strengths.index(row.tick))
        lines.append(_line(name, place, own, x, y))
    marks = [start + (1 - start) * part / 5 for part in range(6)]
    x_ticks = [(x(strength), strength) for strength in strengths]
    return Panel(PERTURBATION_AXES.get(kind, kind), x_ticks, [(y(mark), f"{mark:.1f}") for mark in marks], lines)


def _strengths(kind, ticks):
    """The ticks from the unperturbed image to the strongest perturbation; strengths that are not known come last."""
    known = [CLEAN, *(f"{strength:g}" for strength in STRENGTHS.get(kind, ()))]
    return [tick for tick in known if tick in ticks] + [tick for tick in ticks if tick not in known]


def _line(name, place, rows, x, y):
    """A detector's curve; x, y: functions from a tick and a value to SVG units."""
    bounded = [row for row in rows if pd.notna(row.ci_low) and pd.notna(row.ci_high)]
    band = [(x(row.tick), y(row.ci_low)) for row in bounded]
    band += [(x(row.tick), y(row.ci_high)) for row in reversed(bounded)]
    return Line(
        name=name,
        colour=place % COLOURS,
        style=place // COLOURS % STYLES,
        points=_points((x(row.tick), y(row.value)) for row in rows),
        band=_points(band),
        dots=[(x(row.tick), y(row.value), f"{name}, {row.tick}: {row.value:.4f}") for row in rows],
    )


def _name(row):
    seeds = f", mean of {count_seeds(row.seeds)} seeds" if count_seeds(row.seeds) > 1 else ""
    return f"{row.model}, trained on {row.trained_on}, {row.protocol}{seeds} ({row.run})"


def _points(pairs):
    return " ".join(f"{x},{y}" for x, y in pairs)
