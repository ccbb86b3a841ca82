"""Figures that several papers share. A function that writes a PNG writes it atomically and returns its path."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from common.evaluation.calibration import reliability
from common.evaluation.evaluate import is_fake
from common.evaluation.metrics import BINS
from common.evaluation.sampling import sampling_of
from common.files import atomic_path
from common.labels import FAKE, REAL, to_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVE_COLOURS = ("#1b6ca8", "#d1495b", "#3a7d44", "#8e6c8a", "#c98b2b", "#4d5359")

CHANCE = {"color": "#999999", "linewidth": 0.8, "linestyle": "--", "label": "chance"}


def new_figure(
    rows: int = 1, columns: int = 1, width: float = 4.2, height: float = 3.6, title: str | None = None
) -> tuple[Figure, NDArray]:
    """Create a figure in the suite's style. No display is needed.

    Args:
        rows: of panels.
        columns: of panels.
        width: of a panel in inches.
        height: of a panel in inches.
        title: above the panels; long titles are wrapped.

    Returns:
        The figure and its axes, an array (rows, columns).
    """
    from matplotlib.figure import Figure  # here: commands of results.* start without it

    lines = textwrap.wrap(title or "", int(11 * width * columns))  # about 11 letters of this size per inch
    size = width * columns, height * rows + 0.2 * len(lines) + (0.2 if lines else 0)
    figure = Figure(figsize=size, layout="constrained", dpi=150)
    axes = figure.subplots(rows, columns, squeeze=False)
    if lines:
        figure.suptitle("\n".join(lines), fontsize=11)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    return figure, axes


def save_figure(figure: Figure, path: Path | str) -> Path:
    """Write the figure as PNG, and return its path. A `$` in the name of a model or data set is no formula."""
    from matplotlib.text import Text  # here: commands of results.* start without it

    for text in figure.findobj(Text):
        if "$" in text.get_text() and "\\math" not in text.get_text():  # matplotlib's own ticks are formulas
            text.set_parse_math(False)
    with atomic_path(Path(path)) as temporary:
        figure.savefig(temporary, format="png")
    return Path(path)


def scatter_panel(axis: Axes, points: NDArray, kinds: NDArray, colours: Mapping[str, str], title: str) -> None:
    """Draw the points of an embedding, coloured by kind.

    Args:
        axis: the panel.
        points: float (n, 2).
        kinds: str (n,).
        colours: {kind: colour}, in the order of the legend.
        title: of the panel.
    """
    for kind, colour in colours.items():
        x, y = points[kinds == kind].T
        axis.scatter(x, y, s=12, color=colour, alpha=0.65, linewidths=0, label=kind)
    axis.set_title(title, fontsize=9)
    axis.set_xticks([])
    axis.set_yticks([])


def tsne(values: ArrayLike, seed: int) -> NDArray:
    """Compute t-SNE in two dimensions, initialised with the principal components.

    Args:
        values: float (n, d).
        seed: of the random numbers.

    Returns:
        float (n, 2).
    """
    from sklearn.manifold import TSNE  # here: most figures do not need it

    values = np.asarray(values)
    perplexity = min(30, (len(values) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(values)


def confusion_figure(predictions: pd.DataFrame, path: Path, title: str, threshold: float = 0.5) -> Path:
    """Draw a confusion matrix for each model: counts, with the share of the true class as shade.

    Args:
        predictions: rows with the columns model, label and score.
        path: of the PNG.
        title: of the figure.
        threshold: an image with score >= threshold is called fake.
    """
    models = list(dict.fromkeys(predictions["model"]))
    columns = min(3, len(models))
    figure, axes = new_figure(math.ceil(len(models) / columns), columns, 3.4, 3.2, title)
    for axis in axes.flat[len(models) :]:
        axis.set_visible(False)
    for axis, model in zip(axes.flat, models, strict=False):
        rows = predictions[predictions["model"] == model]
        labels, verdicts = to_numbers(rows["label"]), (rows["score"] >= threshold).astype(int)
        classes = (FAKE, REAL)
        counts = np.array([[np.sum((labels == row) & (verdicts == column)) for column in classes] for row in classes])
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(counts):
            ink = "white" if shares[row, column] > 0.55 else "black"
            axis.text(column, row, f"{count}\n{shares[row, column]:.1%}", ha="center", va="center", color=ink)
        axis.set_xticks([0, 1], ["fake", "real"])
        axis.set_yticks([0, 1], ["fake", "real"])
        axis.set_xlabel("predicted", fontsize=9)
        axis.set_ylabel("true", fontsize=9)
        axis.set_title(model, fontsize=9)
    return save_figure(figure, path)


def roc_figure(predictions: pd.DataFrame, path: Path, title: str) -> Path:
    """Draw the ROC curve of each model, with its area.

    Args:
        predictions: rows with the columns model, label and score.
        path: of the PNG.
        title: of the figure.
    """
    from sklearn.metrics import auc, roc_curve  # here: most figures do not need them

    figure, axis = _curve_panel(title, "false positive rate (real called fake)", "true positive rate (fake found)")
    axis.plot([0, 1], [0, 1], **CHANCE)
    for style, model, rows in _styled_models(predictions):
        fpr, tpr, _ = roc_curve(to_numbers(rows["label"]), rows["score"])
        axis.plot(fpr, tpr, **style, label=f"{model} (AUC {auc(fpr, tpr):.3f})")
    axis.set_aspect("equal")
    return _with_legend(figure, axis, "lower right", path)


def precision_recall_figure(predictions: pd.DataFrame, path: Path, title: str) -> Path:
    """Draw the precision-recall curve of each model, with its average precision; chance is the share of fakes.

    Args:
        predictions: rows with the columns model, label and score.
        path: of the PNG.
        title: of the figure.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve  # here: most figures do not need them

    figure, axis = _curve_panel(title, "recall (fakes found)", "precision (fakes among what is called fake)")
    axis.axhline(to_numbers(predictions["label"]).mean(), **CHANCE)
    for style, model, rows in _styled_models(predictions):
        labels = to_numbers(rows["label"])
        precision, recall, _ = precision_recall_curve(labels, rows["score"])
        area = average_precision_score(labels, rows["score"])
        axis.step(recall, precision, where="post", **style, label=f"{model} (AP {area:.3f})")
    axis.set_ylim(0, 1.03)
    return _with_legend(figure, axis, "lower left", path)


