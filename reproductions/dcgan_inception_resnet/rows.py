"""From predictions to rows of the results: which of our numbers belongs to which published one."""

from collections.abc import Mapping, Sequence
from math import nan

import keras
import pandas as pd

from common.evaluation.evaluate import Value, evaluate
from common.labels import FAKE, WORDS
from reproductions.dcgan_inception_resnet.config import BACKBONE, PROPOSED, PROTOCOLS
from reproductions.dcgan_inception_resnet.data import fake_groups
from reproductions.dcgan_inception_resnet.detector import OUTPUT
from reproductions.dcgan_inception_resnet.text_rows import image_rows
from reproductions.rows import as_table, result_row
from reproductions.splitting import Split
from results.formatting import format_decimals, format_interval, text_table

FIGURE_10 = ("tp", "fp", "fn", "tn", "accuracy")
SUMMARY_METRICS = ("accuracy", "recall", "specificity", "auc")


def all_rows(split: Split, groups: Mapping[str, str], extra: Sequence[dict]) -> pd.DataFrame:
    """Return the rows of a split: those of its predictions and images, then those that its networks gave.

    Args:
        split: with its images and predictions.
        groups: {what made the run's own fakes: their data set}.
        extra: of `size_rows`, `quality_rows` and `training_rows`.
    """
    all_groups = fake_groups(split.images, groups)
    measured = result_rows(split.table(), all_groups, split.protocol)
    return as_table([*measured, *image_rows(split.images, next(iter(groups.values()), "")), *extra])


def test_sets(images: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the test sets of the rows, by their names: the real images with the fakes of each generator.

    Args:
        images: test images of one model.
    """
    fake = images["label"] == WORDS[FAKE]
    parts = [images[~fake | (images["dataset"] == dataset)] for dataset in images.loc[fake, "dataset"].unique()]
    return {_tested_name(part): part for part in parts or [images]}


def result_rows(predictions: pd.DataFrame, groups: Mapping[str, str], protocol: str) -> list[dict]:
    """Return all rows that the predictions of one protocol and one seed give.

    `resubstitution` measures what the detector was trained on, training and validation split together, `heldout` the
    test split.
    Without any fakes the real images are measured alone.

    Args:
        predictions: the columns of predictions.csv.
        groups: {what made the fakes: their data set}, the detector's own generator first.
        protocol: `resubstitution` or `heldout`.

    Returns:
        Rows of `result_row`.
    """
    measured = predictions[predictions["split"].isin(PROTOCOLS[protocol])].assign(split=protocol)
    rows = []
    for model, images in measured.groupby("model", sort=False):
        fake = images["label"] == WORDS[FAKE]
        parts = {name: images[~fake | (images["dataset"] == dataset)] for name, dataset in groups.items()}
        parts = {name: part for name, part in parts.items() if (part["label"] == WORDS[FAKE]).any()}
        for name, part in (parts or {"real images": images}).items():
            values, tested = evaluate(part), _tested_name(part)
            keys = [("extra", f"{model}, {name}", metric) for metric in values]
            if model == PROPOSED and name == next(iter(groups), None):
                keys += [("Figure 10", "Inception-ResNet-v2", metric) for metric in FIGURE_10]
            rows += [result_row(key, model, values[key[2]], tested) for key in keys]
    return rows


def size_rows(network: keras.Model, dataset: str) -> list[dict]:
    """Return the rows of Figure 3, counted in the network that was trained.

    Args:
        network: Inception-ResNet-v2's detector.
        dataset: what it was trained on, as the results name it.
    """
    backbone, dense = network.get_layer(BACKBONE), network.get_layer(OUTPUT)
    height, width, channels = backbone.output_shape[1:]
    trainable = sum(weight.numpy().size for weight in network.trainable_weights)
    total = network.count_params()
    sizes = {
        "inception_resnet_v2": {
            "height": height, "width": width, "channels": channels, "parameters": backbone.count_params(),
        },
        "global_average_pooling2d_1": {"channels": dense.input.shape[-1], "parameters": 0},
        "dense_1": {"channels": dense.units, "parameters": dense.count_params()},
        "total": {"parameters": total, "trainable": trainable, "non_trainable": total - trainable},
    }  # fmt: skip
    return [
        result_row(("Figure 3", row, metric), PROPOSED, Value(float(number), nan, nan, 1), dataset)
        for row, numbers in sizes.items()
        for metric, number in numbers.items()
    ]


def quality_rows(quality: Mapping[str, Mapping[str, Value]], source: str, dataset: str) -> list[dict]:
    """Return the rows of the fakes' quality.

    Args:
        quality: {what was compared with the held-out reals: {metric: Value}}.
        source: the network whose features were compared, in words.
        dataset: the real images, as the results name them.
    """
    return [
        result_row(("extra", row, metric), "dcgan", value, dataset, f"features: {source}")
        for row, values in quality.items()
        for metric, value in values.items()
    ]


def summary(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the detectors under all protocols as lines of text.

    Args:
        tables: {protocol: rows} of one seed.
    """
    lines: list[Sequence[str]] = [("detector, fakes", "protocol", *SUMMARY_METRICS[:3], "AUC", "95 % interval", "n")]
    for protocol, rows in tables.items():
        for row, values in rows[rows["table"] == "extra"].groupby("row", sort=False):
            by_metric = values.set_index("metric")
            if "accuracy" not in by_metric.index:
                continue
            interval = format_interval(by_metric["ci_low"]["auc"], by_metric["ci_high"]["auc"], 4)
            numbers = [format_decimals(by_metric["value"][name], 4) for name in SUMMARY_METRICS]
            lines.append((str(row), protocol, *numbers, interval, str(by_metric["n"].max())))
    return text_table(lines, left=2)


def _tested_name(images):
    """What the results call a test set of several data sets."""
    return "+".join(sorted(set(images["dataset"])))
