"""What people call a metric: from the name of a column or row to one of forms.METRICS."""

import re
from dataclasses import dataclass

from results.audit.forms import SHARES

SPELLINGS = {  # metric: its names, as words in lower case, without `score`, `rate` and the class
    "accuracy": "acc, accuracy, overall accuracy, overall acc, classification accuracy",
    "error_rate": "error, err, error_rate, misclassification, classification error, test error",
    "precision": "precision, prec, ppv, positive predictive value",
    "precision_real": "npv, negative predictive value, precision_real",
    "recall": "recall, rec, tpr, sensitivity, sens, sen, true positive rate, detection, hit",
    "miss_rate": "fnr, false negative rate, miss, missed detection, miss_rate",
    "specificity": "specificity, spec, spe, tnr, selectivity, true negative rate, recall_real",
    "false_alarm_rate": "fpr, false positive rate, false alarm, fall out, false_alarm_rate",
    "f1": "f1, f, f measure, fmeasure, f 1, dice, f1 measure, fscore, f1score",
    "f1_real": "f1_real",
    "balanced_accuracy": "balanced accuracy, balanced acc, bal acc, bal accuracy, bacc, bac, ba, uar, "
    "unweighted average recall, balanced_accuracy, mean class accuracy, mean per class accuracy",
    "kappa": "kappa, cohen kappa, cohens kappa, \u03ba, cohens \u03ba",
    "mcc": "mcc, matthews, matthews correlation, matthews correlation coefficient",
    "auc": "auc, roc auc, auroc, auc roc, area under curve, area under the curve, roc, aucroc, rocauc",
    "macro_precision": "macro_precision",
    "macro_f1": "macro_f1",
    "weighted_precision": "weighted_precision",
    "weighted_f1": "weighted_f1",
    "tp": "tp, true positives, tps",
    "fp": "fp, false positives, fps",
    "fn": "fn, false negatives, fns",
    "tn": "tn, true negatives, tns",
    "n": "n, support, supports, n test, test size, test images, n test images, test samples, n test samples",
    "fakes": "fakes, positives, n fake, n fakes",
    "reals": "reals, negatives, n real, n reals",
}
BY_NAME = {name.strip(): metric for metric, names in SPELLINGS.items() for name in names.split(",")}
BY_NAME |= {metric.replace("_", " "): metric for metric in SPELLINGS}
FILLERS = ("score", "scores", "rate", "test", "testing", "avg", "average", "value", "mean", "in", "percent", "pct")
FAKE = ("fake", "positive", "pos", "forged", "deepfake", "spoof", "synthetic", "generated", "attack", "manipulated")
REAL = ("real", "negative", "neg", "genuine", "pristine", "authentic", "original", "live", "bonafide")
OTHER_CLASS = {"precision": "precision_real", "recall": "specificity", "f1": "f1_real", "specificity": "recall"}
AVERAGED = {
    "macro": {"precision": "macro_precision", "recall": "balanced_accuracy", "f1": "macro_f1", "accuracy": "accuracy"},
    "weighted": {"precision": "weighted_precision", "recall": "accuracy", "f1": "weighted_f1"},
    "micro": dict.fromkeys(("precision", "recall", "f1", "accuracy"), "accuracy"),
}
RANKS = "it ranks scores and follows from no confusion matrix"
THRESHOLDS = "it is read at a threshold of its own, so it is no number of this confusion matrix"
UNUSED = {  # words of a name: why the number is not used
    **dict.fromkeys(
        ("auc", "auroc", "roc", "aucroc", "rocauc"), "it ranks scores and follows from no confusion matrix"
    ),
    **dict.fromkeys(("map", "ap", "auprc", "prauc"), RANKS),
    **dict.fromkeys(("eer", "hter", "mindcf", "acer", "apcer", "bpcer"), THRESHOLDS),
    **dict.fromkeys(("brier", "loss", "ece", "nll"), "it judges scores and follows from no confusion matrix"),
    **dict.fromkeys(("train", "training", "val", "validation", "dev"), "it is of other images than the test set"),
}
FOOTNOTES = re.compile(
    "[*\u2020\u2021\u00a7\u00b6\u2191\u2193\u2192\u00b9\u00b2\u00b3\u2070-\u2079]|\\[\\d+\\]|\\\\\\w+|[{}$`]"
)


MEAN_ROW = re.compile(  # not Mean Teacher, nor average pooling
    r"^(?:the )?(?:mean|average|avg)\b\.?(?:$|[\s(\[]*$|\s*[(\[]| of | over | across )"
    r"|[\s,;:(\[/_-](?:mean|average|avg)\.?[)\]]*$"
    r"|\b\d+[\s-]?folds?\b|\bcross[\s-]?validat|\b(?:over|of|across) \d+ (?:runs|seeds|trials|repeats|splits)\b",
)
MEAN_WORDS = ("mean", "average", "avg", "averaged")


@dataclass(frozen=True)
class MetricName:
    """What a name says.

    Args:
        metric: one of forms.METRICS; empty if the name is of none.
        percent: whether the name says that its numbers are percentages.
        unused: why the number says nothing about a confusion matrix; empty if it does, or if the name is unknown.
    """

    metric: str
    percent: bool = False
    unused: str = ""


def parse_name(text: str) -> MetricName:
    """Read the name of a column or metric, such as `ACC (%)`, `Sensitivity`, `Macro-F1` or `precision (real)`."""
    percent = "%" in text or "percent" in text.lower() or "per cent" in text.lower()
    plain = FOOTNOTES.sub(" ", text.lower().replace("%", " ").replace("#", " n "))
    exact = plain.strip().replace(" ", "_")
    words = re.findall(r"[a-z\u03ba]+\d*|\d+", re.sub("['\u2019]", "", plain))
    unused = next((UNUSED[word] for word in words if word in UNUSED), "")
    if not unused and words[:2] in (["average", "precision"], ["avg", "precision"], ["equal", "error"]):
        unused = THRESHOLDS if words[0] == "equal" else UNUSED["ap"]
    if unused:
        return MetricName("", percent, unused)
    if exact in SHARES:
        return MetricName(exact, percent)
    return MetricName(_metric(words), percent)


def is_named_mean(row: str, metric: str) -> bool:
    """Return whether the name of a row or a metric says that its numbers are means, over classes, folds or seeds.

    A metric that is a mean over the classes by definition, such as macro F1, is none: a single matrix has it.
    """
    words = re.findall(r"[a-z]+", metric.lower())
    own = " ".join(words) in BY_NAME or any(word in AVERAGED for word in words)
    return bool(MEAN_ROW.search(row.lower().strip())) or (not own and any(word in MEAN_WORDS for word in words))


def _metric(words):
    joined = " ".join(words)
    if joined in BY_NAME:
        return BY_NAME[joined]
    kind = next((word for word in words if word in AVERAGED), "")
    words = [word for word in words if word not in (*AVERAGED, *FILLERS)]
    found = BY_NAME.get(" ".join(words), "")
    if not found:
        classes = [word in REAL for word in words if word in (*FAKE, *REAL)]
        found = BY_NAME.get(" ".join(word for word in words if word not in (*FAKE, *REAL)), "")
        if len(classes) != 1:
            return ""
        found = OTHER_CLASS.get(found, "") if classes[0] else found if found in OTHER_CLASS else ""
    if kind:
        return AVERAGED[kind].get(found, "")
    return found
