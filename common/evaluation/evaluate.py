"""Predictions to metrics with intervals, of single images (frames) or of whole videos.

Predictions are a DataFrame with the columns of a run's predictions.csv (path, video, identity, source, frame, dataset,
split, label, score, model, protocol, seed); needed are label (`fake` / `real`), score (grows with P(fake)) and path or
video. A video is its full source path within its data set: `001.mp4` under four manipulations is four videos.

Intervals are 95 %. Proportions of independent images have Wilson's. That does not hold for the frames of a video, which
resemble each other: as soon as one video gives several images, every interval comes from a bootstrap that draws whole
videos. Metrics that are no proportions always have the bootstrap, by video, or by image where there are no videos.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from common.errors import UserError
from common.evaluation.intervals import bootstrap, percentile, wilson
from common.evaluation.metrics import COUNTS, METRICS, PROPORTIONS, Ranking, named
from common.labels import FAKE, WORDS

MOST_UNDEFINED = 0.05  # share of resamples without a value above which a bootstrap has no interval
ONE_OF_EACH = ("model", "protocol", "seed", "split")  # several of these would count one image more than once


@dataclass(frozen=True)
class Value:
    """One metric: NaN in `value` where undefined, in `low` and `high` (95 %) without an interval; `reason` says why.

    `n` is the number of images, or videos, that the value is over: its denominator if it is a proportion.
    """

    value: float
    low: float
    high: float
    n: int
    reason: str = ""


def evaluate(predictions, *, level="frame", threshold=0.5, probability=True, resamples=1000, seed=0):
    """All of metrics.METRICS for one model on one set of images, as {name: Value}.

    level: `frame` takes every image, `video` the mean score of each video. score >= threshold is called fake.
    probability: whether the score claims to be P(fake); if not there is no Brier score. resamples, seed: of the
    bootstrap. Nothing to measure (no images, one class only, nothing called fake) gives NaN and a reason.
    UserError: a missing column, an unknown label, a score that is not finite or, as a probability, not in [0, 1], a
    video with both labels, predictions of several models, protocols, seeds or splits in one table.
    """
    check_predictions(predictions, probability=probability)
    if level not in ("frame", "video"):
        raise UserError(f"expected the level frame or video, got {level!r}")
    if level == "video":
        predictions = to_videos(predictions)
    ranking = Ranking(is_fake(predictions), _scores(predictions), threshold)
    clusters = pd.factorize(video_numbers(predictions)[ranking.order])[0]  # by appearance: neighbours in memory
    number = len(np.unique(clusters))
    point = named(ranking.measure(np.ones(len(predictions), dtype=np.int64)))
    samples = named(bootstrap(ranking.measure, clusters, resamples if number > 1 else 0, seed))
    counts = {name: int(point[name]) for name in COUNTS}
    noun = "image" if level == "frame" else "video"

    def value(name):
        n = sum(counts[part] for part in sum(PROPORTIONS.get(name, (COUNTS,)), ()))
        if name == "brier" and not probability:
            return Value(np.nan, np.nan, np.nan, n, "the score is no probability")
        if np.isnan(point[name]):
            return Value(np.nan, np.nan, np.nan, n, _why_undefined(name, noun, **counts))
        if name in COUNTS:
            return Value(float(point[name]), np.nan, np.nan, n)
        if name in PROPORTIONS and number == len(predictions):
            return Value(float(point[name]), *wilson(sum(counts[part] for part in PROPORTIONS[name][0]), n), n)
        weakness = _weakness(samples[name], number)
        interval = (np.nan, np.nan) if weakness else percentile(samples[name])
        return Value(float(point[name]), *interval, n, weakness)

    return {name: value(name) for name in METRICS}


def to_videos(predictions):
    """One row a video: its label, the mean of its scores, `images` of them, other columns from its first image.

    A video is its `video` (full source path) within its `dataset`; an image without a video stands for itself.
    UserError if a video has both labels, or no image has a video.
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
            "name a video by its full source path, a file name alone may stand for several"
        )
    path = videos["video"].where(_in_video(videos), videos.get("path"))
    return videos.assign(path=path, score=groups["score"].mean().to_numpy(), images=groups.size().to_numpy())


def has_videos(predictions):
    """Whether any image names the video it comes from."""
    return bool(_in_video(predictions).any())


def video_numbers(predictions):
    """int64 (n,): 0, 1, 2, ... in order of appearance, equal for the images of one video of one data set."""
    numbers = np.arange(len(predictions))
    inside = _in_video(predictions)
    if inside.any():
        keys = [column for column in ("dataset", "video") if column in predictions]
        numbers[inside] = len(numbers) + predictions[inside].groupby(keys, dropna=False, sort=False).ngroup()
    return pd.factorize(numbers)[0]


def is_fake(predictions):
    """bool (n,): which images are labelled fake."""
    return (predictions["label"] == WORDS[FAKE]).to_numpy(dtype=bool)


def check_predictions(predictions, *, probability=True, where="predictions"):
    """Raise UserError, with the number of bad rows and the first one's index, where `evaluate` promises one.

    where: what the message calls the table.
    """
    missing = [column for column in ("label", "score") if column not in predictions]
    if not {"path", "video"} & set(predictions):
        missing.append("path or video")
    if missing:
        raise UserError(
            f"{where}: expected the columns label, score, path or video; missing: {', '.join(missing)}; "
            f"found: {', '.join(map(str, predictions))}"
        )
    scores = pd.to_numeric(predictions["score"], errors="coerce")
    problems = {
        f"label is not {' or '.join(WORDS)}": ~predictions["label"].isin(WORDS),
        "score is not a finite number": ~np.isfinite(scores),
        "score is not a probability in [0, 1] (if it is none, say so and give a threshold)": probability
        & ~scores.between(0, 1),
    }
    for problem, rows in problems.items():
        if rows.any():
            first = predictions[rows].iloc[0]
            raise UserError(
                f"{where}: {problem} in {int(rows.sum())} of {len(rows)} rows, first in row {first.name}: "
                f"label={first['label']!r} score={first['score']!r}"
            )
    for column in ONE_OF_EACH:
        if column in predictions and predictions[column].nunique(dropna=False) > 1:
            found = ", ".join(map(str, predictions[column].unique()[:5]))
            raise UserError(f"{where}: expected one {column}, got {found}: evaluate them one by one")


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
    return f"no {noun} is called {'real' if tp + fp else 'fake'}"


def _weakness(samples, number):
    """Why there is no bootstrap interval, or an empty string: one of no width would look like certainty."""
    if number < 2 or not len(samples):
        return "no interval: a single video or image" if number < 2 else "no interval: no resamples"
    undefined = int(np.isnan(samples).sum())
    if undefined > MOST_UNDEFINED * len(samples):
        return f"no interval: undefined in {undefined} of {len(samples)} resamples"
    return "no interval: all resamples are equal" if np.nanmax(samples) == np.nanmin(samples) else ""
