"""From predictions to rows of the results: which of our numbers belongs to which published one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from common.evaluation.evaluate import Value, evaluate
from common.labels import FAKE, WORDS
from reproductions.inputs import RunData
from reproductions.mesoinception_svm.config import FIRST, HINGE, NEXT_BEST, PROPOSED
from reproductions.rows import as_table, result_row, unseen_note
from reproductions.splitting import Split
from results.formatting import text_table

# (row, metric) of Tables 4 and 5, where class 0 is forged, -> our metric, where fake is positive.
REPORT = {
    ("class 0", "precision"): "precision",
    ("class 0", "recall"): "recall",
    ("class 0", "f1"): "f1",
    ("class 1", "precision"): "precision_real",
    ("class 1", "recall"): "specificity",
    ("class 1", "f1"): "f1_real",
    ("accuracy", "accuracy"): "accuracy",
    ("class 0", "support"): "recall",  # a support is the number of images that this metric is over
    ("class 1", "support"): "specificity",
    ("accuracy", "support"): "accuracy",
}
AVERAGES = {  # Table 4 alone prints them
    (f"{average} avg", metric): f"{average}_{metric}"
    for average in ("macro", "weighted")
    for metric in ("precision", "recall", "f1")
} | {(f"{average} avg", "support"): "accuracy" for average in ("macro", "weighted")}
GENERALISATION = {"Mesonet": "meso4", "Mesoinception4": "mesoinception4", "Mesoinception4+SVM": PROPOSED}
TRAINED = "trained"  # the role of all data sets that were trained on, together


def _claims():
    """Yield (table, row, metric), model, role of the data set, split and our metric of each published number."""
    for (row, metric), ours in (REPORT | AVERAGES).items():
        yield ("Table 4", row, metric), "mesoinception4", TRAINED, "test", ours
    for (row, metric), ours in REPORT.items():
        yield ("Table 5", row, metric), PROPOSED, TRAINED, "test", ours
    for table, role in (("Table 6", "deepfake"), ("Table 7", "face2face")):
        for row, model in GENERALISATION.items():
            for metric in ("accuracy", "auc"):
                yield (table, row, metric), model, role, "test", metric
    named = {"Deepfake": "deepfake", "FaceForensics++": "face2face", "CelebDF": "celebdf", "combined": "combined"}
    for section in ("introduction", "conclusion"):
        for name, role in named.items():
            yield ("text", f"{section}: {name}", "accuracy"), PROPOSED, role, "test", "accuracy"
    yield ("text", "conclusion: validation", "accuracy"), PROPOSED, TRAINED, "val", "accuracy"
    yield ("text", "first model", "accuracy"), FIRST, TRAINED, "test", "accuracy"
    yield ("text", "next best model", "accuracy"), NEXT_BEST, TRAINED, "test", "accuracy"
    yield ("text", "next best model, validation", "accuracy"), NEXT_BEST, TRAINED, "val", "accuracy"


def all_rows(split: Split, data: RunData) -> pd.DataFrame:
    """Return the rows of a split: its sizes and those of its predictions.

    Args:
        split: with its predictions.
        data: the data sets of the run.
    """
    manifests = pd.concat([dataset.images for dataset in data.datasets])
    tables = [
        size_rows(manifests, split.images, data.trained),
        result_rows(split.table(), data.roles, data.trained),
    ]
    return pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)


def size_rows(manifests: pd.DataFrame, images: pd.DataFrame, trained: Sequence[str]) -> pd.DataFrame:
    """Return the rows of Tables 1 to 3, with numbers of images above 0.

    Args:
        manifests: all images with the official split of their data set, if it has one: Table 1.
        images: all images with the split of the run: Table 2, whose training includes validation, and Table 3.
        trained: the names of the data sets that are trained on.
    """
    rows = []
    divided = images if (images["split"] == "train").any() else images[:0]  # with --epochs 0 everything may be test
    for table, row, table_images, splits in (
        ("Table 1", "Training", manifests, ("train", "val")),
        ("Table 1", "Test", manifests, ("test",)),
        ("Table 1", "total", manifests, ("train", "val", "test", "")),
        ("Table 2", "Training", divided, ("train", "val")),
        ("Table 2", "Test", divided, ("test",)),
        ("Table 2", "total", divided, ("train", "val", "test")),
        ("Table 3", "Training", divided, ("train",)),
        ("Table 3", "Validation", divided, ("val",)),
        ("Table 3", "total", divided, ("train", "val")),
    ):
        counted = table_images[table_images["dataset"].isin(trained) & table_images["split"].isin(splits)]
        fakes = int((counted["label"] == WORDS[FAKE]).sum())
        for column, number in {"forged": fakes, "real": len(counted) - fakes, "total": len(counted)}.items():
            if number:
                value = Value(float(number), np.nan, np.nan, number)
                rows.append(result_row((table, row, column), "data", value, "+".join(trained)))
    return as_table(rows)


def result_rows(predictions: pd.DataFrame, roles: dict[str, str], trained: Sequence[str]) -> pd.DataFrame:
    """Return all rows that the predictions of one protocol and one seed give.

    Args:
        predictions: with the columns of predictions.csv.
        roles: {NAME of --data: name of the data set}.
        trained: the names of the data sets that were trained on.

    Returns:
        A table with reproductions.rows.ROW_COLUMNS.
    """
    places = {role: [name] for role, name in roles.items()} | {TRAINED: list(trained)}
    if len(trained) > 1:
        places.setdefault("combined", list(trained))
    known = {}

    def values_of(model, names, split, level="frame"):
        key = (model, tuple(names), split, level)
        if key not in known:
            chosen = predictions["dataset"].isin(names) & (predictions["split"] == split)
            chosen = predictions[chosen & (predictions["model"] == model)]
            probability = model not in (PROPOSED, HINGE)
            known[key] = evaluate(chosen, level=level, probability=probability) if len(chosen) else None
        return known[key]

    rows = []
    for key, model, role, split, metric in _claims():
        values = values_of(model, places[role], split) if role in places else None
        if values is not None:
            rows.append(_row(key, model, values[metric], places[role], trained))
    rows += _both_networks(rows)
    for names in [[name] for name in dict.fromkeys(predictions["dataset"])]:
        tested = predictions[predictions["dataset"].isin(names) & (predictions["split"] == "test")]
        clips = tested[tested["video"] != ""].duplicated(["model", "video"]).any()  # some video has several frames
        for model in dict.fromkeys(predictions["model"]):
            for level in ("frame", "video") if clips else ("frame",):
                for metric, value in (values_of(model, names, "test", level) or {}).items():
                    key = ("extra", f"{model}, {level} level", metric)
                    rows.append(_row(key, model, value, names, trained))
    return as_table(rows)


def _both_networks(rows):
    """Return Sec. 4.3's statement on both networks: the lower of their accuracies on the Deepfake data."""
    keys = [("Table 6", name, "accuracy") for name in ("Mesonet", "Mesoinception4")]
    candidates = [row for row in rows if (row["table"], row["row"], row["metric"]) in keys]
    if len(candidates) < len(keys):
        return []
    lower = min(candidates, key=lambda row: row["value"])
    note = "; ".join(filter(None, ("the lower of meso4 and mesoinception4", lower["note"])))
    return [lower | {"table": "text", "row": "section 4.3: both networks", "note": note}]


def summary(rows: pd.DataFrame) -> list[str]:
    """Return the test AUC of every model on every data set as lines of text, the trained data beside the unseen."""
    shown = rows[(rows["table"] == "extra") & (rows["metric"] == "auc")]
    lines = [("model", "test data", "AUC", "95 % interval", "n", "")]
    for row in shown.itertuples():
        interval = "" if pd.isna(row.ci_low) else f"{row.ci_low:.3f} to {row.ci_high:.3f}"
        lines.append((row.row, row.dataset, f"{row.value:.3f}", interval, str(row.n), row.note.partition(";")[0]))
    return text_table(lines, left=2)


def _row(key, model, value, names, trained):
    if key[2] == "support":
        value = Value(value.n, np.nan, np.nan, value.n)
    dataset = "+".join(names)
    return result_row(key, model, value, dataset, unseen_note(dataset, trained))
