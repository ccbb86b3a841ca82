"""The real command on tiny embedded videos: what it writes, leaks shown, folds, resuming, predicting, mistakes."""

import gc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score, roc_auc_score

from common.data.pipeline import Images, Preprocessing
from common.detectors import store as detectors
from reproductions.facenet_embeddings import phase2
from reproductions.facenet_embeddings.run import main

RUN = Path(__file__).parents[3] / "reproductions" / "facenet_embeddings" / "run.py"
PUBLISHED = Path(__file__).parents[3] / "results" / "published" / "facenet_embeddings.csv"
WORDS = ("--preset", "smoke", "--imagenet-weights", "none", "--facenet-weights", "none")
SMOKE = (RUN, *WORDS)
CLASSIFIERS = {
    "sgd", "random_forest", "logistic_regression", "k_neighbours", "perceptron", "decision_tree", "sgd_on_embeddings",
    "sgd_on_untrained",
}  # fmt: skip


@pytest.fixture(scope="module")
def smoke(tmp_path_factory, command):
    """(folder, what the command printed) of the smoke preset on the embedded videos."""
    folder = tmp_path_factory.mktemp("smoke")
    return folder, command(folder, *SMOKE)


@pytest.fixture(scope="module")
def predictions(run_folder):
    return pd.read_csv(run_folder / "predictions.csv", keep_default_na=False)


def test_the_run_folder_is_whole(run_folder):
    names = {"config.json", "environment.json", "splits.csv", "predictions.csv", "history.csv", "log.txt"}
    assert {path.name for path in run_folder.iterdir()} == names | {"models", "figures"}
    models = {path.name for path in (run_folder / "models").iterdir()}
    assert {"base_network.keras", "random_forest.skops", "sgd.json", "trial3.keras", "lstm.keras"} <= models
    assert {"base_network-video-seed0.keras", "random_forest-identity-seed0.json"} <= models
    figures = {path.name: path.stat().st_size for path in (run_folder / "figures").iterdir()}
    assert min(figures.values()) > 1000 and set(figures) == {
        "figure_07_loss.png", "figure_07_accuracy.png", "figure_08_tsne.png", "figure_09_roc.png",
        "figure_09_roc-video-seed0.png", "figure_09_roc-identity-seed0.png",
    }  # fmt: skip


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
    frames = rows[(rows["table"] == "Table I") & (rows["metric"] == "learning_rate")]
    assert float(frames["value"].item()) == 0.01


def test_numbers_are_those_of_the_predictions(smoke, predictions, read_rows):
    """Table II against scikit-learn, by hand from the means of each video's scores; phase I from frames."""
    rows = read_rows(smoke[0]).set_index(["protocol", "row", "metric"]).sort_index()
    test = predictions[predictions["split"] == "test"]
    assert set(test["model"]) == CLASSIFIERS | {"trial3", "lstm"}
    for (protocol, model), frames in test.groupby(["protocol", "model"]):
        fake, score = frames["label"] == "fake", frames["score"]
        value = rows.loc[(protocol, f"{model}, frame level")]["value"]
        assert value["accuracy"] == pytest.approx(accuracy_score(fake, score >= 0.5))
        assert value["auc"] == pytest.approx(roc_auc_score(fake, score))
        if name := {"sgd": "Triplets + SGD", "random_forest": "Triplets + RF"}.get(model):
            videos = frames.assign(fake=fake).groupby("video")[["fake", "score"]].mean()
            called, value = videos["score"] >= 0.5, rows.loc[(protocol, name)]["value"]
            assert value["auc"] == pytest.approx(roc_auc_score(videos["fake"], videos["score"]))
            for metric, measure in (
                ("accuracy", accuracy_score), ("precision", precision_score), ("recall", recall_score),
                ("f1", f1_score),
            ):  # fmt: skip
                if not np.isnan(value[metric]):  # without anything called fake there is none
                    assert value[metric] == pytest.approx(measure(videos["fake"].astype(bool), called))


