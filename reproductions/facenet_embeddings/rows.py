"""From predictions to rows of the results: which of our numbers stands beside which published one."""

from collections.abc import Mapping

import pandas as pd

from common.evaluation.evaluate import Value, evaluate, has_videos
from common.evaluation.intervals import wilson
from reproductions.baselines import TestSets
from reproductions.facenet_embeddings.config import (
    LSTM,
    ON_EMBEDDINGS,
    ON_UNTRAINED,
    OTHERS,
    PROPOSED,
    TRIALS,
    XCEPTION_EMBEDDER,
    Config,
)
from reproductions.facenet_embeddings.settings import BOTH, TABLE_1, TABLE_3, setting_rows, size_rows
from reproductions.facenet_embeddings.trials import training_set
from reproductions.facenet_embeddings.whole_videos import HELD_OUT, single_frames, videos_of_table_2
from reproductions.inputs import RunData
from reproductions.rows import as_table, result_row
from reproductions.splitting import Split
from results.formatting import format_decimals, format_interval, text_table

TABLE_2 = {"sgd": "Triplets + SGD", PROPOSED: "Triplets + RF"}
VOTED = ("accuracy", "precision", "recall", "f1")
METRICS_2 = ("auc", *VOTED)
CLAIMS = {
    "trial2": "Phase I: XceptionNet",
    LSTM: "Phase I: LSTM",
    "xception_30k": "Phase I: XceptionNet, v1 + v2",
    PROPOSED: "Phase II: FaceNet + metric learning",
}
MARGINS = ("perceptron",)  # whose score is no probability
ORDER = (*TABLE_2, *OTHERS, ON_EMBEDDINGS, ON_UNTRAINED, *TRIALS)
PUBLISHED_RIGHT, PUBLISHED_VIDEOS = 21, 24  # Table II: 0.875; only the authors' notebook says of how many


def all_rows(split: Split, config: Config, data: RunData) -> pd.DataFrame:
    """Return the rows of a split's predictions, the settings of what was trained, and the sizes of the data.

    Args:
        split: with its predictions and notes.
        config: the run's config.
        data: the data sets.

    Returns:
        Columns table, row, metric, model, value, ci_low, ci_high, n, clusters, dataset, note.
    """
    predictions = mark_held_out(split)
    datasets = {model: training_set(model, data.roles) for model in predictions["model"].unique()}
    tables = [result_rows(predictions, datasets, published=config.embedder != XCEPTION_EMBEDDER)]
    tables += [setting_rows(split, config, data.roles), size_rows(data)]
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def test_sets(roles: Mapping[str, str]) -> TestSets:
    """Return what gives the test set of the rows: all data sets that a model was trained on, together.

    Args:
        roles: {NAME of --data: name of the data set}.
    """
    return lambda images: {training_set(images["model"].iloc[0], roles): images}


def mark_held_out(split: Split) -> pd.DataFrame:
    """Return a split's predictions, with the column held_out if videos were held out for Table II."""
    predictions, images = split.table(), split.images
    if HELD_OUT not in images:
        return predictions
    return predictions.merge(images[["dataset", "path", HELD_OUT]], how="left", on=["dataset", "path"])


def result_rows(predictions: pd.DataFrame, datasets: Mapping[str, str], published: bool = True) -> pd.DataFrame:
    """Return the rows that the predictions of one protocol and one seed give.

    Table II and the accuracies that belong to it are over whole videos: without them, as with folds under `frame`, they
    are left out. Phase I is measured on frames: the paper does not say what its accuracies are over.

    Args:
        predictions: the columns of predictions.csv, and held_out if videos were held out for Table II.
        datasets: {model: the data sets that it was trained on, as the rows name them}.
        published: whether phase II stands on the paper's embeddings; if not, its rows are all in the table `extra`.

    Returns:
        Columns table, row, metric, model, value, ci_low, ci_high, n, clusters, dataset, note.
    """
    test = predictions[predictions["split"] == "test"]
    rows = []
    for model in dict.fromkeys(test["model"]):
        chosen, dataset = test[test["model"] == model], datasets[model]
        frames, whole = single_frames(chosen), videos_of_table_2(chosen, chosen["protocol"].iloc[0])
        values = {"frame level": measure(frames, "frame", model)}
        videos = chosen if whole is None and HELD_OUT not in chosen else whole  # folds: fragments
        if videos is not None and has_videos(videos):
            values["video level"] = measure(videos, "video", model)
            votes = measure_votes(videos, model)
            values["video votes"] = votes | {"auc": values["video level"]["auc"]}  # as Table II has them
        for level, metrics in values.items():
            for metric, value in metrics.items():
                rows.append(result_row(("extra", f"{model}, {level}", metric), model, value, dataset))
        if model in TRIALS:
            accuracy = values["frame level"]["accuracy"]
            rows += [result_row(key, model, accuracy, dataset, "frames") for key in _accuracies(model)]
        elif whole is not None and model in TABLE_2 and published:
            keys = [("Table II", TABLE_2[model], metric) for metric in METRICS_2]
            keys += _accuracies(model) + ([("text", "Phase II: SGD and RF", "auc")] if model == "sgd" else [])
            of_videos = values["video votes"]
            rows += [result_row(key, model, of_videos[key[2]], dataset, _rule(key[2])) for key in keys]
    return as_table(rows)


