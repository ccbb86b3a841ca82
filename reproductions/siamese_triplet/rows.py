"""From predictions to rows of the results: which of our numbers belongs to which published one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from common.conditions import PARTIAL_DATA
from common.evaluation.evaluate import Value, evaluate
from common.labels import FAKE, REAL, WORDS
from reproductions.baselines import sets_by_dataset
from reproductions.rows import as_table, result_row
from reproductions.siamese_triplet.config import (
    NAMES,
    PROPOSED,
    SECOND_CASE,
    SECOND_REAL,
    SIAMESE,
    UNSEEN,
    UNSEEN_IMAGES,
)
from reproductions.siamese_triplet.split_counts import ENOUGH
from reproductions.siamese_triplet.text_rows import claim_rows, training_rows
from reproductions.splitting import Split
from results.formatting import format_decimals, format_interval, text_table

TABLE_2 = ("accuracy", "precision", "recall", "f1", "kappa", "auc")
FAKES_ONLY = "fakes only: the share called fake"


def all_rows(
    split: Split, roles: dict[str, str], trained: tuple[str, ...], devices: Sequence[str] = ()
) -> pd.DataFrame:
    """Return Table 1 as it was split, and the rows of all trainings and predictions.

    Args:
        split: with its predictions and histories.
        roles: {NAME of --data: name of the data set}.
        trained: the names of the data sets that were trained on.
        devices: the names of the devices that trained.
    """
    found = sizes(split.images, roles, trained)
    dataset = "+".join(trained)
    tables = [
        size_rows(found, dataset),
        as_table(training_rows(split.histories, dataset, devices)),
        result_rows(split.table(), roles, trained),
    ]
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def result_rows(predictions: pd.DataFrame, roles: dict[str, str], trained: Sequence[str]) -> pd.DataFrame:
    """Return all rows that the predictions of one protocol and one seed give.

    Args:
        predictions: with the columns of predictions.csv.
        roles: {NAME of --data: name of the data set}.
        trained: the names of the data sets that were trained on.

    Returns:
        A table with reproductions.rows.ROW_COLUMNS.
    """
    test = predictions[predictions["split"] == "test"]
    seen = test["dataset"].isin(trained)
    unseen, second = (test["dataset"] == roles.get(role) for role in (UNSEEN, SECOND_REAL))
    fake = test["label"] == WORDS[FAKE]
    rows = []
    for model in dict.fromkeys(predictions["model"]):
        first = model.removesuffix(SECOND_CASE) == model
        ours = test["model"] == model
        if first and (ours & seen).any():
            rows += _case_one(model, test[ours & seen], "+".join(trained))
        if (ours & unseen).any() and (not first or model + SECOND_CASE not in set(predictions["model"])):
            reals = {"+".join(trained): seen & ~fake, roles.get(SECOND_REAL): second & ~fake}
            reals = {name: test[ours & chosen] for name, chosen in reals.items() if (ours & chosen).any()}
            rows += _case_two(model, test[ours & unseen & fake], reals, roles[UNSEEN], first)
    return as_table(rows + claim_rows(rows))


def test_sets(images: pd.DataFrame, roles: dict[str, str], trained: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return the test sets of the rows, by their names: Case I, and the unseen fakes against the reals of each source.

    The data sets of the paper have one class each.

    Args:
        images: test images of one model.
        roles: {NAME of --data: name of the data set}.
        trained: the names of the data sets that were trained on.
    """
    seen, fake = images["dataset"].isin(trained), images["label"] == WORDS[FAKE]
    unseen, second = (images["dataset"] == roles.get(role) for role in (UNSEEN, SECOND_REAL))
    fakes, first = images[unseen & fake], "+".join(trained)
    sets = {first: images[seen]} if seen.any() else {}
    for source, chosen in ((first, seen & ~fake), (roles.get(SECOND_REAL), second & ~fake)):
        if chosen.any() and len(fakes):
            sets[_against(roles[UNSEEN], source)] = pd.concat([fakes, images[chosen]])
    return sets or sets_by_dataset(images)


def sizes(images: pd.DataFrame, roles: dict[str, str], trained: Sequence[str]) -> dict[tuple[str, str], int]:
    """Return Table 1 of a split as {(row, column): number of images}.

    Args:
        images: with the columns dataset, label, split and case; each case has its own split. The total of a case is
            there if the case has all its sources.
        roles: {NAME of --data: name of the data set}.
        trained: the names of the data sets that were trained on.
    """
    found: dict[tuple[str, str], int] = {}
    for case, title in (("case1", "Case I"), ("case2", "Case II")):
        chosen = images[images["case"] == case]
        seen = chosen["dataset"].isin(trained)
        sources = {
            "StyleGAN": chosen[seen & (chosen["label"] == WORDS[FAKE])],
            "FFHQ": chosen[seen & (chosen["label"] == WORDS[REAL])],
        }
        if case == "case2":
            sources["PGAN"] = chosen[chosen["dataset"] == roles.get(UNSEEN)]
        for name, rows in sources.items():
            testing = int((rows["split"] == "test").sum())
            numbers = {"training": len(rows) - testing, "testing": testing, "total": len(rows)}
            if (case, name) == ("case2", "FFHQ"):  # the paper tests Case II on fakes alone; our real images are extra
                numbers = {"training": numbers["training"], "total": numbers["training"]}
            found |= {(f"{title}: {name}", part): number for part, number in numbers.items() if number}
        totals = [found.get((f"{title}: {name}", "total")) for name in sources]
        if all(totals):
            found[f"{title}: total", "total"] = sum(filter(None, totals))
    return found


