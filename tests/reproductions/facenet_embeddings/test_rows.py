"""The rows and figures, from predictions made by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from common.evaluation import figures as shared_figures
from common.evaluation.predictions import prediction_table
from reproductions.facenet_embeddings import figures, model, rows
from reproductions.facenet_embeddings.config import PRESETS, TRIALS
from reproductions.inputs import RunData
from reproductions.splitting import Split
from results.tables import read_published


def predictions(clips, scores, model, protocol="video"):
    return prediction_table(clips.assign(split="test"), scores, model, protocol, 0)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were drawn, instead of their files."""
    found = []
    for module in (figures, shared_figures):
        monkeypatch.setattr(module, "save_figure", lambda figure, path: found.append((figure, path)) or path)
    return found


def test_table_2_is_by_the_votes_of_frames_and_phase_1_over_frames(clips):
    """Scores at which votes and means disagree: of a fake's four frames three at 0.4 and one at 1.0, mean 0.55, is real
    by three votes to one; the AUC takes the mean, and is 1. The notebook: `np.mean(y_pred) < 0.5` is real.
    """
    fake = (clips["label"] == "fake").to_numpy()
    scores = np.where(fake, np.where(clips["frame"] == "0", 1.0, 0.4), 0.1)
    table = pd.concat([predictions(clips, scores, model) for model in ("sgd", "random_forest", "trial2", "lstm")])
    found = rows.result_rows(table, dict.fromkeys(table["model"], "celebdf"))
    value = found.set_index(["table", "row", "metric"])["value"]
    assert value["Table II", "Triplets + SGD", "accuracy"] == value["Table III", rows.BOTH, "accuracy"] == 0.5
    assert value["Table II", "Triplets + SGD", "recall"] == value["Table II", "Triplets + RF", "recall"] == 0
    assert value["text", "Phase II: SGD and RF", "auc"] == value["Table II", "Triplets + SGD", "auc"] == 1.0
    assert value["extra", "sgd, video level", "accuracy"] == 1.0  # by the mean
    assert value["extra", "sgd, video votes", "accuracy"] == 0.5
    assert value["extra", "sgd, video level", "majority_accuracy"] == 0.5
    assert found.set_index(["table", "row", "metric"])["n"]["Table II", "Triplets + RF", "accuracy"] == 20
    frame = 50 / 80  # 40 real ones and 10 fakes
    for table_name, row in (("Table I", "trial 2"), ("Table III", "XceptionNet"), ("Table III", "LSTM + frames")):
        assert value[table_name, row, "accuracy"] == frame
    assert value["extra", "sgd, frame level", "accuracy"] == frame


def test_a_tie_of_votes_is_fake(clips):
    """Two of four frames at 0.6, two at 0.1: the mean 0.35 is real, the tie is fake, as `< 0.5` alone is real."""
    scores = np.where(clips["frame"].isin(["0", "1"]), 0.6, 0.1)
    found = rows.result_rows(predictions(clips, scores, "sgd"), {"sgd": "x"}).set_index(["table", "row", "metric"])
    value = found["value"]
    assert (
        value["Table II", "Triplets + SGD", "recall"] == 1.0 and value["Table II", "Triplets + SGD", "accuracy"] == 0.5
    )
    assert value["extra", "sgd, video level", "recall"] == 0.0


def test_under_frame_table_2_is_over_the_videos_that_were_held_out(clips):
    """Fragments of videos whose other frames train are no videos; numbers of frames leave the held-out ones out."""
    fake = (clips["label"] == "fake").to_numpy()
    held_out = clips["video"].isin([clips["video"][fake].iloc[0], clips["video"][~fake].iloc[0]])
    scores = np.where(held_out, np.where(fake, 0.9, 0.1), np.where(fake, 0.1, 0.9))  # wrong on all others
    table = predictions(clips, scores, "sgd", "frame")
    found = rows.result_rows(table.assign(held_out=held_out), {"sgd": "x"}).set_index(["table", "row", "metric"])
    assert found["value"]["Table II", "Triplets + SGD", "accuracy"] == 1.0
    assert found["n"]["Table II", "Triplets + SGD", "accuracy"] == 2
    assert found["value"]["extra", "sgd, frame level", "accuracy"] == 0.0
    assert found["n"]["extra", "sgd, frame level", "accuracy"] == 80 - 8
    fragments = rows.result_rows(table, {"sgd": "x"})
    assert set(fragments["table"]) == {"extra"}  # as with --folds under `frame`


def test_phase_2_on_xception_has_no_published_keys(clips):
    found = rows.result_rows(predictions(clips, np.full(len(clips), 0.7), "sgd"), {"sgd": "x"}, published=False)
    assert set(found["table"]) == {"extra"}


def test_a_run_of_everything_has_a_row_for_each_published_number_but_settings(clips):
    both = pd.concat([clips, clips.assign(dataset="celebdf_v2")], ignore_index=True).assign(identity="id0")
    split = Split("video", 0, {"": both.assign(split=np.resize(["train", "train", "val", "test"], len(both)))})
    scores = np.where(both["label"] == "fake", 0.8, 0.3)
    tested = split.images.assign(split="test")
    for name in (*rows.TABLE_2, *TRIALS):
        split.predictions.append(prediction_table(tested, scores, name, "video", 0))
        split.notes[name] = []
    names = ("celebdf", "celebdf_v2")
    folders = [SimpleNamespace(role=name, name=name, images=both[both["dataset"] == name]) for name in names]
    found = rows.all_rows(split, PRESETS["paper"], RunData(folders, names, [split]))
    published = read_published("facenet_embeddings")
    wanted = published[published["kind"] != "setting"]
    keys = set(zip(found["table"], found["row"], found["metric"], strict=True))
    assert set(zip(wanted["table"], wanted["row"], wanted["metric"], strict=True)) <= keys


