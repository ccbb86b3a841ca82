"""The real command on tiny embedded data: what it writes, how it splits, what it says to mistakes."""

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

RUN = Path(__file__).parents[3] / "reproductions" / "cffn_resnet" / "run.py"
PUBLISHED = Path(__file__).parents[3] / "results" / "published" / "cffn_resnet.csv"
SMOKE = (RUN, "--preset", "smoke")


@pytest.fixture(scope="module")
def smoke(tmp_path_factory, command):
    """(folder, what the command printed) of the smoke preset on the embedded data."""
    folder = tmp_path_factory.mktemp("smoke")
    return folder, command(folder, *SMOKE)


def test_the_run_folder_is_whole(run_folder):
    names = {"config.json", "environment.json", "splits.csv", "predictions.csv", "history.csv", "steps.csv", "log.txt"}
    assert {path.name for path in run_folder.iterdir()} == names | {"models", "figures"}
    models = {path.name for path in (run_folder / "models").iterdir()}
    assert models == {f"cffn{suffix}.{kind}" for suffix in ("", "-video-seed0") for kind in ("keras", "json")}
    figures = {path.name: path.stat().st_size for path in (run_folder / "figures").iterdir()}
    assert sorted(figures) == [
        "evidence.png", "figure_03_training.png", "figure_03d_confusion.png", "figure_04_examples.png",
    ]  # fmt: skip
    assert min(figures.values()) > 5000


def test_both_phases_are_in_the_history_and_every_step_is_known(run_folder):
    """One epoch under the triplet loss and two under cross-entropy; 27 training images in batches of 8."""
    history = pd.read_csv(run_folder / "history.csv").query("protocol == 'frame'")
    steps = pd.read_csv(run_folder / "steps.csv").query("protocol == 'frame'")
    assert history["phase"].tolist() == ["triplet", "classifier", "classifier"]
    assert history["val_auc"].between(0, 1).all() and history["val_accuracy"].isna().tolist() == [True, False, False]
    assert steps["step"].tolist() == [1, 2, 3] * 3
    means = steps.groupby(["phase", "epoch"], sort=False)["loss"].mean()
    np.testing.assert_allclose(means, history["loss"], rtol=1e-4)
    correct = steps.loc[steps["phase"] == "classifier", "accuracy"] * 8
    np.testing.assert_allclose(correct, correct.round(), atol=1e-4)


def test_rows_have_published_keys_and_say_what_they_are(rows):
    columns = "paper,table,row,metric,value,ci_low,ci_high,n,dataset,protocol,preset,seed,run,commit,note"
    assert ",".join(rows.columns) == columns
    keys = set(map(tuple, pd.read_csv(PUBLISHED)[["table", "row", "metric"]].astype(str).values))
    ours = rows[rows["table"] != "extra"]
    assert set(map(tuple, ours[["table", "row", "metric"]].values)) <= keys
    assert {key for key in keys if key[0] == "Table 1"} <= set(map(tuple, ours[["table", "row", "metric"]].values))
    assert set(rows["protocol"]) == {"frame", "video"} and set(rows["preset"]) == {"smoke"}
    assert rows["dataset"].str.startswith("synthetic").all()
    final = ours[(ours["row"] == "final model") & (ours["table"] == "Table 1")]
    assert final["note"].str.contains("the paper's is a validation accuracy, ours of a test split").all()
    assert final["note"].str.contains("width 0.0625; images of 40 px; batches of 8").all()
    unseen = rows[rows["dataset"] == "synthetic-deconv"]
    assert len(unseen) and unseen["note"].str.contains("unseen: trained on synthetic-swap").all()


