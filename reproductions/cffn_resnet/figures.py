"""Figures 3 and 4 of the paper, and where the classifier sees its evidence, drawn from a run's own data and network."""

import keras
import numpy as np
import pandas as pd

from common.data.pipeline import Images
from common.detectors import store as detectors
from common.evaluation.figures import CURVES, confusion_figure, new_figure, save_figure
from common.labels import FAKE, REAL, WORDS
from common.training.fit import predict
from reproductions.cffn_resnet.config import PROPOSED
from reproductions.cffn_resnet.model import EVIDENCE, LOGITS
from reproductions.cffn_resnet.train import preprocessing

EXAMPLES = 6  # images of each class in Figure 4
SMOOTHED = 20  # steps over which a curve of steps is averaged


def draw_figures(outcome, trained, steps, config, run):
    """Write the figures that the outcome has data for into the run's figures/. steps: tables of train.StepValues."""
    predictions = pd.concat(outcome.predictions)
    test = predictions[predictions["split"] == "test"]
    name = trained or test["dataset"].iloc[0]
    where = f"{name}, protocol {outcome.protocol}, seed {outcome.seed}"
    shown = PROPOSED if PROPOSED in set(predictions["model"]) else predictions["model"].iloc[0]
    if shown in outcome.histories:
        own = next(table for table in steps if table["model"].iloc[0] == shown)
        _training_figure(own, outcome.histories[shown], run.path("figures", "figure_03_training.png"), where)
    test = test[test["dataset"] == name]
    if not len(test):
        return
    confusion_figure(test, run.path("figures", "figure_03d_confusion.png"), f"Figure 3 (d): test split of {where}")
    images = outcome.images[(outcome.images["dataset"] == name) & (outcome.images["split"] == "test")]
    _examples_figure(images, config, outcome.seed, run.path("figures", "figure_04_examples.png"))
    network = detectors.load(run.folder, shown).network
    chosen = _some(images, config.saliency_images, outcome.seed)
    _evidence_figure(network, chosen, config, run.path("figures", "evidence.png"), where)


def evidence(network, pixels):
    """Where the classifier sees a fake, class activation mapping (Zhou et al. 2016, doi:10.1109/CVPR.2016.319).

    The two maps before the average are weighed by the last matrix: float (B, h, w), whose mean over a map, with the
    biases' difference, is the logit of fake less that of real. network: a detector's, pixels -> P(fake).
    """
    maps = keras.Model(network.input, network.get_layer(EVIDENCE).output).predict(pixels, verbose=0)
    matrix = network.get_layer(LOGITS).kernel.numpy()
    return maps.astype(np.float32) @ (matrix[:, FAKE] - matrix[:, REAL])


def _training_figure(steps, history, path, where):
    """Figure 3 (a) to (c): loss, training accuracy and validation accuracy by iteration."""
    figure, axes = new_figure(1, 3, 4.0, 3.3, f"Figure 3 (a) to (c): {where}")
    steps = steps.reset_index(drop=True)
    ends = steps.groupby(["phase", "epoch"], sort=False).tail(1).index + 1  # iterations at the end of each epoch
    for axis, quantity, title in zip(
        axes[0], ("loss", "accuracy", "val_accuracy"), ("(a) loss", "(b) training accuracy", "(c) validation accuracy"),
        strict=True,
    ):  # fmt: skip
        for colour, phase, label in ((CURVES[3], "triplet", "phase 1, triplet loss"), (CURVES[0], "classifier", None)):
            label = label or ("phase 2, cross-entropy and penalty" if quantity == "loss" else "phase 2")
            if quantity == "val_accuracy" and phase == "classifier":
                chosen = (history["phase"] == phase).to_numpy()
                axis.plot(ends[chosen], history[quantity][chosen], "o-", color=colour, markersize=3, label=label)
            elif quantity != "val_accuracy" and (values := steps.loc[steps["phase"] == phase, quantity]).notna().any():
                axis.plot(values.index + 1, values, color=colour, alpha=0.25, linewidth=0.8)
                mean = values.rolling(SMOOTHED, min_periods=1).mean()
                axis.plot(values.index + 1, mean, color=colour, linewidth=1.5, label=label)
        axis.set_xlim(0, len(steps) + 1)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("iteration", fontsize=9)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend(fontsize=8, frameon=False)
    return save_figure(figure, path)


def _examples_figure(images, config, seed, path):
    chosen = _some(images, EXAMPLES, seed)
    pixels = _pixels(chosen, config)
    columns = chosen["label"].value_counts().max()
    figure, axes = new_figure(2, columns, 1.3, 1.35, "Figure 4: example data")
    for axis in axes.flat:
        axis.set_axis_off()
    for row, label in zip(axes, (WORDS[REAL], WORDS[FAKE]), strict=True):
        for axis, image in zip(row, pixels[(chosen["label"] == label).to_numpy()], strict=False):
            axis.imshow(image)
            axis.set_title(label, fontsize=9)
    return save_figure(figure, path)


def _evidence_figure(network, images, config, path, where):
    """Test images above, and on them what speaks for fake (red) and for real (blue)."""
    pixels = _pixels(images, config)
    maps, scores = evidence(network, pixels), predict(network, pixels, len(pixels))[:, 0]
    most, side = np.abs(maps).max() or 1.0, config.image_size
    figure, axes = new_figure(2, len(images), 1.5, 1.6, f"Evidence of the classifier, {where}")
    figure.set_size_inches(1.4 * len(images) + 1.0, 3.7)
    for column, (image, score, label) in enumerate(zip(pixels, scores, images["label"], strict=True)):
        axes[0, column].imshow(image)
        axes[0, column].set_title(f"{label}\nP(fake) = {score:.2f}", fontsize=8)
        axes[1, column].imshow(image.mean(axis=-1), cmap="gray")
        shown = axes[1, column].imshow(
            maps[column], cmap="RdBu_r", vmin=-most, vmax=most, alpha=0.55, interpolation="bilinear",
            extent=(-0.5, side - 0.5, side - 0.5, -0.5),
        )  # fmt: skip
    for axis in axes.flat:
        axis.set_axis_off()
    bar = figure.colorbar(shown, ax=axes, shrink=0.8, aspect=25)
    bar.set_label("for real  <  logit  >  for fake", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return save_figure(figure, path)


def _some(images, most, seed):
    """At most so many images of each class, of different videos, real ones first."""
    some = images.sample(frac=1, random_state=seed)
    some = some[(some["video"] == "") | ~some.duplicated(["video"])].groupby("label").head(most)
    return some.sort_values("label", ascending=False, kind="stable")


def _pixels(images, config):
    """uint8 (n, S, S, 3), as the network sees them."""
    batches = Images(images, preprocessing(config)).evaluation_batches(len(images))
    return next(iter(batches)).numpy().round().astype(np.uint8)
