"""The metrics as functions of the false positives.

For given class sizes and true positives, each metric is (a + b x) / (c + e x) in the false positives x, or an average
of two such forms. All but the counts and rates of mistakes fall when x rises. So a printed number allows one interval
of x.
"""

from typing import Any

import numpy as np

Numbers = np.ndarray | float  # float64 (rows,), or one number for all rows

ALIASES = {
    **{"sensitivity": "recall", "tpr": "recall", "true_positive_rate": "recall", "detection_rate": "recall"},
    **{"tnr": "specificity", "true_negative_rate": "specificity", "recall_real": "specificity"},
    **{"fpr": "false_alarm_rate", "false_positive_rate": "false_alarm_rate", "fnr": "miss_rate"},
    **{"false_negative_rate": "miss_rate", "f1_score": "f1", "f1-score": "f1", "f_score": "f1", "acc": "accuracy"},
    **{"macro_recall": "balanced_accuracy", "weighted_recall": "accuracy", "roc_auc": "auc", "cohen_kappa": "kappa"},
    **{"support": "n", "error": "error_rate", "auroc": "auc"},
}
COUNTS = ("tp", "fp", "fn", "tn", "fakes", "reals", "n")
AVERAGES = ("macro_precision", "macro_f1", "weighted_precision", "weighted_f1")
SHARES = (
    *("accuracy", "error_rate", "precision", "recall", "miss_rate", "specificity", "false_alarm_rate", "f1"),
    *("precision_real", "f1_real", "balanced_accuracy", "kappa", "auc", *AVERAGES),
)
METRICS = (*COUNTS, *SHARES)


def linear(metric: str, fakes: Numbers, reals: Numbers, tp: Numbers) -> tuple[Any, Any, Any, Any]:
    """Return a, b, c, e of a metric's form (a + b x) / (c + e x) for x false positives.

    Args:
        metric: one of METRICS, but not `auc` and not one of AVERAGES.
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
        if metric in AVERAGES:
            kind, name = metric.split("_")
            both = (value(part, fakes, reals, tp, fp) for part in (name, f"{name}_real"))
            fake_part, real_part = (np.nan_to_num(part) for part in both)  # as scikit-learn, 0 for a class never called
            if kind == "macro":
                return (fake_part + real_part) / 2
            return (fakes * fake_part + reals * real_part) / (fakes + reals)
        a, b, c, e = linear(metric, *(np.asarray(array, float) for array in (fakes, reals, tp)))
        return (a + b * fp) / (c + e * fp)


def metric_text(metric: str) -> str:
    """The name of a metric in a text: `TP`, `balanced accuracy`."""
    return metric.upper() if metric in COUNTS[:4] else metric.replace("_", " ")
