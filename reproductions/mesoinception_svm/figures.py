"""Figures 3 to 10 of the paper, drawn from a run's own images, predictions, history and network."""

from collections.abc import Sequence
from pathlib import Path

from common.detectors import store
from common.evaluation.figures import confusion_figure, history_figure, roc_figure
from common.runs.folder import Run
from reproductions.mesoinception_svm.activation import activation_figure
from reproductions.mesoinception_svm.config import BASE, FIRST, HINGE, PROPOSED, Config
from reproductions.mesoinception_svm.data_figures import augmentation_figure, pipeline_figure
from reproductions.splitting import Split


def draw_figures(split: Split, trained: Sequence[str], run: Run, config: Config) -> None:
    """Write the figures that a split has the data for into the run's figures/.

    Args:
        split: with its predictions and histories.
        trained: the names of the data sets that were trained on.
        run: the run's folder.
        config: the run's config.
    """
    images = split.images
    pipeline_figure(images, trained, config, run.path("figures", "figure_03_pipeline.png"))
    face = images[images["dataset"].isin(trained)].sort_values("path").iloc[0]
    augmentation_figure(Path(face["file"]), config, run.path("figures", "figure_04_augmentation.png"))
    predictions = split.table()
    test = predictions[predictions["dataset"].isin(trained) & (predictions["split"] == "test")]
    subject = f"{'+'.join(trained)}, protocol {split.protocol}, seed {split.seed}"
    pair = test[test["model"].isin([BASE, PROPOSED])]
    if not pair.empty:
        confusion_figure(pair, run.path("figures", "figure_05_confusion.png"), f"test split of {subject}")
    if test["label"].nunique() == 2:
        roc_figure(test, run.path("figures", "figure_06_roc.png"), f"test split of {subject}")
    _draw_histories(split.histories, run, subject)
    if BASE in set(predictions["model"]):
        network = store.load(run.folder, BASE).network
        activation_figure(network, run.path("figures", "figure_09_activation.png"), config.activation_steps, split.seed)


def _draw_histories(histories, run, subject):
    """Draw Figures 7, 8 and 10.

    The paper's Figure 7 is the first model, beside which the network of Table 4 is drawn; its Figure 8 is Meso-4 under
    its hinge loss, without it Meso-4 itself.
    """
    second = next((name for name in (HINGE, "meso4") if name in histories), None)
    for number, names in ((7, (FIRST, BASE)), (8, (second,))):
        if shown := {name: histories[name] for name in names if name in histories}:
            path = run.path("figures", f"figure_{number:02d}_accuracy.png")
            history_figure(shown, "accuracy", path, f"Figure {number}: accuracy")
    losses = {name: histories[name] for name in (BASE, second) if name in histories}
    if losses:
        history_figure(losses, "loss", run.path("figures", "figure_10_loss.png"), f"Figure 10, {subject}")