def test_without_videos_there_is_no_table_2(clips):
    single = clips.assign(video="", original="")
    found = rows.result_rows(predictions(single, np.full(len(clips), 0.7), "random_forest"), {"random_forest": "x"})
    assert set(found["table"]) == {"extra"} and set(found["row"]) == {"random_forest, frame level"}


def test_settings_have_the_keys_that_the_paper_prints(clips):
    split = Split("frame", 0, {"": clips.assign(split=np.resize(["train", "train", "val", "test"], len(clips)))})
    split.notes = {"trial2": [], "random_forest": []}
    found = rows.setting_rows(split, PRESETS["paper"], {"celebdf": "celebdf"}).set_index(["table", "row", "metric"])
    settings = ("learning_rate", "epochs", "batch_size")
    assert set(found.index) == {
        *(("Table I", "trial 2", name) for name in settings),
        *(("Table III", "XceptionNet", name) for name in (*settings, "frames")),
        *(("Table III", rows.BOTH, name) for name in settings),
        *(("text", "Phase II", name) for name in settings),
        ("text", "Phase I", "validation_share"),
    }
    assert found["value"]["Table III", "XceptionNet", "frames"] == 60
    assert found["value"]["text", "Phase I", "validation_share"] == pytest.approx(0.15, abs=0.02)


def test_sizes_are_counted_in_the_manifests(clips):
    """Ten real videos of ten persons, and ten fakes; as both data sets."""
    persons = clips.assign(identity="id" + clips["video"].str.extract(r"(\d+)")[0])
    folder = SimpleNamespace(images=persons, name="any")
    data = RunData([SimpleNamespace(**vars(folder), role=role) for role in ("celebdf", "celebdf_v2")], (), [])
    found = rows.size_rows(data).set_index(["row", "metric"])["value"]
    assert found.to_dict() == {
        ("Celeb-DF", "videos"): 20, ("Celeb-DF", "identities"): persons["identity"].nunique(),
        ("Celeb-DF-v2", "reals"): 10, ("Celeb-DF-v2", "fakes"): 10,
    }  # fmt: skip


def test_one_class_and_no_predictions_give_rows_without_an_error(clips):
    reals = clips[clips["label"] == "real"]
    table = predictions(reals, np.full(len(reals), 0.2), "random_forest")
    found = rows.result_rows(table, {"random_forest": "x"}).set_index(["table", "row", "metric"])
    assert found.loc[("Table II", "Triplets + RF", "accuracy"), "value"] == 1.0
    assert found.loc[("Table II", "Triplets + RF", "auc"), "note"] == "videos, mean of their frames; no fake videos"
    assert rows.result_rows(table.assign(split="val"), {}).empty
    assert rows.summary({"frame": rows.result_rows(table, {"random_forest": "x"})})[2].startswith("random_forest")


def test_the_summary_has_the_published_interval():
    """Wilson, 21 of 24 by hand: centre (0.875 + 1.92/24) / 1.16 = 0.823, half width 0.134."""
    published = rows.summary({})[-1]
    assert "0.875" in published and "n = 24" in published and "0.69 to 0.96" in published


def test_figure_9_has_a_curve_for_each_classifier_over_videos(clips, drawn, tmp_path):
    scores = np.random.default_rng(0).uniform(size=len(clips))
    table = pd.concat([predictions(clips, scores, name) for name in ("sgd", "random_forest", "perceptron")])
    assert figures.draw_roc(table, "video", tmp_path / "roc.png") == tmp_path / "roc.png"
    ((figure, _),) = drawn
    labels = [line.get_label() for line in figure.axes[0].get_lines()]
    assert [label.partition(" (AUC")[0] for label in labels] == ["chance", "sgd", "random_forest"]
    assert figure.axes[0].get_lines()[1].get_xdata().max() == 1 and "of videos" in figure.get_suptitle()


def test_figure_9_needs_both_classes(clips, drawn, tmp_path):
    reals = clips[clips["label"] == "real"]
    table = predictions(reals, np.full(len(reals), 0.2), "sgd")
    assert figures.draw_roc(table, "frame", tmp_path / "roc.png") is None and not drawn


@pytest.mark.slow
def test_figure_8_has_the_images_before_and_after_the_base_network(blobs, drawn, tmp_path, monkeypatch):
    networks, path = (model.base_network(), model.base_network()), tmp_path / "tsne.png"
    vectors = {"train": blobs(30), "val": blobs(2), "test": blobs(20, seed=1)}
    shown = []
    monkeypatch.setattr(figures, "tsne", lambda values, seed: shown.append(values) or values[:, :2])
    figures.draw_embeddings(vectors, networks, "spectrum (not FaceNet), protocol video", path, 0)
    axes = drawn.pop()[0].axes
    assert [axis.get_title() for axis in axes] == [
        "before triplet training, 30 training images", "after triplet training, 30 training images",
        "before triplet training, 20 test images", "after triplet training, 20 test images",
    ]  # fmt: skip
    for place, (values, network) in enumerate(zip(shown, networks * 2, strict=True)):
        sample = vectors["train" if place < 2 else "test"].sample(512, 0)
        np.testing.assert_allclose(values, sample.embed(network), atol=1e-5)  # [code]: before is the untrained network
    assert [sum(len(points.get_offsets()) for points in axis.collections) for axis in axes] == [30, 30, 20, 20]
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["real", "fake"]
    figures.draw_embeddings(vectors | {"train": blobs(0)}, networks, "FaceNet", path, 0)
    assert len(drawn.pop()[0].axes) == 2
    assert figures.draw_embeddings(dict.fromkeys(vectors, blobs(2)), networks, "FaceNet", path, 0) is None
