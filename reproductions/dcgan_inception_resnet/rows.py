"""From predictions to rows of the results: which of our numbers stands beside which published one."""

from math import nan

import pandas as pd

from common.evaluation.evaluate import Value, evaluate
from common.labels import FAKE, WORDS
from reproductions.dcgan_inception_resnet.config import BACKBONE, PROPOSED, PROTOCOLS
from reproductions.experiment import result_row
from results.formatting import format_decimals, format_interval, text_table

FIGURE_10 = ("tp", "fp", "fn", "tn")
SHOWN = ("accuracy", "recall", "specificity", "auc")


def result_rows(predictions, groups, protocol, seed=0):
    """All rows that the predictions of one protocol and one seed give.

    predictions: the columns of predictions.csv. groups: {name: data set of the fakes}, the first being the detector's
    own generator. `paper` takes what the detector was trained on, training and validation split together, `heldout`
    the test split. Returns a DataFrame: table,row,metric,model,value,ci_low,ci_high,n,dataset,note.
    """
    measured = predictions[predictions["split"].isin(PROTOCOLS[protocol])]
    measured = measured.assign(split=protocol)
    fake = measured["label"] == WORDS[FAKE]
    rows = []
    for model in dict.fromkeys(measured["model"]):
        ours = measured["model"] == model
        for name, dataset in groups.items():
            fakes = ours & fake & (measured["dataset"] == dataset)
            if not fakes.any():
                continue
            images = measured[fakes | (ours & ~fake)]
            values, where = evaluate(images, seed=seed), "+".join(dict.fromkeys(images["dataset"].sort_values()))
            rows += [
                result_row(("extra", f"{model}, {name}", metric), model, value, where)
                for metric, value in values.items()
            ]
            if model == PROPOSED and name == next(iter(groups)):
                rows += [
                    result_row(("Figure 10", "Inception-ResNet-v2", metric), model, values[metric], where)
                    for metric in FIGURE_10
                ]
    return pd.DataFrame(rows)


def size_rows(network, dataset):
    """The rows of Figure 3, counted in the network that was trained."""
    backbone, dense = network.get_layer(BACKBONE), network.get_layer("real_fake")
    height, width, channels = backbone.output_shape[1:]
    trainable = sum(weight.numpy().size for weight in network.trainable_weights)
    total = network.count_params()
    found = {
        "inception_resnet_v2": {
            "height": height, "width": width, "channels": channels, "parameters": backbone.count_params(),
        },
        "global_average_pooling2d_1": {"channels": dense.input.shape[-1], "parameters": 0},
        "dense_1": {"channels": dense.units, "parameters": dense.count_params()},
        "total": {"parameters": total, "trainable": trainable, "non_trainable": total - trainable},
    }  # fmt: skip
    return pd.DataFrame(
        result_row(("Figure 3", row, metric), PROPOSED, Value(float(number), nan, nan, 1), dataset)
        for row, numbers in found.items()
        for metric, number in numbers.items()
    )


def quality_rows(found, features, dataset):
    """Rows of the fakes' quality. found: {row: {metric: Value}}; features: of which network they were compared."""
    return pd.DataFrame(
        result_row(("extra", row, metric), "dcgan", value, dataset, f"features: {features}")
        for row, values in found.items()
        for metric, value in values.items()
    )


def summary(tables):
    """The detectors under both protocols, as lines of text. tables: {protocol: rows}."""
    lines = [("detector, fakes", "protocol", *SHOWN[:3], "AUC", "95 % interval", "n")]
    for protocol, rows in tables.items():
        extra = rows[rows["table"] == "extra"]
        for row, values in extra.groupby("row", sort=False):
            of = values.set_index("metric")
            if "accuracy" not in of.index:
                continue
            between = format_interval(of["ci_low"]["auc"], of["ci_high"]["auc"], 4)
            numbers = [format_decimals(of["value"][name], 4) for name in SHOWN]
            lines.append((row, protocol, *numbers, between, str(of["n"].max())))
    return text_table(lines, left=2)
