"""Honest tables: numbers of simulated confusion matrices, printed and averaged as people do."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
    recall_score,
)

FOUR = ("accuracy", "precision", "recall", "f1")
SEVEN = (*FOUR, "specificity", "kappa", "mcc")
KINDS = ("single", "macro", "weighted", "folds", "unequal", "seeds", "mean of macro", "truncated", "mixed digits")


def scores(labels, called, average):
    """Metrics of predictions by scikit-learn. Fake is 1."""
    how = {"average": average} if average != "binary" else {"average": "binary", "pos_label": 1}
    precision, recall, f1, _ = precision_recall_fscore_support(labels, called, zero_division=0, **how)
    return {
        "accuracy": accuracy_score(labels, called),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "specificity": recall_score(labels, called, pos_label=0, zero_division=0),
        "kappa": cohen_kappa_score(labels, called),
        "mcc": matthews_corrcoef(labels, called),
        "balanced_accuracy": balanced_accuracy_score(labels, called),
    }


def predictions(random, fakes, reals, recall, specificity):
    """Labels and calls of a detector with these rates."""
    labels = np.repeat([1, 0], [fakes, reals])
    right = random.random(fakes + reals) < np.repeat([recall, specificity], [fakes, reals])
    return labels, np.where(right, labels, 1 - labels)


def honest_numbers(random, kind, metrics):
    """{metric: value}, and the numbers of fakes and reals of all folds, or of the test set that seeds share."""
    fakes, reals = (int(size) for size in random.integers(40, 700, 2))
    rates = random.uniform(0.55, 0.98, 2)
    average = {"macro": "macro", "weighted": "weighted", "mean of macro": "macro"}.get(kind, "binary")
    if kind not in ("folds", "unequal", "seeds", "mean of macro"):
        found = scores(*predictions(random, fakes, reals, *rates), average)
        return {metric: found[metric] for metric in metrics}, fakes, reals
    folds, total = [], [0, 0]
    for _ in range(int(random.integers(3, 11))):
        sizes = (fakes, reals)
        if kind == "unequal":
            sizes = tuple(int(size) for size in random.integers(15, 300, 2))
        spread = np.clip(rates + random.normal(0, 0.06, 2), 0.02, 1)
        folds.append(scores(*predictions(random, *sizes, *spread), average))
        total = [sum(pair) for pair in zip(total, sizes, strict=True)]
    means = {metric: float(np.mean([fold[metric] for fold in folds])) for metric in metrics}
    return means, *((fakes, reals) if kind == "seeds" else total)


def printed(value, digits, percent, rounding):
    """The number as it is printed."""
    number = Decimal(float(value)) * (100 if percent else 1)
    shown = number.quantize(Decimal(1).scaleb(-(digits - 2 if percent else digits)), rounding)
    return f"{shown} %" if percent else f"{shown}"


def honest_row(random, kind, sizes, metrics=FOUR):
    """Rows (row, metric, printed) of one honest table.

    Args:
        random: a NumPy generator.
        kind: one of KINDS.
        sizes: what is printed about sizes: `classes`, `n` or nothing.
        metrics: those to print.
    """
    numbers, fakes, reals = honest_numbers(random, kind, metrics)
    digits, percent = int(random.integers(2, 6)), bool(random.integers(2))
    rounding = ROUND_DOWN if kind == "truncated" else (ROUND_HALF_UP, ROUND_HALF_EVEN)[random.integers(2)]
    rows = []
    for metric, value in numbers.items():
        own = int(random.integers(2, 6)) if kind == "mixed digits" else digits
        rows.append(("model", metric, printed(value, own, percent, rounding)))
    counts = {"classes": {"fakes": fakes, "reals": reals}, "n": {"n": fakes + reals}}.get(sizes, {})
    return rows + [("model", name, str(count)) for name, count in counts.items()]


def altered(random, rows):
    """The rows with one digit of one share changed, at least one step of its first two digits."""
    places = [place for place, (_, metric, _) in enumerate(rows) if metric not in ("fakes", "reals", "n")]
    place = int(random.choice(places))
    row, metric, text = rows[place]
    digits = [at for at, letter in enumerate(text) if letter.isdigit()][:3]
    at = int(random.choice(digits[1:]))
    other = str((int(text[at]) + int(random.integers(1, 10))) % 10)
    return [*rows[:place], (row, metric, text[:at] + other + text[at + 1 :]), *rows[place + 1 :]]
