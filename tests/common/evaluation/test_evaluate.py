"""Metrics with intervals, of images and of videos, against loops and scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from common.errors import UserError
from common.evaluation.evaluate import evaluate, to_videos
from common.evaluation.metrics import COUNTS, METRICS, OPERATING_POINTS, PROBABILITY_METRICS, PROPORTIONS
from common.evaluation.perfect_ranking import perfect_ranking_bounds


def draw(videos, frames, seed=0):
    """Frames of one video share most of their score."""
    random = np.random.default_rng(seed)
    fake = np.repeat(random.random(videos) < 0.5, frames)
    shift = np.repeat(random.normal(size=videos), frames) + 0.3 * random.normal(size=videos * frames)
    return pd.DataFrame(
        {
            "path": [f"{index}.png" for index in range(len(fake))],
            "video": [f"clips/{index // frames}.mp4" for index in range(len(fake))],
            "dataset": "drawn",
            "label": np.where(fake, "fake", "real"),
            "score": norm.cdf(shift + fake),
        }
    )


def test_every_metric_has_an_interval_that_contains_it():
    values = evaluate(draw(80, 1))
    assert tuple(values) == (*METRICS, "majority_accuracy")
    for name in set(METRICS) - {*COUNTS, *OPERATING_POINTS}:
        assert values[name].low <= values[name].value <= values[name].high, name
        assert not values[name].reason
    assert sum(values[name].value for name in COUNTS) == 80


def test_n_of_a_proportion_is_its_own_denominator():
    values = evaluate(draw(80, 1))
    tp, fp, tn, fn = (values[name].value for name in COUNTS)
    expected = {"accuracy": 80, "precision": tp + fp, "recall": tp + fn, "specificity": tn + fp}
    assert {name: values[name].n for name in expected} == expected
    assert values["auc"].n == 80


def test_frames_of_few_videos_give_wider_intervals_than_as_many_single_images():
    """100 frames of each of 12 nearly constant videos contain little more information than 12 images."""
    frames = draw(12, 100)
    by_video, by_image = evaluate(frames), evaluate(frames.drop(columns="video"))
    for name in (*PROPORTIONS, "auc", "f1"):
        assert by_video[name].value == by_image[name].value
        assert by_video[name].high - by_video[name].low > 3 * (by_image[name].high - by_image[name].low), name


def test_persons_are_drawn_and_not_their_videos():
    """Ten persons with twenty videos each: the interval counts the persons."""
    frames = draw(200, 2)
    numbers = frames["video"].str.extract(r"(\d+)")[0].astype(int) % 10
    persons = frames.assign(identity="id" + numbers.astype(str) + np.where(frames["label"] == "fake", ";id99", ""))
    assert evaluate(frames)["auc"].clusters == 200 and evaluate(persons)["auc"].clusters == 10
    assert evaluate(persons, level="video")["accuracy"].clusters == 10
    assert evaluate(persons)["recall"].clusters <= 10


def test_a_fake_is_drawn_with_its_original():
    frames = draw(40, 2).assign(original="")
    fake = frames["label"] == "fake"
    reals = frames.loc[~fake, "video"].unique()
    frames.loc[fake, "original"] = reals[0]
    values = evaluate(frames)
    assert values["auc"].clusters == len(reals)
    assert np.isnan(values["auc"].low) and values["auc"].reason == "no interval: the fake images are of a single video"


def test_two_names_of_one_number_have_one_interval():
    values = evaluate(draw(60, 3))
    assert values["accuracy"] == values["weighted_recall"]
    assert values["balanced_accuracy"] == values["macro_recall"]


def test_video_level_is_the_mean_score_of_each_video():
    frames = draw(10, 3)
    videos = to_videos(frames.sample(frac=1, random_state=0))
    assert len(videos) == 10 and (videos["images"] == 3).all()
    for row in videos.itertuples():
        assert row.score == pytest.approx(frames.loc[frames["video"] == row.video, "score"].mean())
    by_video = evaluate(frames, level="video")
    assert by_video["accuracy"].n == 10
    assert by_video["auc"].value == roc_auc_score(videos["label"] == "fake", videos["score"])


def test_a_video_is_its_path_within_its_data_set():
    """Clips of one name under two data sets, or two folders, are different videos."""
    frames = pd.DataFrame(
        {
            "video": ["Deepfakes/001.mp4", "Deepfakes/001.mp4", "real/001.mp4", "Deepfakes/001.mp4"],
            "dataset": ["ff", "ff", "ff", "other"],
            "label": ["fake", "fake", "real", "real"],
            "score": [0.2, 0.6, 0.1, 0.3],
        }
    )
    assert to_videos(frames)["score"].tolist() == pytest.approx([0.4, 0.1, 0.3])


def test_an_image_without_a_video_is_a_video_of_its_own():
    frames = pd.DataFrame(
        {"path": list("abc"), "video": ["", "", "v"], "label": ["fake", "real", "fake"], "score": [0.9, 0.2, 0.4]}
    )
    assert to_videos(frames)["path"].tolist() == ["a", "b", "v"]


def test_a_video_with_both_labels_is_refused():
    frames = pd.DataFrame({"video": ["001.mp4"] * 2, "label": ["fake", "real"], "score": [0.9, 0.2]})
    with pytest.raises(UserError, match=r"1 of 1 videos have both labels, first '001.mp4'"):
        evaluate(frames, level="video")


@pytest.mark.parametrize(
    ("labels", "name", "reason"),
    [
        ([], "accuracy", "no images"),
        ([], "auc", "no images"),
        (["fake", "fake"], "auc", "no real images"),
        (["fake", "fake"], "precision", "no real images"),
        (["real", "real"], "recall", "no fake images"),
        (["real", "fake"], "precision", "no image is called fake"),
        (["real", "fake"], "macro_precision", "no image is called fake"),
    ],
)
def test_nothing_to_measure_gives_nan_and_a_reason(labels, name, reason):
    frame = pd.DataFrame({"path": [str(index) for index in range(len(labels))], "label": labels, "score": 0.1})
    value = evaluate(frame)[name]
    assert np.isnan([value.value, value.low, value.high]).all()
    assert value.reason == reason


def test_metrics_of_one_class_are_defined_without_the_other():
    values = evaluate(pd.DataFrame({"path": list("ab"), "label": "fake", "score": [0.1, 0.9]}))
    assert values["recall"].value == values["accuracy"].value == 0.5 and not values["recall"].reason


def test_one_video_has_no_interval_and_a_perfect_score_a_bound_on_one_side():
    one = pd.DataFrame({"path": list("ab"), "video": "v", "label": "fake", "score": [0.1, 0.9]})
    value = evaluate(one)["recall"]
    assert value.value == 0.5 and np.isnan(value.low) and value.reason == "no interval: a single video"
    perfect = pd.DataFrame(
        {"path": [str(n) for n in range(24)], "label": ["fake", "real"] * 12, "score": [0.9, 0.1] * 12}
    )
    values = evaluate(perfect.assign(video=perfect["path"]))
    for name in set(METRICS) - {*COUNTS, *OPERATING_POINTS, *PROBABILITY_METRICS, "eer"}:
        assert values[name].value == values[name].high == 1 and 0.4 < values[name].low < 0.95, name
    assert values["eer"].low == values["eer"].value == 0 < values["eer"].high < 0.3
    assert values["auc"].low == perfect_ranking_bounds(12, 12, 0.5)["auc"][0]
    assert values["accuracy"].low == pytest.approx(0.862, abs=0.001)  # Wilson of 24 of 24
    frames = pd.concat([perfect.assign(video=perfect["path"], path=perfect["path"] + f"_{n}") for n in range(9)])
    many = evaluate(frames.reset_index(drop=True))
    assert many["auc"].low == values["auc"].low and many["accuracy"].low == values["accuracy"].low
    worst = evaluate(perfect.assign(score=1 - perfect["score"]))
    assert worst["auc"].value == worst["auc"].low == 0 and worst["auc"].high == pytest.approx(1 - values["auc"].low)
    assert worst["eer"].value == worst["eer"].high == 1
    for name in set(METRICS) - set(COUNTS):
        assert bool(worst[name].reason) == np.isnan(worst[name].low), f"{name} has an interval, or the reason why not"


def test_one_video_of_a_class_leaves_the_metrics_of_both_without_an_interval():
    frames = draw(12, 3)
    fakes = frames[frames["label"] == "fake"]
    one_real = frames[frames["video"] == frames[frames["label"] == "real"]["video"].iloc[0]]
    values = evaluate(pd.concat([fakes, one_real], ignore_index=True))
    assert values["auc"].reason == "no interval: the real images are of a single video"
    assert not values["recall"].reason and values["specificity"].reason == "no interval: a single video"


def test_brier_log_loss_and_calibration_error_only_of_probabilities():
    logits = draw(20, 1).assign(score=lambda table: 8 * table["score"] - 4)
    with pytest.raises(UserError, match=r"not a probability in \[0, 1\].* in 20 of 20 rows|in \d+ of 20 rows"):
        evaluate(logits)
    values = evaluate(logits, probability=False, threshold=0)
    for name in PROBABILITY_METRICS:
        assert np.isnan(values[name].value) and values[name].reason == "the score is no probability"
    assert values["auc"].value == evaluate(draw(20, 1))["auc"].value


def test_an_operating_point_says_how_many_reals_it_needs_and_how_many_clusters_its_interval():
    few = evaluate(draw(80, 1))["tpr_at_fpr_0.01"]
    assert np.isnan(few.value) and few.reason.endswith("real images are fewer than the 100 that one false alarm needs")
    frames = evaluate(draw(80, 20))["tpr_at_fpr_0.01"]
    assert 0 < frames.value < 1 and np.isnan(frames.low)
    assert frames.reason == "no interval: one false alarm in 100 reals needs 100 videos of them"
    many = evaluate(draw(300, 5))["tpr_at_fpr_0.01"]
    assert many.low < many.value < many.high and not many.reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": [0.1, np.nan, np.inf]}, "score is not a finite number in 2 of 3 rows, first in row 1"),
        ({"score": ["0.1", "high", "0.2"]}, "score is not a finite number in 1 of 3 rows, first in row 1"),
        ({"label": ["fake", "real", "Fake"]}, "label is not real or fake in 1 of 3 rows, first in row 2"),
        ({"model": ["a", "b", "a"]}, "expected one model, got a, b"),
        ({"seed": [0, 0, 1]}, "expected one seed, got 0, 1"),
        ({"split": ["test", "train", "test"]}, "expected one split, got test, train"),
    ],
)
def test_bad_predictions_are_refused(change, message):
    table = pd.DataFrame({"path": list("abc"), "label": ["fake", "real", "real"], "score": [0.1, 0.2, 0.3]})
    with pytest.raises(UserError, match=message):
        evaluate(table.assign(**change))


@pytest.mark.parametrize("column", ["label", "score", "path"])
def test_missing_columns_are_named(column):
    table = pd.DataFrame({"path": ["a"], "label": ["fake"], "score": [0.1]}).drop(columns=column)
    with pytest.raises(UserError, match=f"missing: {column}"):
        evaluate(table)


def test_level_is_checked():
    with pytest.raises(UserError, match="frame or video"):
        evaluate(draw(3, 1), level="clip")
    with pytest.raises(UserError, match="column video"):
        evaluate(draw(3, 1).drop(columns="video"), level="video")


def test_the_callers_table_is_not_changed():
    frames = draw(6, 2)
    before = frames.copy()
    evaluate(frames, level="video")
    pd.testing.assert_frame_equal(frames, before)
