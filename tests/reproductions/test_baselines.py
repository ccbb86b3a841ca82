"""What the session adds to every run, on splits and detectors made by hand."""

from contextlib import nullcontext
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from common.detectors.description import Description, descriptions
from common.evaluation.evaluate import evaluate
from common.evaluation.predictions import COLUMNS, prediction_table
from common.files import write_csv, write_json
from reproductions.baselines import measure_baselines
from reproductions.rows import as_table, result_row
from reproductions.splitting import Split


@pytest.fixture
def run(tmp_path):
    """What measure_baselines needs of a run: its folder."""
    folder = tmp_path / "run"
    (folder / "models").mkdir(parents=True)

    def path(*parts):
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    return SimpleNamespace(folder=folder, path=path, write_csv=lambda table, name: write_csv(table, folder / name))


@pytest.fixture
def split(tmp_path):
    """120 noisy JPEG files, fakes at another quality; a model that is half as sure of every fake as it should be."""
    random, rows = np.random.default_rng(0), []
    for number in range(120):
        fake = number % 2 == 0
        file = tmp_path / f"{number}.jpg"
        Image.fromarray(random.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(file, quality=90 if fake else 70)
        rows.append(
            {
                "path": file.name, "file": str(file), "dataset": "home" if number < 90 else "unseen",
                "label": "fake" if fake else "real", "split": ("train", "val", "test")[number // 30] if number < 90
                else "test", "video": "", "identity": "", "frame": "", "source": "swap" if fake else "camera",
            }
        )  # fmt: skip
    images = pd.DataFrame(rows)
    scored = images[images["split"] != "train"]
    scores = np.where(scored["label"] == "fake", 0.3, 0.05) + 0.02 * random.random(len(scored))
    made = Split("frame", 0, {"": images})
    made.predictions.append(prediction_table(scored, scores, "net", "frame", 0))
    return made


@pytest.fixture
def detector(run):
    description = Description("net", {"size": 8}, protocol="frame", seed=0).placed("", False)
    write_json(asdict(description), run.folder / "models" / "net.json")
    return description


def test_the_shortcut_detector_is_fitted_on_training_files_and_scores_what_was_scored(split, run, detector):
    measure_baselines([split], run)
    table = split.table()
    assert table["shortcut"].notna().all() and len(table) == 90
    test = table[table["split"] == "test"]
    values = evaluate(test)
    assert values["shortcut_accuracy"].value == 1 and values["accuracy"].value == 0.5
    row = result_row(("extra", "net", "accuracy"), "net", values["accuracy"], "home", "a note")
    assert row["note"] == "a note; no better than calling everything fake; no better than the shortcut detector"
    stored = pd.read_csv(run.folder / "shortcut.csv")
    assert set(stored["split"]) == {"resubstitution", "val", "test"}, "as in predictions.csv"
    assert len(stored) == 120 and set(stored) == {"dataset", "path", "split", "shortcut", "protocol", "seed"}
    assert list(table)[: len(COLUMNS)] == list(COLUMNS)


def test_the_threshold_of_validation_is_stored_and_carried_to_unseen_data(split, run, detector):
    (rows,) = measure_baselines([split], run)
    assert 0.07 < descriptions(run.folder)["net"].threshold < 0.3
    rows = rows.set_index(["dataset", "metric"])
    for dataset in ("home", "unseen"):
        row = rows.loc[dataset, "balanced_accuracy_at_validation_threshold"]
        assert row["value"] == 1 and row["row"] == "net, frame level" and row["table"] == "extra"
        assert "chosen on validation; from 0.5 it is 0.5000" in row["note"]


def test_without_validation_images_the_stored_threshold_stays(split, run, detector):
    split.predictions[0] = split.predictions[0][split.predictions[0]["split"] == "test"]
    (rows,) = measure_baselines([split], run)
    assert rows.empty
    assert descriptions(run.folder)["net"].threshold == 0.5


def test_without_training_images_there_is_no_shortcut_detector(split, run, detector):
    split.parts[""] = split.parts[""][split.parts[""]["split"] != "train"]
    measure_baselines([split], run)
    assert split.shortcut is None and "shortcut" not in split.table()
    assert not (run.folder / "shortcut.csv").exists() and (run.folder / "breakdown.csv").exists()


def test_each_part_has_its_own_shortcut_detector(split, run, detector):
    """A second part that trains where the first one tests: its test images are scored by its own detector."""
    images = split.parts.pop("")
    turned = images.assign(split=images["split"].map({"train": "test", "test": "train", "val": "val"}))
    split.parts |= {"one": images, "two": turned[turned["dataset"] == "home"]}
    (rows,) = measure_baselines([split], run)
    assert rows.empty, "validation scores of two networks may be in one table"
    found = split.shortcut[split.shortcut["split"] == "test"]
    assert not found.duplicated(["dataset", "path"]).any() and len(found) == 90


def test_files_that_a_run_generates_under_each_seed_are_told_apart(split, run, detector, tmp_path):
    """Another seed's fakes have the same names, and the quality of the reals: there the files tell nothing."""
    images = split.parts[""].copy()
    fake = images["label"] == "fake"
    (tmp_path / "seed1").mkdir()
    for place in images.index[fake]:
        file = tmp_path / "seed1" / images["path"][place]
        Image.open(images["file"][place]).save(file, quality=70)
        images.loc[place, "file"] = str(file)
    other = Split("frame", 1, {"": images})
    other.predictions.append(split.predictions[0].assign(seed=1))
    measure_baselines([split, other], run)
    aucs = [evaluate(each.table().query("split == 'test'"))["shortcut_auc"].value for each in (split, other)]
    assert aucs[0] == 1 > aucs[1]
    table = pd.read_csv(run.folder / "breakdown.csv")
    assert (table["by"] == "compression").groupby(table["seed"]).any().to_dict() == {0: True, 1: False}


def test_the_breakdown_names_the_worst_group(split, run, detector):
    measure_baselines([split], run)
    table = pd.read_csv(run.folder / "breakdown.csv")
    assert {"source", "compression"} <= set(table["by"]) and set(table["model"]) == {"net"}
    assert set(table["dataset"]) == {"home", "unseen"}
    assert table.groupby(["dataset", "by"])["worst"].sum().eq(1).all()
    assert (table[["fakes", "reals"]] == 15).all(axis=None), (
        "a group of one class is beside the other of its own data set"
    )
    assert (run.folder / "figures" / "reliability.png").read_bytes().startswith(b"\x89PNG")


def test_a_first_split_without_test_images_is_passed_over(split, run, detector, caplog):
    """Under `resubstitution` everything was trained on: figure and worst groups are of the first split with a test."""
    first = Split("resubstitution", 0, {"": split.images})
    tested = split.predictions[0]["split"] == "test"
    first.predictions.append(split.predictions[0][~tested].assign(protocol="resubstitution"))
    with caplog.at_level("DEBUG", "deepfake"):
        measure_baselines([first, split], run)
    assert (run.folder / "figures" / "reliability.png").is_file()
    worst = [record.getMessage() for record in caplog.records if "worst source" in record.getMessage()]
    assert [line.partition(": worst")[0] for line in worst] == [
        f"net on {name}, protocol frame, seed 0" for name in ("home", "unseen")
    ]


def test_data_sets_of_one_class_are_measured_in_the_sets_of_the_papers_rows(split, run, detector):
    """Reals of one data set and fakes of another, as of siamese_triplet: by themselves nothing could be measured."""
    from reproductions.siamese_triplet import rows

    roles = {"ffhq": "faces", "stylegan": "fakes", "pggan": "unseen"}
    for table in (split.parts[""], split.predictions[0]):
        fake = table["label"] == "fake"
        home = table["dataset"] == "home"
        table["dataset"] = np.where(home, np.where(fake, "fakes", "faces"), "unseen")
    (found,) = measure_baselines([split], run, lambda images: rows.test_sets(images, roles, ("faces", "fakes")))
    joined = found[found["metric"] == "balanced_accuracy_at_validation_threshold"].set_index("dataset")
    assert joined["n"].to_dict() == {"faces+fakes": 30, "unseen against faces+fakes": 30}
    assert "unseen: trained on" in joined["note"]["unseen against faces+fakes"]
    own = rows.result_rows(split.table(), roles, ("faces", "fakes"))
    assert set(found["dataset"]) == set(own.loc[own["metric"] == "auc", "dataset"])
    assert set(pd.read_csv(run.folder / "breakdown.csv")["dataset"]) == set(found["dataset"])


def rows_of(split):
    """The rows of a paper that reports one data set."""
    values = evaluate(split.table().query("split == 'test' and dataset == 'home'"))
    return as_table([result_row(("extra", "net", name), "net", value, "home") for name, value in values.items()])


@pytest.fixture
def publish(run, tmp_path):
    """The session's own `publish`, without a training or images before it."""
    from reproductions.mesoinception_svm.config import PRESETS
    from reproductions.session import Session

    session = object.__new__(Session)
    session.paper, session.presets = "paper", PRESETS
    session.config = replace(PRESETS["smoke"], results=tmp_path / "results")
    session._watched = SimpleNamespace(check=lambda: None)
    run.name, run.commit, run.dropping_checkpoints = "smoke-1", "abc", nullcontext

    def publish_splits(*splits):
        session.data, session.run = SimpleNamespace(splits=list(splits)), run
        session.publish(rows_of)
        return pd.read_csv(tmp_path / "results" / "paper.csv", keep_default_na=False)

    return publish_splits


def test_rows_and_the_commands_that_read_a_runs_predictions_count_the_same_clusters(
    split, run, detector, publish, capsys
):
    """A fake belongs to the original that it was made from: 30 test images of 15 real videos with a fake of each."""
    from common.detectors.description import Description
    from results.cross.drops import home_auc
    from results.cross.runs import TrainedDetector
    from results.evaluate import main
    from results.paired import compare_runs

    images = split.parts[""]
    real = [f"real/{number // 2}.mp4" for number in range(120)]  # a fake, then its original
    fake = (images["label"] == "fake").to_numpy()
    images = images.assign(video=np.where(fake, "fake/" + images["path"], real), original=np.where(fake, real, ""))
    scored = images[images["split"] != "train"]
    scores = split.predictions[0]["score"]
    split.parts, split.predictions = {"": images}, [prediction_table(scored, scores, "net", "frame", 0)]
    rows = publish(split)
    accuracy = rows[(rows["metric"] == "accuracy") & (rows["dataset"] == "home")]
    assert accuracy["n"].astype(float).tolist() == [30] and accuracy["clusters"].astype(float).tolist() == [15]

    predictions = run.folder / "predictions.csv"
    assert tuple(pd.read_csv(predictions)) == COLUMNS
    capsys.readouterr()
    main([str(predictions)])
    text = capsys.readouterr().out
    lines = text.partition("dataset home, model net, protocol frame, seed 0, split test: 30 rows")[2].splitlines()
    accuracy = next(line.split() for line in lines if line.startswith("accuracy"))
    assert accuracy[5:7] == ["30", "15"] and "original is that of splits.csv beside it" in text

    compared = compare_runs(run.folder, run.folder)
    assert compared["data"].tolist() == ["home", "unseen"]
    assert compared["n"].tolist() == [30, 30] and compared["clusters"].tolist() == [15, 15]
    table = pd.read_csv(run.folder / "splits.csv", dtype=str, keep_default_na=False)
    home = table[(table["dataset"] == "home") | (table["split"] != "test")]
    description = Description("net", {"size": 8}, protocol="frame", seed=0)
    assert (
        home_auc(TrainedDetector(SimpleNamespace(folder=run.folder), description, "frame", "0", home), "frame").clusters
        == 15
    )

    table.drop(columns=["video", "identity", "original"]).to_csv(run.folder / "splits.csv", index=False)
    assert compare_runs(run.folder, run.folder)["clusters"].tolist() == [30, 30], "a run of an earlier version"


def test_publishing_puts_baselines_and_carried_thresholds_into_the_results(split, run, detector, publish):
    table = publish(split).set_index(["dataset", "metric"])
    assert table["value"]["home", "shortcut_accuracy"] == "1.0" and "majority_accuracy" in table.loc["home"].index
    assert "no better than the shortcut detector" in table["note"]["home", "accuracy"]
    assert table["value"]["unseen", "recall_at_validation_threshold"] == "1.0"
    predictions = pd.read_csv(run.folder / "predictions.csv")
    assert tuple(predictions) == COLUMNS and len(predictions) == 90
