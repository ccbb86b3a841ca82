"""From predictions to rows of the results: which of our numbers stands beside which published one."""

from collections.abc import Mapping

import pandas as pd

from common.evaluation.evaluate import Value, evaluate, has_videos
from common.evaluation.intervals import wilson
from reproductions.facenet_embeddings.config import (
    LSTM,
    ON_EMBEDDINGS,
    ON_UNTRAINED,
    OTHERS,
    PROPOSED,
    TRIALS,
    XCEPTION,
    Config,
)
from reproductions.facenet_embeddings.trials import settings_used, training_set
from reproductions.rows import as_table, result_row
from reproductions.splitting import Split
from results.formatting import format_decimals, format_interval, text_table

TABLE_2 = {"sgd": "Triplets + SGD", PROPOSED: "Triplets + RF"}
METRICS_2 = ("auc", "accuracy", "precision", "recall", "f1")
TABLE_1 = {"trial1": "trial 1", "trial2": "trial 2", "trial3": "trial 3"}
TABLE_3 = {"trial2": "XceptionNet", LSTM: "LSTM + frames", "xception_30k": "XceptionNet, v1 + v2"}
CLAIMS = {
    "trial2": "Phase I: XceptionNet",
    LSTM: "Phase I: LSTM",
    "xception_30k": "Phase I: XceptionNet, v1 + v2",
    PROPOSED: "Phase II: FaceNet + metric learning",
}
BOTH = "FaceNet + metric learning"  # Table III, row 4
MARGINS = ("perceptron",)  # whose score is no probability
ORDER = (*TABLE_2, *OTHERS, ON_EMBEDDINGS, ON_UNTRAINED, *TRIALS)
PUBLISHED_RIGHT, PUBLISHED_VIDEOS = 21, 24  # Table II: 0.875; only the authors' notebook says of how many


def all_rows(split: Split, config: Config, roles: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows of a split's predictions, and the settings of what was trained.

    Args:
        split: with its predictions and notes.
        config: the run's config.
        roles: {NAME of --data: name of the data set}.

    Returns:
        Columns table, row, metric, model, value, ci_low, ci_high, n, dataset, note.
    """
    predictions = split.table()
    datasets = {model: training_set(model, roles) for model in predictions["model"].unique()}
    tables = [result_rows(predictions, datasets, split.seed)]
    for model in (PROPOSED, LSTM, *XCEPTION):
        if config.epochs and model in split.notes:
            tables.append(setting_rows(model, settings_used(model, split, config, roles), training_set(model, roles)))
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def result_rows(predictions: pd.DataFrame, datasets: Mapping[str, str], seed: int = 0) -> pd.DataFrame:
    """Return the rows that the predictions of one protocol and one seed give.

    Table II and the accuracies that belong to it are over whole videos, the mean score of each, as in the notebook; if
    no image names its video they are left out. Phase I is measured on frames: the paper does not say what its
    accuracies are over.

    Args:
        predictions: the columns of predictions.csv.
        datasets: {model: the data sets that it was trained on, as the rows name them}.
        seed: of the bootstrap.

    Returns:
        Columns table, row, metric, model, value, ci_low, ci_high, n, dataset, note.
    """
    test = predictions[predictions["split"] == "test"]
    rows = []
    for model in dict.fromkeys(test["model"]):
        chosen, dataset = test[test["model"] == model], datasets[model]
        levels = ("frame", "video") if has_videos(chosen) else ("frame",)
        values = {level: evaluate(chosen, level=level, probability=model not in MARGINS, seed=seed) for level in levels}
        for level, metrics in values.items():
            for metric, value in metrics.items():
                rows.append(result_row(("extra", f"{model}, {level} level", metric), model, value, dataset))
        if model in TRIALS:
            accuracy = values["frame"]["accuracy"]
            rows += [result_row(key, model, accuracy, dataset, "frames") for key in _accuracies(model)]
        elif "video" in values and model in TABLE_2:
            keys = [("Table II", TABLE_2[model], metric) for metric in METRICS_2]
            keys += _accuracies(model) + ([("text", "Phase II: SGD and RF", "auc")] if model == "sgd" else [])
            rows += [result_row(key, model, values["video"][key[2]], dataset, "videos") for key in keys]
    return as_table(rows)


def setting_rows(model: str, settings: Mapping[str, float], dataset: str) -> pd.DataFrame:
    """Return the settings of a training as rows of Tables I and III, and of the text.

    Args:
        model: a trial, or PROPOSED for the base network's training.
        settings: {metric: number}.
        dataset: what it was trained on, as the rows name it.
    """
    keys = []
    for table, names in (("Table I", TABLE_1), ("Table III", TABLE_3 | {PROPOSED: BOTH})):
        if model in names:
            unpublished = {"frames"} if table == "Table I" or model in (LSTM, PROPOSED) else set()
            keys += [(table, names[model], metric) for metric in set(settings) - unpublished]
    if model == PROPOSED:
        keys += [("text", "Phase II", metric) for metric in ("batch_size", "epochs", "learning_rate")]
    values = {key: Value(settings[key[2]], float("nan"), float("nan"), None) for key in sorted(keys)}  # type: ignore
    return as_table([result_row(key, model, value, dataset) for key, value in values.items()])


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
    videos = by_metric.loc[(f"{model}, video level", "accuracy")]
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
