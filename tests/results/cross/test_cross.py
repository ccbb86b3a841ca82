"""results.cross on runs made by hand, of a network whose score is known: the mean red of every eighth pixel.

Each test of the command takes seconds, since it loads a network and draws a figure: those that look at a special case
are slow, so that all of them together do not dominate the quick subset.
"""

import json
import shutil
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import balanced_accuracy_score, roc_auc_score, roc_curve
from sklearn.neighbors import KNeighborsClassifier

from common.data.datasets import open_dataset
from common.data.manifest import read_manifest, write_manifest
from common.data.perturbations import STRENGTHS, perturb
from common.detectors import store as detectors
from common.detectors.store import Description, Detector
from common.errors import UserError
from common.files import write_json
from results.cross import scores
from results.cross.__main__ import main
from results.cross.plots import matrix_figure, robustness_figure
from results.cross.runs import TrainedRun
from results.cross.table import COLUMNS, read_table
from results.report.cross_page import matrices, read_scores

PAPER, MODEL = "some_paper", "red"
NEAREST = {"size": 8, "resize": "nearest"}  # of 64 pixels every eighth


def red_network():
    image = keras.Input((8, 8, 3))
    red = keras.layers.Dense(1, use_bias=False)
    means = keras.layers.GlobalAveragePooling2D(name="features")(image)
    network = keras.Model(image, red(means))
    red.set_weights([np.array([[1.0], [0.0], [0.0]], np.float32)])
    return network


def red(image):
    return image[::8, ::8, 0].mean() / 255


def pictures(folder, rows):
    return [np.asarray(Image.open(folder / path).convert("RGB")) for path in rows["path"]]


def make_run(folder, trained, protocol="frame", seeds=("0",), **config):
    """A finished run of the prepared folder `trained`, known to it as `own`: of each class (and clip) the first half
    is train, the rest test; under other seeds the other way round."""
    data = open_dataset("own", trained, limit=config.get("limit"))
    number = data.images["path"].str.extract(r"(\d+)\.png")[0].astype(int)
    splits = []
    for place, seed in enumerate(seeds):
        first = number < len(number) // 4
        split = np.where(first ^ bool(place), "train", "test")
        images = data.images[["dataset", "path", "sha256", "label"]]
        splits.append(images.assign(split=split, protocol=protocol, seed=seed))
        faces = {"faces": "none", "size": None, "margin": None, "min_confidence": None, "pick": None}
        description = Description(MODEL, NEAREST, faces=faces, proposed=True, protocol=protocol, seed=int(seed))
        description = description.placed(f"-{protocol}-seed{seed}" if place else "", has_classifier=False)
        detectors.save(Detector(description, red_network()), folder / "models")
    pd.concat(splits).to_csv(folder / "splits.csv", index=False)
    write_json({"paper": PAPER, "data": {"own": data.fingerprint}, "finished": "now"}, folder / "environment.json")
    write_json({"data": [f"own={trained}"], "limit": None} | config, folder / "config.json")
    return folder


@pytest.fixture
def run(tmp_path, prepared):
    return make_run(tmp_path / "runs" / PAPER / "quick-1", prepared)


@pytest.fixture
def other(tmp_path, make_prepared):
    return make_prepared(tmp_path / "other", per_class=20, seed=1)


@pytest.fixture
def clips(tmp_path, make_prepared):
    return make_prepared(tmp_path / "clips", per_class=24, clips=True, seed=2)


@pytest.fixture
def crossed(tmp_path):
    """A function that runs the command and returns the rows of a table."""

    def run_it(*words, table="cross.csv"):
        main([*map(str, words), "--results", str(tmp_path / "results")])
        rows = pd.read_csv(tmp_path / "results" / table, keep_default_na=False, dtype={"strength": str})
        return rows.assign(value=pd.to_numeric(rows["value"]), ci_low=pd.to_numeric(rows["ci_low"]))

    return run_it


def only(rows, **cells):
    for column, cell in cells.items():
        rows = rows[rows[column] == cell]
    (row,) = rows.itertuples()
    return row