def reliability_figure(predictions: pd.DataFrame, path: Path, title: str) -> Path:
    """Draw for each model the share of fakes in each bin of scores, with its 95 % interval, and the images of each bin.

    A calibrated detector lies on the diagonal (DeGroot and Fienberg 1983, doi:10.2307/2987588).

    Args:
        predictions: rows with the columns model, label, score in [0, 1] and path, and perhaps video and identity, by
            which the intervals are clustered.
        path: of the PNG.
        title: of the figure.
    """
    models = list(_styled_models(predictions))
    columns = min(3, len(models))
    figure, axes = new_figure(2 * math.ceil(len(models) / columns), columns, 3.6, 2.4, title)
    for place in range(columns * len(axes) // 2):
        line, column = divmod(place, columns)
        upper, lower = axes[2 * line, column], axes[2 * line + 1, column]
        if place < len(models):
            _, model, rows = models[place]
            _reliability_panel(upper, lower, rows)
            upper.set_title(model, fontsize=9)
        else:
            upper.set_visible(False)
            lower.set_visible(False)
    return save_figure(figure, path)


def history_figure(histories: Mapping[str, pd.DataFrame], quantity: str, path: Path, title: str) -> Path:
    """Draw training and validation curves by epoch, a panel for each training.

    Args:
        histories: {training: one row per epoch with the columns epoch, `quantity` and val_`quantity`}.
        quantity: e.g. `accuracy` or `loss`.
        path: of the PNG.
        title: of the figure.
    """
    figure, axes = new_figure(1, len(histories), title=title)
    for axis, (name, history) in zip(axes.flat, histories.items(), strict=True):
        for colour, style, column, label in (
            (CURVE_COLOURS[0], "o-", quantity, "training"),
            (CURVE_COLOURS[1], "s--", f"val_{quantity}", "validation"),
        ):
            axis.plot(history["epoch"], history[column], style, color=colour, markersize=3, label=label)
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("epoch", fontsize=9)
        axis.set_ylabel(quantity, fontsize=9)
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axis.set_xlim(0.5, history["epoch"].max() + 0.5)
        axis.legend(fontsize=8, frameon=False)
    return save_figure(figure, path)


def _curve_panel(title, x, y):
    """A figure of one panel with named axes."""
    figure, axes = new_figure(width=5, height=4.4, title=title)
    axes[0, 0].set_xlabel(x, fontsize=9)
    axes[0, 0].set_ylabel(y, fontsize=9)
    return figure, axes[0, 0]


def _with_legend(figure, axis, place, path):
    axis.legend(fontsize=8, loc=place, frameon=False)
    return save_figure(figure, path)


def _reliability_panel(upper, lower, rows):
    """The bins of one model: shares of fakes above, numbers of images below."""
    fake, scores = is_fake(rows), rows["score"].to_numpy(dtype=np.float64)
    bins = reliability(fake, scores, sampling_of(rows).clusters)
    x, share = np.array([each.score for each in bins]), np.array([each.share for each in bins])
    reach = np.abs(np.array([[each.low, each.high] for each in bins]).T - share)
    upper.plot([0, 1], [0, 1], **CHANCE | {"label": "calibrated"})
    upper.errorbar(x, share, reach, fmt="o-", markersize=3, linewidth=1, capsize=2, color=CURVE_COLOURS[0])
    upper.set_ylabel("share of fakes", fontsize=8)
    error = float(np.sum([each.n * abs(each.share - each.score) for each in bins]) / len(rows))
    upper.text(0.03, 0.9, f"ECE {error:.3f}", fontsize=8, transform=upper.transAxes)
    lower.hist([scores[fake], scores[~fake]], np.linspace(0, 1, BINS + 1), color=CURVE_COLOURS[1::-1], stacked=True)
    lower.legend(["fake", "real"], fontsize=7, frameon=False)
    lower.set_ylabel("images", fontsize=8)
    lower.set_xlabel("score, P(fake)", fontsize=8)
    for axis in (upper, lower):
        axis.set_xlim(-0.02, 1.02)


def _styled_models(predictions):
    """Yield (line style, model, its rows): after each colour once, all of them again dashed."""
    for place, model in enumerate(dict.fromkeys(predictions["model"])):
        again, colour = divmod(place, len(CURVE_COLOURS))
        style = {"color": CURVE_COLOURS[colour], "linestyle": ("-", "--", ":")[again % 3], "linewidth": 1.3}
        yield style, model, predictions[predictions["model"] == model]
