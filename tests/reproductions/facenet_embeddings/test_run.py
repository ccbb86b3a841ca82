"""The real command on tiny data: what it writes, leaks shown, folds, given weights, predicting, mistakes."""

import csv
import gc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score, roc_auc_score

from common.data.pipeline import Images, Preprocessing
from common.detectors import store
from common.training import supervised
from reproductions.facenet_embeddings.run import main

RUN = Path(__file__).parents[3] / "reproductions" / "facenet_embeddings" / "run.py"
PUBLISHED = Path(__file__).parents[3] / "results" / "published" / "facenet_embeddings.csv"
FLAGS = ("--preset", "smoke", "--imagenet-weights", "none", "--facenet-weights", "none")
SMOKE = (RUN, *FLAGS)
PHASE_2 = (*FLAGS, "--phase1", "--image-size", "80")
CLASSIFIERS = {
    "sgd", "random_forest", "logistic_regression", "k_neighbours", "perceptron", "decision_tree", "sgd_on_embeddings",
    "sgd_on_untrained",
}  # fmt: skip


@pytest.fixture(scope="module")
def here(tmp_path_factory, cache):
    """A function that runs the command in this process, in a folder of its own, and returns (folder, the run's)."""

    def run(*words, again=None):
        folder = again or tmp_path_factory.mktemp("here")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("DEEPFAKE_REPRODUCTIONS_CACHE", str(cache))
            main([str(word) for word in words])
        (path,) = (folder / "runs" / "facenet_embeddings").iterdir()
        return folder, path

    return run


@pytest.fixture(scope="module")
def clips_folder(make_prepared, tmp_path_factory):
    """A prepared folder of 40 frames of 10 real videos, and as many of 10 fakes of them."""
    return make_prepared(tmp_path_factory.mktemp("prepared") / "clips", clips=True, size=80)


@pytest.fixture(scope="module")
def phase_2(here, clips_folder):
    """(folder, the run's) of phase II alone, under one protocol."""
    return here(*PHASE_2, "--data", f"celebdf={clips_folder}", "--protocol", "video")


@pytest.fixture(scope="module")
def smoke(tmp_path_factory, command):
    """(folder, what the command printed) of the smoke preset on the embedded videos."""
    folder = tmp_path_factory.mktemp("smoke")
    return folder, command(folder, *SMOKE)


@pytest.fixture(scope="module")
def predictions(run_folder):
    return pd.read_csv(run_folder / "predictions.csv", keep_default_na=False)


@pytest.mark.slow
def test_phase_2_alone_leaves_its_detectors_rows_and_figures(phase_2, read_rows, assert_drawn):
    folder, run = phase_2
    models = {path.name for path in (run / "models").iterdir()}
    saved = CLASSIFIERS - {"sgd_on_untrained"}
    assert models == {"base_network.keras"} | {f"{name}{end}" for name in saved for end in (".json", ".npz", ".skops")}
    figures = {path.name for path in (run / "figures").iterdir()}
    names = {"figure_01_split.png", "figure_02_faces.png", "figure_08_tsne.png", "figure_09_roc.png"}
    assert figures == names | {"reliability.png"}
    assert "Figure 2 shows faces without their frames, and there is no Figure 4" in (run / "log.txt").read_text()
    assert_drawn(run / "figures")
    rows = read_rows(folder)
    assert set(rows["table"]) == {"Table II", "Table III", "text", "extra"}
    assert rows["note"].str.contains("partial data: 80 of the paper's 30114 frames").all()
    described = store.load(run).description
    assert (described.model, described.protocol, described.seed) == ("random_forest", "video", 0)
    assert list(described.trained_on) == ["celebdf"]


