"""Figures 3 and 4 of the paper, and where the classifier finds its evidence, from a run's own data and network."""

from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd

from common.data.pipeline import Images
from common.detectors import store
from common.evaluation.figures import CURVE_COLOURS, confusion_figure, new_figure, save_figure
from common.labels import FAKE, REAL, WORDS
from common.runs.folder import Run
from common.training.fit import predict
from reproductions.cffn_resnet.config import PROPOSED, Config
from reproductions.cffn_resnet.method import preprocessing
from reproductions.cffn_resnet.model import EVIDENCE, LOGITS
from reproductions.cffn_resnet.phases import CLASSIFIER, TRIPLET
from reproductions.splitting import Split

EXAMPLES = 6  # images of each class in Figure 4
SMOOTHED_STEPS = 20  # steps over which a curve is averaged


def draw_figures(split: Split, trained: Sequence[str], steps: Sequence[pd.DataFrame], config: Config, run: Run) -> None:
    """Write the figures that a split has the data for into the run's figures/.

    Args:
        split: the run's first, with its predictions and histories.
        trained: the name of the data set that is trained on, or nothing; then the first tested one is drawn.
        steps: tables of method.StepValues with the column model, those of this split first.
        config: the run's config.
        run: the run's folder.
    """
    predictions = split.table()
    test = predictions[predictions["split"] == "test"]
    dataset = [*trained, *test["dataset"].unique()][0]
    subject = f"{dataset}, protocol {split.protocol}, seed {split.seed}"
    model = PROPOSED if PROPOSED in set(predictions["model"]) else predictions["model"].iloc[0]
    if model in split.histories:
        model_steps = next(table for table in steps if table["model"].iloc[0] == model)
        path = run.path("figures", "figure_03_training.png")
        save_figure(training_figure(model_steps, split.histories[model], subject), path)
    test = test[test["dataset"] == dataset]
    if test.empty:
        return
    confusion_figure(test, run.path("figures", "figure_03d_confusion.png"), f"Figure 3 (d): test split of {subject}")
    images = split.images[(split.images["dataset"] == dataset) & (split.images["split"] == "test")]
    examples = sample(images, EXAMPLES, split.seed)
    save_figure(examples_figure(examples, config), run.path("figures", "figure_04_examples.png"))
    network = store.load(run.folder, model).network
    examples = sample(images, config.saliency_images, split.seed)
    save_figure(evidence_figure(network, examples, config, subject), run.path("figures", "evidence.png"))