def measure(predictions: pd.DataFrame, level: str, model: str) -> dict[str, Value]:
    """Return every metric of a model.

    Args:
        predictions: of one model.
        level: frame, or video for the mean score of each.
        model: its name; a margin has no Brier score.
    """
    return evaluate(predictions, level=level, probability=model not in MARGINS)


def measure_votes(predictions: pd.DataFrame, model: str) -> dict[str, Value]:
    """Return accuracy, precision, recall and F1 of videos as the notebook has them: the majority of the frames' hard
    predictions, `< 0.5` of them is real, so a tie is fake.

    Args:
        predictions, model: as for `measure`.
    """
    votes = predictions.assign(score=(predictions["score"] >= 0.5).astype(float))
    values = evaluate(votes, level="video", probability=model not in MARGINS)
    return {metric: values[metric] for metric in VOTED}


def _rule(metric):
    return "videos, majority of their frames" if metric in VOTED else "videos, mean of their frames"


def summary(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the protocols side by side, as lines of text.

    Args:
        tables: {protocol: its rows}.
    """
    models = {model for table in tables.values() for model in table["model"]}
    head = [cell for protocol in tables for cell in (f"{protocol}: frames", "videos, 95 % interval", "AUC", "n")]
    lines = [("", *head)]
    for model in [name for name in ORDER if name in models]:
        lines.append((model, *(cell for table in tables.values() for cell in _cells(table, model))))
    low, high = wilson(PUBLISHED_RIGHT, PUBLISHED_VIDEOS)
    published = (
        f"published: accuracy {PUBLISHED_RIGHT / PUBLISHED_VIDEOS:.3f} of videos, AUC 0.951 (SGD), 0.958 (RF); "
        f"of n = {PUBLISHED_VIDEOS} the 95 % interval (Wilson) is {low:.2f} to {high:.2f}"
    )
    title = "accuracy of test frames and test videos, AUC and number of the videos"
    return [title, *text_table(lines, left=1), published]


def _cells(table, model):
    """Return a model's four cells of the summary."""
    extra = table[(table["table"] == "extra") & (table["model"] == model)]
    by_metric = extra.set_index(["row", "metric"])
    if by_metric.empty:
        return "", "", "", ""
    frames = format_decimals(by_metric["value"][f"{model}, frame level", "accuracy"])
    if (f"{model}, video level", "accuracy") not in by_metric.index:
        return frames, "", "", ""
    videos = by_metric.loc[(f"{model}, video votes", "accuracy")]
    auc = by_metric["value"][f"{model}, video level", "auc"]
    interval = format_interval(videos["ci_low"], videos["ci_high"], 2)
    return frames, f"{format_decimals(videos['value'])} {interval}".rstrip(), format_decimals(auc), str(videos["n"])


def _accuracies(model):
    """Return the published keys of a model's accuracy."""
    keys = [("Table I", TABLE_1[model])] if model in TABLE_1 else []
    keys += [("Table III", TABLE_3[model])] if model in TABLE_3 else []
    keys += [("Table III", BOTH)] if model == PROPOSED else []
    keys += [("text", CLAIMS[model])] if model in CLAIMS else []
    return [(*key, "accuracy") for key in keys]