@pytest.mark.slow
def test_of_its_own_data_only_the_test_split_is_scored(run, prepared, crossed, tmp_path):
    rows = crossed(run, "--data", f"own={prepared}")
    assert tuple(rows)[: len(COLUMNS)] == COLUMNS
    test = read_manifest(prepared)
    test = test[test["path"].str.extract(r"(\d+)")[0].astype(int) >= 20]
    fake, scores = test["label"] == "fake", np.array([red(image) for image in pictures(prepared, test)])
    assert set(rows["n"]) == {40} and set(rows["trained_on"]) == {"own"} and set(rows["level"]) == {"frame"}
    assert only(rows, metric="auc").value == pytest.approx(roc_auc_score(fake, scores))
    assert only(rows, metric="balanced_accuracy").value == pytest.approx(balanced_accuracy_score(fake, scores >= 0.5))
    false_alarms, hits, _ = roc_curve(fake, scores, drop_intermediate=False)
    grid = np.linspace(0, 1, 100_001)
    misses = 1 - np.interp(grid, false_alarms, hits)
    assert only(rows, metric="eer").value == pytest.approx(grid[np.argmin(np.abs(misses - grid))], abs=0.03)
    assert all(rows["note"].str.startswith("test split of the run's own data: 40 of 80 images left out; manifest "))
    assert Image.open(tmp_path / "results" / "figures" / "cross.png").format == "PNG"


def test_its_own_data_are_known_under_another_name(run, prepared, crossed):
    row = only(crossed(run, "--data", f"anything={prepared}"), metric="auc")
    assert (row.n, row.trained_on, row.dataset) == (40, "anything", "anything")


@pytest.mark.slow
def test_a_detector_is_one_row_of_the_page_whatever_its_data_are_called(run, prepared, other, crossed, tmp_path):
    crossed(run, "--data", f"mine={prepared}", f"other={other}")
    tables = matrices(read_scores(tmp_path / "results" / "cross.csv"))
    ((about, cells),) = tables[0].rows
    assert about["trained_on"] == "mine" and tables[0].datasets == ["mine", "other"]
    assert [cell.seen for cell in cells] == [True, False]


@pytest.mark.slow
def test_its_own_data_are_known_where_limit_left_a_part_of_them(tmp_path, prepared, crossed):
    run = make_run(tmp_path / "run", prepared, limit=15)
    row = only(crossed(run, "--data", f"anything={prepared}"), metric="auc")
    splits = pd.read_csv(run / "splits.csv")
    assert len(splits) == 30 and row.n == (splits["split"] == "test").sum()
    assert row.trained_on == "anything" and "prepared again" not in row.note


def test_its_own_data_prepared_again_are_recognised_by_their_paths(run, prepared, crossed):
    images = read_manifest(prepared).assign(sha256="")
    write_manifest(images[images["path"] != "fake/0039.png"], prepared)
    row = only(crossed(run, "--data", f"own={prepared}"), metric="auc")
    assert row.n == 39 and "prepared again" in row.note


def test_copies_of_training_images_are_left_out_and_counted(run, prepared, other, crossed):
    """Two training images and one test image under other names: only the former are left out."""
    own, images = read_manifest(prepared), read_manifest(other)
    for place, path in enumerate(("real/0000.png", "fake/0001.png", "real/0030.png")):
        shutil.copy(prepared / path, other / images["path"][place])
        images.loc[place, ["label", "sha256"]] = own.loc[own["path"] == path, ["label", "sha256"]].to_numpy()[0]
    write_manifest(images, other)
    row = only(crossed(run, "--data", f"other={other}"), metric="auc")
    assert row.n == 38 and "2 copies of its training images left out" in row.note and row.trained_on == "own"


@pytest.mark.parametrize(
    ("protocol", "persons", "left"),
    [
        pytest.param("frame", True, 39, marks=pytest.mark.slow),
        ("video", True, 32),
        pytest.param("identity", False, 32, marks=pytest.mark.slow),
        ("identity", True, 24),
    ],
)
def test_with_a_copy_goes_what_the_protocol_keeps_together(tmp_path, make_prepared, crossed, protocol, persons, left):
    """A frame of fake clip 0 is copied: under `video` the 4 frames of that clip and the 4 of its original go too, and
    under `identity` the 8 of another pair of clips that shows the same person."""
    trained = make_prepared(tmp_path / "trained", per_class=24)
    run, seen = make_run(tmp_path / "run", trained, protocol), read_manifest(trained)
    clips = make_prepared(tmp_path / "clips", per_class=20, clips=True, seed=2)
    images = read_manifest(clips)
    if persons:
        clip = images["video"].str[-1]
        images["identity"] = "person " + clip.replace("3", "0")
    images.loc[images["path"] == "fake/0002.png", "sha256"] = seen.loc[seen["path"] == "fake/0002.png", "sha256"].item()
    write_manifest(images, clips)
    rows = crossed(run, "--data", f"clips={clips}")
    assert only(rows, metric="auc", level="frame").n == left


