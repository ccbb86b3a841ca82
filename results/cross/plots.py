"""The figures of results.cross: the AUC of every detector on every data set, and its curves on perturbed images."""

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from common.errors import UserError
from common.evaluation.figures import CURVE_COLOURS, new_figure
from results.cross.table import DETECTOR, UNPERTURBED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLES = ("-", "--", ":", "-.")
PERTURBATION_AXES = {
    "jpeg": "JPEG quality",
    "blur": "blur, σ in pixels",
    "scaling": "scaled down to, and up",
    "noise": "noise, σ in grey levels",
    "social": "longest side in pixels, JPEG 75",
}
INK = "#222222"
NOT_SCORED = "#eeeeee"


def matrix_figure(table: pd.DataFrame) -> "Figure":
    """Draw the AUC by image as a heat map, detectors by data sets. A frame marks the data that were trained on.

    Args:
        table: cross.csv.
    """
    chosen = table[table["metric"].eq("auc") & table["level"].eq("frame")]
    detectors = list(dict.fromkeys(chosen[DETECTOR].itertuples(index=False, name=None)))
    names = sorted(set(chosen["dataset"]))
    figure, axes = new_figure(width=3.6 + 1.5 * len(names), height=1.3 + 0.62 * len(detectors))
    axis, shade = axes[0, 0], np.full((len(detectors), len(names)), np.nan)
    cells = {(tuple(row[column] for column in DETECTOR), row["dataset"]): row for _, row in chosen.iterrows()}
    for (line, detector), (column, name) in ((d, n) for d in enumerate(detectors) for n in enumerate(names)):
        row = cells.get((detector, name))
        shade[line, column] = np.nan if row is None else row["value"]
        text = "" if row is None else _cell(row)
        ink = "white" if abs(shade[line, column] - 0.5) > 0.27 else INK
        axis.text(column, line, text, ha="center", va="center", fontsize=7.5, color=ink, linespacing=1.3)
        if row is not None and name in row["trained_on"].split("+"):
            _frame(axis, column, line)
    axis.set_facecolor(NOT_SCORED)
    image = axis.imshow(shade, cmap="RdBu", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(len(names)), [textwrap.fill(name, 16, break_on_hyphens=True) for name in names])
    axis.set_yticks(range(len(detectors)), [_label(detector) for detector in detectors])
    axis.set_xticks(np.arange(0.5, len(names) - 1), minor=True)
    axis.set_yticks(np.arange(0.5, len(detectors) - 1), minor=True)
    axis.grid(which="minor", color="white", linewidth=2)
    axis.tick_params(which="both", length=0)
    axis.spines[:].set_visible(False)
    axis.set_title(
        "ROC AUC by image, 95 % interval\nframed: trained on it, its test split\nnot framed: unseen data",
        fontsize=9,
        loc="left",
    )
    bar = figure.colorbar(image, ax=axis, fraction=0.04, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7)
    return figure


def robustness_figure(table: pd.DataFrame) -> "Figure":
    """Draw the AUC by image on perturbed images: one row of panels per data set, one column per perturbation.

    Each detector has a curve with its interval, from the plain image to the strongest perturbation.

    Args:
        table: robustness.csv.
    """
    chosen = table[table["metric"].eq("auc") & table["level"].eq("frame")]
    detectors = list(dict.fromkeys(chosen[DETECTOR].itertuples(index=False, name=None)))
    names = sorted(set(chosen["dataset"]))
    kinds = [kind for kind in PERTURBATION_AXES if kind in set(chosen["perturbation"])]
    if not kinds:
        raise UserError(f"no AUC on perturbed images to draw: expected one of {', '.join(PERTURBATION_AXES)}")
    figure, axes = new_figure(len(names), len(kinds), 2.7, 2.4)
    for axis, (name, kind) in zip(axes.flat, ((name, kind) for name in names for kind in kinds), strict=True):
        panel = chosen[chosen["dataset"].eq(name) & chosen["perturbation"].isin((kind, UNPERTURBED))]
        for place, detector in enumerate(detectors):
            rows = panel[(panel[DETECTOR] == detector).all(axis=1)]
            _curve(axis, _by_strength(rows, kind), _line_style(place))
        axis.axhline(0.5, color="#999999", linewidth=0.8, linestyle=(0, (1, 2)))
        axis.set_ylim(-0.02, 1.02)
        axis.set_xlabel(PERTURBATION_AXES[kind], fontsize=8)
        axis.tick_params(labelsize=7)
        if kind == kinds[0]:
            axis.set_ylabel(f"{name}\nROC AUC by image", fontsize=8)
    lines = [figure.axes[0].plot([], [], **_line_style(place))[0] for place in range(len(detectors))]
    labels = [_label(detector).replace("\n", ": ") for detector in detectors]
    figure.legend(lines, labels, loc="outside lower left", fontsize=7, frameon=False, ncols=2)
    return figure


def _by_strength(rows, kind):
    """The rows of one detector and panel from the plain image to the strongest perturbation, `strength` as text."""
    number = pd.to_numeric(rows["strength"])
    weaker_first = number * (1 if kind in ("blur", "noise") else -1)
    return rows.assign(order=weaker_first.fillna(-np.inf)).sort_values("order").replace({"strength": {"": "plain"}})


def _curve(axis, rows, style):
    axis.plot(rows["strength"], rows["value"], **style, linewidth=1.3, marker="o", markersize=2.5)
    axis.fill_between(rows["strength"], rows["ci_low"], rows["ci_high"], color=style["color"], alpha=0.13, linewidth=0)


def _line_style(place):
    """Colour and dashes of the curve of one detector."""
    colours = len(CURVE_COLOURS)
    return {"color": CURVE_COLOURS[place % colours], "linestyle": STYLES[place // colours % len(STYLES)]}


def _cell(row):
    if pd.isna(row["value"]):
        return f"no AUC\n{textwrap.fill(row['note'].rpartition('; ')[2], 18)}"
    interval = "no interval" if pd.isna(row["ci_low"]) else f"{row['ci_low']:.2f} to {row['ci_high']:.2f}"
    return f"{row['value']:.3f}\n{interval}\nn {row['n']}"


def _frame(axis, column, line):
    from matplotlib.patches import Rectangle

    axis.add_patch(Rectangle((column - 0.47, line - 0.46), 0.94, 0.92, fill=False, edgecolor=INK, linewidth=1.8))


def _label(detector):
    paper, run, model, protocol, seed = detector
    return f"{paper} {run}\n{model}, {protocol}, seed {seed}"
