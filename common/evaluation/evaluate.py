"""From predictions to metrics with intervals, of single images (frames) or of whole videos.

Predictions are a DataFrame with the columns of a run's predictions.csv (path, video, identity, source, frame, dataset,
split, label, score, model, protocol, seed). Required are label (`fake` / `real`), score (increases with P(fake)) and
path or video. A video is its full source path within its data set: `001.mp4` under four manipulations is four videos.

Intervals are 95 %, and count what was drawn: persons where they are named, else originals with their fakes, else
videos, else single images (`common.evaluation.sampling`).
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.data.text_tables import as_decimals
from common.errors import UserError
from common.evaluation.baselines import (
    MAJORITY,
    SHORTCUT,
    SHORTCUT_METRICS,
    SHORTCUT_THRESHOLD,
    majority_of,
    remark_on_accuracy,
)
from common.evaluation.cluster_intervals import ClusterIntervals
from common.evaluation.metrics import (
    COUNTS,
    METRICS,
    OPERATING_POINTS,
    PROBABILITY_METRICS,
    PROPORTIONS,
    Ranking,
    as_metrics,
)
from common.evaluation.sampling import sampling_of
from common.labels import FAKE, WORDS

GROUPING_COLUMNS = ("model", "protocol", "seed", "split")  # with several values in one table, images are counted twice

ACCURACIES = ("accuracy", "weighted_recall")  # two names of one number


@dataclass(frozen=True)
class Value:
    """One metric.

    Args:
        value: NaN if it is undefined.
        low: the lower end of the 95 % interval; NaN without an interval.
        high: its upper end.
        n: the number of images, or videos, that the value is computed from: its denominator if it is a proportion.
        reason: why it is undefined or has no interval, or empty.
        clusters: the number of persons, videos or images that were drawn independently among them; 0 if unknown.
        remark: what a reader of the value must know, or empty.
    """

    value: float
    low: float
    high: float
    n: int
    reason: str = ""
    clusters: int = 0
    remark: str = ""


def evaluate(
    predictions: pd.DataFrame,
    *,
    level: str = "frame",
    threshold: float = 0.5,
    probability: bool = True,
) -> dict[str, Value]:
    """Compute all metrics of one model on one set of images.

    Args:
        predictions: n rows with the columns label, score, and path or video; and perhaps `shortcut`, the scores of a
            shortcut detector.
        level: `frame` measures single images, `video` the mean score of each video.
        threshold: an image with score >= threshold is called fake.
        probability: whether the score is P(fake); if not, there is no Brier score, log loss or calibration error.

    Returns:
        {name: Value} for all of metrics.METRICS, then the accuracy of the majority and, if there is one, accuracy and
        AUC of the shortcut detector; the accuracy's remark says which of these it does not beat. If a metric has
        nothing to measure (no images, one class only, nothing called fake), its value is NaN with a reason.

    Raises:
        UserError: for a missing column, an unknown label, a score that is not finite or, as a probability, not in
            [0, 1], a video with both labels, or several models, protocols, seeds or splits in one table.
    """
    check_predictions(predictions, probability=probability)
    if level not in ("frame", "video"):
        raise UserError(f"expected the level frame or video, got {level!r}")
    if level == "video":
        predictions = to_videos(predictions)
    fake, scores = is_fake(predictions), _scores(predictions)
    ranking = Ranking(fake, scores, threshold)
    point = as_metrics(ranking.measure(np.ones(len(predictions), dtype=np.int64)))
    values = {name: float(value) for name, value in point.items()}
    counts = {name: int(values[name]) for name in COUNTS}
    sampling, order = sampling_of(predictions), ranking.order
    noun = "image" if level == "frame" else "video"
    unit = noun if sampling.unit == "image" else sampling.unit
    intervals = ClusterIntervals(fake[order], scores[order], threshold, sampling.clusters[order], unit, values)

    def value(name):
        numerator, others = PROPORTIONS.get(name, (COUNTS, ()))
        n = sum(counts[count] for count in (*numerator, *others))
        clusters = intervals.clusters(name)
        if name in PROBABILITY_METRICS and not probability:
            return Value(np.nan, np.nan, np.nan, n, "the score is no probability", clusters)
        if np.isnan(values[name]):
            return Value(np.nan, np.nan, np.nan, n, _why_undefined(name, noun, **counts), clusters)
        if name in COUNTS:
            return Value(values[name], np.nan, np.nan, n, "", clusters)
        interval, reason = intervals.interval(name)
        return Value(values[name], *interval, n, reason, clusters)

    return _with_baselines({name: value(name) for name in METRICS}, predictions, threshold, sampling.clusters)


def to_videos(predictions: pd.DataFrame) -> pd.DataFrame:
    """Average the scores of each video.

    Args:
        predictions: rows of images. A video is its `video` (full source path) within its `dataset`; an image without a
            video is a video of its own.

    Returns:
        One row per video: its label, the mean of its scores, `images` (the number of its images), and the other columns
        of its first image.

    Raises:
        UserError: if a video has both labels, or no image has a video.
    """
    if not has_videos(predictions):
        raise UserError("expected a column video with the source video of each image; without one use the level frame")
    numbers = video_numbers(predictions)
    groups = predictions.assign(fake=is_fake(predictions)).groupby(numbers)
    mixed = groups["fake"].nunique().to_numpy() > 1
    videos = predictions[~pd.Series(numbers).duplicated().to_numpy()].drop(columns="frame", errors="ignore")
    if mixed.any():
        raise UserError(
            f"{mixed.sum()} of {len(videos)} videos have both labels, first {videos['video'][mixed].iloc[0]!r}: "
            "name a video by its full source path, since several can have the same file name"
        )
    path = videos["video"].where(_in_video(videos), videos.get("path"))
    means = {name: groups[name].mean().to_numpy() for name in ("score", SHORTCUT) if name in predictions}
    return videos.assign(path=path, images=groups.size().to_numpy(), **means)


def has_videos(predictions: pd.DataFrame) -> bool:
    """Return whether any image names the video that it comes from."""
    return bool(_in_video(predictions).any())


def video_numbers(predictions: pd.DataFrame) -> NDArray[np.int64]:
    """Return 0, 1, 2, ... in order of appearance, int64 (n,), equal for the images of one video of one data set."""
    numbers = np.arange(len(predictions))
    inside = _in_video(predictions)
    if inside.any():
        keys = [column for column in ("dataset", "video") if column in predictions]
        numbers[inside] = len(numbers) + predictions[inside].groupby(keys, dropna=False, sort=False).ngroup()
    return pd.factorize(numbers)[0]


def is_fake(predictions: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which images are labelled fake, bool (n,)."""
    return (predictions["label"] == WORDS[FAKE]).to_numpy(dtype=bool)


