"""From predictions to rows of the results: which of our numbers belongs to which published one."""

from collections.abc import Mapping, Sequence

import pandas as pd

from common.conditions import RESUBSTITUTION
from common.evaluation.evaluate import Value, evaluate
from reproductions.cffn_resnet import sizes
from reproductions.cffn_resnet.config import PROPOSED, Config
from reproductions.inputs import RunData
from reproductions.rows import as_table, result_row, unseen_note
from reproductions.splitting import Split
from results.formatting import format_decimals, format_interval, text_table

FINAL = ("Table 1", "final model")
# Model -> (table, row) of its accuracies: of our test split, or of training images if the row ends in `, training`.
ACCURACIES = {
    PROPOSED: (
        ("text", "abstract: final model"),
        ("text", "final model"),
        ("text", "regularisation and 100K images"),
        ("Table 1", "final model, training"),
        ("text", "final model, training"),
        ("text", "regularisation and 100K images, training"),
    ),
    "story_first": (("text", "first implementation"), ("text", "first implementation, training")),
    "story_units": (("text", "more units and epochs, training"),),
    "story_schedule": (("text", "schedule and batch 128"), ("text", "schedule and batch 128, training")),
}
TEST_NOTE = "the paper's is a validation accuracy, ours of a test split"
TRAINING_NOTE = f"{RESUBSTITUTION}: of training images, not augmented"
SUMMARY_METRICS = ("accuracy", "majority_accuracy", "balanced_accuracy", "kappa", "false_alarm_rate", "auc")


def all_rows(split: Split, data: RunData, config: Config, units: Mapping[str, int]) -> pd.DataFrame:
    """Return the rows of a split: its predictions, and if something was trained the sizes and settings of that.

    Args:
        split: with its predictions and histories.
        data: the data sets.
        config: the run's config.
        units: of `sizes.count_units`, of the proposed network; empty if there is none.
    """
    tables = [result_rows(split.table(), data.trained)]
    if split.histories:
        (dataset,) = (dataset for dataset in data.datasets if dataset.name in data.trained)
        tables += [sizes.split_rows(split.images, dataset.name), sizes.data_rows(dataset)]
        if PROPOSED in split.histories:
            tables += [sizes.network_rows(units, dataset.name), sizes.setting_rows(config, dataset.name)]
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def result_rows(predictions: pd.DataFrame, trained: Sequence[str]) -> pd.DataFrame:
    """Return all rows that the predictions of one protocol and one seed give.

    Args:
        predictions: with the columns of predictions.csv; its split train has some of the training images.
        trained: the name of the data set that is trained on, or nothing.

    Returns:
        A table with reproductions.rows.ROW_COLUMNS.
    """
    rows = []
    for (model, dataset), scored in predictions.groupby(["model", "dataset"], sort=False):
        test, train = scored[scored["split"] == "test"], scored[scored["split"] == "train"]
        if test.empty:
            continue
        unseen = unseen_note(dataset, trained)
        several = test[test["video"] != ""].duplicated("video").any()
        values = {level: measured(test, level) for level in (("frame", "video") if several else ("frame",))}
        rows += [
            result_row(("extra", f"{model}, {level} level", metric), model, value, dataset, unseen)
            for level, metrics in values.items()
            for metric, value in metrics.items()
        ]
        if dataset in trained:
            learnt = measured(train, "frame")["accuracy"] if len(train) else None
            rows += _published_rows(model, dataset, values["frame"], learnt)
    return as_table(rows)


def _published_rows(model, dataset, values, learnt):
    """Return the rows with published keys: of the test split's values, and of the training accuracy or None."""
    rows = []
    for key in ACCURACIES.get(model, ()):
        training = key[1].endswith(", training")
        value, note = (learnt, TRAINING_NOTE) if training else (values["accuracy"], TEST_NOTE)
        if value is not None:
            rows.append(result_row((*key, "accuracy"), model, value, dataset, note))
    if model == PROPOSED:
        metrics = ("accuracy", "precision", "recall", "f1")
        rows += [result_row((*FINAL, metric), model, values[metric], dataset, TEST_NOTE) for metric in metrics]
    return rows


def measured(images: pd.DataFrame, level: str) -> dict[str, Value]:
    """Return every metric, and the share of the real ones that is called fake.

    Args:
        images: predictions of one model on one data set.
        level: frame or video.
    """
    values = evaluate(images, level=level)
    kept = values["specificity"]
    alarms = Value(1 - kept.value, 1 - kept.high, 1 - kept.low, kept.n, kept.reason)
    return values | {"false_alarm_rate": alarms}


def summary(rows: pd.DataFrame) -> list[str]:
    """Return a line of text for each model and data set: accuracy beside what calling everything alike would score."""
    metrics = ("accuracy", "majority", "balanced", "kappa", "false alarms", "AUC")
    lines = [("model", "test data", *metrics, "95 % interval", "n")]
    extra = rows[rows["table"] == "extra"]
    for (row, dataset), values in extra.groupby(["row", "dataset"], sort=False):
        by_metric = values.set_index("metric")
        interval = format_interval(by_metric["ci_low"]["auc"], by_metric["ci_high"]["auc"])
        numbers = [format_decimals(by_metric["value"][metric]) for metric in SUMMARY_METRICS]
        lines.append((row, dataset, *numbers, interval, str(by_metric["n"].max())))
    return text_table(lines, left=2)
