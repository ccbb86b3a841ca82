"""Figures 7, 8 and 9 of the paper, drawn from a run's own predictions, histories and networks."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from common.evaluation.evaluate import to_videos
from common.evaluation.figures import (
    CURVE_COLOURS,
    history_figure,
    new_figure,
    roc_figure,
    save_figure,
    scatter_panel,
    tsne,
)
from common.labels import to_words
from common.runs.folder import Run
from common.training.initial_weights import stored_network
from reproductions.facenet_embeddings.config import BASE, FACENET, TRIALS, TSNE_IMAGES
from reproductions.facenet_embeddings.phase2 import untrained_network
from reproductions.facenet_embeddings.rows import TABLE_2, mark_held_out
from reproductions.facenet_embeddings.vectors import Vectors, vectors_by_split
from reproductions.facenet_embeddings.whole_videos import single_frames, videos_of_table_2
from reproductions.session import Session

FEWEST = 3  # points that t-SNE can arrange


def draw_figures(session: Session, embedder: str, embeddings: np.ndarray | None) -> None:
    """Write Figure 9 of each split, and Figures 7 and 8 of the first, into the run's figures/.

    Args:
        session: the run, with the predictions and histories of its splits, and the first one's base network if there
            is one.
        embedder: the name of an Embedder.
        embeddings: float32 (n, 512), of all images, by their index; None: there is no Figure 8.
    """
    splits, run = session.data.splits, session.run
    first = splits[0]
    draw_phase1(first.histories, run)
    file = run.folder / "models" / f"{BASE}.keras"
    if file.is_file() and embeddings is not None:
        images = next(iter(first.parts.values()))
        vectors = vectors_by_split(images, embeddings[images.index])
        title = "FaceNet" if embedder == FACENET else f"{embedder} (not FaceNet)"
        networks = untrained_network(session.config, session.training(BASE, first)), stored_network(file, BASE)
        path = run.path("figures", "figure_08_tsne.png")
        draw_embeddings(vectors, networks, f"{title}, protocol {first.protocol}", path, first.seed)
    for split in splits:
        draw_roc(mark_held_out(split), split.protocol, run.path("figures", f"figure_09_roc{split.suffix}.png"))


def draw_phase1(histories: Mapping[str, pd.DataFrame], run: Run) -> None:
    """Draw Figure 7: loss and accuracy of each training of phase I.

    Args:
        histories: {training: one row an epoch}, of all trainings of a split.
        run: the run's folder.
    """
    chosen = {name: history for name, history in histories.items() if name.partition(",")[0] in TRIALS}
    if chosen:
        for quantity in ("loss", "accuracy"):
            title = f"Figure 7: {quantity} in phase I"
            history_figure(chosen, quantity, run.path("figures", f"figure_07_{quantity}.png"), title)


def draw_embeddings(
    vectors: Mapping[str, Vectors], networks: tuple[keras.Model, keras.Model], subject: str, path: Path, seed: int
) -> Path | None:  # fmt: skip
    """Draw Figure 8: t-SNE of at most 512 training images by the base network, before and after its training [code].

    Below it, not in the paper, are test images.

    Args:
        vectors: {split: Vectors}. A split with too few images is left out.
        networks: the untrained base network and the trained one.
        subject: what made the embeddings, and the protocol.
        path: the PNG to write.
        seed: of the choice of images and of t-SNE.

    Returns:
        The path; None if no split has enough images.
    """
    shown = [split for split in ("train", "test") if len(vectors[split].labels) >= FEWEST]
    if not shown:
        return None
    figure, axes = new_figure(len(shown), 2, 4.4, 4.0, f"Figure 8: base network by t-SNE, on {subject}")
    for row, split in zip(axes, shown, strict=True):
        sample = vectors[split].sample(TSNE_IMAGES, seed)
        words = {"train": "training", "test": "test"}[split]
        for axis, stage, network in zip(
            row, ("before triplet training", "after triplet training"), networks, strict=True
        ):
            values = sample.embed(network)
            kinds, colours = to_words(sample.labels), {"real": CURVE_COLOURS[0], "fake": CURVE_COLOURS[1]}
            scatter_panel(axis, tsne(values, seed), kinds, colours, f"{stage}, {len(values)} {words} images")
    axes[0, 0].legend(fontsize=8, frameon=False, markerscale=2)
    return save_figure(figure, path)


def draw_roc(predictions: pd.DataFrame, protocol: str, path: Path) -> Path | None:
    """Draw Figure 9: the ROC curves of SGD and random forest, of whole videos, or of frames if there are none.

    Args:
        predictions: as for `rows.result_rows`, of one protocol and one seed.
        protocol: for the title.
        path: the PNG to write.

    Returns:
        The path; None without test images of both classes.
    """
    test = predictions[(predictions["split"] == "test") & predictions["model"].isin(TABLE_2)]
    if test["label"].nunique() < 2:
        return None
    whole = videos_of_table_2(test, protocol)
    level, scored = ("frames", single_frames(test)) if whole is None else ("videos", whole)
    shown = [to_videos(table) if level == "videos" else table for _, table in scored.groupby("model", sort=False)]
    return roc_figure(pd.concat(shown), path, f"Figure 9: ROC of {level}, protocol {protocol}")
