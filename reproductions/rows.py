"""From splits with predictions to the tables of a run; a row of the results."""

from collections.abc import Sequence
from math import nan

import pandas as pd

from common.conditions import OTHER_DEVICE
from common.evaluation.evaluate import Value
from common.evaluation.predictions import COLUMNS, ORIGINS, SPLITS, name_training_images
from common.runs.folder import Run
from reproductions.splitting import Split

ROW_COLUMNS = ("table", "row", "metric", "model", "value", "ci_low", "ci_high", "n", "clusters", "dataset", "note")


def result_row(key: tuple[str, str, str], model: str, value: Value, dataset: str, *notes: str) -> dict:
    """Return a row of the results, without what `publish` adds.

    Args:
        key: (table, row, metric), a published key or one of table `extra`.
        model: whose notes the row gets.
        value: the metric with its interval and n.
        dataset: what was tested on, as the results name it.
        notes: what a reader of this number must know; empty ones are dropped.
    """
    return {
        **dict(zip(("table", "row", "metric"), key, strict=True)),
        "model": model,
        "value": value.value,
        "ci_low": value.low,
        "ci_high": value.high,
        "n": value.n,
        "clusters": value.clusters or None,
        "dataset": dataset,
        "note": "; ".join(filter(None, (*notes, value.reason, value.remark))),
    }


def number_row(key: tuple[str, str, str], number: float, dataset: str, *notes: str, model: str = "data") -> dict:
    """Return a row of a number that is over no images: a count, a size, an epoch, a time or a setting.

    Args:
        key, dataset, notes: as for `result_row`.
        number: the value.
        model: whose notes the row gets; no model is called `data`.
    """
    return result_row(key, model, Value(float(number), nan, nan, 0), dataset, *notes) | {"n": None}


def unseen_note(dataset: str, trained: Sequence[str]) -> str:
    """Return the note that a data set is not one of those that were trained on, or an empty text.

    Args:
        dataset: what was tested on; several are joined by `+`.
        trained: the names of the data sets that were trained on.
    """
    seen = not trained or set(dataset.split("+")) <= set(trained)
    return "" if seen else f"unseen: trained on {'+'.join(trained)}"


def device_note(devices: Sequence[str], published: str) -> str:
    """Return the note that a time was measured on another device than the paper's, or an empty text.

    Args:
        devices: the names of ours.
        published: a part of the name of the paper's, e.g. `K80`.
    """
    if any(published.lower() in device.lower() for device in devices):
        return ""
    return f"{OTHER_DEVICE}: {', '.join(devices)}, the paper's is a {published}"


def as_table(rows: list[dict]) -> pd.DataFrame:
    """Return rows of `result_row` as a table, which has its columns also if there are no rows."""
    return pd.DataFrame(rows, columns=list(ROW_COLUMNS))


def write_tables(splits: Sequence[Split], run: Run) -> None:
    """Write predictions.csv, splits.csv, history.csv and times.csv, over all protocols and seeds.

    The seconds of each epoch are in times.csv, so that history.csv is the same whenever the run is repeated.
    """
    predictions = pd.concat([split.table() for split in splits])[list(COLUMNS)]
    run.write_csv(name_training_images(predictions), "predictions.csv")
    columns = ["dataset", "path", "sha256", "label", "video", "identity", *ORIGINS, "split", "case", "held_out"]
    images = [split.images.filter(items=columns).assign(protocol=split.protocol, seed=split.seed) for split in splits]
    run.write_csv(pd.concat(images), SPLITS)
    histories = [
        history.assign(model=model, protocol=split.protocol, seed=split.seed)
        for split in splits
        for model, history in split.histories.items()
    ]
    if histories:
        history = pd.concat(histories)
        keys = ["model", "protocol", "seed"]
        measured = [column for column in history if column not in (*keys, "seconds")]
        run.write_csv(history[keys + measured], "history.csv")
        if "seconds" in history:
            run.write_csv(history.filter(items=[*keys, "phase", "epoch", "seconds"]), "times.csv")