@pytest.mark.slow
def test_one_class_is_evaluated_by_the_stored_classifiers(phase_2, here, clips_folder, tmp_path, read_rows):
    """Without training images the classifiers are those beside the weight file; what needs two classes has a reason."""
    manifest = pd.read_csv(clips_folder / "manifest.csv", keep_default_na=False)
    reals = tmp_path / "reals"
    reals.mkdir()
    (reals / "real").symlink_to(clips_folder / "real")
    manifest[manifest["label"] == "real"].to_csv(reals / "manifest.csv", index=False)
    weights = phase_2[1] / "models" / "base_network.keras"
    words = ("--epochs", "0", "--weights", f"base_network={weights}", "--data", f"celebdf={reals}")
    folder, run = here(*PHASE_2, *words)
    predictions = pd.read_csv(run / "predictions.csv", keep_default_na=False)
    assert set(predictions["model"]) == CLASSIFIERS - {"sgd_on_untrained"} and set(predictions["split"]) == {"test"}
    before = pd.read_csv(phase_2[1] / "predictions.csv", keep_default_na=False)
    both = predictions.merge(before, on=["model", "path"])
    np.testing.assert_allclose(both["score_x"], both["score_y"], atol=1e-6)
    assert len(both) >= 7 * 4
    rows = read_rows(folder).set_index(["row", "metric"])
    assert 0 <= rows.loc[("random_forest, frame level", "specificity"), "value"] <= 1
    assert "no fake images" in rows.loc[("random_forest, frame level", "auc"), "note"]


@pytest.mark.slow
def test_triplets_on_xceptions_embeddings_have_rows_of_their_own(here, clips_folder, read_rows):
    """Sec. X, first experiment: each split's own Xception makes the embeddings, and is stored with the base network."""
    words = ("--data", f"celebdf={clips_folder}", "--protocol", "video", "--phase1", "trial3")
    folder, run = here(*FLAGS, *words, "--embedder", "xception")
    rows = read_rows(folder)
    assert "Table II" not in set(rows["table"]) and set(rows[rows["row"].str.contains("Phase II")]["row"]) == set()
    forest = rows[rows["row"] == "random_forest, video votes"]
    assert set(forest["protocol"]) == {"video"} and set(forest["table"]) == {"extra"}
    assert forest["note"].str.contains("not FaceNet: phase I's Xception, as in the first experiment of Sec. X").all()
    predictions = pd.read_csv(run / "predictions.csv")
    tested = predictions.query("model == 'random_forest' and protocol == 'video' and split == 'test'")
    detector = store.load(run, "random_forest")
    files = tested.assign(file=[str(clips_folder / path) for path in tested["path"]])
    batches = Images(files, Preprocessing(**detector.description.preprocessing)).evaluation_batches(8)
    np.testing.assert_allclose(detector.score(batches, len(files)), tested["score"], atol=0.02)
    assert not (run / "figures" / "figure_08_tsne.png").exists()


@pytest.fixture(scope="module")
def folds(clips_folder):
    """The command of phase II with three folds."""
    return [*PHASE_2, "--data", f"celebdf={clips_folder}", "--folds", "3", "--protocol", "video"]


@pytest.fixture(scope="module")
def finished_folds(here, folds):
    """(folder, the run's) of three folds."""
    return here(*folds)