@pytest.mark.parametrize(
    ("protocol", "layout", "left"),
    [("frame", "celebdf", 24), ("video", "celebdf", 24), ("identity", "celebdf", 16), ("identity", "folders", 48)],
)
def test_another_version_of_the_training_data_is_tested_on_what_was_not_trained_on(
    tmp_path, make_prepared, protocol, layout, left
):
    """Three of six clips of each class are trained on: the second version has them with other bytes. Under `identity`
    the sixth pair of clips, which shows the first one's person, goes too. Of two publishers, equal names mean nothing.
    """
    versions = [make_prepared(tmp_path / name, per_class=24, clips=True, seed=seed) for seed, name in enumerate("ab")]
    for folder in versions:
        images = read_manifest(folder)
        write_manifest(images.assign(identity="person " + images["video"].str[-1].replace("5", "0")), folder)
        write_json({"layout": layout, "flags": {"faces": "none"}}, folder / "prep.json")
    folder, own = make_run(tmp_path / "run", versions[0], protocol), open_dataset("own", versions[0])
    earlier = pd.read_csv(folder / "splits.csv", dtype=str, keep_default_na=False)
    facts = own.images[["path", "video", "identity", "original"]].assign(scope=own.scope)
    earlier.merge(facts, on="path").to_csv(folder / "splits.csv", index=False)
    second = open_dataset("second", versions[1])
    run = TrainedRun(folder, [own, second])
    (detector,) = run.all_detectors
    selection = run.select(detector, second)
    assert len(selection.images) == left
    unit = "persons" if protocol == "identity" else "videos"
    assert (f"{48 - left} images of {unit} that it was trained on left out" in selection.note) == (left < 48)
    assert len(run.select(detector, own).images) == 24, "its own test split"
    earlier.to_csv(folder / "splits.csv", index=False)
    run = TrainedRun(folder, [second])
    assert len(run.select(*run.all_detectors, second).images) == 48, "a run of an earlier version"


@pytest.mark.slow
def test_a_data_set_of_which_nothing_is_left_is_reported(run, prepared, crossed, capsys):
    images = read_manifest(prepared)
    write_manifest(images[images["path"].str.contains("000")], prepared)
    row = only(crossed(run, "--data", f"own={prepared}"), metric="auc")
    assert row.n == 0 and np.isnan(row.value) and row.note.endswith("; no images")
    assert "no image is left" in capsys.readouterr().err


@pytest.mark.slow
def test_one_class_has_no_auc_and_says_so(run, other, crossed):
    images = read_manifest(other)
    write_manifest(images[images["label"] == "fake"], other)
    row = only(crossed(run, "--data", f"other={other}"), metric="auc")
    assert row.n == 20 and np.isnan(row.value) and row.note.endswith("; no real images")