def check_predictions(predictions: pd.DataFrame, *, probability: bool = True, name: str = "predictions") -> None:
    """Check the columns and values of predictions.

    Args:
        predictions: the table.
        probability: whether the score is P(fake).
        name: what the messages call the table.

    Raises:
        UserError: as for `evaluate`, with the number of invalid rows and the index of the first.
    """
    missing = [column for column in ("label", "score") if column not in predictions]
    if not {"path", "video"} & set(predictions):
        missing.append("path or video")
    if missing:
        raise UserError(
            f"{name}: expected the columns label, score, path or video; missing: {', '.join(missing)}; "
            f"found: {', '.join(map(str, predictions))}"
        )
    scores = predictions["score"]
    if not pd.api.types.is_numeric_dtype(scores):
        scores = as_decimals(scores)
    problems = {
        f"label is not {' or '.join(WORDS)}": ~predictions["label"].isin(WORDS),
        "score is not a finite number": ~np.isfinite(scores),
        "score is not a probability in [0, 1] (if it is no probability, declare that and give a threshold)": probability
        & ~scores.between(0, 1),
    }
    for problem, rows in problems.items():
        if rows.any():
            first = predictions[rows].iloc[0]
            raise UserError(
                f"{name}: {problem} in {int(rows.sum())} of {len(rows)} rows, first in row {first.name}: "
                f"label={first['label']!r} score={first['score']!r}"
            )
    for column in GROUPING_COLUMNS:
        if column in predictions and predictions[column].nunique(dropna=False) > 1:
            found = ", ".join(map(str, predictions[column].unique()[:5]))
            raise UserError(f"{name}: expected one {column}, got {found}: evaluate them one by one")


def _with_baselines(values, predictions, threshold, clusters):
    """Put the baselines behind the metrics, and what the accuracy does not beat into its remark."""
    if predictions.empty:
        return values | {MAJORITY: replace(values["accuracy"])}
    fake, called, shortcut = is_fake(predictions), _scores(predictions) >= threshold, None
    majority, accuracy = majority_of(fake), values["accuracy"]
    baselines = {
        MAJORITY: Value(majority.accuracy, np.nan, np.nan, accuracy.n, majority.words, accuracy.clusters),
    }
    if SHORTCUT in predictions and predictions[SHORTCUT].notna().all():
        shortcut = predictions[SHORTCUT].to_numpy(dtype=np.float64)
        alone = evaluate(predictions.assign(score=shortcut).drop(columns=SHORTCUT), threshold=SHORTCUT_THRESHOLD)
        baselines |= {name: replace(alone[metric], remark="") for name, metric in SHORTCUT_METRICS.items()}
    remark = remark_on_accuracy(fake, called, shortcut, clusters)
    return values | {name: replace(values[name], remark=remark) for name in ACCURACIES} | baselines


def _scores(predictions):
    return predictions["score"].to_numpy(dtype=np.float64)


def _in_video(predictions):
    if "video" not in predictions:
        return pd.Series(False, index=predictions.index)
    return predictions["video"].notna() & (predictions["video"] != "")


def _why_undefined(name, noun, tp, fp, tn, fn):
    if not tp + fp + tn + fn:
        return f"no {noun}s"
    if not tp + fn and name != "specificity":
        return f"no fake {noun}s"
    if not tn + fp and name != "recall":
        return f"no real {noun}s"
    if name in OPERATING_POINTS:
        return f"{tn + fp} real {noun}s are fewer than the {OPERATING_POINTS[name]} that one false alarm needs"
    return f"no {noun} is called {'real' if tp + fp else 'fake'}"
