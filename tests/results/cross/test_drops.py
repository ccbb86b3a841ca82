"""The loss of AUC on other data, by hand."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score

from common.evaluation.evaluate import Value
from results.cross.drops import COLUMNS, detector_drops, difference, home_auc, mean_drops, write_drops
from results.cross.measure import drop_row


def row(**changes):
    values = {
        "paper": "p", "run": "r", "model": "m", "trained_on": "home", "dataset": "away", "protocol": "video", "seed": 0,
        "perturbation": "none", "strength": "", "level": "frame", "metric": "auc", "value": 0.7, "ci_low": 0.6,
        "ci_high": 0.8, "n": 50, "note": "",
    }  # fmt: skip
    return values | changes


def detector(folder=Path("none"), seed="0"):
    run = SimpleNamespace(paper="p", name="r", folder=folder)
    return SimpleNamespace(run=run, model="m", protocol="video", seed=seed, trained_on=["home"])


HOME = row(dataset="home", value=0.9, ci_low=0.86, ci_high=0.93)


def test_the_interval_of_a_difference_of_two_test_sets_by_hand():
    """Below: 0.03 of the home AUC and 0.04 of the other: 0.05; above 0.04 and 0.03."""
    drop = difference(Value(0.9, 0.87, 0.94, 9), Value(0.7, 0.67, 0.74, 9))
    assert (drop.value, drop.low, drop.high) == pytest.approx((0.2, 0.15, 0.25))
    without = difference(Value(1.0, np.nan, np.nan, 9), Value(0.7, 0.67, 0.74, 9))
    assert np.isnan(without.low) and without.reason == "no interval: the home AUC has none"


def test_a_detector_is_compared_with_its_own_test_split(tmp_path):
    table = pd.DataFrame([HOME, row(), row(dataset="far", value=0.5), row(metric="eer"), row(model="other")])
    lines = write_drops([detector(tmp_path)], table, tmp_path)
    written = pd.read_csv(tmp_path / "cross_drops.csv", dtype={"seeds": str})
    assert tuple(written) == COLUMNS
    assert written.set_index("dataset")["value"].to_dict() == pytest.approx({"away": 0.2, "far": 0.4})
    assert "0.900" in lines[2] and "+0.2" not in lines[0]


def test_home_is_known_from_the_runs_predictions(tmp_path):
    random = np.random.default_rng(0)
    fake = np.arange(80) % 2 == 0
    predictions = pd.DataFrame(
        {
            "path": np.arange(80).astype(str), "video": "", "identity": "", "dataset": "home", "split": "test",
            "label": np.where(fake, "fake", "real"), "score": 1 / (1 + np.exp(-random.normal(size=80) - fake)),
            "model": "m", "protocol": "video", "seed": 0,
        }
    )  # fmt: skip
    others = [predictions.assign(**change) for change in ({"seed": 1}, {"model": "x"}, {"split": "val"})]
    pd.concat([predictions, *(other.assign(score=0.5) for other in others)]).to_csv(
        tmp_path / "predictions.csv", index=False
    )
    expected = roc_auc_score(fake, predictions["score"])
    assert home_auc(detector(tmp_path), "frame").value == expected
    (drop,) = detector_drops(detector(tmp_path), pd.DataFrame([row()]))
    assert drop["value"] == pytest.approx(expected - 0.7) and drop["ci_low"] < drop["value"] < drop["ci_high"]
    assert detector_drops(detector(), pd.DataFrame([row()])) == [], "nothing to compare with"


def test_seeds_are_paired_and_their_spread_widens_the_interval():
    rows = []
    for seed, value in enumerate((0.7, 0.6, 0.65)):
        table = pd.DataFrame([HOME | {"seed": seed}, row(seed=seed, value=value, ci_low=value - 0.1)])
        rows += detector_drops(detector(seed=str(seed)), table)
    (mean,) = mean_drops(rows)
    assert mean["seeds"] == "0 1 2" and mean["value"] == pytest.approx(0.25)
    between = student.ppf(0.975, 2) * 0.05 / np.sqrt(3)
    above = np.mean([each["ci_high"] - each["value"] for each in rows])
    assert mean["ci_high"] - mean["value"] == pytest.approx(np.hypot(between, above))
    assert mean_drops(rows[:1]) == mean_drops([]) == []


def test_a_perturbation_is_paired_by_image():
    """The same noise before and after: the paired interval is far narrower than that of two test sets."""
    random = np.random.default_rng(0)
    fake = np.arange(200) % 2 == 0
    plain = pd.DataFrame(
        {
            "path": np.arange(200).astype(str),
            "label": np.where(fake, "fake", "real"),
            "score": random.normal(size=200) + fake,
        }
    )
    perturbed = plain.assign(score=plain["score"] + 0.3 * random.normal(size=200))
    found = drop_row(plain, perturbed, "a note")
    expected = roc_auc_score(fake, plain["score"]) - roc_auc_score(fake, perturbed["score"])
    assert found["value"] == pytest.approx(expected) and found["ci_high"] - found["ci_low"] < 0.1
    same = drop_row(plain, plain, "a note")
    assert same["value"] == 0 and same["note"].endswith("no interval: they never differ")