def size_rows(found: dict[tuple[str, str], int], dataset: str) -> pd.DataFrame:
    """Return rows of Table 1 from `sizes`, with the notes of their case; training includes the validation images."""
    unseen = found.get(("Case II: PGAN", "total"), 0)
    rows = []
    for (row, part), number in found.items():
        model = "case1" if row.startswith("Case I:") else "case2"
        note = _few_unseen(unseen) if row in ("Case II: PGAN", "Case II: total") else ""
        rows.append(result_row(("Table 1", row, part), model, Value(number, np.nan, np.nan, number), dataset, note))
    return as_table(rows)


def summary(rows: pd.DataFrame) -> list[str]:
    """Return a line of text for each model and data set, the trained data beside the unseen."""
    lines = [("model", "test data", "accuracy", "recall", "false alarms", "AUC", "95 % interval", "n")]
    extra = rows[rows["table"] == "extra"]
    for (row, dataset), values in extra.groupby(["row", "dataset"], sort=False):
        by_metric = values.set_index("metric")
        columns = ("accuracy", "recall", "false_alarm_rate", "auc")
        numbers = [format_decimals(by_metric["value"].get(name)) for name in columns]
        auc_interval = format_interval(by_metric["ci_low"].get("auc"), by_metric["ci_high"].get("auc"))
        lines.append((row, dataset, *numbers, auc_interval, str(by_metric["n"].max())))
    return text_table(lines, left=2)


def _case_one(model, test, dataset):
    values = _measured(test, model)
    rows = [
        result_row(("extra", f"{model}, Case I", metric), model, value, dataset) for metric, value in values.items()
    ]
    keys = []
    if model in NAMES:
        keys += [("Table 2", NAMES[model], metric) for metric in TABLE_2]
        keys.append(("Table 3", f"{NAMES[model]}, Case I", "accuracy"))
    if model == PROPOSED:
        keys.append(("text", "abstract: proposed", "accuracy"))
    if model == "resnet50":
        keys += [("Eq. 11", "ResNet50", metric) for metric in ("tp", "fn", "recall")]
        keys += [("Eq. 12", "ResNet50", metric) for metric in ("fp", "tn", "false_alarm_rate")]
    if model in ("inceptionv3", "xception"):
        keys.append(("text", NAMES[model], "accuracy"))
    if model in ("siamese_loss1", "siamese_loss2"):
        keys.append(("text", model.removeprefix("siamese_").capitalize(), "accuracy"))
    return rows + [result_row(key, model, values[key[2]], dataset) for key in keys]


def _case_two(model, fakes, reals, dataset, borrowed):
    """Return rows of the paper's form, fakes alone, and of ours, with held-out real images of each source."""
    name = model.removesuffix(SECOND_CASE)
    notes = "scored by the model of Case I" if borrowed else "", _few_unseen(len(fakes))
    found = _measured(fakes, name)["recall"]
    rows = []
    if name in NAMES:
        keys = [("Table 3", f"{NAMES[name]}, Case II", "accuracy")]
        keys += [("text", "conclusion: Proposed Model, Case II", "accuracy")] if name == "siamese" else []
        rows += [result_row(key, model, found, dataset, FAKES_ONLY, *notes) for key in keys]
    for source, images in reals.items():
        values = _measured(pd.concat([fakes, images]), name)
        for metric, value in values.items():
            key, reals_note = ("extra", f"{name}, Case II", metric), f"with held-out real images of {source}"
            rows.append(result_row(key, model, value, _against(dataset, source), reals_note, *notes))
    if not reals:
        rows.append(result_row(("extra", f"{name}, Case II", "recall"), model, found, dataset, FAKES_ONLY, *notes))
    return rows


def _against(fakes, reals):
    """What the results call a test set of fakes of one data set and reals of others."""
    return f"{fakes} against {reals}"


def _few_unseen(count):
    """The note that there are fewer images of the unseen generator than in Table 1, or an empty text."""
    enough = count >= ENOUGH * UNSEEN_IMAGES
    return "" if enough else f"{PARTIAL_DATA}: {count} of the paper's {UNSEEN_IMAGES} images of the unseen generator"


def _measured(images, model):
    """Return the metrics of the images, and the share of the real ones that is called fake."""
    values = evaluate(images, probability=model not in SIAMESE)
    kept = values["specificity"]
    alarms = Value(1 - kept.value, 1 - kept.high, 1 - kept.low, kept.n, kept.reason)
    return values | {"false_alarm_rate": alarms}