@pytest.mark.slow
def test_folds_test_every_video_once_and_keep_the_first_folds_detectors(finished_folds, clips_folder, read_rows):
    folder, run = finished_folds
    predictions = pd.read_csv(run / "predictions.csv")
    for _, scored in predictions[predictions["split"] == "test"].groupby("model"):
        assert len(scored) == scored["path"].nunique() == 80
    splits = pd.read_csv(run / "splits.csv")
    assert set(splits["case"]) == {"fold 1", "fold 2", "fold 3"} and len(splits) == 240
    history = pd.read_csv(run / "history.csv")
    assert set(history["model"]) == {f"base_network, fold {number}" for number in (1, 2, 3)}
    rows = read_rows(folder)
    assert rows["note"].str.contains("3-fold cross-validation").all()
    assert not rows["note"].str.contains("epoch").any()  # each fold has its own
    tested = splits[(splits["case"] == "fold 1") & (splits["split"] == "test")]["path"]
    table = predictions[predictions["path"].isin(tested) & (predictions["split"] == "test")].query("model == 'sgd'")
    detector = store.load(run, "sgd")
    files = table.assign(file=[str(clips_folder / path) for path in table["path"]])
    batches = Images(files, Preprocessing(**detector.description.preprocessing)).evaluation_batches(8)
    np.testing.assert_allclose(detector.score(batches, len(files)), table["score"], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--epochs", "0", "--weights", f"xception={PUBLISHED}", "--phase1"), "give --weights base_network=FILE"),
        (("--folds", "2"), "--folds: expected a number of at least 3, got 2"),
        (("--weights", "lstm=x"), "expected MODEL=FILE"),
        (("--margin", "-1"), "--margin: expected a number of at least 0, got -1"),
    ],
)
def test_mistakes_are_one_line(refused, words, message):
    refused(message, *SMOKE, *words)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--protocol", "official"), "not possible with these data"),
        (("--folds", "3", "--protocol", "official"), "expected a protocol of frame, video, identity"),
        (("--folds", "50"), "lower --folds"),
        (("--batch-size", "10000"), "the training split has only"),
        (("--phase1-batch-size", "10000"), "the training split of trial3 has only"),
    ],
)
def test_mistakes_about_the_data_are_one_line(refused, words, message):
    refused(message, *SMOKE, *words)


@pytest.mark.slow
def test_the_run_folder_is_complete(run_folder, assert_drawn):
    names = {"config.json", "environment.json", "requirements.txt", "log.txt"}
    names |= {"splits.csv", "predictions.csv", "history.csv", "times.csv", "summary.txt"}
    assert {path.name for path in run_folder.iterdir()} == names | {
        "models", "figures", "breakdown.csv", "shortcut.csv",
    }  # fmt: skip
    models = {path.name for path in (run_folder / "models").iterdir()}
    assert {"base_network.keras", "random_forest.skops", "sgd.json", "trial3.keras", "lstm.keras"} <= models
    assert {"base_network-video-seed0.keras", "random_forest-identity-seed0.json"} <= models
    figures = {path.name for path in (run_folder / "figures").iterdir()}
    assert figures == {
        "figure_01_split.png", "figure_02_faces.png", "figure_04_detection.png", "figure_07_loss.png",
        "figure_07_accuracy.png", "figure_08_tsne.png", "figure_09_roc.png",
        "figure_09_roc-video-seed0.png", "figure_09_roc-identity-seed0.png", "reliability.png",
    }  # fmt: skip
    assert_drawn(run_folder / "figures")


@pytest.mark.slow
def test_rows_have_published_keys_under_three_protocols(smoke, read_rows):
    rows = read_rows(smoke[0])
    keys = set(map(tuple, pd.read_csv(PUBLISHED)[["table", "row", "metric"]].astype(str).values))
    ours = rows[rows["table"] != "extra"]
    assert set(map(tuple, ours[["table", "row", "metric"]].values)) <= keys
    assert set(ours["table"]) == {"Table I", "Table II", "Table III", "text"}
    assert set(rows["protocol"]) == {"frame", "video", "identity"} and set(rows["dataset"]) == {"synthetic-swap"}
    second = rows[rows["row"].str.startswith("Triplets")]
    assert len(second) == 3 * 10 and second["note"].str.contains("not FaceNet: spectrum stands in").all()
    trial = rows[(rows["row"] == "trial 3") & (rows["metric"] == "accuracy")]
    assert trial["protocol"].to_list() == ["frame"] and "no ImageNet weights" in trial["note"].item()
    rate = rows[(rows["table"] == "Table I") & (rows["metric"] == "learning_rate")]
    assert float(rate["value"].item()) == 0.01


