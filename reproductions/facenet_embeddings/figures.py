"""Figures 7, 8 and 9 of the paper, drawn from a run's own predictions, histories and networks."""

import pandas as pd

from common.evaluation.evaluate import has_videos, to_videos
from common.evaluation.figures import CURVES, history_figure, new_figure, roc_figure, save_figure, scatter_panel, tsne
from common.labels import to_words
from reproductions.facenet_embeddings.config import FACENET, TRIALS, TSNE_IMAGES
from reproductions.facenet_embeddings.rows import TABLE_2


def draw_phase1(histories, run):
    """Figure 7: loss and accuracy of each training of phase I. histories: {training: table}."""
    chosen = {name: history for name, history in histories.items() if name.partition(",")[0] in TRIALS}
    if chosen:
        for quantity in ("loss", "accuracy"):
            title = f"Figure 7: {quantity} in phase I"
            history_figure(chosen, quantity, run.path("figures", f"figure_07_{quantity}.png"), title)


def draw_roc(predictions, protocol, run, suffix):
    """Figure 9: the ROC curves of SGD and random forest, of videos where the images name them; none without them."""
    test = predictions[(predictions["split"] == "test") & predictions["model"].isin(TABLE_2)]
    if test.empty:
        return None
    level = "videos" if has_videos(test) else "frames"
    shown = [to_videos(table) if level == "videos" else table for _, table in test.groupby("model", sort=False)]
    title = f"Figure 9: ROC of {level}, protocol {protocol}"
    return roc_figure(pd.concat(shown), run.path("figures", f"figure_09_roc{suffix}.png"), title)


def draw_embeddings(parts, trained, embedder, protocol, run, seed):
    """Figure 8: t-SNE of at most 512 training images before and after the base network; below, ours, of test images.

    parts: {split: phase2.Vectors}.
    """
    before = "FaceNet" if embedder == FACENET else f"{embedder} (not FaceNet)"
    figure, axes = new_figure(2, 2, 4.4, 4.0, f"Figure 8: embeddings by t-SNE, protocol {protocol}")
    for row, (split, words) in zip(axes, (("train", "training"), ("test", "test")), strict=True):
        vectors = parts[split].some(TSNE_IMAGES, seed)
        stages = ((before, vectors.values), ("after triplet training", vectors.through(trained.base)))
        for axis, (stage, values) in zip(row, stages, strict=True):
            kinds, colours = to_words(vectors.labels), {"real": CURVES[0], "fake": CURVES[1]}
            scatter_panel(axis, tsne(values, seed), kinds, colours, f"{stage}, {len(values)} {words} images")
    axes[0, 0].legend(fontsize=8, frameon=False, markerscale=2)
    return save_figure(figure, run.path("figures", "figure_08_tsne.png"))