def test_images_that_cannot_be_decoded_are_named_and_counted(run, other, crossed, capsys):
    (other / "real" / "0003.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (other / "fake" / "0004.png").unlink()
    rows = crossed(run, "--data", f"other={other}")
    assert set(rows["n"]) == {38} and all(rows["note"].str.contains("; 2 of 40 images cannot be decoded"))
    errors = capsys.readouterr().err
    assert errors.count("real/0003.png") == errors.count("fake/0004.png: no such file") == 1
    left = read_manifest(other)
    left = left[~left["path"].isin(("real/0003.png", "fake/0004.png"))]
    expected = roc_auc_score(left["label"] == "fake", [red(image) for image in pictures(other, left)])
    assert only(rows, metric="auc", perturbation="none").value == pytest.approx(expected)


def test_videos_have_rows_of_their_own(run, clips, crossed):
    rows = crossed(run, "--data", f"clips={clips}")
    images = read_manifest(clips)
    images["score"] = [red(image) for image in pictures(clips, images)]
    videos = images.groupby(["video", "label"])["score"].mean().reset_index()
    row = only(rows, metric="auc", level="video")
    assert row.n == 12 and row.value == pytest.approx(roc_auc_score(videos["label"] == "fake", videos["score"]))


@pytest.mark.slow
def test_every_perturbation_is_scored_before_the_detectors_own_preprocessing(run, other, crossed, tmp_path):
    rows = crossed(run, "--data", f"other={other}", "--robustness", table="robustness.csv")
    images = read_manifest(other)
    auc = rows[rows["metric"] == "auc"].set_index(["perturbation", "strength"])["value"]
    assert len(auc) == 1 + sum(map(len, STRENGTHS.values()))
    for name, strength in (("jpeg", 30), ("noise", 20.0), ("blur", 0.5), ("scaling", 0.25), ("social", 960)):
        scores = [
            red(perturb(image, name, strength, digest))
            for image, digest in zip(pictures(other, images), images["sha256"], strict=True)
        ]
        expected = roc_auc_score(images["label"] == "fake", scores)
        a_tie_or_two = 2 * 0.5 / 20**2  # of float64 means, which are none of float32 ones, or the other way round
        assert auc[name, f"{strength:g}"] == pytest.approx(expected, abs=a_tie_or_two), name
    plain = only(crossed(run, "--data", f"other={other}"), metric="auc")
    assert plain.value == auc["none", ""] and plain.perturbation == "none" and plain.strength == ""
    assert Image.open(tmp_path / "results" / "figures" / "robustness.png").format == "PNG"


@pytest.mark.slow
def test_what_is_in_the_table_is_not_scored_again(run, other, clips, crossed, monkeypatch):
    first = crossed(run, "--data", f"other={other}")
    scored, score = [], scores.score
    monkeypatch.setattr(scores, "score", lambda *words: scored.append(words[-1]) or score(*words))
    both = crossed(run, "--data", f"other={other}", f"clips={clips}")
    assert scored == ["red on clips"]
    pd.testing.assert_frame_equal(both[both["dataset"] == "other"].reset_index(drop=True), first)
    crossed(run, "--data", f"other={other}", "--again")
    assert scored[1:] == ["red on other"]
    images = read_manifest(other)
    write_manifest(images[images["path"] != "real/0000.png"], other)
    third = crossed(run, "--data", f"other={other}")
    assert scored[2:] == ["red on other"] and set(third.loc[third["dataset"] == "other", "n"]) == {39}
    assert len(third) == len(both), "replaced, not added"


@pytest.mark.slow
def test_other_data_under_the_same_name_leave_no_row_behind(run, other, clips, crossed, tmp_path):
    assert set(crossed(run, "--data", f"x={clips}", f"y={clips}")["level"]) == {"frame", "video"}
    table = crossed(run, "--data", f"x={other}")
    assert set(table.loc[table["dataset"] == "x", "level"]) == {"frame"}
    assert set(table.loc[table["dataset"] == "y", "level"]) == {"frame", "video"}


@pytest.mark.slow
def test_ctrl_c_leaves_the_rows_of_what_was_finished(run, other, clips, crossed, monkeypatch, tmp_path):
    score = scores.score

    def stopped(*words):
        if words[-1] == "red on clips":
            raise KeyboardInterrupt
        return score(*words)

    monkeypatch.setattr(scores, "score", stopped)
    with pytest.raises(KeyboardInterrupt):
        crossed(run, "--data", f"other={other}", f"clips={clips}")
    assert set(read_table(tmp_path / "results" / "cross.csv")["dataset"]) == {"other"}


@pytest.mark.slow
def test_each_protocol_and_seed_has_its_own_split(tmp_path, prepared, crossed):
    run = make_run(tmp_path / "run", prepared, "video", seeds=("0", "11"))
    rows = crossed(run, "--data", f"own={prepared}")
    images = read_manifest(prepared)
    images["score"] = [red(image) for image in pictures(prepared, images)]
    first = images["path"].str.extract(r"(\d+)")[0].astype(int) < 20
    for seed, test in ((0, images[~first]), (11, images[first])):
        row = only(rows, metric="auc", seed=seed)
        assert (row.model, row.protocol, row.n) == (MODEL, "video", 40)
        assert row.value == pytest.approx(roc_auc_score(test["label"] == "fake", test["score"]))
    assert len(crossed(run, "--data", f"x={prepared}", "--model", "red-video-seed11").query("dataset == 'x'")) == 3


def test_a_classifier_on_features_is_scored_too(run, other, crossed):
    """The nearest of two neighbours in mean red, green and blue: P(fake) is 0 or 1."""
    means = np.array([[0.40, 0.5, 0.5], [0.60, 0.5, 0.5]])
    neighbour = KNeighborsClassifier(1).fit(means, [0, 1])
    description = Description("nn", NEAREST, features="features", protocol="frame", seed=0, network=MODEL)
    description = description.placed("", has_classifier=True)
    detectors.save(Detector(description, None, neighbour), run / "models")
    row = only(crossed(run, "--data", f"other={other}", "--model", "nn"), metric="auc")
    images = read_manifest(other)
    features = [image[::8, ::8].mean(axis=(0, 1)) / 255 for image in pictures(other, images)]
    assert row.value == pytest.approx(roc_auc_score(images["label"] == "fake", neighbour.predict(features)))


@pytest.mark.slow
def test_another_preparation_and_given_weights_are_noted(tmp_path, prepared, other, crossed):
    run = make_run(tmp_path / "run", prepared, weights=["red=somewhere.keras"])
    flags = {"faces": "haar", "size": 64, "margin": 0, "min_confidence": None, "pick": "best"}
    write_json({"layout": "folders", "flags": flags}, other / "prep.json")
    note = only(crossed(run, "--data", f"other={other}"), metric="auc").note
    assert "prepared differently: faces haar (the run's: none), size 64 (the run's: any)" in note
    assert "given weights" in note


def test_mistakes_are_named(run, other, tmp_path):
    def refused(message, *words):
        with pytest.raises(UserError, match=message):
            main([*map(str, words), "--results", str(tmp_path / "results")])

    refused("expected NAME=DIR, got 'x'", run, "--data", "x")
    refused("no such folder", run, "--data", f"x={tmp_path / 'none'}")
    refused("no manifest.csv in it, so it is raw data", run, "--data", f"x={run}")
    refused("no run has blue; they have red", run, "--data", f"x={other}", "--model", "blue")
    refused("expected a finished run .* no environment.json", other, "--data", f"x={other}")
    twin = shutil.copytree(run, tmp_path / "elsewhere" / run.name)
    refused("two runs with one name", run, twin, "--data", f"x={other}")
    splits = pd.read_csv(run / "splits.csv")
    splits.drop(columns="sha256").to_csv(run / "splits.csv", index=False)
    refused("splits.csv of an earlier version, without sha256", run, "--data", f"x={other}")
    write_json({"paper": PAPER, "data": {}}, twin / "environment.json")
    refused("is not finished; give its command again", twin, "--data", f"x={other}")
    (run / "splits.csv").unlink()
    refused("expected a finished run .* it has no splits.csv", run, "--data", f"x={other}")
    assert not (tmp_path / "results").exists()


def test_the_descriptions_of_an_earlier_version_are_understood(tmp_path, prepared, crossed):
    """They lack model, protocol and seed, which are columns of predictions.csv and parts of the file name."""
    run = make_run(tmp_path / "run", prepared, "video", seeds=("0", "11"))
    for file in (run / "models").glob("*.json"):
        description = json.loads(file.read_text())
        facts = ("model", "protocol", "seed", "part", "trained_on", "width")
        write_json({key: value for key, value in description.items() if key not in facts}, file)
    pd.DataFrame({"model": MODEL, "protocol": "video", "seed": [0, 11]}).to_csv(run / "predictions.csv", index=False)
    rows = crossed(run, "--data", f"own={prepared}")
    assert set(zip(rows["model"], rows["protocol"], rows["seed"], rows["n"], strict=True)) == {
        (MODEL, "video", 0, 40),
        (MODEL, "video", 11, 40),
    }


@pytest.mark.slow
def test_a_name_says_nothing_about_protocol_and_seed(tmp_path, prepared, crossed):
    """The file is called video-seed11, its description has frame and seed 0: the description counts."""
    run = make_run(tmp_path / "run", prepared)
    description = Description("other", NEAREST, protocol="frame", seed=0, proposed=True)
    detectors.save(Detector(description.placed("-video-seed11", False), red_network()), run / "models")
    row = only(crossed(run, "--data", f"own={prepared}", "--model", "other"), metric="auc")
    assert (row.model, row.protocol, row.seed, row.n) == ("other", "frame", 0, 40)


@pytest.mark.slow
def test_a_model_that_is_trained_once_for_several_protocols_is_tested_under_all_of_them(tmp_path, prepared, crossed):
    run = make_run(tmp_path / "run", prepared, "paper")
    splits = pd.read_csv(run / "splits.csv", dtype=str)
    splits.loc[splits.index[-2:], "split"] = "train"
    more = pd.concat([pd.read_csv(run / "splits.csv", dtype=str), splits.assign(protocol="heldout")])
    more.to_csv(run / "splits.csv", index=False)
    row = only(crossed(run, "--data", f"own={prepared}"), metric="auc")
    assert row.protocol == "paper+heldout" and row.trained_on == "own"


def test_each_case_has_its_own_split(tmp_path, prepared, crossed):
    """Two trainings under one protocol and seed, told apart by `part` and by splits.csv's column case."""
    run = make_run(tmp_path / "run", prepared)
    splits = pd.read_csv(run / "splits.csv", dtype=str)
    turned = splits.assign(split=splits["split"].map({"train": "test", "test": "train"}), case="b")
    pd.concat([splits.assign(case="a"), turned.head(30)]).to_csv(run / "splits.csv", index=False)
    for part in ("a", "b"):
        description = Description(f"red{part}", NEAREST, protocol="frame", seed=0, part=part).placed("", False)
        detectors.save(Detector(description, red_network()), run / "models")
    rows = crossed(run, "--data", f"own={prepared}", "--model", "reda", "redb")
    images = len(turned.head(30).query("split == 'test'"))
    assert only(rows, metric="auc", model="reda").n == 40 and only(rows, metric="auc", model="redb").n == images


def test_help_starts_without_tensorflow():
    words = "import sys; import results.cross.__main__; sys.exit('tensorflow' in sys.modules or 'cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", words]).returncode == 0


