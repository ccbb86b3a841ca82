"""From predictions to rows of the results: which of our numbers stands beside which published one."""

from math import nan

import pandas as pd

from common.evaluation.evaluate import Value, evaluate
from common.labels import FAKE, WORDS
from reproductions.cffn_resnet.config import PROPOSED
from reproductions.experiment import result_row
from results.formatting import format_decimals, format_interval, text_table

FINAL = ("Table 1", "final model")
# Model -> (table, row) of its accuracies: on our test split, and on training images where ", training" follows.
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
TESTED = "the paper's is a validation accuracy, ours of a test split"
TRAINED = "of training images, not augmented"
SHOWN = ("accuracy", "majority_accuracy", "balanced_accuracy", "kappa", "false_alarm_rate", "auc")


def result_rows(predictions, trained, seed=0):
    """All rows that the predictions of one protocol and one seed give.

    predictions: the columns of predictions.csv, those of the split train being of some training images; trained: the
    name of the data set that was trained on. Returns a DataFrame: table,row,metric,model,value,ci_low,ci_high,n,
    dataset,note.
    """
    rows = []
    for (model, name), ours in predictions.groupby(["model", "dataset"], sort=False):
        test, train = ours[ours["split"] == "test"], ours[ours["split"] == "train"]
        unseen = "" if name == trained else f"unseen: trained on {trained}"
        levels = ("frame", "video") if test[test["video"] != ""].duplicated("video").any() else ("frame",)
        values = {level: measured(test, level, seed) for level in levels} if len(test) else {}
        rows += [
            result_row(("extra", f"{model}, {level} level", metric), model, value, name, unseen)
            for level, metrics in values.items()
            for metric, value in metrics.items()
        ]
        if not len(test) or unseen:
            continue
        accuracy = {"": (values["frame"]["accuracy"], TESTED)}
        if len(train):
            accuracy["training"] = measured(train, "frame", seed)["accuracy"], TRAINED
        for table, row in ACCURACIES.get(model, ()):
            value, note = accuracy.get(row.rpartition(", ")[2] if row.endswith("training") else "", (None, ""))
            if value is not None:
                rows.append(result_row((table, row, "accuracy"), model, value, name, note))
        if model == PROPOSED:
            rows += [
                result_row((*FINAL, metric), model, values["frame"][metric], name, TESTED)
                for metric in ("accuracy", "precision", "recall", "f1")
            ]
    return pd.DataFrame(rows)


def size_rows(images, dataset):
    """The sizes of our splits beside those of the text. images: the columns dataset, split, label."""
    ours = images[images["dataset"] == dataset]
    counts = {split: (ours["split"] == split).sum() for split in ("train", "test")}
    fakes = ((ours["split"] == "test") & (ours["label"] == WORDS[FAKE])).sum()
    found = [("training set", "images", counts["train"])]
    if counts["test"]:
        found += [
            ("validation set", "images", counts["test"]),
            ("validation set", "n", counts["test"]),
            ("validation set", "fakes", fakes),
            ("validation set", "reals", counts["test"] - fakes),
            ("validation set", "fake_share", fakes / counts["test"]),
        ]
    return pd.DataFrame(
        result_row(
            ("text", row, metric), "data", Value(float(number), nan, nan, len(ours)), dataset,
            "ours is the test split" if row == "validation set" else "",
        )
        for row, metric, number in found
        if number
    )  # fmt: skip


def measured(images, level, seed):
    """Every metric, the share of the real ones that is called fake, and what calling all alike would score."""
    values = evaluate(images, level=level, seed=seed)
    kept = values["specificity"]
    alarms = Value(1 - kept.value, 1 - kept.high, 1 - kept.low, kept.n, kept.reason)
    fakes, n = values["recall"].n, values["accuracy"].n
    baseline = Value(
        max(fakes, n - fakes) / n, nan, nan, n, f"calling everything {'fake' if 2 * fakes >= n else 'real'}"
    )
    return values | {"false_alarm_rate": alarms, "majority_accuracy": baseline}


def summary(rows):
    """Every model on every data set, as lines of text: accuracy beside what calling everything alike would score."""
    metrics = ("accuracy", "majority", "balanced", "kappa", "false alarms", "AUC")
    lines = [("model", "test data", *metrics, "95 % interval", "n")]
    extra = rows[rows["table"] == "extra"]
    for (row, dataset), values in extra.groupby(["row", "dataset"], sort=False):
        of = values.set_index("metric")
        between = format_interval(of["ci_low"]["auc"], of["ci_high"]["auc"])
        numbers = [format_decimals(of["value"][name]) for name in SHOWN]
        lines.append((row, dataset, *numbers, between, str(of["n"].max())))
    return text_table(lines, left=2)
