"""Metrics with 95 % intervals for anybody's predictions: a CSV file with a label and a score for each image or video.

    python -m results.evaluate predictions.csv
    python -m results.evaluate scores.csv --score confidence --label true_label --video video_name --level video
    python -m results.evaluate test.csv --validation val.csv --images FOLDER --by source compression --figures FOLDER

Labels are fake / real in any case, or 1 / 0 (see --fake-is). A file with the columns model, protocol, seed, split or
dataset is evaluated once for each combination of their values. Beside the accuracy are two baselines: calling
everything alike, and with --images a shortcut detector, which sees file size, compression, image size, brightness and
sharpness alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import tyro

from common.cli import parse, run_main
from common.data.text_tables import read_header
from common.errors import UserError
from common.evaluation.baselines import SHORTCUT
from common.evaluation.breakdown import FILE_GROUPS, MEASURED, breakdown, worst_sentences
from common.evaluation.evaluate import Value, evaluate, has_videos, is_fake, to_videos, video_numbers
from common.evaluation.metrics import COUNTS, CURVE_METRICS, OPERATING_POINTS
from common.evaluation.operating_points import choose_threshold
from common.evaluation.sampling import sampling_of
from results.file_baselines import add_files, add_manifest
from results.formatting import text_table
from results.predictions_file import GROUPS, Reading, read_predictions

DIGITS = 6


@dataclass(frozen=True)
class EvaluateOptions:
    """Metrics with 95 % intervals for anybody's predictions."""

    file: tyro.conf.Positional[Path]
    """A CSV file with a heading line."""
    level: Literal["frame", "video", "both"] = "both"
    """frame: every row; video: the mean score of each video; both: frame, and video if a video has several rows."""
    threshold: float | None = None
    """A score at or above it is called fake. None: 0.5 for probabilities; for other scores only ROC AUC, average
    precision, EER and the true positive rates at few false alarms are computed."""
    validation: Path | None = None
    """A file like the first one, of validation images: the threshold with the best balanced accuracy on it is carried
    to the first file, beside --threshold. With --images the shortcut detector is fitted on it."""
    images: Path | None = None
    """Folder that the paths are relative to. The shortcut detector is fitted on the files of --validation, or else on
    those of other clusters of the same file. Rows whose file is missing are left out of its comparison."""
    by: tuple[str, ...] = ()
    """Columns of the file or of --manifest to break the metrics down by; with --images also compression and
    image_size. The worst group is named."""
    manifest: Path | None = None
    """A prepared folder, or another CSV file with the column path, whose columns --by can name."""
    figures: Path | None = None
    """Folder for reliability.png, the calibration of each combination; only of probabilities."""
    score: str | None = None
    """Column of the score. None: score, confidence, probability, ..."""
    label: str | None = None
    """Column of the true label. None: label, true_label, y_true, target, ..."""
    video: str | None = None
    """Column of the video's full source path. None: video, video_name, ..., if the file has one."""
    fake_is: Literal[1, 0] = 1
    """Which number is the label of fakes, if labels are numbers."""
    score_of: Literal["fake", "real"] = "fake"
    """Which class a high score means. With `real`, 1 - score is evaluated (-score if it is not a probability)."""
    debug: bool = False
    """Show the traceback of an error."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = parse(EvaluateOptions, argv, prog="python -m results.evaluate", description=__doc__)
    predictions, validation = read_files(options)
    groups = [column for column in GROUPS if column in predictions]
    parts = predictions.groupby(groups, dropna=False, sort=False) if groups else [((), predictions)]
    drawn = []
    for names, part in parts:
        title = ", ".join(f"{group} {name}" for group, name in zip(groups, names, strict=True) if name != "")
        drawn.append(part.assign(model=title or options.file.stem))
        own = None if validation is None else own_validation(part, validation, title)
        for level in _levels(part, options.level):
            print_level(part, level, title, own, options)
    if options.figures and len(predictions):
        draw(pd.concat(drawn), options.figures)
    return 0


def print_level(
    part: pd.DataFrame, level: str, title: str, validation: pd.DataFrame | None, options: EvaluateOptions
) -> None:
    """Print all that is asked for of one combination at one level.

    Args:
        part: its rows.
        level: frame or video.
        title: its name, or empty.
        validation: rows of --validation, or None.
        options: the command's.
    """
    rows = part if level == "frame" else to_videos(part)
    print(f"\n{title + ': ' if title else ''}{len(rows)} {'rows' if level == 'frame' else 'videos'}")
    values = _values(part, level, options)
    print_values(values)
    unit = sampling_of(rows).unit
    print(f"clusters: {unit if unit != 'image' else 'row'}s, which the intervals take as drawn independently")
    if values["auc"].value < 0.5:
        print("the AUC is below 0.5: does a high score mean real? See --score-of and --fake-is")
    print_carried(part, validation, level)
    print_baseline(part, level, options)
    print_breakdown(part, level, options)


def read_files(options: EvaluateOptions) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Read the predictions and those of --validation, with what --manifest and --images add; print what was read.

    Raises:
        UserError: if a file or column is missing, or a label or score cannot be read.
    """
    file_groups = FILE_GROUPS if options.images else ()
    own = [name for name in options.by if name not in file_groups]
    if options.manifest:  # the rest is the manifest's
        header = read_header(options.file) if options.file.is_file() else ()
        own = [name for name in own if name in header]
    names = (options.score, options.label, options.video, options.fake_is, options.score_of)
    predictions, columns, remarks = read_predictions(options.file, Reading(*names, others=own))
    fakes = int(is_fake(predictions).sum())
    print(f"{options.file}: {len(predictions)} rows, {fakes} fake, {len(predictions) - fakes} real")
    print("; ".join([", ".join(f"{name} = {column}" for name, column in columns.items()), *remarks]))
    validation = read_predictions(options.validation, Reading(*names))[0] if options.validation else None
    if options.manifest:
        wanted = [name for name in options.by if name not in (*predictions, *file_groups)]
        predictions = add_manifest(predictions, options.manifest, wanted)
    if options.images:
        predictions, words = add_files(predictions, options.images, validation)
        print(words)
    return predictions, validation