def test_the_frame_protocol_leaks_and_the_others_do_not(run_folder):
    splits = pd.read_csv(run_folder / "splits.csv")
    splits["video"] = splits["path"].str.rpartition("/")[0]
    splits["person"] = splits["video"].str.extract(r"id(\d+)")[0].astype(int)
    sides = {protocol: of.groupby("video")["split"].nunique().max() for protocol, of in splits.groupby("protocol")}
    assert sides["frame"] > 1 and sides["video"] == sides["identity"] == 1
    identity = splits[splits["protocol"] == "identity"]
    assert identity.groupby(identity["person"] // 2)["split"].nunique().max() == 1  # persons swap in pairs


def test_an_lstm_gives_all_frames_of_a_video_one_score(predictions):
    lstm = predictions[predictions["model"] == "lstm"]
    assert lstm.groupby(["split", "video"])["score"].nunique().max() == 1
    assert not lstm.duplicated(["split", "path"]).any()


def test_the_protocols_stand_side_by_side(smoke):
    lines = smoke[1].stdout.splitlines()
    head = next(line for line in lines if "frame: frames" in line)
    assert "video: frames" in head and "identity: frames" in head
    assert "n = 24 the 95 % interval (Wilson) is 0.69 to 0.96" in smoke[1].stdout


def test_predict_scores_a_video_from_its_pixels(smoke, run_folder, command, cache):
    video = next(cache.glob("swap-videos-*/Celeb-synthesis/id1_id0_0000.mp4"))
    done = command(smoke[0], "-m", "common.predict", run_folder, video)
    path, score, verdict = done.stdout.splitlines()[1].split(",")
    assert "model random_forest" in done.stderr and verdict in ("fake", "real")
    assert 0 <= float(score) <= 1 and path == str(video)


def test_a_saved_detector_scores_as_the_run_did(run_folder, cache, predictions):
    images = predictions[(predictions["protocol"] == "frame") & (predictions["split"] == "test")]
    (folder,) = cache.glob("swap-videos-*-prepared-*")
    for model in ("random_forest", "sgd_on_embeddings", "perceptron", "trial3"):
        of = images[images["model"] == model]
        detector = detectors.load(run_folder, model)
        table = of.assign(file=[str(folder / path) for path in of["path"]])
        batches = Images(table, Preprocessing(**detector.description.preprocessing)).evaluation_batches(4)
        np.testing.assert_allclose(detector.score(batches, len(of)), of["score"], atol=0.02)


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
    assert rows["note"].str.contains("not trained by this run").all() and "Table I" not in set(rows["table"])


def test_a_given_xception_alone_is_scored_under_every_protocol(run_folder, command, tmp_path, read_rows):
    words = ("--epochs", "0", "--weights", f"xception={run_folder / 'models' / 'trial3.keras'}")
    command(tmp_path, *SMOKE, *words, "--protocol", "frame", "video")
    rows = read_rows(tmp_path)
    assert set(rows["protocol"]) == {"frame", "video"} and "trial3, frame level" in set(rows["row"])
    assert rows["note"].str.contains("whose training images are not known").all()


def test_folds_test_every_video_once_and_a_killed_run_goes_on(tmp_path, monkeypatch, cache):
    """Killed in the second of six trainings: the same command ends with the rows of a run that was not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEEPFAKE_REPRODUCTIONS_CACHE", str(cache))
    words = [*WORDS, "--phase1", "--folds", "3", "--protocol", "frame", "video"]
    trainings, fit = [], phase2.fit

    def killed(*arguments):
        trainings.append(arguments)
        if len(trainings) == 2:
            raise KeyboardInterrupt
        return fit(*arguments)

    monkeypatch.setattr(phase2, "fit", killed)
    with pytest.raises(KeyboardInterrupt):
        main(words)
    trainings.clear()
    gc.collect()  # a process that is killed lets go of the run's lock
    monkeypatch.setattr(phase2, "fit", fit)
    main(words)
    (run,) = (tmp_path / "runs" / "facenet_embeddings").iterdir()
    log = (run / "log.txt").read_text()
    assert "going on with" in log and "base_network: going on after epoch 2 of 2" in log
    main([*words, "--runs", "others", "--results", "others"])
    ours, theirs = (pd.read_csv(tmp_path / place / "facenet_embeddings.csv") for place in ("results", "others"))
    pd.testing.assert_frame_equal(ours.drop(columns="run"), theirs.drop(columns="run"))
    predictions = pd.read_csv(run / "predictions.csv")
    for _, scored in predictions[predictions["split"] == "test"].groupby(["protocol", "model"]):
        assert len(scored) == scored["path"].nunique() == predictions["path"].nunique()
    assert ours["note"].str.contains("3-fold cross-validation").all()
    assert set(ours["protocol"]) == {"frame", "video"} and not set(ours["table"]) & {"Table I"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--epochs", "0"), "give --weights base_network=FILE"),
        (("--epochs", "0", "--weights", f"xception={PUBLISHED}", "--phase1"), "give --weights base_network=FILE"),
        (("--protocol", "official"), "not possible with these data"),
        (("--folds", "3", "--protocol", "identity"), "expected a protocol of frame, video"),
        (("--folds", "50"), "lower --folds"),
        (("--batch-size", "10000"), "the training split has only"),
        (("--weights", "lstm=x"), "expected MODEL=FILE"),
        (("--data", "dfdc=x"), "NAME one of celebdf, celebdf_v2"),
    ],
)
def test_mistakes_are_one_line(smoke, tmp_path, command, words, message):
    done = command(tmp_path, *SMOKE, *words, expect=2)
    assert message in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_single_images_have_frames_alone(tmp_path, command, make_prepared, read_rows):
    make_prepared(tmp_path / "faces", per_class=30, size=80)
    command(tmp_path, *SMOKE, "--data", f"celebdf={tmp_path / 'faces'}", "--phase1")
    rows = read_rows(tmp_path)
    assert set(rows["protocol"]) == {"frame"} and set(rows["table"]) == {"extra", "Table III", "text"}
    assert rows["note"].str.contains("partial data: 60 of the 30114 frames").all()
    assert not rows["metric"].isin(("auc",)).where(rows["table"] == "text", False).any()
