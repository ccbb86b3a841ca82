"""The real command on tiny embedded data: its files, its splits, its numbers and its errors."""

import csv
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score, precision_score, roc_auc_score

from common.detectors.description import descriptions

pytestmark = pytest.mark.slow

SMALL = ("--image-size", "32", "--width", "0.05", "--dense-units", "4", "--tsne-images", "30")  # no number matters
RUN = Path(__file__).parents[3] / "reproductions" / "siamese_triplet" / "run.py"
PUBLISHED = Path(__file__).parents[3] / "results" / "published" / "siamese_triplet.csv"


@pytest.fixture(scope="module")
def smoke(tmp_path_factory, command):
    """(folder, what the command printed) of the smoke preset on the embedded data."""
    folder = tmp_path_factory.mktemp("smoke")
    return folder, command(folder, RUN, "--preset", "smoke", "--imagenet-weights", "none")


def test_the_run_folder_is_complete(run_folder, assert_drawn):
    names = {"config.json", "environment.json", "requirements.txt", "log.txt"}
    names |= {"splits.csv", "predictions.csv", "history.csv", "times.csv", "summary.txt"}
    assert {path.name for path in run_folder.iterdir()} == names | {
        "models", "figures", "breakdown.csv", "shortcut.csv",
    }  # fmt: skip
    models = {path.name for path in (run_folder / "models").iterdir()}
    assert {"siamese.keras", "siamese.skops", "siamese.json", "resnet50.keras", "siamese_loss1.skops"} <= models
    assert {path.stem for path in (run_folder / "figures").iterdir()} == {
        "figure_01_samples", "figure_04_accuracy", "figure_05_loss", "figure_06_case2", "figure_07_embeddings",
        "roc_case1", "roc_case2", "precision_recall_case1", "precision_recall_case2", "reliability",
    }  # fmt: skip
    assert_drawn(run_folder / "figures")


def test_rows_have_published_keys_and_say_what_they_are(rows):
    columns = "paper,table,row,metric,value,ci_low,ci_high,n,clusters,dataset,protocol,preset,seed,run,commit,note"
    assert ",".join(rows.columns) == columns
    keys = set(map(tuple, pd.read_csv(PUBLISHED)[["table", "row", "metric"]].astype(str).values))
    ours = rows[rows["table"] != "extra"]
    assert set(map(tuple, ours[["table", "row", "metric"]].values)) <= keys
    assert set(ours["table"]) == {"Table 1", "Table 2", "Table 3", "Eq. 11", "Eq. 12", "text"}
    assert set(rows["protocol"]) == {"paper"} and set(rows["preset"]) == {"smoke"}
    assert rows["dataset"].str.startswith("synthetic").all()
    second = ours[ours["row"].str.contains("Case II") & (ours["metric"] == "accuracy")]
    assert len(second) and second["note"].str.contains("fakes only.*scored by the model of Case I").all()
    assert rows.loc[rows["row"].str.startswith("ResNet50"), "note"].str.contains("no ImageNet weights").all()


def test_numbers_are_those_of_the_predictions(rows, run_folder):
    """Table 2 against scikit-learn, Table 3 as the share of the unseen fakes that is called fake."""
    predictions = pd.read_csv(run_folder / "predictions.csv")
    test = predictions[(predictions["split"] == "test") & (predictions["model"] == "siamese")]
    seen = test[test["dataset"] == "synthetic-swap"]
    labels, called = seen["label"] == "fake", seen["score"] >= 0.5
    value = rows.set_index(["table", "row", "metric"])["value"]
    for metric, score in (("accuracy", accuracy_score), ("kappa", cohen_kappa_score), ("precision", precision_score)):
        assert value["Table 2", "Proposed Model", metric] == pytest.approx(score(labels, called))
    assert value["Table 2", "Proposed Model", "auc"] == pytest.approx(roc_auc_score(labels, seen["score"]))
    unseen = test[test["dataset"] == "synthetic-deconv"]
    assert set(unseen["label"]) == {"fake"}
    assert value["Table 3", "Proposed Model, Case II", "accuracy"] == pytest.approx((unseen["score"] >= 0.5).mean())
    both = pd.concat([unseen, seen[seen["label"] == "real"]])
    assert value["extra", "siamese, Case II", "auc"] == pytest.approx(
        roc_auc_score(both["label"] == "fake", both["score"])
    )