@pytest.mark.slow
def test_numbers_are_those_of_the_predictions(smoke, predictions, read_rows, run_folder):
    """Table II against scikit-learn, by hand from the votes and, for the AUC, the means of each video's frames; under
    `frame` of the held-out videos, and the numbers of frames without them.
    """
    rows = read_rows(smoke[0]).set_index(["protocol", "row", "metric"]).sort_index()
    test = predictions[predictions["split"] == "test"]
    assert set(test["model"]) == CLASSIFIERS | {"trial3", "lstm"}
    splits = pd.read_csv(run_folder / "splits.csv")
    splits = splits[splits["protocol"] == "frame"].assign(video=splits["path"].str.rpartition("/")[0])
    whole = splits[splits["held_out"].astype(str) == "True"]
    assert whole.groupby("label")["video"].nunique().to_dict() == {"fake": 1, "real": 1}
    held_out = set(splits.loc[splits["video"].isin(whole["video"]), "path"])
    assert set(whole["path"]) == held_out and set(whole["split"]) == {"test"}
    for (protocol, model), tested in test.groupby(["protocol", "model"]):
        whole = tested["path"].isin(held_out) if protocol == "frame" else tested["path"].notna()
        frames = tested[~whole] if protocol == "frame" else tested
        fake, score = frames["label"] == "fake", frames["score"]
        value = rows.loc[(protocol, f"{model}, frame level")]["value"]
        assert value["accuracy"] == pytest.approx(accuracy_score(fake, score >= 0.5))
        assert value["auc"] == pytest.approx(roc_auc_score(fake, score))
        if name := {"sgd": "Triplets + SGD", "random_forest": "Triplets + RF"}.get(model):
            votes = tested[whole].assign(fake=tested["label"] == "fake", vote=tested["score"] >= 0.5)
            videos = votes.groupby("video")[["fake", "score", "vote"]].mean()
            called, value = videos["vote"] >= 0.5, rows.loc[(protocol, name)]["value"]
            assert value["auc"] == pytest.approx(roc_auc_score(videos["fake"], videos["score"]))
            for metric, measure in (
                ("accuracy", accuracy_score), ("precision", precision_score), ("recall", recall_score),
                ("f1", f1_score),
            ):  # fmt: skip
                if not np.isnan(value[metric]):  # undefined if nothing is called fake
                    assert value[metric] == pytest.approx(measure(videos["fake"].astype(bool), called))


