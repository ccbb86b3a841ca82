"""Rows of what the paper says in its text, against numbers by hand."""

import numpy as np
import pandas as pd
import pytest

from common.evaluation.evaluate import Value
from reproductions.siamese_triplet.config import UNSEEN_IMAGES
from reproductions.siamese_triplet.rows import size_rows, sizes
from reproductions.siamese_triplet.text_rows import claim_rows, difference, ratio, training_rows


def history(losses, accuracies, seconds=60.0):
    epochs = range(1, len(losses) + 1)
    return pd.DataFrame({"epoch": epochs, "val_loss": losses, "val_accuracy": accuracies, "seconds": seconds})


def values(rows):
    return {(row["row"], row["metric"]): row["value"] for row in rows}


def test_epochs_and_times_come_from_the_histories():
    """105 epochs of a minute are 1 hour and 45 minutes, as the paper prints ResNet50's."""
    settled = [0.6, 0.9, 0.7, 0.95, 0.96, 0.95]
    histories = {
        "vgg16": history([3, 1, 2], [0.5, 0.6, 0.7]),
        "vgg19": history([3, 2, 1], [0.5, 0.6, 0.7]),
        "inceptionv3": history([1, 2, 3], [0.5, 0.7, 0.6], seconds=1800),
        "xception": history([2, 1], [0.5, 0.6], seconds=90),
        "resnet50": history([*range(100, 1, -1), *range(6)], settled + [0.95] * 99),
        "resnet50-case2": history([1], [1.0]),
    }
    rows = training_rows(histories, "data", ["NVIDIA H100"])
    assert values(rows) == {
        ("VGG16 and VGG19", "epochs"): 3, ("InceptionV3", "epochs"): 2, ("Xception", "epochs"): 2,
        ("ResNet50", "epochs"): 100, ("ResNet50", "convergence_epoch"): 4, ("ResNet50", "overfitting_epoch"): 100,
        ("InceptionV3", "training_hours"): 1.5, ("Xception", "training_minutes"): 3,
        ("ResNet50", "training_hours"): 1, ("ResNet50", "training_minutes"): 45,
    }  # fmt: skip
    times = [row for row in rows if row["metric"].startswith("training")]
    assert all("another device: NVIDIA H100, the paper's is a GTX 1080 Ti" in row["note"] for row in times)
    assert not any("another device" in row["note"] for row in training_rows(histories, "data", ["GeForce GTX 1080 Ti"]))
    assert training_rows({"siamese": history([1], [1])}, "data", []) == []


def row(table, name, value, low=np.nan, high=np.nan, model="m", note=""):
    return {"table": table, "row": name, "metric": "accuracy", "model": model, "value": value, "ci_low": low,
            "ci_high": high, "n": 100, "dataset": "d", "note": note}  # fmt: skip


def test_gains_ratios_and_the_best_are_compared_rows():
    measured = [
        row("Table 3", "Proposed Model, Case I", 0.95, 0.92, 0.97),
        row("Table 3", "Proposed Model, Case II", 0.54, 0.5, 0.58),
        row("Table 3", "VGG19, Case I", 0.9), row("Table 3", "ResNet50, Case I", 0.8),
        row("Table 3", "VGG19, Case II", 0.18, 0.15, 0.21, model="vgg19"), row("Table 3", "ResNet50, Case II", 0.04),
        row("text", "Loss2", 0.65, 0.61, 0.69), row("extra", "siamese_resnet50, Case I", 0.85, model="resnet"),
    ]  # fmt: skip
    found = {each["row"]: each for each in claim_rows(measured)}
    assert found["pretrained networks, Case I"]["value"] == 0.8
    assert found["best pretrained, Case II"]["value"] == 0.18
    gain = found["Loss3 over Loss2"]
    assert gain["value"] == pytest.approx(0.3) and gain["metric"] == "accuracy_gain"
    assert (gain["ci_low"], gain["ci_high"]) == pytest.approx((0.25, 0.3 + np.hypot(0.02, 0.04)))
    times = found["conclusion: Proposed Model over the next best, Case II"]
    assert times["value"] == pytest.approx(3) and times["model"] == "vgg19" and times["ci_low"] < 3 < times["ci_high"]
    shallow = found["shallow stream over ResNet50 stream, Case I"]
    assert shallow["table"] == "extra" and shallow["value"] == pytest.approx(0.1) and shallow["model"] == "resnet"
    assert claim_rows([]) == []


def test_a_ratio_to_nothing_has_no_value():
    some, none = Value(0.5, 0.4, 0.6, 10), Value(0.0, 0.0, 0.1, 10)
    assert np.isnan(ratio(some, none).value) and ratio(some, none).reason
    assert ratio(none, some).value == 0 and np.isnan(ratio(none, some).low)
    assert difference(some, some).value == 0


def test_table_1_has_its_totals_and_says_that_fakes_of_the_unseen_generator_are_missing():
    parts = [("case1", "ffhq", "real", "train", 3), ("case1", "ffhq", "real", "test", 1)]
    parts += [("case1", "stylegan", "fake", "train", 4), ("case2", "ffhq", "real", "test", 2)]
    parts += [("case2", "ffhq", "real", "train", 5), ("case2", "stylegan", "fake", "val", 6)]
    images = pd.DataFrame(
        [part[:4] for part in parts for _ in range(part[4])], columns=["case", "dataset", "label", "split"]
    )
    roles, trained = {"pggan": "pggan"}, ("ffhq", "stylegan")
    found = sizes(images, roles, trained)
    assert found["Case I: total", "total"] == 8 and ("Case II: total", "total") not in found, "there is no PGGAN"
    unseen = images[:7].assign(case="case2", dataset="pggan", label="fake", split="test")
    found = sizes(pd.concat([images, unseen]), roles, trained)
    assert found["Case II: total", "total"] == 18, "the paper counts no real test images in Case II"
    rows = size_rows(found, "d").set_index(["row", "metric"])
    assert rows["model"]["Case I: FFHQ", "total"] == "case1" and rows["model"]["Case II: FFHQ", "total"] == "case2"
    assert f"partial data: 7 of the paper's {UNSEEN_IMAGES}" in rows["note"]["Case II: PGAN", "testing"]
    assert rows["note"]["Case II: FFHQ", "total"] == ""
    enough = size_rows({("Case II: PGAN", "total"): 39_600}, "d")
    assert enough["note"].item() == ""