def test_splits_have_the_papers_proportions_and_no_image_twice(run_folder):
    splits = pd.read_csv(run_folder / "splits.csv")
    seen = splits[splits["dataset"] == "synthetic-swap"]
    counts = seen.groupby(["label", "split"]).size().unstack()
    assert (abs(counts["train"] + counts["val"] - 3 * counts["test"]) <= 3).all()
    assert not splits.duplicated(["dataset", "path", "case"]).any()


def test_predict_scores_a_picture_with_the_proposal(smoke, run_folder, command, cache):
    pictures = sorted(next(cache.glob("swap-*-prepared-haar-40")).rglob("*.png"))[:2]
    done = command(smoke[0], "-m", "common.predict", run_folder, *pictures)
    assert "model siamese of" in done.stderr
    assert done.stdout.startswith("path,score,verdict,")
    scored = list(csv.DictReader(done.stdout.splitlines()))
    assert len(scored) == 2 and {row["verdict"] for row in scored} <= {"fake", "real", "unknown", "no face"}
    assert all(row["verdict"] == "no face" or 0 <= float(row["score"]) <= 1 for row in scored)


def test_case_two_trains_models_of_its_own(tmp_path, command):
    words = ("--preset", "smoke", "--models", "siamese", "--cases", "case1", "case2", "--classifier", "knn")
    command(tmp_path, RUN, *words, *SMALL)
    (run,) = (tmp_path / "runs" / "siamese_triplet").iterdir()
    predictions = pd.read_csv(run / "predictions.csv")
    assert set(predictions["model"]) == {"siamese", "siamese-case2"}
    assert predictions["score"].between(0, 1).all()
    splits = pd.read_csv(run / "splits.csv")
    second = splits[(splits["case"] == "case2") & (splits["dataset"] == "synthetic-swap")]
    assert set(second.loc[second["label"] == "fake", "split"]) == {"train", "val"}
    assert set(second.loc[second["label"] == "real", "split"]) == {"train", "val", "test"}
    rows = pd.read_csv(tmp_path / "results" / "siamese_triplet.csv", keep_default_na=False)
    chosen = rows[(rows["table"] == "Table 3") & (rows["row"] == "Proposed Model, Case II")]
    assert len(chosen) == 1 and "scored by" not in chosen["note"].iloc[0]
    first, second = (rows.loc[rows["row"] == f"siamese, {case}", "note"] for case in ("Case I", "Case II"))
    for notes, images in ((first, "real has 40 of 40000"), (second, "real has 40 of 50000")):
        assert len(notes) and notes.str.contains(images).all(), "the notes of one case are not in the other's rows"
        assert (notes.str.count("drawn train") == 1).all()


def test_case_two_alone_is_scored_and_is_predicts_default(tmp_path, command):
    words = ("--preset", "smoke", "--models", "siamese", "vgg16", "--cases", "case2", "--classifier", "knn")
    command(tmp_path, RUN, *words, *SMALL)
    (run,) = (tmp_path / "runs" / "siamese_triplet").iterdir()
    assert set(pd.read_csv(run / "splits.csv")["case"]) == {"case2"}
    rows = pd.read_csv(tmp_path / "results" / "siamese_triplet.csv", keep_default_na=False)
    assert "Proposed Model, Case II" in set(rows["row"]) and not rows["row"].str.endswith(", Case I").any()
    figures = {path.stem for path in (run / "figures").iterdir()}
    assert {"figure_04_accuracy", "figure_06_case2", "figure_07_embeddings", "roc_case2"} <= figures
    assert "roc_case1" not in figures and descriptions(run)["siamese-case2"].proposed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--protocol", "video"), "'video' is not possible"),
        (("--models", "siamese", "--batch-size", "500"), "the training split has only"),
        (("--weights", "siamese=/no/such/file"), "no such file"),
    ],
)
def test_a_users_error_is_one_line(refused, words, message):
    refused(message, RUN, "--preset", "smoke", *words)


def test_missing_imagenet_weights_stop_a_run_before_it_starts(tmp_path, command):
    words = ("--preset", "smoke", "--models", "siamese", "resnet50", "--imagenet-weights", tmp_path)
    done = command(tmp_path, RUN, *words, expect=2)
    assert "resnet50_weights_tf_dim_ordering" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "runs").exists()