@pytest.mark.slow
def test_the_frame_protocol_leaks_and_the_others_do_not(run_folder):
    splits = pd.read_csv(run_folder / "splits.csv")
    splits["video"] = splits["path"].str.rpartition("/")[0]
    splits["person"] = splits["video"].str.extract(r"id(\d+)")[0].astype(int)
    sides = {name: rows.groupby("video")["split"].nunique().max() for name, rows in splits.groupby("protocol")}
    assert sides["frame"] > 1 and sides["video"] == sides["identity"] == 1
    identity = splits[splits["protocol"] == "identity"]
    assert identity.groupby(identity["person"] // 2)["split"].nunique().max() == 1  # persons swap in pairs


@pytest.mark.slow
def test_an_lstm_scores_each_image_once(predictions):
    lstm = predictions[predictions["model"] == "lstm"]
    assert lstm.groupby(["split", "video"])["score"].nunique().max() == 1
    assert not lstm.duplicated(["split", "path"]).any()


@pytest.mark.slow
def test_the_summary_has_the_protocols_side_by_side(smoke):
    (file,) = (smoke[0] / "runs" / "facenet_embeddings").glob("*/summary.txt")
    text = file.read_text()
    head = next(line for line in text.splitlines() if "frame: frames" in line)
    assert "video: frames" in head and "identity: frames" in head
    assert "n = 24 the 95 % interval (Wilson) is 0.69 to 0.96" in text


@pytest.mark.slow
def test_predict_scores_a_video_from_its_pixels(smoke, run_folder, command, cache):
    video = next(cache.glob("swap-videos-*/Celeb-synthesis/id1_id0_0000.mp4"))
    done = command(smoke[0], "-m", "common.predict", run_folder, video)
    (row,) = csv.DictReader(done.stdout.splitlines())
    assert "model random_forest" in done.stderr and row["verdict"] in ("fake", "real", "unknown")
    assert 0 <= float(row["score"]) <= 1 and row["path"] == str(video) and int(row["faces"]) <= int(row["frames"])


@pytest.mark.slow
def test_a_saved_detector_scores_as_the_run_did(run_folder, cache, predictions):
    images = predictions[(predictions["protocol"] == "frame") & (predictions["split"] == "test")]
    folders = cache.glob("swap-videos-*-prepared-*")
    folder = next(folder for folder in folders if all((folder / path).is_file() for path in images["path"]))
    for model in ("random_forest", "sgd_on_embeddings", "perceptron", "trial3"):
        scored = images[images["model"] == model]
        detector = store.load(run_folder, model)
        table = scored.assign(file=[str(folder / path) for path in scored["path"]])
        batches = Images(table, Preprocessing(**detector.description.preprocessing)).evaluation_batches(4)
        np.testing.assert_allclose(detector.score(batches, len(table)), table["score"], atol=0.02)


@pytest.mark.slow
def test_a_given_base_network_is_not_trained_and_scores_alike(
    smoke, run_folder, command, tmp_path, predictions, read_rows
):
    words = ("--epochs", "0", "--weights", f"base_network={run_folder / 'models' / 'base_network.keras'}")
    command(tmp_path, *SMOKE, *words, "--protocol", "frame")
    (run,) = (tmp_path / "runs" / "facenet_embeddings").iterdir()
    again = pd.read_csv(run / "predictions.csv", keep_default_na=False)
    assert set(again["model"]) == CLASSIFIERS
    key = ["model", "split", "path"]
    both = again.merge(predictions[predictions["protocol"] == "frame"], on=key)
    forest = both[both["model"] == "random_forest"]
    np.testing.assert_allclose(forest["score_x"], forest["score_y"], atol=1e-6)
    rows = read_rows(tmp_path)
    scored = rows[rows["n"].notna()]  # all but sizes of data
    assert scored["note"].str.contains("not trained by this run").all() and "Table I" not in set(scored["table"])


@pytest.mark.slow
def test_a_given_xception_alone_is_scored_under_every_protocol(run_folder, command, tmp_path, read_rows):
    words = ("--epochs", "0", "--weights", f"xception={run_folder / 'models' / 'trial3.keras'}")
    command(tmp_path, *SMOKE, *words, "--protocol", "frame", "video")
    rows = read_rows(tmp_path)
    assert set(rows["protocol"]) == {"frame", "video"} and "trial3, frame level" in set(rows["row"])
    scored = rows[rows["n"].notna()]  # all but sizes of data
    assert scored["note"].str.contains("whose training images are not known").all()


@pytest.mark.slow
def test_a_killed_run_of_folds_resumes(here, folds, finished_folds, monkeypatch, tmp_path_factory):
    """Killed in the second of three trainings: the same command ends with the rows of a run that was not."""
    folder = tmp_path_factory.mktemp("killed")
    trainings, fit = [], supervised.fit

    def killed(*arguments):
        trainings.append(arguments)
        if len(trainings) == 2:
            raise KeyboardInterrupt
        return fit(*arguments)

    monkeypatch.setattr(supervised, "fit", killed)
    with pytest.raises(KeyboardInterrupt):
        here(*folds, again=folder)
    monkeypatch.setattr(supervised, "fit", fit)
    gc.collect()  # a process that is killed releases the run's lock
    _, run = here(*folds, again=folder)
    log = (run / "log.txt").read_text()
    assert "resuming" in log and "base_network: resuming after epoch 2 of 2" in log
    ours, theirs = (pd.read_csv(place / "results" / "facenet_embeddings.csv") for place in (folder, finished_folds[0]))
    pd.testing.assert_frame_equal(ours.drop(columns="run"), theirs.drop(columns="run"))


@pytest.mark.slow
def test_single_images_have_frames_alone(tmp_path, command, make_prepared, read_rows):
    make_prepared(tmp_path / "faces", per_class=30, size=80)
    command(tmp_path, *SMOKE, "--data", f"celebdf={tmp_path / 'faces'}", "--phase1")
    rows = read_rows(tmp_path)
    assert set(rows["protocol"]) == {"frame"} and set(rows["table"]) == {"extra", "Table III", "text"}
    assert not rows["metric"].isin(("auc",)).where(rows["table"] == "text", False).any()
