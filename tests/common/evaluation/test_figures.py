"""The shared figures, by what they draw."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from common.evaluation import figures

PREDICTIONS = pd.DataFrame(
    {
        "model": ["a"] * 5 + ["b"] * 5,
        "label": ["fake", "fake", "fake", "real", "real"] * 2,
        "score": [0.9, 0.5, 0.1, 0.2, 0.7, 0.9, 0.8, 0.7, 0.1, 0.2],
    }
)


@pytest.fixture
def saved(monkeypatch):
    """The figures that are saved, instead of files."""
    drawn: list = []
    monkeypatch.setattr(figures, "save_figure", lambda figure, path: drawn.append(figure) or path)
    return drawn


def test_a_confusion_matrix_has_the_counts_and_the_shares_of_the_true_class(saved):
    figures.confusion_figure(PREDICTIONS, "path", "title")
    (figure,) = saved
    panels = {axis.get_title(): [text.get_text() for text in axis.texts] for axis in figure.axes if axis.get_visible()}
    assert panels["a"] == ["2\n66.7%", "1\n33.3%", "1\n50.0%", "1\n50.0%"]  # fake as fake, fake as real, ...
    assert panels["b"] == ["3\n100.0%", "0\n0.0%", "0\n0.0%", "2\n100.0%"]


def test_a_roc_curve_names_its_area(saved):
    figures.roc_figure(PREDICTIONS, "path", "title")
    texts = [text.get_text() for text in saved[0].axes[0].get_legend().get_texts()]
    rows = PREDICTIONS[PREDICTIONS["model"] == "a"]
    assert texts == ["chance", f"a (AUC {roc_auc_score(rows['label'] == 'fake', rows['score']):.3f})", "b (AUC 1.000)"]


def test_a_precision_recall_curve_names_its_average_precision(saved):
    figures.precision_recall_figure(PREDICTIONS, "path", "title")
    axis = saved[0].axes[0]
    rows = PREDICTIONS[PREDICTIONS["model"] == "a"]
    area = average_precision_score(rows["label"] == "fake", rows["score"])
    texts = [text.get_text() for text in axis.get_legend().get_texts()]
    assert texts == ["chance", f"a (AP {area:.3f})", "b (AP 1.000)"]
    assert set(axis.lines[0].get_ydata()) == {0.6}, "three of five are fake"


@pytest.mark.parametrize("draw", [figures.roc_figure, figures.precision_recall_figure])
def test_more_models_than_colours_all_have_a_curve(saved, draw):
    """The paper of nine models has more than the six colours."""
    many = pd.concat([PREDICTIONS[:5].assign(model=str(number)) for number in range(9)])
    draw(many, "path", "title")
    curves = saved[0].axes[0].lines[1:]
    assert len(curves) == 9 and len({(line.get_color(), line.get_linestyle()) for line in curves}) == 9


def test_a_reliability_figure_has_two_panels_for_each_model(saved):
    """Model a: fakes at 0.1, 0.5 and 0.9, reals at 0.2 and 0.7, each in its own bin."""
    figures.reliability_figure(PREDICTIONS.assign(path=[*"abcdeabcde"]), "path", "title")
    upper, other, lower, other_lower = saved[0].axes
    assert (upper.get_title(), other.get_title()) == ("a", "b")
    diagonal, points = upper.lines[0], upper.lines[1]
    assert diagonal.get_label() == "calibrated"
    assert points.get_xdata().tolist() == [0.1, 0.2, 0.5, 0.7, 0.9] and points.get_ydata().tolist() == [1, 0, 1, 0, 1]
    assert upper.texts[0].get_text() == f"ECE {(0.9 + 0.2 + 0.5 + 0.7 + 0.1) / 5:.3f}"
    assert sum(patch.get_height() for patch in lower.patches) >= 5


@pytest.mark.parametrize("models", [1, 4])
def test_panels_without_a_model_are_hidden(saved, models):
    many = pd.concat([PREDICTIONS[:5].assign(model=str(number), path=[*"abcde"]) for number in range(models)])
    figures.reliability_figure(many, "path", "title")
    assert sum(axis.get_visible() for axis in saved[0].axes) == 2 * models


def test_a_history_has_a_panel_for_each_training_with_both_curves(saved):
    history = pd.DataFrame({"epoch": [1, 2], "loss": [0.5, 0.25], "val_loss": [0.75, 0.5]})
    figures.history_figure({"one": history, "two": history}, "loss", "path", "title")
    panels = saved[0].axes
    assert [axis.get_title() for axis in panels] == ["one", "two"]
    assert [line.get_ydata().tolist() for line in panels[1].lines] == [[0.5, 0.25], [0.75, 0.5]]


def test_a_scatter_panel_draws_each_kind_in_its_colour():
    _, axes = figures.new_figure()
    points, kinds = np.arange(8.0).reshape(4, 2), np.array(["real", "fake", "real", "fake"])
    figures.scatter_panel(axes[0, 0], points, kinds, {"real": "#0000ff", "fake": "#ff0000"}, "title")
    real, fake = axes[0, 0].collections
    assert (real.get_label(), fake.get_label()) == ("real", "fake")
    np.testing.assert_array_equal(real.get_offsets(), points[[0, 2]])


def test_a_long_title_is_wrapped_and_the_file_is_a_png(tmp_path):
    figure, axes = figures.new_figure(2, 3, title="a word " * 60)
    assert axes.shape == (2, 3) and figure.get_suptitle().count("\n") >= 1
    path = figures.save_figure(figure, tmp_path / "figure.png")
    assert path.read_bytes().startswith(b"\x89PNG") and list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_tsne_separates_two_clusters():
    values = np.random.default_rng(0).normal(size=(12, 5)) + 50 * (np.arange(12) % 2)[:, None]
    points = figures.tsne(values, seed=1)
    assert points.shape == (12, 2)
    real, fake = points[::2], points[1::2]
    gap = np.linalg.norm(real.mean(axis=0) - fake.mean(axis=0))
    assert gap > 2 * max(np.linalg.norm(side - side.mean(axis=0), axis=1).mean() for side in (real, fake))
