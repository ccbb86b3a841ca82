"""From predictions to rows of the results: which of our numbers stands beside which published one."""

import pandas as pd

from common.evaluation.evaluate import Value, evaluate, has_videos
from common.evaluation.intervals import wilson
from reproductions.experiment import result_row
from reproductions.facenet_embeddings.config import LSTM, ON_EMBEDDINGS, ON_UNTRAINED, OTHERS, PROPOSED, TRIALS
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
PUBLISHED_RIGHT, PUBLISHED_VIDEOS = 21, 24  # Table II: 0.875; of how many is in the authors' notebook alone


def result_rows(predictions, datasets, seed=0):
    """All rows that the predictions of one protocol and one seed give.

    predictions: the columns of predictions.csv; datasets: {model: the data sets it was trained on, as the rows name
    them}. Table II and the accuracies that go with it are of whole videos, the mean score of each, as in the notebook;
    where no image names its video they are left out. Phase I is measured on frames: the paper says of nothing what it
    is over. Returns a DataFrame: table,row,metric,model,value,ci_low,ci_high,n,dataset,note.
    """
    test = predictions[predictions["split"] == "test"]
    rows = []
    for model in dict.fromkeys(test["model"]):
        chosen, dataset = test[test["model"] == model], datasets[model]
        levels = ("frame", "video") if has_videos(chosen) else ("frame",)
        of = {level: evaluate(chosen, level=level, probability=model not in MARGINS, seed=seed) for level in levels}
        for level, values in of.items():
            keys = [(("extra", f"{model}, {level} level", metric), value) for metric, value in values.items()]
            rows += [result_row(key, model, value, dataset) for key, value in keys]
        if model in TRIALS:
            rows += [result_row(key, model, of["frame"]["accuracy"], dataset, "frames") for key in _accuracies(model)]
        elif "video" in of and model in TABLE_2:
            keys = [("Table II", TABLE_2[model], metric) for metric in METRICS_2]
            keys += _accuracies(model) + ([("text", "Phase II: SGD and RF", "auc")] if model == "sgd" else [])
            rows += [result_row(key, model, of["video"][key[2]], dataset, "videos") for key in keys]
    return pd.DataFrame(rows)


def setting_rows(model, values, dataset):
    """The settings of a training as rows of Tables I and III, and of the text. values: {metric: number}."""
    keys = []
    for table, names in (("Table I", TABLE_1), ("Table III", TABLE_3 | {PROPOSED: BOTH})):
        if model in names:
            published = set(values) - ({"frames"} if table == "Table I" or model in (LSTM, PROPOSED) else set())
            keys += [(table, names[model], metric) for metric in published]
    if model == PROPOSED:
        keys += [("text", "Phase II", metric) for metric in ("batch_size", "epochs", "learning_rate")]
    number = float("nan")
    return pd.DataFrame(
        [result_row(key, model, Value(values[key[2]], number, number, None), dataset) for key in sorted(keys)]
    )


def summary(tables):
    """The protocols side by side, as lines of text. tables: {protocol: its rows}."""
    models = {model for table in tables.values() for model in table["model"]}
    lines = [
        ("", *(word for protocol in tables for word in (f"{protocol}: frames", "videos, 95 % interval", "AUC", "n")))
    ]
    for model in [name for name in ORDER if name in models]:
        lines.append((model, *(cell for table in tables.values() for cell in _cells(table, model))))
    low, high = wilson(PUBLISHED_RIGHT, PUBLISHED_VIDEOS)
    told = (
        f"published: accuracy {PUBLISHED_RIGHT / PUBLISHED_VIDEOS:.3f} of videos, AUC 0.951 (SGD), 0.958 (RF); "
        f"of n = {PUBLISHED_VIDEOS} the 95 % interval (Wilson) is {low:.2f} to {high:.2f}"
    )
    return ["accuracy of test frames and test videos, AUC and number of the videos", *text_table(lines, left=1), told]


def _cells(table, model):
    of = table[(table["table"] == "extra") & (table["model"] == model)].set_index(["row", "metric"])
    if of.empty:
        return "", "", "", ""
    frames = of["value"][f"{model}, frame level", "accuracy"]
    if (f"{model}, video level", "accuracy") not in of.index:
        return f"{frames:.3f}", "", "", ""
    videos, auc = of.loc[(f"{model}, video level", "accuracy")], of["value"][f"{model}, video level", "auc"]
    accuracy = f"{videos['value']:.3f} {format_interval(videos['ci_low'], videos['ci_high'], 2)}".rstrip()
    return f"{frames:.3f}", accuracy, format_decimals(auc), str(videos["n"])


def _accuracies(model):
    keys = [("Table I", TABLE_1[model])] if model in TABLE_1 else []
    keys += [("Table III", TABLE_3[model])] if model in TABLE_3 else []
    keys += [("Table III", BOTH)] if model == PROPOSED else []
    keys += [("text", CLAIMS[model])] if model in CLAIMS else []
    return [(*key, "accuracy") for key in keys]