def evidence(network: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """Return where the classifier finds a fake: class activation mapping (Zhou et al. 2016, doi:10.1109/CVPR.2016.319).

    The two maps before the average are weighted by the last matrix. The mean over a map, plus the difference of the
    biases, is the logit of fake minus that of real.

    Args:
        network: of a detector, pixels -> P(fake).
        pixels: (B, S, S, 3) in [0, 255].

    Returns:
        float32 (B, h, w).
    """
    maps = keras.Model(network.input, network.get_layer(EVIDENCE).output).predict(pixels, verbose=0)  # (B, h, w, 2)
    matrix = network.get_layer(LOGITS).kernel.numpy()
    return maps.astype(np.float32) @ (matrix[:, FAKE] - matrix[:, REAL])


def training_figure(steps: pd.DataFrame, history: pd.DataFrame, subject: str):
    """Return Figure 3 (a) to (c): loss, training accuracy and validation accuracy by iteration.

    Args:
        steps: with the columns phase, epoch, loss and accuracy.
        history: of the same training, with the columns phase and val_accuracy.
        subject: what was trained on, for the title.
    """
    figure, axes = new_figure(1, 3, 4.0, 3.3, f"Figure 3 (a) to (c): {subject}")
    steps = steps.reset_index(drop=True)
    _plot_steps(axes[0, 0], steps, "loss", "(a) loss", "phase 2, cross-entropy and penalty")
    _plot_steps(axes[0, 1], steps, "accuracy", "(b) training accuracy", "phase 2")
    ends = steps.groupby(["phase", "epoch"], sort=False).tail(1).index + 1  # iterations at the end of each epoch
    second = (history["phase"] == CLASSIFIER).to_numpy()
    accuracies = history["val_accuracy"][second]
    axes[0, 2].plot(ends[second], accuracies, "o-", color=CURVE_COLOURS[0], markersize=3, label="phase 2")
    axes[0, 2].set_title("(c) validation accuracy", fontsize=9)
    for axis in axes[0]:
        axis.set_xlim(0, len(steps) + 1)
        axis.set_xlabel("iteration", fontsize=9)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend(fontsize=8, frameon=False)
    return figure


def _plot_steps(axis, steps, quantity, title, second_label):
    """Plot a quantity of every step, and its moving average, in both phases."""
    curves = ((CURVE_COLOURS[3], TRIPLET, "phase 1, triplet loss"), (CURVE_COLOURS[0], CLASSIFIER, second_label))
    for colour, phase, label in curves:
        values = steps.loc[steps["phase"] == phase, quantity]
        if values.notna().any():
            axis.plot(values.index + 1, values, color=colour, alpha=0.25, linewidth=0.8)
            mean = values.rolling(SMOOTHED_STEPS, min_periods=1).mean()
            axis.plot(values.index + 1, mean, color=colour, linewidth=1.5, label=label)
    axis.set_title(title, fontsize=9)


def examples_figure(images: pd.DataFrame, config: Config):
    """Return Figure 4: images as the network receives them, real ones above fake ones."""
    pixels = _pixels(images, config)
    columns = images["label"].value_counts().max()
    figure, axes = new_figure(2, columns, 1.3, 1.35, "Figure 4: example data")
    for axis in axes.flat:
        axis.set_axis_off()
    for row, label in zip(axes, (WORDS[REAL], WORDS[FAKE]), strict=True):
        for axis, image in zip(row, pixels[(images["label"] == label).to_numpy()], strict=False):
            axis.imshow(image)
            axis.set_title(label, fontsize=9)
    return figure


def evidence_figure(network: keras.Model, images: pd.DataFrame, config: Config, subject: str):
    """Return a figure of images, and below each the evidence for fake (red) and for real (blue).

    Args:
        network: of a detector, pixels -> P(fake).
        images: a few rows of a split.
        config: the run's config.
        subject: what was tested on, for the title.
    """
    pixels = _pixels(images, config)
    maps, scores = evidence(network, pixels), predict(network, pixels, len(pixels))[:, 0]
    limit, side = np.abs(maps).max() or 1.0, config.image_size
    figure, axes = new_figure(2, len(images), 1.5, 1.6, f"Evidence of the classifier, {subject}")
    figure.set_size_inches(1.4 * len(images) + 1.0, 3.7)
    for column, (image, score, label) in enumerate(zip(pixels, scores, images["label"], strict=True)):
        axes[0, column].imshow(image)
        axes[0, column].set_title(f"{label}\nP(fake) = {score:.2f}", fontsize=8)
        axes[1, column].imshow(image.mean(axis=-1), cmap="gray")
        overlay = axes[1, column].imshow(
            maps[column], cmap="RdBu_r", vmin=-limit, vmax=limit, alpha=0.55, interpolation="bilinear",
            extent=(-0.5, side - 0.5, side - 0.5, -0.5),
        )  # fmt: skip
    for axis in axes.flat:
        axis.set_axis_off()
    bar = figure.colorbar(overlay, ax=axes, shrink=0.8, aspect=25)
    bar.set_label("for real  <  logit  >  for fake", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure


def sample(images: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """Return at most `most` images of each class, of different videos, real ones first."""
    shuffled = images.sample(frac=1, random_state=seed)
    chosen = shuffled[(shuffled["video"] == "") | ~shuffled.duplicated(["video"])].groupby("label").head(most)
    return chosen.sort_values("label", ascending=False, kind="stable")


def _pixels(images, config):
    """Return the images as the network receives them, uint8 (n, S, S, 3)."""
    batches = Images(images, preprocessing(config)).evaluation_batches(len(images))
    return next(iter(batches)).numpy().round().astype(np.uint8)