def own_validation(part: pd.DataFrame, validation: pd.DataFrame, title: str) -> pd.DataFrame:
    """Return the rows of --validation that are of the combination of a part: its model, protocol and seed.

    Args:
        part: rows of one combination.
        validation: rows of --validation.
        title: names the part.

    Raises:
        UserError: if there are none, or those of several combinations.
    """
    for name in ("model", "protocol", "seed"):
        if name not in validation:
            continue
        if name in part:
            validation = validation[validation[name] == part[name].iloc[0]]
        elif validation[name].nunique() > 1:
            raise UserError(f"--validation has several values of {name}, and the file no such column; give one of them")
    if validation.empty:
        raise UserError(f"--validation has no rows of {title}; give those of all that are evaluated, or leave it out")
    return validation


def print_values(values: Mapping[str, Value]) -> None:
    """Print metrics as a table: metric, value, 95 % interval, n, clusters, and why a value or interval is missing."""
    rows = [("metric", "value", "95 % interval", "n", "clusters", "")]
    for name, value in values.items():
        number = f"{value.value:.{DIGITS}f}" if name not in COUNTS else f"{value.value:.0f}"
        interval = "" if np.isnan(value.low) else f"{value.low:.{DIGITS}f} to {value.high:.{DIGITS}f}"
        words = "; ".join(filter(None, (value.reason, value.remark)))
        rows.append((name, number, interval, str(value.n), str(value.clusters), words))
    print("\n".join(text_table(rows)))


def print_carried(predictions: pd.DataFrame, validation: pd.DataFrame | None, level: str) -> None:
    """Print what the threshold gives that is the best on validation.

    Args:
        predictions: rows of the file.
        validation: rows of --validation; None: nothing is printed.
        level: frame or video.
    """
    if validation is None:
        return
    if level == "video" and has_videos(validation):
        validation = to_videos(validation)
    threshold = choose_threshold(is_fake(validation), validation["score"].to_numpy(dtype=np.float64))
    values = evaluate(predictions, level=level, threshold=threshold, probability=False)
    print(f"\nat {threshold:.6g}, the threshold with the best balanced accuracy on the {len(validation)} of validation")
    print_values({name: values[name] for name in ("accuracy", "balanced_accuracy", "recall", "specificity", "f1")})


