"""The metrics as functions of the false positives.

For given class sizes and true positives, each metric is (a + b x) / (c + e x) in the false positives x, or an average
of two such forms. All but the counts and rates of mistakes fall when x rises. So a printed number allows one interval
of x.
"""

from typing import Any

import numpy as np

Numbers = np.ndarray | float  # float64 (rows,), or one number for all rows

COUNTS = ("tp", "fp", "fn", "tn", "fakes", "reals", "n")
AVERAGES = (
    *("macro_precision", "macro_f1", "weighted_precision", "weighted_f1", "weighted_specificity"),
    *("f1_of_macro", "f1_of_weighted"),  # the F1 of averaged precision and averaged recall, not the average of F1
)
NOT_LINEAR = (*AVERAGES, "mcc")
SHARES = (
    *("accuracy", "error_rate", "precision", "recall", "miss_rate", "specificity", "false_alarm_rate", "f1"),
    *("precision_real", "f1_real", "balanced_accuracy", "kappa", "auc", *NOT_LINEAR),
)
METRICS = (*COUNTS, *SHARES)
PARTS = {  # what a metric that is not linear is made of: the values of fake and of real, or precision and recall
    "macro_precision": ("precision", "precision_real"),
    "macro_f1": ("f1", "f1_real"),
    "weighted_precision": ("precision", "precision_real"),
    "weighted_f1": ("f1", "f1_real"),
    "weighted_specificity": ("specificity", "recall"),
    "f1_of_macro": ("macro_precision", "balanced_accuracy"),
    "f1_of_weighted": ("weighted_precision", "accuracy"),
    "mcc": (),
}
MISTAKES = {"error_rate": "accuracy", "miss_rate": "recall", "false_alarm_rate": "specificity"}  # 1 - metric


def linear(metric: str, fakes: Numbers, reals: Numbers, tp: Numbers) -> tuple[Any, Any, Any, Any]:
    """Return a, b, c, e of a metric's form (a + b x) / (c + e x) for x false positives.

    Args:
        metric: one of METRICS, but not `auc` and not one of NOT_LINEAR.
        fakes, reals: class sizes, float64 (rows,) or numbers.
        tp: fakes called fake, float64 (rows,) or a number.

    Returns:
        Four float64 arrays (rows,) or numbers.
    """
    fn, n, one = fakes - tp, fakes + reals, 1.0
    return {
        "tp": lambda: (tp, 0, one, 0),
        "fp": lambda: (0, 1, one, 0),
        "fn": lambda: (fn, 0, one, 0),
        "tn": lambda: (reals, -1, one, 0),
        "fakes": lambda: (fakes, 0, one, 0),
        "reals": lambda: (reals, 0, one, 0),
        "n": lambda: (n, 0, one, 0),
        "accuracy": lambda: (tp + reals, -1, n, 0),
        "error_rate": lambda: (fn, 1, n, 0),
        "precision": lambda: (tp, 0, tp, 1),
        "recall": lambda: (tp, 0, fakes, 0),
        "miss_rate": lambda: (fn, 0, fakes, 0),
        "specificity": lambda: (reals, -1, reals, 0),
        "false_alarm_rate": lambda: (0, 1, reals, 0),
        "f1": lambda: (2 * tp, 0, tp + fakes, 1),
        "precision_real": lambda: (reals, -1, reals + fn, -1),
        "f1_real": lambda: (2 * reals, -2, 2 * reals + fn, -1),
        "balanced_accuracy": lambda: (tp * reals + fakes * reals, -fakes, 2 * fakes * reals, 0),
        "kappa": lambda: (2 * tp * reals, -2 * fakes, tp * reals + fakes * (fn + reals), reals - fakes),
    }[metric]()


def value(metric: str, fakes: Numbers, reals: Numbers, tp: Numbers, fp: Numbers) -> np.ndarray:
    """The metric of confusion matrices.

    Args:
        metric: one of METRICS, but not `auc`.
        fakes, reals: class sizes, (rows,) or numbers.
        tp: fakes called fake, (rows,) or a number.
        fp: reals called fake, (rows,) or a number.

    Returns:
        float64, NaN where the metric is undefined.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if metric in NOT_LINEAR:
            return _not_linear(metric, fakes, reals, tp, fp)
        a, b, c, e = linear(metric, *(np.asarray(array, float) for array in (fakes, reals, tp)))
        return (a + b * fp) / (c + e * fp)


def _not_linear(metric, fakes, reals, tp, fp):
    """An average, or Matthews' correlation (DOI 10.1016/0005-2795(75)90109-9); 0 where scikit-learn says 0."""
    part = {name: np.nan_to_num(value(name, fakes, reals, tp, fp)) for name in PARTS[metric]}
    if metric == "mcc":
        called, n = tp + fp, fakes + reals
        product = np.asarray(1.0 * called * (n - called) * fakes * reals)
        return np.nan_to_num((tp * (reals - fp) - fp * (fakes - tp)) / np.sqrt(product))
    if metric.startswith("f1_of"):
        precision, recall = part.values()
        return np.nan_to_num(2 * precision * recall / (precision + recall))
    fake_part, real_part = part.values()
    if metric.startswith("macro"):
        return (fake_part + real_part) / 2
    return (fakes * fake_part + reals * real_part) / (fakes + reals)


def metric_text(metric: str) -> str:
    """The name of a metric in a text: `TP`, `balanced accuracy`."""
    return metric.upper() if metric in (*COUNTS[:4], "mcc") else metric.replace("_", " ")
