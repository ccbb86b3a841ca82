"""Figures 5 to 10 of the paper, drawn from a run's own predictions, history and network."""

import pandas as pd

from common.detectors import store as detectors
from common.evaluation.figures import confusion_figure, history_figure, roc_figure
from reproductions.mesoinception_svm.activation import activation_figure
from reproductions.mesoinception_svm.config import BASE, PROPOSED


def draw_figures(outcome, trained, run, steps):
    """Write the figures that the outcome has the data for into the run's figures/."""
    predictions = pd.concat(outcome.predictions)
    test = predictions[predictions["dataset"].isin(trained) & (predictions["split"] == "test")]
    where = f"{'+'.join(trained)}, protocol {outcome.protocol}, seed {outcome.seed}"
    pair = test[test["model"].isin([BASE, PROPOSED])]
    if not pair.empty:
        confusion_figure(pair, run.path("figures", "figure_05_confusion.png"), f"test split of {where}")
    if test["label"].nunique() == 2:
        roc_figure(test, run.path("figures", "figure_06_roc.png"), f"test split of {where}")
    histories = outcome.histories
    if BASE in histories:
        history_figure(
            {BASE: histories[BASE]}, "accuracy", run.path("figures", "figure_07_accuracy.png"), "Figure 7: accuracy"
        )
    # The paper's Figure 8 shows the training of Meso-4 under its hinge loss; without it, that of Meso-4 itself.
    other = next((name for name in ("meso4_hinge", "meso4") if name in histories), None)
    if other:
        history_figure(
            {other: histories[other]}, "accuracy", run.path("figures", "figure_08_accuracy.png"), "Figure 8: accuracy"
        )
    losses = {name: histories[name] for name in (BASE, other) if name in histories}
    if losses:
        history_figure(losses, "loss", run.path("figures", "figure_10_loss.png"), f"Figure 10, {where}")
    if BASE in set(predictions["model"]):
        network = detectors.load(run.folder, BASE).network
        activation_figure(network, run.path("figures", "figure_09_activation.png"), steps, outcome.seed)