@pytest.mark.parametrize("protocol", ["frame", "video"])
def test_numbers_are_those_of_the_predictions(rows, run_folder, protocol):
    predictions = pd.read_csv(run_folder / "predictions.csv").query("protocol == @protocol and model == 'cffn'")
    of = rows[rows["protocol"] == protocol].set_index(["table", "row", "metric", "dataset"])["value"].sort_index()
    split = {name: predictions[predictions["split"] == name] for name in ("train", "test")}
    seen = split["test"].query("dataset == 'synthetic-swap'")
    labels, called = seen["label"] == "fake", seen["score"] >= 0.5
    table = {
        metric: of["Table 1", "final model", metric, "synthetic-swap"]
        for metric in ("accuracy", "precision", "recall", "f1")
    }
    assert table["accuracy"] == pytest.approx(accuracy_score(labels, called))
    assert table["recall"] == pytest.approx(recall_score(labels, called))
    assert table["precision"] == pytest.approx(precision_score(labels, called), nan_ok=True)
    assert table["f1"] == pytest.approx(f1_score(labels, called))
    learnt = accuracy_score(split["train"]["label"] == "fake", split["train"]["score"] >= 0.5)
    assert of["Table 1", "final model, training", "accuracy", "synthetic-swap"] == pytest.approx(learnt)
    by_video = split["test"].groupby(["dataset", "video"]).agg({"label": "first", "score": "mean"}).reset_index()
    for level, images in (("frame", split["test"]), ("video", by_video)):
        for dataset, chosen in images.groupby("dataset"):
            labels, called = chosen["label"] == "fake", chosen["score"] >= 0.5
            found = of.loc["extra", f"cffn, {level} level", :, dataset]
            assert found["auc"] == pytest.approx(roc_auc_score(labels, chosen["score"]))
            assert found["kappa"] == pytest.approx(cohen_kappa_score(labels, called))
            assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, called))
            assert found["false_alarm_rate"] == pytest.approx(called[~labels].mean())
            assert found["majority_accuracy"] == pytest.approx(max(labels.mean(), 1 - labels.mean()))


def test_the_protocol_video_keeps_a_real_clip_and_its_fake_together(run_folder, cache):
    """The drawn fake00007 is made from real00007; under `frame` the frames of one clip are on several sides."""
    splits = pd.read_csv(run_folder / "splits.csv")
    splits = splits[splits["dataset"] == "synthetic-swap"]
    splits["clip"] = splits["path"].str.extract(r"(\d{5})_\d{3}\.")[0]
    together = splits.groupby(["protocol", "clip"])["split"].nunique().groupby("protocol").max()
    assert together["video"] == 1 and together["frame"] > 1
    for _, of_protocol in splits.groupby("protocol"):
        assert not of_protocol.duplicated("path").any()
        assert (of_protocol.groupby("split")["label"].nunique() == 2).all()


def test_predict_and_a_run_without_training_on_other_data(smoke, run_folder, command, cache, tmp_path, read_rows):
    prepared = next(cache.glob("deconv-*-prepared-haar-40"))
    pictures = sorted(prepared.rglob("*.png"))[:2]
    done = command(smoke[0], "-m", "common.predict", run_folder, *pictures)
    assert "model cffn of" in done.stderr
    lines = [line.split(",") for line in done.stdout.splitlines()]
    assert lines[0] == ["path", "score", "verdict"] and len(lines) == 3
    assert all(verdict == "no face" or 0 <= float(score) <= 1 for _, score, verdict in lines[1:])
    words = ("--epochs", "0", "--weights", f"cffn={run_folder / 'models' / 'cffn.keras'}")
    command(tmp_path, *SMOKE, *words, "--protocol", "frame", "--data", f"other={prepared}")
    rows = read_rows(tmp_path)
    assert set(rows["table"]) == {"extra"} and rows["note"].str.contains("not trained by this run").all()
    trained = read_rows(smoke[0]).query("dataset == 'synthetic-deconv' and protocol == 'frame'")
    trained = trained[trained["row"] == "cffn, frame level"].set_index("metric")["value"]
    again = rows[rows["row"] == "cffn, frame level"].set_index("metric")["value"]
    assert again["auc"] == pytest.approx(trained["auc"]) and again["tp"] == trained["tp"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--epochs", "0"), "give --weights cffn=FILE"),
        (("--protocol", "official"), "'official' is not possible"),
        (("--batch-size", "500"), "cffn has only"),
        (("--models", "story_schedule"), "story_schedule has only 2 training images"),
        (("--image-size", "30"), "at least 35x35, got 30x30"),
        (("--weights", "cffn=/no/such/file"), "no such file"),
        (("--weights", "cffn_relu=/no/such/file"), "expected MODEL=FILE, each MODEL once, of cffn; got 'cffn_relu="),
        (("--training-share", "1.5"), "a share of at most 1, got 1.5"),
        (("--kernels", "3", "3"), "one or more different sizes, got [3, 3]"),
        (("--fake-share", "1.5"), "a share of 1.5 fakes in batches of 8"),
    ],
)
def test_mistakes_are_one_line(refused, words, message):
    refused(message, *SMOKE, *words)


def test_training_needs_its_data_set(tmp_path, command, make_prepared):
    make_prepared(tmp_path / "faces", per_class=10, size=40)
    done = command(tmp_path, *SMOKE, "--data", f"celebdf={tmp_path / 'faces'}", expect=2)
    assert "training needs --data dfdc=DIR" in done.stderr.splitlines()[-1]