def print_baseline(predictions: pd.DataFrame, level: str, options: EvaluateOptions) -> None:
    """Print the comparison with the shortcut detector on the rows whose file is there, if these are not all rows.

    Args:
        predictions: rows of the file.
        level: frame or video.
        options: the command's.
    """
    if SHORTCUT not in predictions or predictions[SHORTCUT].notna().all():
        return
    found = predictions[predictions[SHORTCUT].notna()]
    if len(found):
        print(f"\nthe {len(found)} rows whose file was found")
        values = _values(found, level, options)
        names = ("accuracy", "auc", "majority_accuracy", "shortcut_accuracy", "shortcut_auc")
        print_values({name: values[name] for name in names if name in values})


def print_breakdown(predictions: pd.DataFrame, level: str, options: EvaluateOptions) -> None:
    """Print the metrics of each group of --by, and the worst groups.

    Args:
        predictions: rows of the file.
        level: frame or video.
        options: the command's.
    """
    if not options.by:
        return
    threshold = 0.5 if options.threshold is None else options.threshold
    table = breakdown(predictions, options.by, threshold=threshold, level=level)
    if table.empty:
        print(f"\nno groups by {', '.join(options.by)}: each has a single value here")
        return
    rows = [("", "group", "fakes", "reals", "clusters", *MEASURED, "95 % interval of auc", "compared with")]
    for row in table.to_dict("records"):
        numbers = ["" if np.isnan(row[name]) else f"{row[name]:.4f}" for name in MEASURED]
        interval = "" if np.isnan(row["auc_low"]) else f"{row['auc_low']:.4f} to {row['auc_high']:.4f}"
        counts = [str(row[name]) for name in ("fakes", "reals", "clusters")]
        rows.append((row["by"], row["group"], *counts, *numbers, interval, row["compared_with"]))
    print("", *text_table(rows, left=2), *worst_sentences(table), sep="\n")


def draw(predictions: pd.DataFrame, folder: Path) -> None:
    """Draw reliability.png.

    Args:
        predictions: rows of all combinations, named by the column model.
        folder: to draw into.
    """
    from common.evaluation.figures import reliability_figure  # here: the command starts without it

    probability = predictions.groupby("model")["score"].transform(lambda score: score.between(0, 1).all())
    if not probability.any():
        raise UserError("--figures: expected scores in [0, 1], got others: only probabilities can be calibrated")
    folder.mkdir(parents=True, exist_ok=True)
    path = reliability_figure(predictions[probability], folder / "reliability.png", "Calibration")
    print(f"\ndrawn: {path}")


def _values(predictions, level, options):
    """{metric: Value} of what the scores allow, after a printed line on what is called fake."""
    low, high = predictions["score"].min(), predictions["score"].max()
    probability = not (low < 0 or high > 1)
    threshold = 0.5 if options.threshold is None else options.threshold
    values = evaluate(predictions, level=level, threshold=threshold, probability=probability)
    if probability:
        print(f"score >= {threshold:g} is called fake; taken as a probability")
    elif options.threshold is not None:
        print(f"score >= {threshold:g} is called fake; scores from {low:g} to {high:g} are not probabilities")
    else:
        print(f"scores from {low:g} to {high:g} are not probabilities: for all metrics give --threshold (0 for logits)")
        values = {name: value for name, value in values.items() if name in (*CURVE_METRICS, *OPERATING_POINTS)}
    return values


def _levels(predictions, requested):
    if requested == "video" and not has_videos(predictions):
        raise UserError("--level video: the file has no column of videos; name it with --video")
    if requested != "both":
        return [requested]
    several = has_videos(predictions) and len(np.unique(video_numbers(predictions))) < len(predictions)
    return ["frame", "video"] if several else ["frame"]


if __name__ == "__main__":
    run_main(main)
