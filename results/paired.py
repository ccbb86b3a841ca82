"""Two runs on the test images that they share: McNemar's test of their accuracies, DeLong's of their AUCs."""

import re
from itertools import product
from pathlib import Path

import pandas as pd

from common.errors import UserError
from common.evaluation.paired import compare_models
from results.formatting import text_table


def compare_runs(folder_a: Path, folder_b: Path, models: tuple[str, str] | None = None) -> pd.DataFrame:
    """Compare two runs on the test images for which both have predictions.

    Args:
        folder_a: folder of the first run, with predictions.csv.
        folder_b: folder of the second run.
        models: a model of the first and a model of the second run. None: all models that have the same name in both.

    Returns:
        A DataFrame with one row for each pair of models and each level (frame, video). Predictions of equal protocol
        and seed are paired; if none are equal, all combinations are compared.

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
            rows += [pair | _cells(compared) for compared in compare_models(parts_a[key_a], parts_b[key_b])]
    if not rows:
        raise UserError(
            f"no test images with predictions of both: {folder_a} has the models {', '.join(a['model'].unique())}, "
            f"{folder_b} has {', '.join(b['model'].unique())}; name two with --models if their names differ"
        )
    return pd.DataFrame(rows)


def print_runs(comparison: pd.DataFrame, folder_a: Path, folder_b: Path) -> None:
    """Print what `compare_runs` returned for two run folders."""
    print(f"A = {folder_a}\nB = {folder_b}\n")
    rows = [tuple(comparison)]
    for row in comparison.itertuples(index=False):
        rows.append(tuple(f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in row))
    print("\n".join(text_table(rows, left=4)))
    print(
        "\nMcNemar's test of equal accuracy, DeLong's test of equal AUC. Images are called fake at 0.5, or at 0 if the"
        "\nscores are not probabilities. Both tests take images as independent: if a video has several, trust the level"
        "\nvideo."
    )


def _test_predictions(folder):
    path = Path(folder) / "predictions.csv"
    if not path.is_file():
        raise UserError(f"expected a run folder with predictions.csv, got {folder}")
    texts = ("path", "video", "dataset", "split", "label", "model", "protocol", "seed")
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(texts, str), keep_default_na=False, usecols=[*texts, "score"])
    except (ValueError, pd.errors.ParserError) as error:
        raise UserError(f"{path} is not the predictions of a run: {re.sub(chr(10), ' ', str(error))}") from error
    return table[table["split"] == "test"]


def _cells(compared):
    mcnemar, delong = compared.mcnemar, compared.delong
    return {
        "level": compared.level,
        "n": compared.n,
        "accuracy A": compared.accuracy_a,
        "accuracy B": compared.accuracy_b,
        "only A": mcnemar.only_a,
        "only B": mcnemar.only_b,
        "McNemar p": mcnemar.p,
        "AUC A": delong.auc_a,
        "AUC B": delong.auc_b,
        "A - B": delong.difference,
        "95 % interval": f"{delong.low:+.4f} to {delong.high:+.4f}",
        "DeLong p": delong.p,
    }
