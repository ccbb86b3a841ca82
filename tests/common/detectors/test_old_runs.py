"""A run folder from before a detector's description named its model, protocol and seed still works everywhere.

The folder is made as that version wrote it: models/<name>.json with the fields that it had, and file names that say the
protocol and seed of all but the first.
"""

import csv
import json

import keras
import numpy as np
import pandas as pd
import pytest
import skops.io
from PIL import Image

from common.classifiers import NearestCentroid
from common.data.datasets import open_dataset
from common.detectors.description import descriptions
from common.export import main as export
from common.files import sha256
from common.predict import main as predict
from results.cross.runs import TrainedRun

OLD_FIELDS = {
    "preprocessing": {"size": 8, "resize": "nearest", "scale": 1 / 255, "offset": 0.0},
    "head": "probability",
    "features": "",
    "classifier": "",
    "faces": {"faces": "none", "size": None, "margin": None, "min_confidence": None, "pick": None},
    "threshold": 0.5,
    "proposed": False,
}


def red_network(path):
    """P(fake) is the mean of the red channel."""
    image = keras.Input((8, 8, 3))
    features = keras.layers.GlobalAveragePooling2D(name="features")(image)
    red = keras.layers.Dense(1, use_bias=False)
    network = keras.Model(image, red(features))
    red.set_weights([np.array([[1.0], [0.0], [0.0]], np.float32)])
    network.save(path, include_optimizer=False)


@pytest.fixture
def old_run(tmp_path, prepared):
    """A finished run of two protocols: detectors red and red-video-seed1, and a centroid classifier on the features."""
    run = tmp_path / "runs" / "paper" / "quick-1"
    (run / "models").mkdir(parents=True)
    for name in ("red", "red-video-seed1"):
        red_network(run / "models" / f"{name}.keras")
        document = {"name": name, "network": f"{name}.keras", **OLD_FIELDS}
        (run / "models" / f"{name}.json").write_text(json.dumps(document))
    features = np.array([[0.1, 0.5, 0.5], [0.9, 0.5, 0.5]])
    skops.io.dump(NearestCentroid().fit(features, np.array([0, 1])), run / "models" / "centroid.skops")
    changes = {"features": "features", "classifier": "centroid.skops", "head": "margin", "proposed": True}
    document = {"name": "centroid", "network": "red.keras", **OLD_FIELDS, **changes}
    (run / "models" / "centroid.json").write_text(json.dumps(document))
    data = open_dataset("faces", prepared)
    splits = ["train" if place % 2 else "test" for place in range(len(data.images))]
    rows = data.images[["dataset", "path", "sha256", "label"]].assign(split=splits)
    tables = [rows.assign(protocol=protocol, seed=seed) for protocol, seed in (("frame", 0), ("video", 1))]
    pd.concat(tables).to_csv(run / "splits.csv", index=False)
    predictions = [
        table.assign(score=0.5, model=model)
        for table in tables
        for model in ("red", "centroid")
        if model == "red" or table["seed"].iloc[0] == 0
    ]
    pd.concat(predictions).to_csv(run / "predictions.csv", index=False)
    (run / "config.json").write_text("{}")
    environment = {"paper": "paper", "data": {"faces": data.fingerprint}, "finished": "2026-01-01"}
    (run / "environment.json").write_text(json.dumps(environment))
    return run


def test_model_protocol_and_seed_come_from_the_predictions(old_run):
    found = {name: (each.model, each.protocol, each.seed) for name, each in descriptions(old_run).items()}
    assert found == {
        "centroid": ("centroid", "frame", 0),
        "red": ("red", "frame", 0),
        "red-video-seed1": ("red", "video", 1),
    }


def test_predict_scores_with_it(old_run, tmp_path, capsys):
    for red in (51, 204):
        Image.fromarray(np.full((16, 16, 3), (red, 10, 10), np.uint8)).save(tmp_path / f"{red}.png")
    words = [str(old_run), str(tmp_path / "51.png"), str(tmp_path / "204.png")]
    predict([*words, "--model", "red-video-seed1"])
    assert [row["score"] for row in csv.DictReader(capsys.readouterr().out.splitlines())] == ["0.200000", "0.800000"]
    predict(words)  # the proposed one is the default
    assert [row["verdict"] for row in csv.DictReader(capsys.readouterr().out.splitlines())] == ["real", "fake"]


def test_predict_knows_that_it_was_trained_on_drawn_data(old_run, tmp_path, capsys):
    for name in ("splits.csv", "environment.json"):
        text = (old_run / name).read_text().replace('"faces"', '"synthetic-swap"').replace("faces,", "synthetic-swap,")
        (old_run / name).write_text(text)
    Image.fromarray(np.full((16, 16, 3), 90, np.uint8)).save(tmp_path / "a.png")
    predict([str(old_run), str(tmp_path / "a.png")])
    printed = capsys.readouterr()
    assert printed.err.count("warning: centroid was trained on drawn faces (synthetic-swap)") == 1
    assert "no summary of the training images" in printed.err and "trained on drawn faces" in printed.out


def test_export_writes_it(old_run, tmp_path, capsys):
    export([str(old_run), "--output", str(tmp_path / "out")])
    card = json.loads((tmp_path / "out" / "export.json").read_text())
    assert card["model"] == "centroid" and card["inside"]["classifier"] == "centroid.skops"


def test_cross_knows_what_it_was_trained_on(old_run, prepared):
    data = open_dataset("faces", prepared)
    run = TrainedRun(old_run, [data])
    (detector,) = run.detectors(["red-video-seed1"])
    assert (detector.model, detector.protocol, str(detector.seed)) == ("red", "video", "1")
    selection = run.select(detector, data)
    trained = pd.read_csv(old_run / "splits.csv").query("split == 'train'")["sha256"]
    assert len(selection.images) and not set(selection.images["sha256"]) & set(trained)
    assert sha256(prepared / selection.images["path"].iloc[0]) == selection.images["sha256"].iloc[0]
