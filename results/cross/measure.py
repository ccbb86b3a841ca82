"""Measure one detector on one data set: score the images, compute the metrics, write the rows."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from common.data.datasets import DataSet
from common.errors import UserError
from common.evaluation.differences import auc_difference
from common.evaluation.evaluate import Value, evaluate, has_videos, is_fake
from common.evaluation.sampling import sampling_of
from common.tensorflow_import import import_tensorflow
from results.cross.runs import TrainedDetector
from results.cross.table import METRICS, PLAIN, UNPERTURBED, Variant, has_rows, replace_rows, strength_text

CROSS, ROBUSTNESS = "cross.csv", "robustness.csv"


def measure(
    detector: TrainedDetector, data: DataSet, results: Path, robustness: bool, again: bool, reported: set[str]
) -> None:
    """Measure a detector on a data set and write the rows, unless the tables have them already.

    Args:
        detector: a detector of a run.
        data: a prepared data set.
        results: folder of cross.csv and robustness.csv.
        robustness: whether to measure perturbed images too.
        again: whether to measure what the tables have already.
        reported: unreadable images that have been reported on stderr; new ones are added.
    """
    selection = detector.run.select(detector, data)
    test = {
        "paper": detector.run.paper,
        "run": detector.run.name,
        "model": detector.model,
        "trained_on": selection.trained_on,
        "dataset": data.name,
        "protocol": detector.protocol,
        "seed": detector.seed,
    }
    variants_of = {results / CROSS: [PLAIN]}
    if robustness:
        variants_of[results / ROBUSTNESS] = all_variants()
    for path, variants in list(variants_of.items()):
        if not again and has_rows(path, test, variants, selection.note):
            del variants_of[path]
    if not variants_of:
        return
    title = f"{detector.description.name} on {data.name}"
    if selection.images.empty:
        print(f"{detector.run.paper}: {title}: no image is left; {selection.note}", file=sys.stderr)
    all_needed = max(variants_of.values(), key=len)  # includes the plain image
    rows = _rows_by_variant(detector, selection, all_needed, title, reported)
    for path, variants in variants_of.items():
        replace_rows([test | row for variant in variants for row in rows[variant]], path)


def all_variants() -> list[Variant]:
    """The plain image, and every perturbation at every strength."""
    from common.data.perturbations import STRENGTHS  # needs OpenCV

    return [PLAIN, *((name, strength) for name, strengths in STRENGTHS.items() for strength in strengths)]


def metric_rows(predictions: pd.DataFrame, threshold: float, note: str) -> list[dict]:
    """Compute METRICS by image, and by video if there are videos.

    Args:
        predictions: images with the columns label, score, path and perhaps video.
        threshold: a score at or above it is called fake.
        note: the note of all rows. To it is added why a value or an interval is missing.

    Returns:
        Rows with the columns level, metric, value, ci_low, ci_high, n, note.
    """
    rows = []
    levels: Sequence[str] = ("frame", "video") if has_videos(predictions) else ("frame",)
    for level in levels:
        try:
            values = evaluate(predictions, level=level, threshold=threshold)
        except UserError as error:  # a video with both labels: there are still rows by image
            values = dict.fromkeys(METRICS, Value(np.nan, np.nan, np.nan, 0, str(error)))
        rows += [
            {
                "level": level,
                "metric": metric,
                "value": values[metric].value,
                "ci_low": values[metric].low,
                "ci_high": values[metric].high,
                "n": values[metric].n,
                "note": "; ".join(filter(None, (note, values[metric].reason))),
            }
            for metric in METRICS
        ]
    return rows


def _rows_by_variant(detector, selection, variants, title, reported):
    """{variant: rows without the columns of detector and data set}."""
    import_tensorflow()
    from results.cross.scores import score

    images, note = selection.images, selection.note
    scores, unreadable = score(detector.run.folder, detector.description, images, variants, title)
    _report_unreadable({images["file"].iloc[place]: unreadable[place] for place in sorted(unreadable)}, reported)
    if unreadable:
        note += f"; {len(unreadable)} of {len(images)} images cannot be decoded"
    scores, images = np.delete(scores, list(unreadable), axis=0), images.drop(images.index[list(unreadable)])
    predictions = images.assign(split="test")  # whatever its split in the data set: one model, one set of images
    rows = {}
    plain = predictions.assign(score=scores[:, variants.index(PLAIN)])
    threshold = detector.description.threshold
    for (name, strength), column in zip(variants, scores.T, strict=True):
        keys, scored = {"perturbation": name, "strength": strength_text(strength)}, predictions.assign(score=column)
        metrics = metric_rows(scored, threshold, f"{note}; called fake from {threshold:.4g}")
        metrics += [] if name == UNPERTURBED else [drop_row(plain, scored, note)]
        rows[name, strength] = [keys | row for row in metrics]
    return rows


def drop_row(plain: pd.DataFrame, perturbed: pd.DataFrame, note: str) -> dict:
    """Return the row of the AUC that a perturbation costs, paired by image.

    Args:
        plain: predictions of the images as they are.
        perturbed: of the same images, perturbed.
        note: the note of the row.
    """
    scores = (table["score"].to_numpy(dtype=np.float64) for table in (plain, perturbed))
    *_, drop = auc_difference(is_fake(plain), *scores, sampling_of(plain).clusters)
    return {
        "level": "frame", "metric": "auc_drop", "value": drop.value, "ci_low": drop.low, "ci_high": drop.high,
        "n": len(plain), "note": "; ".join(filter(None, (note, "against the same images as they are", drop.reason))),
    }  # fmt: skip


def _report_unreadable(reasons, reported):
    for file, reason in reasons.items():
        if file not in reported:
            print(f"{file}: {reason}", file=sys.stderr)
            reported.add(file)
