"""The real command on tiny embedded data: what it writes, how it splits, how it answers mistakes."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from common.errors import UserError
from common.runs.options import read_config
from reproductions.cffn_resnet.config import PRESETS

RUN = Path(__file__).parents[3] / "reproductions" / "cffn_resnet" / "run.py"
PUBLISHED = Path(__file__).parents[3] / "results" / "published" / "cffn_resnet.csv"
SMOKE = (RUN, "--preset", "smoke")


@pytest.fixture(scope="module")
def smoke(tmp_path_factory, command):
    """(folder, what the command printed) of the smoke preset on the embedded data."""
    folder = tmp_path_factory.mktemp("smoke")
    return folder, command(folder, *SMOKE)


@pytest.fixture(scope="module")
def weights(run_folder):
    """The flags of a run that evaluates the network of `smoke`."""
    return ("--epochs", "0", "--weights", f"cffn={run_folder / 'models' / 'cffn.keras'}")


@pytest.mark.slow
class TestSmoke:
    def test_the_run_folder_is_complete(self, run_folder, assert_drawn):
        tables = {
            "splits.csv",
            "predictions.csv",
            "history.csv",
            "times.csv",
            "steps.csv",
            "breakdown.csv",
            "shortcut.csv",
        }
        assert {path.name for path in run_folder.iterdir()} == tables | {
            "config.json", "environment.json", "requirements.txt", "log.txt", "models", "figures", "summary.txt",
        }  # fmt: skip
        assert "computing on " in (run_folder / "log.txt").read_text(), "the device, before the first epoch"
        models = {path.name for path in (run_folder / "models").iterdir()}
        names = ("cffn", "cffn-video-seed0")
        assert models == {f"{name}.{kind}" for name in names for kind in ("keras", "json", "npz")}
        figures = sorted((run_folder / "figures").iterdir())
        assert [path.name for path in figures] == [
            "evidence.png", "figure_03_training.png", "figure_03d_confusion.png", "figure_04_examples.png",
            "reliability.png",
        ]  # fmt: skip
        assert_drawn(run_folder / "figures")

    def test_the_history_has_both_phases_and_steps_has_each_step(self, run_folder):
        """One epoch under the triplet loss and two under cross-entropy; 27 training images in batches of 8."""
        history = pd.read_csv(run_folder / "history.csv").query("protocol == 'frame'")
        all_steps = pd.read_csv(run_folder / "steps.csv")
        assert set(all_steps["protocol"]) == {"frame", "video"} and set(all_steps["model"]) == {"cffn"}
        steps = all_steps.query("protocol == 'frame'")
        assert history["phase"].tolist() == ["triplet", "classifier", "classifier"]
        assert history["val_auc"].between(0, 1).all() and history["val_accuracy"].isna().tolist() == [
            True,
            False,
            False,
        ]
        assert steps["step"].tolist() == [1, 2, 3] * 3
        means = steps.groupby(["phase", "epoch"], sort=False)["loss"].mean()
        np.testing.assert_allclose(means, history["loss"], rtol=1e-4)
        correct = steps.loc[steps["phase"] == "classifier", "accuracy"] * 8
        np.testing.assert_allclose(correct, correct.round(), atol=1e-4)

    def test_rows_have_published_keys_and_notes(self, rows):
        keys = set(map(tuple, pd.read_csv(PUBLISHED)[["table", "row", "metric"]].astype(str).values))
        ours = rows[rows["table"] != "extra"]
        assert set(map(tuple, ours[["table", "row", "metric"]].values)) <= keys
        assert {key for key in keys if key[0] == "Table 1"} <= set(map(tuple, ours[["table", "row", "metric"]].values))
        assert set(rows["protocol"]) == {"frame", "video"} and set(rows["preset"]) == {"smoke"}
        assert rows["dataset"].str.startswith("synthetic").all()
        final = ours[(ours["row"] == "final model") & (ours["table"] == "Table 1")]
        assert final["note"].str.contains("the paper's is a validation accuracy, ours of a test split").all()
        assert final["note"].str.contains("width 0.0625; images of 40 px; batches of 8, triplets are mined").all()
        assert (final["note"].str.count("batch-normalisation momentum") == 1).all()
        unseen = rows[rows["dataset"] == "synthetic-deconv"]
        assert len(unseen) and unseen["note"].str.contains("unseen: trained on synthetic-swap").all()

    @pytest.mark.parametrize("protocol", ["frame", "video"])
    def test_numbers_equal_those_of_scikit_learn(self, rows, run_folder, protocol):
        predictions = pd.read_csv(run_folder / "predictions.csv").query("protocol == @protocol and model == 'cffn'")
        rows = rows[rows["protocol"] == protocol]
        values = rows.set_index(["table", "row", "metric", "dataset"])["value"].sort_index()
        scored = {name: predictions[predictions["split"] == name] for name in ("resubstitution", "test")}
        seen = scored["test"].query("dataset == 'synthetic-swap'")
        labels, called = seen["label"] == "fake", seen["score"] >= 0.5
        for metric, score in (("accuracy", accuracy_score), ("recall", recall_score), ("f1", f1_score)):
            ours = values["Table 1", "final model", metric, "synthetic-swap"]
            assert ours == pytest.approx(score(labels, called)), metric
        ours = values["Table 1", "final model", "precision", "synthetic-swap"]
        assert ours == pytest.approx(precision_score(labels, called, zero_division=np.nan), nan_ok=True)
        seen_in_training = scored["resubstitution"]
        train_accuracy = accuracy_score(seen_in_training["label"] == "fake", seen_in_training["score"] >= 0.5)
        ours = values["Table 1", "final model, training", "accuracy", "synthetic-swap"]
        assert ours == pytest.approx(train_accuracy)
        videos = scored["test"].groupby(["dataset", "video"]).agg({"label": "first", "score": "mean"}).reset_index()
        for level, images in (("frame", scored["test"]), ("video", videos)):
            for dataset, chosen in images.groupby("dataset"):
                labels, called = chosen["label"] == "fake", chosen["score"] >= 0.5
                ours = values.loc["extra", f"cffn, {level} level", :, dataset]
                assert ours["auc"] == pytest.approx(roc_auc_score(labels, chosen["score"]))
                assert ours["kappa"] == pytest.approx(cohen_kappa_score(labels, called))
                assert ours["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, called))
                assert ours["false_alarm_rate"] == pytest.approx(called[~labels].mean())
                assert ours["majority_accuracy"] == pytest.approx(max(labels.mean(), 1 - labels.mean()))

    def test_the_protocol_video_keeps_a_real_clip_and_its_fake_together(self, run_folder):
        """The drawn fake00007 is made from real00007; under `frame` the frames of one clip are on several sides."""
        splits = pd.read_csv(run_folder / "splits.csv")
        splits = splits[splits["dataset"] == "synthetic-swap"]
        splits["clip"] = splits["path"].str.extract(r"(\d{5})_\d{3}\.")[0]
        sides = splits.groupby(["protocol", "clip"])["split"].nunique().groupby("protocol").max()
        assert sides["video"] == 1 and sides["frame"] > 1
        for _, of_one_protocol in splits.groupby("protocol"):
            assert not of_one_protocol.duplicated("path").any()
            assert (of_one_protocol.groupby("split")["label"].nunique() == 2).all()

    def test_predict_uses_the_proposal(self, smoke, run_folder, command, cache):
        pictures = sorted(next(cache.glob("deconv-*-prepared-haar-40")).rglob("*.png"))[:2]
        done = command(smoke[0], "-m", "common.predict", run_folder, *pictures)
        assert "model cffn of" in done.stderr
        rows = list(csv.DictReader(done.stdout.splitlines()))
        assert len(rows) == 2
        assert all(row["verdict"] == "no face" or 0 <= float(row["score"]) <= 1 for row in rows)

    def test_an_unseen_data_set_alone_has_the_scores_of_the_run_that_trained(
        self, smoke, weights, command, cache, tmp_path, read_rows
    ):
        prepared = next(cache.glob("deconv-*-prepared-haar-40"))
        command(tmp_path, *SMOKE, *weights, "--protocol", "frame", "--data", f"other={prepared}")
        rows = read_rows(tmp_path)
        assert set(rows["table"]) == {"extra"} and rows["note"].str.contains("not trained by this run").all()
        assert not rows["note"].str.contains("unseen").any(), "what the file was trained on is not known"
        trained = read_rows(smoke[0]).query("dataset == 'synthetic-deconv' and protocol == 'frame'")
        trained = trained[trained["row"] == "cffn, frame level"].set_index("metric")["value"]
        evaluated = rows[rows["row"] == "cffn, frame level"].set_index("metric")["value"]
        assert evaluated["auc"] == pytest.approx(trained["auc"]) and evaluated["tp"] == trained["tp"]

    def test_one_class_is_evaluated(self, weights, command, make_prepared, tmp_path, read_rows):
        """Of fakes alone there is a recall, and no AUC."""
        folder = make_prepared(tmp_path / "faces", per_class=10, size=40)
        keep_fakes(folder)
        command(tmp_path, *SMOKE, *weights, "--data", f"celebdf={folder}")
        values = read_rows(tmp_path).query("table == 'extra'").set_index("metric")
        assert values["n"]["recall"] == 10 and 0 <= values["value"]["recall"] <= 1
        assert np.isnan(values["value"]["auc"]) and values["value"]["majority_accuracy"] == 1

    def test_a_protocol_that_the_data_do_not_allow_is_refused_without_training_too(
        self, weights, refused, make_prepared, tmp_path
    ):
        folder = make_prepared(tmp_path / "faces", per_class=10, size=40)
        words = (*weights, "--data", f"dfdc={folder}", "--protocol")
        refused("protocol 'video' is not possible with these data", *SMOKE, *words, "video")
        refused("protocol 'videos' is unknown", *SMOKE, *words, "videos")


def keep_fakes(folder):
    manifest = pd.read_csv(folder / "manifest.csv", keep_default_na=False)
    manifest[manifest["label"] == "fake"].to_csv(folder / "manifest.csv", index=False)


@pytest.mark.slow
def test_every_model_has_its_own_batches_and_training_images(tmp_path, command, make_prepared, read_rows):
    """The early models use a tenth of the training images, in batches of at most 32; --no-schedule can be typed."""
    folder = make_prepared(tmp_path / "faces", per_class=120, size=35)
    models, words = ("cffn", "story_first"), ("--image-size", "35", "--no-schedule", "--epochs", "1")
    words = (
        *words,
        "--data",
        f"dfdc={folder}",
        "--protocol",
        "frame",
        "--batch-size",
        "8",
        "--split",
        "0.7",
        "0.15",
        "0.15",
    )
    command(tmp_path, *SMOKE, "--models", *models, *words)
    (run,) = tmp_path.glob("runs/*/*")
    predictions = pd.read_csv(run / "predictions.csv").query("split == 'resubstitution'")
    counts = predictions["model"].value_counts()
    assert counts["story_first"] == pytest.approx(counts["cffn"] / 10, abs=1)
    rows = read_rows(tmp_path)
    assert rows["note"].str.contains("; --no-schedule; ").all()
    ours = rows[rows["row"] == "first implementation, training"]
    assert ours["n"].item() == counts["story_first"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--image-size", "30"), "--image-size: expected a number of at least 35, got 30"),
        (("--training-share", "1.5"), "--training-share: expected a number of at most 1, got 1.5"),
        (("--kernels", "3", "3"), "--kernels: expected each value once, at least 1 of them, got 3 3"),
        (("--kernels", "0"), "--kernels: expected a number of at least 1, got 0"),
        (("--fake-share", "1.5"), "--fake-share: expected a number below 1, got 1.5"),
        (("--margin", "-1"), "--margin: expected a number of at least 0, got -1"),
    ],
)
def test_a_value_that_breaks_its_rule_is_refused(words, message):
    with pytest.raises(UserError, match=message):
        read_config(PRESETS, words)


def test_the_margin_and_the_penalty_can_be_0():
    config = read_config(PRESETS, ["--margin", "0", "--penalty", "0", "--stop-after", "0"])
    assert (config.margin, config.penalty, config.stop_after) == (0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--epochs", "0"), "give --weights cffn=FILE"),
        (("--weights", "cffn=/no/such/file"), "no such file"),
        (("--weights", "cffn_relu=/no/such/file"), "expected MODEL=FILE, each MODEL once, of cffn; got 'cffn_relu="),
    ],
)
def test_a_mistake_is_one_line(refused, words, message):
    refused(message, *SMOKE, *words)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--protocol", "official"), "'official' is not possible"),
        (("--batch-size", "500"), "--batch-size 500: the training set of cffn has only"),
        (("--models", "story_schedule"), "the training set of story_schedule has only 2 images"),
        (("--fake-share", "0.01"), "expected both classes in each batch of 8, got 0 fakes"),
    ],
)
def test_a_mistake_that_the_data_show_is_one_line(refused, words, message):
    refused(message, *SMOKE, *words)


@pytest.mark.slow
@pytest.mark.parametrize(("role", "found"), [("celebdf", "none"), ("dfdc", "fake")])
def test_training_needs_both_classes_of_its_data_set(refused, make_prepared, tmp_path, role, found):
    folder = make_prepared(tmp_path / "faces", per_class=10, size=40)
    keep_fakes(folder)
    message = f"training needs real and fake images, got {found}: give --data dfdc=DIR with both"
    refused(message, *SMOKE, "--data", f"{role}={folder}")
