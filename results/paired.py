"""Two runs on the test images that they share: their accuracies and AUCs, with the intervals of the differences."""

import re
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from common.data.text_tables import read_text_table
from common.errors import UserError
from common.evaluation.evaluate import GROUPING_COLUMNS, check_predictions
from common.evaluation.intervals import nested_interval
from common.evaluation.paired import compare_models
from common.evaluation.predictions import add_origins
from results.formatting import text_table

HALF_WIDTHS = ["accuracy half", "AUC half"]  # of intervals, from which those of means are computed


def compare_runs(folder_a: Path, folder_b: Path, models: tuple[str, str] | None = None) -> pd.DataFrame:
    """Compare two runs on the test images for which both have predictions.

    Args:
        folder_a: folder of the first run, with predictions.csv.
        folder_b: folder of the second run.
        models: a model of the first and a model of the second run. None: all models that have the same name in both.

    Returns:
        A DataFrame with one row for each pair of models, each test set and each level (image, or frame and video). Data
        sets are compared one by one if each has fakes and reals, else together, as `a+b`. Predictions of equal protocol
        and seed are paired; if none are equal, all combinations are compared. Several paired seeds also have a row of
        their mean.

    Raises:
        UserError: if a folder has no predictions, or the runs share no images or disagree on their labels.
    """
    a, b = _test_predictions(folder_a), _test_predictions(folder_b)
    pairs = [models] if models else [(name, name) for name in a["model"].unique() if name in set(b["model"])]
    rows = []
    for name_a, name_b in pairs:
        parts_a = dict(list(a[a["model"] == name_a].groupby(["protocol", "seed"], dropna=False)))
        parts_b = dict(list(b[b["model"] == name_b].groupby(["protocol", "seed"], dropna=False)))
        equal = [(key, key) for key in parts_a if key in parts_b]
        for key_a, key_b in equal or product(parts_a, parts_b):
            names = [name_a] if name_a == name_b else [name_a, name_b]
            keys = [key_a] if key_a == key_b else [key_a, key_b]
            pair = {
                "models": " / ".join(names),
                "protocol": " / ".join(protocol for protocol, _ in keys),
                "seed": " / ".join(seed for _, seed in keys),
            }
            for data, tested in _test_sets(parts_a[key_a], parts_b[key_b]).items():
                compared = compare_models(tested, parts_b[key_b])
                rows += [pair | {"data": data} | _cells(level) for level in compared]
        rows += _mean_rows([row for row in rows if row["models"] == " / ".join(dict.fromkeys((name_a, name_b)))], equal)
    if not rows:
        raise UserError(
            f"no test images with predictions of both: {folder_a} has the models {', '.join(a['model'].unique())}, "
            f"{folder_b} has {', '.join(b['model'].unique())}; name two with --models if their names differ"
        )
    return pd.DataFrame(rows).drop(columns=HALF_WIDTHS)


def _test_sets(predictions, others):
    """{data set: its predictions} of those that `others` has too; all under `a+b` if one of them has a single class."""
    predictions = predictions[predictions["dataset"].isin(others["dataset"])]
    labels = predictions.groupby("dataset", sort=False)["label"].nunique()
    if (labels > 1).all():
        return dict(list(predictions.groupby("dataset", sort=False)))
    return {"+".join(labels.index): predictions}


def print_runs(comparison: pd.DataFrame, folder_a: Path, folder_b: Path) -> None:
    """Print what `compare_runs` returned for two run folders."""
    print(f"A = {folder_a}\nB = {folder_b}\n")
    rows = [tuple(comparison)]
    for row in comparison.itertuples(index=False):
        rows.append(tuple(_text(cell) for cell in row))
    print("\n".join(text_table(rows, left=5)))
    tests = int(comparison[["McNemar p", "DeLong p"]].notna().sum().sum())
    print(
        "\nImages are called fake at 0.5, or at 0 if the scores are not probabilities. Intervals of 95 % and p-values"
        "\ncount clusters: persons where they are named, else originals with their fakes, else videos, else images."
        "\nMcNemar's test permutes A and B within clusters, DeLong's sums within them (Obuchowski 1997). Frames repeat"
        "\na video: they have no p-value."
    )
    if tests > 1:
        print(f"{tests} tests: of equal detectors, one is below {0.05 / tests:.2g} with a probability of 5 % at most.")


def _text(cell):
    if isinstance(cell, float):
        return "" if np.isnan(cell) else f"{cell:.4f}"
    return str(cell)


def _test_predictions(folder):
    path = Path(folder) / "predictions.csv"
    if not path.is_file():
        raise UserError(f"expected a run folder with predictions.csv, got {folder}")
    texts = ("path", "video", "identity", "dataset", "split", "label", "model", "protocol", "seed")
    try:
        table = read_text_table(path)
        table = table[[name for name in texts if name != "identity" or name in table] + ["score"]]
        tested = table[table["split"] == "test"]
        if (table["split"] == "").any():
            raise UserError(f"{path}: rows without a split, first in row {(table['split'] == '').idxmax() + 2}")
        lines = tested.set_axis(tested.index + 2, axis=0)  # of the file
        check_predictions(lines.drop(columns=[*GROUPING_COLUMNS]), probability=False, name=str(path))
    except KeyError as error:
        raise UserError(f"{path} is not the predictions of a run: {re.sub(chr(10), ' ', str(error))}") from error
    return add_origins(tested.assign(score=tested["score"].astype(np.float64)), folder)


def _cells(compared):
    accuracy, auc = compared.accuracy, compared.auc
    return {
        "level": compared.level,
        "n": compared.n,
        "clusters": compared.clusters,
        "accuracy A": compared.accuracy_a,
        "accuracy B": compared.accuracy_b,
        "only A": compared.only_a,
        "only B": compared.only_b,
        "accuracy A - B": accuracy.value,
        "of accuracy, 95 %": _interval(accuracy.low, accuracy.high),
        "McNemar p": accuracy.p,
        "AUC A": compared.auc_a,
        "AUC B": compared.auc_b,
        "AUC A - B": auc.value,
        "of AUC, 95 %": _interval(auc.low, auc.high),
        "DeLong p": auc.p,
        "accuracy half": (accuracy.high - accuracy.low) / 2,
        "AUC half": (auc.high - auc.low) / 2,
    }


def _mean_rows(rows, equal):
    """A row of the mean over paired seeds for each protocol, test set and level, with a nested interval."""
    if len(equal) < 2 or not rows:
        return []
    found = []
    for (protocol, data, level), part in pd.DataFrame(rows).groupby(["protocol", "data", "level"], sort=False):
        if len(part) > 1:
            mean = part.mean(numeric_only=True).to_dict() | {
                "models": part["models"].iloc[0], "protocol": protocol, "data": data, "level": level,
                "seed": f"mean of {len(part)}", "n": int(part["n"].min()), "clusters": int(part["clusters"].min()),
                "only A": "", "only B": "", "McNemar p": np.nan, "DeLong p": np.nan,
            }  # fmt: skip
            for name in ("accuracy", "AUC"):
                differences = part[f"{name} A - B"].to_numpy(dtype=float)
                middle, half = float(differences.mean()), part[f"{name} half"].mean(skipna=False)
                ends = nested_interval(middle, middle - half, middle + half, differences.std(ddof=1), len(part))
                mean[f"of {name}, 95 %"] = _interval(*ends)
            found.append({column: mean[column] for column in rows[0]})
    return found


def _interval(low, high):
    return "" if np.isnan(low) else f"{low:+.4f} to {high:+.4f}"
