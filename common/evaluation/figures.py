"""Figures that several papers share. Every function writes one PNG, whole or not at all, and returns its path."""

import math
import textwrap
from pathlib import Path

import numpy as np

from common.files import atomic_path
from common.labels import to_numbers

CURVES = ("#1b6ca8", "#d1495b", "#3a7d44", "#8e6c8a", "#c98b2b", "#4d5359")


def new_figure(rows=1, columns=1, width=4.2, height=3.6, title=None):
    """A matplotlib figure and its axes (rows, columns) in the suite's style; no display is needed."""
    from matplotlib.figure import Figure

    lines = textwrap.wrap(title or "", int(11 * width * columns))  # about 11 letters of that size fill an inch
    size = width * columns, height * rows + 0.2 * len(lines) + (0.2 if lines else 0)
    figure = Figure(figsize=size, layout="constrained", dpi=150)
    axes = figure.subplots(rows, columns, squeeze=False)
    if lines:
        figure.suptitle("\n".join(lines), fontsize=11)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    return figure, axes


def save_figure(figure, path):
    """Write the figure as PNG."""
    with atomic_path(Path(path)) as temporary:
        figure.savefig(temporary, format="png")
    return Path(path)


def scatter_panel(axis, points, kinds, colours, title):
    """Points (n, 2) of an embedding, coloured by kind. kinds: (n,); colours: {kind: colour}, in the legend's order."""
    for kind, colour in colours.items():
        axis.scatter(*points[kinds == kind].T, s=12, color=colour, alpha=0.65, linewidths=0, label=kind)
    axis.set_title(title, fontsize=9)
    axis.set_xticks([])
    axis.set_yticks([])


def tsne(values, seed):
    """t-SNE of vectors (n, d) in two dimensions, from their principal components on: (n, 2)."""
    from sklearn.manifold import TSNE

    perplexity = min(30, (len(values) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(np.asarray(values))


def confusion_figure(predictions, path, title, threshold=0.5):
    """One confusion matrix for each model of `predictions`: counts, and shares of the true class as shade."""
    models = list(dict.fromkeys(predictions["model"]))
    columns = min(3, len(models))
    figure, axes = new_figure(math.ceil(len(models) / columns), columns, 3.4, 3.2, title)
    for axis in axes.flat[len(models) :]:
        axis.set_visible(False)
    for axis, model in zip(axes.flat, models, strict=False):
        rows = predictions[predictions["model"] == model]
        truth, guess = to_numbers(rows["label"]), (rows["score"] >= threshold).astype(int)
        counts = np.array([[np.sum((truth == t) & (guess == g)) for g in (1, 0)] for t in (1, 0)])
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


def roc_figure(predictions, path, title):
    """The ROC curves of all models of `predictions`, with the area of each."""
    from sklearn.metrics import auc, roc_curve

    figure, axes = new_figure(width=5, height=4.4, title=title)
    axis = axes[0, 0]
    axis.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle="--", label="chance")
    for colour, model in zip(CURVES, dict.fromkeys(predictions["model"]), strict=False):
        rows = predictions[predictions["model"] == model]
        false_alarms, hits, _ = roc_curve(to_numbers(rows["label"]), rows["score"])
        axis.plot(false_alarms, hits, color=colour, label=f"{model} (AUC {auc(false_alarms, hits):.3f})")
    axis.set_xlabel("false positive rate (real called fake)", fontsize=9)
    axis.set_ylabel("true positive rate (fake found)", fontsize=9)
    axis.set_aspect("equal")
    axis.legend(fontsize=8, loc="lower right", frameon=False)
    return save_figure(figure, path)


def history_figure(histories, quantity, path, title):
    """Training and validation curves of `quantity` (accuracy, loss) by epoch, one panel for each {name: history}."""
    figure, axes = new_figure(1, len(histories), title=title)
    for axis, (name, history) in zip(axes.flat, histories.items(), strict=True):
        for colour, style, column, label in (
            (CURVES[0], "o-", quantity, "training"),
            (CURVES[1], "s--", f"val_{quantity}", "validation"),
        ):
            axis.plot(history["epoch"], history[column], style, color=colour, markersize=3, label=label)
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("epoch", fontsize=9)
        axis.set_ylabel(quantity, fontsize=9)
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axis.set_xlim(0.5, history["epoch"].max() + 0.5)
        axis.legend(fontsize=8, frameon=False)
    return save_figure(figure, path)
