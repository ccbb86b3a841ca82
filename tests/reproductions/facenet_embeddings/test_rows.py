"""The rows and figures, from predictions made by hand."""

import numpy as np
import pandas as pd
import pytest

from common.evaluation import figures as shared_figures
from common.evaluation.predictions import prediction_table
from reproductions.facenet_embeddings import figures, model, rows


def predictions(clips, scores, model):
    return prediction_table(clips.assign(split="test"), scores, model, "frame", 0)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were drawn, instead of their files."""
    found = []
    for module in (figures, shared_figures):
        monkeypatch.setattr(module, "save_figure", lambda figure, path: found.append((figure, path)) or path)
    return found


def test_table_2_is_over_videos_and_phase_1_over_frames(clips):
    """Scores at which frames and videos disagree: three frames of a video at 0.4, one at 1.0, mean 0.55."""
    fake = (clips["label"] == "fake").to_numpy()
    scores = np.where(fake, np.where(clips["frame"] == "0", 1.0, 0.4), 0.1)
    table = pd.concat([predictions(clips, scores, model) for model in ("sgd", "random_forest", "trial2", "lstm")])
    found = rows.result_rows(table, dict.fromkeys(table["model"], "celebdf"))
    value = found.set_index(["table", "row", "metric"])["value"]
    assert value["Table II", "Triplets + SGD", "accuracy"] == value["Table III", rows.BOTH, "accuracy"] == 1.0
    assert value["text", "Phase II: SGD and RF", "auc"] == 1.0
    assert found.set_index(["table", "row", "metric"])["n"]["Table II", "Triplets + RF", "accuracy"] == 20
    frame = 50 / 80  # 40 real ones and 10 fakes
    for table_name, row in (("Table I", "trial 2"), ("Table III", "XceptionNet"), ("Table III", "LSTM + frames")):
        assert value[table_name, row, "accuracy"] == frame
    assert value["extra", "sgd, frame level", "accuracy"] == frame


def test_without_videos_there_is_no_table_2(clips):
    single = clips.assign(video="", original="")
    found = rows.result_rows(predictions(single, np.full(len(clips), 0.7), "random_forest"), {"random_forest": "x"})
    assert set(found["table"]) == {"extra"} and set(found["row"]) == {"random_forest, frame level"}


def test_settings_have_the_keys_that_the_paper_prints():
    settings = {"learning_rate": 0.05, "epochs": 10, "batch_size": 64, "frames": 8}
    found = rows.setting_rows("trial2", settings, "celebdf")
    keys = {(row.table, row.row, row.metric) for row in found.itertuples()}
    assert keys == {
        *(("Table I", "trial 2", name) for name in ("learning_rate", "epochs", "batch_size")),
        *(("Table III", "XceptionNet", name) for name in settings),
    }
    assert found.set_index(["table", "metric"])["value"]["Table III", "frames"] == 8


def test_one_class_and_no_predictions_give_rows_without_an_error(clips):
    reals = clips[clips["label"] == "real"]
    table = predictions(reals, np.full(len(reals), 0.2), "random_forest")
    found = rows.result_rows(table, {"random_forest": "x"}).set_index(["table", "row", "metric"])
    assert found.loc[("Table II", "Triplets + RF", "accuracy"), "value"] == 1.0
    assert found.loc[("Table II", "Triplets + RF", "auc"), "note"] == "videos; no fake videos"
    assert rows.result_rows(table.assign(split="val"), {}).empty
    assert rows.summary({"frame": rows.result_rows(table, {"random_forest": "x"})})[2].startswith("random_forest")


def test_the_summary_has_the_published_interval():
    """Wilson, 21 of 24 by hand: centre (0.875 + 1.92/24) / 1.16 = 0.823, half width 0.134."""
    published = rows.summary({})[-1]
    assert "0.875" in published and "n = 24" in published and "0.69 to 0.96" in published


def test_figure_9_has_a_curve_for_each_classifier_over_videos(clips, drawn, tmp_path):
    scores = np.random.default_rng(0).uniform(size=len(clips))
    table = pd.concat([predictions(clips, scores, name) for name in ("sgd", "random_forest", "perceptron")])
    assert figures.draw_roc(table, "frame", tmp_path / "roc.png") == tmp_path / "roc.png"
    ((figure, _),) = drawn
    labels = [line.get_label() for line in figure.axes[0].get_lines()]
    assert [label.partition(" (AUC")[0] for label in labels] == ["chance", "sgd", "random_forest"]
    assert figure.axes[0].get_lines()[1].get_xdata().max() == 1 and "of videos" in figure.get_suptitle()


def test_figure_9_needs_both_classes(clips, drawn, tmp_path):
    reals = clips[clips["label"] == "real"]
    table = predictions(reals, np.full(len(reals), 0.2), "sgd")
    assert figures.draw_roc(table, "frame", tmp_path / "roc.png") is None and not drawn


@pytest.mark.slow
def test_figure_8_has_the_images_before_and_after_the_base_network(blobs, drawn, tmp_path):
    base, path = model.base_network(), tmp_path / "tsne.png"
    vectors = {"train": blobs(30), "val": blobs(2), "test": blobs(20, seed=1)}
    figures.draw_embeddings(vectors, base, ("spectrum (not FaceNet)", "video"), path, 0)
    axes = drawn.pop()[0].axes
    assert [axis.get_title() for axis in axes] == [
        "spectrum (not FaceNet), 30 training images", "after triplet training, 30 training images",
        "spectrum (not FaceNet), 20 test images", "after triplet training, 20 test images",
    ]  # fmt: skip
    assert [sum(len(points.get_offsets()) for points in axis.collections) for axis in axes] == [30, 30, 20, 20]
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["real", "fake"]
    figures.draw_embeddings(vectors | {"train": blobs(0)}, base, ("FaceNet", "video"), path, 0)
    assert len(drawn.pop()[0].axes) == 2
    assert figures.draw_embeddings(dict.fromkeys(vectors, blobs(2)), base, ("FaceNet", "video"), path, 0) is None
