"""Rows of what the paper says in its text: epochs and times of the baselines, gains, ratios, the best and the worst."""

from collections.abc import Mapping, Sequence
from math import exp, hypot, isnan, log, nan

import pandas as pd

from common.evaluation.evaluate import Value
from common.training.progress import best_epoch
from reproductions.rows import device_note, number_row, result_row
from reproductions.siamese_triplet.config import NAMES, TRANSFER

DEVICE = "GTX 1080 Ti"  # Sec. 4.1.1
SETTLED = 0.02  # of the validation accuracy: how near to its highest it stays once a training has converged
KEPT = "the epoch of the lowest validation loss, whose weights are kept"


def training_rows(histories: Mapping[str, pd.DataFrame], dataset: str, devices: Sequence[str]) -> list[dict]:
    """Return the rows of Sec. 5.4: when the baselines of Case I converged, and how long they took.

    Args:
        histories: {model: one row an epoch}, of all trainings.
        dataset: what was trained on, as the results name it.
        devices: the names of the devices that trained.
    """
    kept = {model: best_epoch(histories[model], "val_loss") for model in TRANSFER if model in histories}
    rows = []

    def add(row: str, metric: str, model: str, number: float, *notes: str) -> None:
        rows.append(number_row(("text", row, metric), number, dataset, *notes, model=model))

    vggs = [model for model in ("vgg16", "vgg19") if model in kept]
    if vggs:
        slower = max(vggs, key=lambda model: kept[model])
        add("VGG16 and VGG19", "epochs", slower, kept[slower], f"of {NAMES[slower]}, {KEPT}")
    if "inceptionv3" in kept:
        highest = best_epoch(histories["inceptionv3"], "val_accuracy")
        add("InceptionV3", "epochs", "inceptionv3", highest, "the epoch of the highest validation accuracy")
    for model in ("xception", "resnet50"):
        if model in kept:
            add(NAMES[model], "epochs", model, kept[model], KEPT)
    if "resnet50" in kept:
        history = histories["resnet50"]
        words = f"the first epoch from which the validation accuracy stays within {SETTLED:g} of its highest"
        add("ResNet50", "convergence_epoch", "resnet50", _convergence_epoch(history), words)
        add("ResNet50", "overfitting_epoch", "resnet50", kept["resnet50"], "the epoch of the lowest validation loss")
    device = device_note(devices, DEVICE)
    for model in ("inceptionv3", "xception", "resnet50"):
        if model in kept:
            minutes = histories[model]["seconds"].sum() / 60
            for metric, number in _published_time(model, minutes).items():
                add(NAMES[model], metric, model, number, f"{len(histories[model])} epochs", device)
    return rows


def claim_rows(rows: Sequence[dict]) -> list[dict]:
    """Return the rows of the statements that compare other rows; one is left out if a model that it needs is.

    Args:
        rows: of Table 3, of the losses in the text, and of table `extra`.
    """
    by_key = {(row["table"], row["row"], row["metric"]): row for row in rows}
    names = [f"{NAMES['siamese']}, {case}" for case in ("Case I", "Case II")]
    proposed, unseen = (by_key.get(("Table 3", name, "accuracy")) for name in names)
    lowest = _extreme(by_key, "Case I", min, "pretrained networks, Case I")
    best = _extreme(by_key, "Case II", max, "best pretrained, Case II")
    found = [row for row in (lowest, best) if row]
    if proposed and (other := by_key.get(("text", "Loss2", "accuracy"))):
        key = ("text", "Loss3 over Loss2", "accuracy_gain")
        found.append(_compared(key, proposed, other, difference, "of the accuracies in Case I"))
    if proposed and (other := by_key.get(("extra", "siamese_resnet50, Case I", "accuracy"))):
        key = ("extra", "shallow stream over ResNet50 stream, Case I", "accuracy_gain")
        found.append(_compared(key, proposed, other, difference, "Sec. 5.3: the shallow one performs better"))
    if unseen and best:
        key = ("text", "conclusion: Proposed Model over the next best, Case II", "ratio")
        found.append(_compared(key, unseen, best, ratio, "of the shares of fakes found"))
    return found


def difference(a: Value, b: Value) -> Value:
    """Return a - b with its interval from those of both (Zou and Donner 2008, doi:10.1002/sim.3095)."""
    middle = a.value - b.value
    low, high = hypot(a.value - a.low, b.high - b.value), hypot(a.high - a.value, b.value - b.low)
    return Value(middle, middle - low, middle + high, a.n)


def ratio(a: Value, b: Value) -> Value:
    """Return a / b with its interval, that of the difference of the logarithms; no value if b is 0."""
    if not b.value > 0:
        return Value(nan, nan, nan, a.n, "the other found none")
    if min(a.value, a.low, b.low) <= 0:
        return Value(a.value / b.value, nan, nan, a.n, "no interval: one that reaches 0 has no logarithm")
    logs = difference(*(Value(log(each.value), log(each.low), log(each.high), each.n) for each in (a, b)))
    return Value(exp(logs.value), exp(logs.low), exp(logs.high), a.n)


def _extreme(by_key, case, choose, name):
    """The row of the lowest or the highest accuracy of the pre-trained networks in a case; None without any."""
    rows = [by_key.get(("Table 3", f"{NAMES[model]}, {case}", "accuracy")) for model in TRANSFER]
    candidates = [row for row in rows if row and not isnan(row["value"])]
    if not candidates:
        return None
    chosen = choose(candidates, key=lambda row: row["value"])
    networks = ", ".join(row["row"].partition(",")[0] for row in candidates)
    note = f"the {'lowest' if choose is min else 'highest'} of {networks}"
    return chosen | {"table": "text", "row": name, "note": "; ".join(filter(None, (note, chosen["note"])))}


def _compared(key, row, other, compare, note):
    """A row of two others compared; it has the notes of the second, whose initial weights matter too."""
    values = [Value(each["value"], each["ci_low"], each["ci_high"], each["n"]) for each in (row, other)]
    return result_row(key, other["model"], compare(*values), row["dataset"], note)


def _convergence_epoch(history):
    accuracy = history["val_accuracy"].to_numpy(float)
    away = [place for place, value in enumerate(accuracy) if value < accuracy.max() - SETTLED]
    return int(history["epoch"].iloc[away[-1] + 1 if away else 0])


def _published_time(model, minutes):
    """A training time in the units that the paper prints it in."""
    if model == "xception":
        return {"training_minutes": minutes}
    if model == "inceptionv3":
        return {"training_hours": minutes / 60}
    return {"training_hours": minutes // 60, "training_minutes": minutes % 60}  # 1 hour and 45 min.
