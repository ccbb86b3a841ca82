"""Figures 5 to 10 of the paper, drawn from a run's own predictions, history and network."""

from collections.abc import Sequence

from common.detectors import store
from common.evaluation.figures import confusion_figure, history_figure, roc_figure
from common.runs.folder import Run
from reproductions.mesoinception_svm.activation import activation_figure
from reproductions.mesoinception_svm.config import BASE, PROPOSED
from reproductions.splitting import Split


def draw_figures(split: Split, trained: Sequence[str], run: Run, steps: int) -> None:
    """Write the figures that a split has the data for into the run's figures/.

    Args:
        split: with its predictions and histories.
        trained: the names of the data sets that were trained on.
        run: the run's folder.
        steps: steps of gradient ascent for Figure 9.
    """
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
        activation_figure(network, run.path("figures", "figure_09_activation.png"), steps, split.seed)


def _draw_histories(histories, run, subject):
    """Draw Figures 7, 8 and 10. The paper's Figure 8 is Meso-4 under its hinge loss; without it, Meso-4 itself."""
    second = next((name for name in ("meso4_hinge", "meso4") if name in histories), None)
    for number, name in ((7, BASE), (8, second)):
        if name in histories:
            path = run.path("figures", f"figure_{number:02d}_accuracy.png")
            history_figure({name: histories[name]}, "accuracy", path, f"Figure {number}: accuracy")
    losses = {name: histories[name] for name in (BASE, second) if name in histories}
    if losses:
        history_figure(losses, "loss", run.path("figures", "figure_10_loss.png"), f"Figure 10, {subject}")
