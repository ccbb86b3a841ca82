"""Figures 1 and 4 to 7 of the paper, and its ROC and precision-recall curves (Sec. 5.2), from a run's own data."""

import keras
import numpy as np

from common.data.decoding import read_image
from common.data.pipeline import Images
from common.detectors import store
from common.evaluation.figures import (
    CURVE_COLOURS,
    history_figure,
    new_figure,
    precision_recall_figure,
    roc_figure,
    save_figure,
    scatter_panel,
    tsne,
)
from common.training.fit import predict
from reproductions.siamese_triplet import method
from reproductions.siamese_triplet.config import NAMES, PROPOSED, SECOND_CASE, TRANSFER, UNSEEN

SAMPLES = 2  # of each class in Figure 1
KINDS = {"real": CURVE_COLOURS[0], "fake": CURVE_COLOURS[1], "unseen generator": CURVE_COLOURS[4]}


def draw_figures(split, roles, trained, config, run):
    """Write the figures that a split has the data for into the run's figures/."""
    _sample_figure(split, roles, run.path("figures", "figure_01_samples.png"))
    suffix = "" if "case1" in split.parts else SECOND_CASE
    chosen = next((name for name in ("resnet50", *TRANSFER) if name + suffix in split.histories), None)
    if chosen:  # the paper shows ResNet50
        for number, quantity in ((4, "accuracy"), (5, "loss")):
            title, file = f"Figure {number}: {quantity} of {NAMES[chosen]}", f"figure_{number:02d}_{quantity}.png"
            history_figure({chosen: split.histories[chosen + suffix]}, quantity, run.path("figures", file), title)
    predictions = split.table()
    test = predictions[predictions["split"] == "test"]
    unseen, real = test["dataset"] == roles.get(UNSEEN), test["dataset"].isin(trained) & (test["label"] == "real")
    models = list(test.loc[unseen, "model"].unique())
    models = [model for model in models if model.endswith(SECOND_CASE)] or models  # trained for Case II, if any are
    if models:
        chosen = test[(unseen | real) & test["model"].isin(models)]
        _detection_figure(chosen, run.path("figures", "figure_06_case2.png"))
    _curve_figures(test, trained, roles.get(UNSEEN), run)
    if any(model == PROPOSED + suffix for model in predictions["model"]):
        _embedding_figure(split, roles, trained, config, run)


def _sample_figure(split, roles, path):
    """Figure 1: generated and real images in turn, of the unseen generator if there are any."""
    images = next(iter(split.parts.values()))
    fakes, reals = images[images["label"] == "fake"], images[images["label"] == "real"]
    unseen = fakes[fakes["dataset"] == roles.get(UNSEEN)]
    fakes = unseen if len(unseen) else fakes
    if len(fakes) < SAMPLES or len(reals) < SAMPLES:
        return None
    shown = [table.sample(SAMPLES, random_state=split.seed) for table in (fakes, reals)]
    figure, axes = new_figure(1, 2 * SAMPLES, 1.7, 1.8, "Figure 1: generated and real images")
    for place, axis in enumerate(axes[0]):
        row = shown[place % 2].iloc[place // 2]
        axis.imshow(read_image(row["file"]))
        axis.set_title(f"{'abcd'[place]}) {'generated' if row['label'] == 'fake' else 'real'}", fontsize=8)
        axis.set_xlabel(row["dataset"], fontsize=7)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_visible(False)
    return save_figure(figure, path)


def _curve_figures(test, trained, unseen, run):
    """The ROC and precision-recall curves of Case I, and of the unseen generator against held-out real images."""
    second = test["model"].str.endswith(SECOND_CASE)
    seen = test["dataset"].isin(trained)
    against_unseen = (test["dataset"] == unseen) | (seen & (test["label"] == "real"))
    cases = {"case1": test[seen & ~second], "case2": test[against_unseen & (second if second.any() else ~second)]}
    for case, title in (("case1", "Case I"), ("case2", "Case II")):
        if set(cases[case]["label"]) == {"fake", "real"} and (case == "case1" or (test["dataset"] == unseen).any()):
            roc_figure(cases[case], run.path("figures", f"roc_{case}.png"), f"ROC, {title}")
            precision_recall_figure(
                cases[case], run.path("figures", f"precision_recall_{case}.png"), f"Precision and recall, {title}"
            )


def _detection_figure(predictions, path):
    """Figure 6: the share of the unseen generator's fakes that each model finds; beside it, of the real images."""
    called = predictions.assign(called=predictions["score"] >= 0.5).groupby(["model", "label"], sort=False)["called"]
    shares = called.mean().unstack("label")
    figure, axes = new_figure(width=1.8 + 1.1 * len(shares), title="Figure 6: what is called fake in Case II")
    axis, places = axes[0, 0], np.arange(len(shares))
    for label, shift, colour, words in (
        ("fake", -0.2, CURVE_COLOURS[0], "unseen fakes"),
        ("real", 0.2, "#a9b0b5", "real"),
    ):
        if label in shares:
            bars = axis.bar(places + shift, shares[label], color=colour, width=0.38, label=words)
            axis.bar_label(bars, [f"{share:.1%}" for share in shares[label]], fontsize=7)
    axis.set_xticks(places, [name.replace("_", "\n") for name in shares.index], fontsize=8)
    axis.set_ylabel("share called fake", fontsize=9)
    axis.set_ylim(0, 1.2)
    axis.legend(fontsize=8, frameon=False, ncols=2)
    return save_figure(figure, path)


def _embedding_figure(split, roles, trained, config, run):
    """Figure 7: the embeddings of test images, by t-SNE and PCA, of the untrained and the trained network."""
    case = next(iter(split.parts))
    network = store.load(run.folder, PROPOSED + (SECOND_CASE if case == "case2" else "")).network
    images, kinds = _sample(split.parts[case], roles, trained, config.tsne_images, split.seed)
    pixels = Images(images, method.preprocessing(config, PROPOSED)).evaluation_batches(config.batch_size)
    vectors = {stage: predict(each, pixels, len(images)) for stage, each in _stages(network, split.seed)}
    figure, axes = new_figure(2, 2, 4.4, 4.0, f"Figure 7: embeddings of {len(images)} test images")
    for row, (stage, embeddings) in zip(axes, vectors.items(), strict=True):
        for axis, (projection, points) in zip(row, _flattened(embeddings, split.seed), strict=True):
            scatter_panel(axis, points, kinds, KINDS, f"{stage}, {projection}")
    axes[0, 0].legend(fontsize=8, frameon=False, markerscale=2)
    return save_figure(figure, run.path("figures", "figure_07_embeddings.png"))


def _sample(images, roles, trained, most, seed):
    """Test images of a case, as many of each kind, and the kinds (n,)."""
    images = images[images["split"] == "test"]
    kinds = images["label"].where(images["dataset"].isin(trained), "unseen generator")
    images = images[images["dataset"].isin(trained) | (images["dataset"] == roles.get(UNSEEN))]
    sample = images.groupby(kinds[images.index]).sample(frac=1, random_state=seed)
    sample = sample.groupby(kinds[sample.index]).head(most // len(KINDS))
    return sample, kinds[sample.index].to_numpy()


def _stages(network, seed):
    """The network with new weights, then as it was trained."""
    keras.utils.set_random_seed(seed)
    fresh = keras.Model.from_config(network.get_config())
    yield "before training", fresh
    yield "after training", network


def _flattened(embeddings, seed):
    from sklearn.decomposition import PCA

    yield "t-SNE", tsne(embeddings, seed)
    yield "PCA", PCA(2, random_state=seed).fit_transform(np.asarray(embeddings, float))
