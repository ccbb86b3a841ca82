"""What stands beside an accuracy: the majority, the shortcut detector, and whether it beats them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from common.evaluation import differences
from common.evaluation.evaluate import evaluate


def table(right, shortcut_right, count=100, fakes=50):
    """Predictions of which the first `right` are correct; the shortcut detector's last `shortcut_right`."""
    place = np.arange(count)
    fake = np.isin(place, np.random.default_rng(0).choice(count, fakes, replace=False))

    def scores(correct):
        return np.where(correct, fake, ~fake) * 0.8 + 0.1

    return pd.DataFrame(
        {
            "path": place.astype(str),
            "label": np.where(fake, "fake", "real"),
            "score": scores(place < right),
            "shortcut": scores(place >= count - shortcut_right),
        }
    )


def test_the_majority_is_the_accuracy_of_calling_everything_alike():
    rows = table(90, 60, fakes=30)
    majority = evaluate(rows)["majority_accuracy"]
    assert (majority.value, majority.n, majority.reason) == (0.7, 100, "calling everything real")
    assert np.isnan(majority.low)
    assert evaluate(table(90, 60, fakes=80))["majority_accuracy"].reason == "calling everything fake"


def test_the_shortcut_detector_is_measured_on_the_same_images():
    rows = table(90, 60)
    values, fake = evaluate(rows), rows["label"] == "fake"
    assert values["shortcut_accuracy"].value == accuracy_score(fake, rows["shortcut"] >= 0.5) == 0.6
    assert values["shortcut_auc"].value == roc_auc_score(fake, rows["shortcut"])
    assert values["shortcut_accuracy"].low < 0.6 < values["shortcut_accuracy"].high
    assert "shortcut_accuracy" not in evaluate(rows.drop(columns="shortcut"))
    assert "shortcut_accuracy" not in evaluate(rows.assign(shortcut=np.nan))


@pytest.mark.parametrize(
    ("right", "shortcut_right", "remark"),
    [
        (95, 60, ""),
        (80, 78, "not shown to be better than the shortcut detector"),
        (80, 80, "no better than the shortcut detector"),
        (80, 99, "no better than the shortcut detector"),
        (53, 20, "not shown to be better than calling everything fake"),
        (40, 45, "no better than calling everything fake; no better than the shortcut detector"),
    ],
)
def test_the_remark_says_what_an_accuracy_does_not_beat(right, shortcut_right, remark):
    values = evaluate(table(right, shortcut_right))
    assert values["accuracy"].remark == remark
    assert not any(value.remark for name, value in values.items() if name not in ("accuracy", "weighted_recall"))


def test_frames_of_few_videos_show_less_than_as_many_images():
    rows = table(90, 70)
    videos = rows.assign(video=[f"{label}{place // 25}" for place, label in enumerate(rows["label"])])
    assert not evaluate(rows)["accuracy"].remark
    assert evaluate(videos)["accuracy"].remark.endswith("not shown to be better than the shortcut detector")


def test_videos_have_the_mean_of_the_shortcut_detectors_scores():
    rows = table(90, 60)
    videos = rows.assign(video=[f"{label}{place // 10}" for place, label in enumerate(rows["label"])])
    by_video = videos.groupby("video").agg(label=("label", "first"), shortcut=("shortcut", "mean"))
    expected = accuracy_score(by_video["label"] == "fake", by_video["shortcut"] >= 0.5)
    assert evaluate(videos, level="video")["shortcut_accuracy"].value == expected


def test_no_permutation_is_computed_for_a_remark_which_needs_intervals_alone(monkeypatch):
    """Of a million rows it took 14 of 17 seconds."""
    monkeypatch.setattr(differences, "permutation_p", lambda sums: pytest.fail("computed"))
    assert evaluate(table(80, 78))["accuracy"].remark == "not shown to be better than the shortcut detector"
