"""The real command on tiny embedded data: its files, its numbers, and its errors."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image
from sklearn.metrics import accuracy_score, precision_score, roc_auc_score

pytestmark = pytest.mark.slow

RUN = Path(__file__).parents[3] / "reproductions" / "mesoinception_svm" / "run.py"
PUBLISHED = Path(__file__).parents[3] / "results" / "published" / "mesoinception_svm.csv"


@pytest.fixture(scope="module")
def smoke(tmp_path_factory, command):
    """(folder, what the command printed) of the smoke preset on the embedded data."""
    folder = tmp_path_factory.mktemp("smoke")
    return folder, command(folder, RUN, "--preset", "smoke")


def only(folder):
    (path,) = folder.iterdir()
    return path


def table(path):
    return pd.read_csv(path, keep_default_na=False, na_values={"value": "", "ci_low": "", "ci_high": ""})


def test_the_run_folder_is_complete(smoke, assert_drawn):
    run = only(smoke[0] / "runs" / "mesoinception_svm")
    tables = {"splits.csv", "predictions.csv", "history.csv", "times.csv", "breakdown.csv", "shortcut.csv"}
    assert {path.name for path in run.iterdir()} == tables | {
        "config.json", "environment.json", "requirements.txt", "models", "figures", "log.txt", "summary.txt",
    }  # fmt: skip
    models = {path.name for path in (run / "models").iterdir()}
    assert {"mesoinception4.keras", "meso4.keras", "mesoinception4_svm.skops", "mesoinception4_svm.json"} <= models
    figures = {path.name for path in (run / "figures").iterdir()}
    assert "reliability.png" in figures
    figures.remove("reliability.png")
    assert {name.split("_")[1] for name in figures} == {"03", "04", "05", "06", "07", "08", "09", "10"}
    assert_drawn(run / "figures")


def test_rows_have_published_keys_and_say_what_they_are(smoke):
    rows = table(smoke[0] / "results" / "mesoinception_svm.csv")
    columns = "paper,table,row,metric,value,ci_low,ci_high,n,clusters,dataset,protocol,preset,seed,run,commit,note"
    assert ",".join(rows.columns) == columns
    keys = set(map(tuple, pd.read_csv(PUBLISHED)[["table", "row", "metric"]].astype(str).values))
    ours = rows[rows["table"] != "extra"]
    assert set(map(tuple, ours[["table", "row", "metric"]].values)) <= keys
    assert set(ours["table"]) == {"Table 1", "Table 2", "Table 3", "Table 4", "Table 5", "Table 6", "Table 7", "text"}
    assert rows["dataset"].str.startswith("synthetic").all()
    assert (rows["preset"] == "smoke").all()
    assert rows.loc[rows["table"] == "Table 7", "note"].str.contains("unseen: trained on synthetic-swap").all()
    assert not rows.duplicated(["table", "row", "metric", "dataset", "protocol", "preset", "seed"]).any()
    assert (rows["ci_low"] <= rows["value"] + 1e-9).sum() == rows["ci_low"].notna().sum()


def test_the_numbers_follow_from_the_predictions_by_scikit_learn(smoke):
    run = only(smoke[0] / "runs" / "mesoinception_svm")
    predictions = pd.read_csv(run / "predictions.csv", keep_default_na=False)
    rows = table(smoke[0] / "results" / "mesoinception_svm.csv").set_index(["table", "row", "metric"])
    test = predictions[(predictions["split"] == "test") & (predictions["dataset"] == "synthetic-swap")]
    by_model = {model: each for model, each in test.groupby("model")}
    truth = {model: each["label"] == "fake" for model, each in by_model.items()}
    svm, base = by_model["mesoinception4_svm"], by_model["mesoinception4"]
    assert rows.loc[("Table 6", "Mesoinception4+SVM", "auc"), "value"] == pytest.approx(
        roc_auc_score(truth["mesoinception4_svm"], svm["score"])
    )
    assert rows.loc[("Table 4", "accuracy", "accuracy"), "value"] == pytest.approx(
        accuracy_score(truth["mesoinception4"], base["score"] >= 0.5)
    )
    assert rows.loc[("Table 4", "class 1", "precision"), "value"] == pytest.approx(
        precision_score(~truth["mesoinception4"], base["score"] < 0.5, zero_division=np.nan), nan_ok=True
    )
    assert rows.loc[("Table 4", "accuracy", "accuracy"), "n"] == len(base)
    assert rows.loc[("Table 4", "class 0", "support"), "value"] == (base["label"] == "fake").sum()
    assert rows.loc[("Table 5", "class 1", "support"), "value"] == (svm["label"] == "real").sum()


def test_splits_are_disjoint_and_the_test_split_is_what_was_predicted(smoke):
    run = only(smoke[0] / "runs" / "mesoinception_svm")
    splits = pd.read_csv(run / "splits.csv")
    assert not splits.duplicated(["dataset", "path"]).any()
    seen = splits[splits["dataset"] == "synthetic-swap"]["split"].value_counts(normalize=True)
    np.testing.assert_allclose(seen[["train", "val", "test"]], [0.7, 0.2, 0.1], atol=0.05)
    predictions = pd.read_csv(run / "predictions.csv")
    expected = splits[splits["split"] != "train"]
    for _, each in predictions.groupby("model"):
        assert set(zip(each["dataset"], each["path"], strict=True)) == set(
            zip(expected["dataset"], expected["path"], strict=True)
        )


def test_the_comparison_is_printed_and_not_comparable_on_drawn_data(smoke):
    out = smoke[1].stdout
    assert "  Table 4, accuracy" in out and "  Table 5, accuracy" in out and "published" in out
    assert "not comparable: synthetic data" in out
    assert "Traceback" not in smoke[1].stderr
    (summary,) = (smoke[0] / "runs").glob("*/*/summary.txt")
    assert "Table 1: synthetic-swap, protocol frame, preset smoke" in summary.read_text()
    comparison = pd.read_csv(smoke[0] / "results" / "comparison.csv", keep_default_na=False)
    run = comparison["value"] != ""
    assert run.any() and comparison.loc[run, "verdict"].str.startswith("not comparable: synthetic data").all()


def test_predict_gives_the_runs_own_scores(smoke, command, cache):
    run = only(smoke[0] / "runs" / "mesoinception_svm")
    predictions = pd.read_csv(run / "predictions.csv")
    (folder,) = cache.glob("swap-40-*-prepared")
    for model in ("mesoinception4_svm", "mesoinception4"):
        own = predictions[(predictions["model"] == model) & (predictions["dataset"] == "synthetic-swap")].head(3)
        paths = [folder / path for path in own["path"]]
        words = ["--model", model] if model != "mesoinception4_svm" else []
        done = command(smoke[0], "-m", "common.predict", run, *paths, *words)
        scored = list(csv.DictReader(done.stdout.splitlines()))
        assert [row["path"] for row in scored] == [str(path) for path in paths]
        np.testing.assert_allclose([float(row["score"]) for row in scored], own["score"], atol=1e-4)
        threshold = json.loads((run / "models" / f"{model}.json").read_text())["threshold"]  # best on validation
        for row, score in zip(scored, own["score"], strict=True):
            assert row["verdict"] in ("fake" if score >= threshold else "real", "unknown")
            assert "trained on drawn faces" in row["warning"]
        assert done.stderr.count("trained on drawn faces") == 1 and "--weights mesoinception4=published" in done.stderr


def test_predict_knows_drawn_faces_from_photographs_and_noise(smoke, command, cache, tmp_path):
    """Whole pictures: the question is what the scores of any picture mean, not whether a face is in it."""
    run = only(smoke[0] / "runs" / "mesoinception_svm")
    (folder,) = cache.glob("swap-40-*-prepared")
    predictions = pd.read_csv(run / "predictions.csv")
    home = predictions.query("dataset == 'synthetic-swap' and split == 'test'")["path"].unique()
    for name in ("china.jpg", "flower.jpg"):
        for y, x in ((0, 0), (171, 384)):
            Image.fromarray(load_sample_image(name)[y : y + 256, x : x + 256]).save(tmp_path / f"{name}-{y}.png")
    for seed in range(3):
        noise = np.random.default_rng(seed).integers(0, 256, (256, 256, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"noise{seed}.png")
    for model in ("mesoinception4", "mesoinception4_svm"):
        words, flags = ("-m", "common.predict", run), ("--faces", "none", "--model", model)
        far = list(csv.DictReader(command(tmp_path, *words, tmp_path, *flags).stdout.splitlines()))
        assert len(far) == 7 and {row["verdict"] for row in far} == {"unknown"} and all(row["score"] for row in far)
        pictures = [folder / path for path in home]
        near = list(csv.DictReader(command(tmp_path, *words, *pictures, *flags).stdout.splitlines()))
        assert sum(row["verdict"] == "unknown" for row in near) <= len(near) / 4


def test_predict_names_what_it_cannot_read(smoke, command, tmp_path):
    run = only(smoke[0] / "runs" / "mesoinception_svm")
    (tmp_path / "text.png").write_text("no picture")
    done = command(tmp_path, "-m", "common.predict", run, tmp_path, expect=2)
    assert "text.png" in done.stderr and "unreadable" in done.stdout and "Traceback" not in done.stderr
    Image.new("RGB", (64, 64)).save(tmp_path / "grey.png")
    done = command(tmp_path, "-m", "common.predict", tmp_path, tmp_path / "grey.png", expect=2)
    assert "expected a run folder" in done.stderr
    done = command(tmp_path, "-m", "common.predict", run, tmp_path / "grey.png", "--model", "resnet", expect=2)
    assert "it has meso4" in done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--data", "deepfake=/no/such/folder"], "no such folder"),
        (["--data", "celeba=x"], "deepfake, face2face, celebdf, dfdc, combined"),
        (["--train-on", "dfdc"], "--train-on dfdc: expected some of deepfake"),
        (["--weights", "meso4=/no/such/file.h5"], "no such file"),
        (["--protocol", "identity"], "identity"),
        (["--resume", "/no/such/run"], "config.json"),
        (["--batch-size", "10000"], "10000"),
        (
            ["--models", "mesoinception4", "mesoinception4_next_best"],
            "--next-best-batch-size 64: mesoinception4_next_best",
        ),
        (["--fake-share", "0.01"], "--fake-share 0.01: expected both classes in each batch of 8"),
        (["--no-such-flag"], "no-such-flag"),
        (["--models", "mesoinception4_svm"], "add mesoinception4"),
        (["--baseline-epochs", "-1"], "--baseline-epochs"),
    ],
)
def test_a_users_error_is_one_line_and_exit_code_2(tmp_path, command, words, expected):
    done = command(tmp_path, RUN, "--preset", "smoke", *words, expect=2)
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists() and not (tmp_path / "runs").exists()


@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_an_image_damaged_after_its_preparation_is_one_line(tmp_path, command, make_prepared, damage):
    folder = make_prepared(tmp_path / "data", 20)
    victim = folder / "fake" / "0003.png"
    if damage == "missing":
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes()[:200])
    done = command(tmp_path, RUN, "--preset", "smoke", "--data", f"deepfake={folder}", expect=2)
    assert "python -m data_prep verify" in done.stderr and "Traceback" not in done.stderr