def test_a_table_of_something_else_is_left_alone(run, other, crossed, tmp_path):
    path = tmp_path / "results" / "cross.csv"
    path.parent.mkdir()
    path.write_text(json.dumps({"a": 1}))
    with pytest.raises(UserError, match="expected the columns paper,run,model"):
        crossed(run, "--data", f"other={other}")


def table_row(**changes):
    """A row of cross.csv or robustness.csv."""
    values = {
        "paper": "p", "run": "quick-1", "model": "meso4", "trained_on": "a", "dataset": "a", "protocol": "video",
        "seed": 0, "perturbation": "none", "strength": "", "level": "frame", "metric": "auc", "value": 0.9,
        "ci_low": 0.85, "ci_high": 0.95, "n": 50, "note": "",
    }  # fmt: skip
    return values | changes


def test_the_heat_map_has_a_cell_for_each_test_and_frames_what_was_trained_on():
    rows = [table_row(), table_row(dataset="b", value=0.4), table_row(model="svm", trained_on="b", dataset="b")]
    rows.append(table_row(metric="eer", value=0.1))
    (axis, _) = matrix_figure(pd.DataFrame(rows)).axes
    texts = {(int(text.get_position()[0]), int(text.get_position()[1])): text.get_text() for text in axis.texts}
    assert texts[0, 0] == "0.900\n0.85 to 0.95\nn 50" and texts[1, 0].startswith("0.400") and texts[0, 1] == ""
    assert [label.get_text() for label in axis.get_xticklabels()] == ["a", "b"]
    assert [label.get_text().splitlines()[1] for label in axis.get_yticklabels()] == [
        "meso4, video, seed 0",
        "svm, video, seed 0",
    ]
    frames = {(round(frame.get_x() + 0.47), round(frame.get_y() + 0.46)) for frame in axis.patches}
    assert frames == {(0, 0), (1, 1)}
    (image,) = axis.images
    np.testing.assert_allclose(image.get_array().filled(np.nan), [[0.9, 0.4], [np.nan, 0.9]])


def test_the_curves_go_from_the_plain_image_to_the_strongest_perturbation():
    """JPEG is stronger at a lower quality, noise at a larger deviation."""
    values = {("jpeg", "30"): 0.6, ("jpeg", "90"): 0.8, ("noise", "20"): 0.5, ("noise", "5"): 0.7}
    rows = [table_row(perturbation=name, strength=strength, value=v) for (name, strength), v in values.items()]
    figure = robustness_figure(pd.DataFrame([table_row(), *rows]))
    curves = {axis.get_xlabel(): axis.lines[0] for axis in figure.axes}
    assert list(curves) == ["JPEG quality", "noise, σ in grey levels"]
    for name, strengths, aucs in (
        ("JPEG quality", ["plain", "90", "30"], [0.9, 0.8, 0.6]),
        ("noise, σ in grey levels", ["plain", "5", "20"], [0.9, 0.7, 0.5]),
    ):
        assert list(curves[name].get_xdata()) == strengths and list(curves[name].get_ydata()) == aucs
