"""Two runs on the test images that they share: McNemar's test of their accuracies, DeLong's of their AUCs."""

import re
from itertools import product

import pandas as pd

from common.errors import UserError
from common.evaluation.paired import compare_models
from results.tables import text_table


def compare_runs(folder_a, folder_b, models=None):
    """Two runs on the test images that both have predictions for: a DataFrame, one row a pair of models and level.

    Models of equal name are paired, or the two of `models`; of each the predictions of equal protocol and seed, or all
    combinations where none are equal. UserError without shared images, or where their labels differ.
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
            about = {
                "models": " / ".join(names),
                "protocol": " / ".join(protocol for protocol, _ in keys),
                "seed": " / ".join(seed for _, seed in keys),
            }
            rows += [about | _paired_cells(compared) for compared in compare_models(parts_a[key_a], parts_b[key_b])]
    if not rows:
        raise UserError(
            f"no test images with predictions of both: {folder_a} has the models {', '.join(a['model'].unique())}, "
            f"{folder_b} has {', '.join(b['model'].unique())}; name two with --models if theirs differ"
        )
    return pd.DataFrame(rows)


def print_runs(frame, folder_a, folder_b):
    """Print what `compare_runs` returned."""
    print(f"A = {folder_a}\nB = {folder_b}\n")
    rows = [tuple(frame)]
    for row in frame.itertuples(index=False):
        rows.append(tuple(f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in row))
    print("\n".join(text_table(rows, left=4)))
    print(
        "\nMcNemar's test of equal accuracy, DeLong's of equal AUC; called fake at 0.5, or at 0 if scores are no"
        "\nprobabilities. Both tests take images as independent: where videos give several, trust the level video."
    )


def _test_predictions(folder):
    path = folder / "predictions.csv"
    if not path.is_file():
        raise UserError(f"expected a run folder with predictions.csv, got {folder}")
    texts = ("path", "video", "dataset", "split", "label", "model", "protocol", "seed")
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(texts, str), keep_default_na=False, usecols=[*texts, "score"])
    except (ValueError, pd.errors.ParserError) as error:
        raise UserError(f"{path} is not a run's predictions: {re.sub(chr(10), ' ', str(error))}") from error
    return table[table["split"] == "test"]


def _paired_cells(compared):
    exact, curve = compared.mcnemar, compared.delong
    return {
        "level": compared.level,
        "n": compared.n,
        "accuracy A": compared.accuracy_a,
        "accuracy B": compared.accuracy_b,
        "only A": exact.only_a,
        "only B": exact.only_b,
        "McNemar p": exact.p,
        "AUC A": curve.auc_a,
        "AUC B": curve.auc_b,
        "A - B": curve.difference,
        "95 % interval": f"{curve.low:+.4f} to {curve.high:+.4f}",
        "DeLong p": curve.p,
    }
