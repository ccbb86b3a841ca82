"""Metrics with 95 % intervals for anybody's predictions: a CSV file with a label and a score for each image or video.

    python -m results.evaluate predictions.csv
    python -m results.evaluate scores.csv --score confidence --label true_label --video video_name --level video

Labels are fake / real in any case, or 1 / 0 (see --fake-is). A file with the columns model, protocol, seed, split or
dataset is evaluated once for each combination of their values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import tyro

from common.cli import parse, run_main
from common.errors import UserError
from common.evaluation.evaluate import (
    GROUPING_COLUMNS,
    Value,
    check_predictions,
    evaluate,
    has_videos,
    is_fake,
    to_videos,
    video_numbers,
)
from common.evaluation.metrics import COUNTS, CURVE_METRICS
from common.evaluation.sampling import sampling_of
from common.labels import FAKE, REAL, WORDS, to_words
from results.formatting import text_table

ALIASES = {  # column: its possible names in lower case; the first one that the file has is used
    "label": ("label", "true_label", "y_true", "target", "ground_truth", "gt"),
    "score": ("score", "confidence", "probability", "prob", "y_score", "p_fake", "prob_fake", "fake_prob"),
    "video": ("video", "video_name", "video_id", "video_path"),
    "path": ("path", "image", "image_path", "file", "filename", "filepath"),
    "identity": ("identity", "person", "subject"),
    "original": ("original", "source_video", "original_video"),
}
GROUPS = ("dataset", *GROUPING_COLUMNS)
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
    precision and EER are computed."""
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
    predictions, columns, remarks = read_predictions(options)
    fakes = int(is_fake(predictions).sum())
    print(f"{options.file}: {len(predictions)} rows, {fakes} fake, {len(predictions) - fakes} real")
    print("; ".join([", ".join(f"{name} = {column}" for name, column in columns.items()), *remarks]))
    groups = [column for column in GROUPS if column in predictions]
    parts = predictions.groupby(groups, dropna=False, sort=False) if groups else [((), predictions)]
    for names, part in parts:
        title = ", ".join(f"{group} {name}" for group, name in zip(groups, names, strict=True) if name != "")
        for level in _levels(part, options.level):
            rows = part if level == "frame" else to_videos(part)
            print(f"\n{title + ': ' if title else ''}{len(rows)} {'rows' if level == 'frame' else 'videos'}")
            values = _values(part, level, options)
            print_values(values)
            unit = sampling_of(rows).unit
            print(f"clusters: {unit if unit != 'image' else 'row'}s, which the intervals take as drawn independently")
            if values["auc"].value < 0.5:
                print("the AUC is below 0.5: does a high score mean real? See --score-of and --fake-is")
    return 0


def read_predictions(options: EvaluateOptions) -> tuple[pd.DataFrame, dict[str, str], list[str]]:
    """Read the file of predictions.

    Args:
        options: the command's options; `file` names the file.

    Returns:
        The predictions: labels are words, scores float64, the index is the line in the file. {our column: the file's
        column}. Remarks on how labels and scores were read.

    Raises:
        UserError: if the file or a column is missing, or a label or score cannot be read.
    """
    if not options.file.is_file():
        raise UserError(f"no such file: {options.file}")
    try:
        names = list(pd.read_csv(options.file, nrows=0))
        columns = _choose_columns(options, names)
        needed = list({*columns.values(), *(set(GROUPS) & set(names))})
        table = pd.read_csv(options.file, dtype=str, keep_default_na=False, usecols=needed)
    except (ValueError, pd.errors.ParserError) as error:
        raise UserError(f"{options.file} is not a readable CSV file: {str(error).strip()}") from error
    table.index = table.index + 2
    predictions = pd.DataFrame({name: table[column] for name, column in columns.items()})
    predictions = predictions.join(table[[name for name in GROUPS if name in table]])
    predictions["label"], remarks = _label_words(table[columns["label"]], options)
    check_predictions(
        predictions.drop(columns=list(GROUPING_COLUMNS), errors="ignore"), probability=False, name=str(options.file)
    )
    predictions["score"] = predictions["score"].astype(np.float64)
    if options.score_of == "real":
        probability = predictions["score"].between(0, 1).all()
        predictions["score"] = int(probability) - predictions["score"]
        remarks.append(f"score is {'1 - ' if probability else '-'}{columns['score']}, so that it grows with P(fake)")
    return predictions, columns, remarks


def print_values(values: Mapping[str, Value]) -> None:
    """Print metrics as a table: metric, value, 95 % interval, n, clusters, and why a value or interval is missing."""
    rows = [("metric", "value", "95 % interval", "n", "clusters", "")]
    for name, value in values.items():
        number = f"{value.value:.{DIGITS}f}" if name not in COUNTS else f"{value.value:.0f}"
        interval = "" if np.isnan(value.low) else f"{value.low:.{DIGITS}f} to {value.high:.{DIGITS}f}"
        rows.append((name, number, interval, str(value.n), str(value.clusters), value.reason))
    print("\n".join(text_table(rows)))


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
        values = {name: value for name, value in values.items() if name in CURVE_METRICS}
    return values


def _choose_columns(options, names):
    """Which columns of the file are our label, score, video and path; a UserError names the columns that it has."""
    columns = {}
    by_lower_case = {name.strip().lower(): name for name in reversed(names)}
    for name, aliases in ALIASES.items():
        requested = getattr(options, name, None)
        if requested is not None and requested not in names:
            raise UserError(f"{options.file} has no column {requested!r}; found: {', '.join(names)}")
        known = [by_lower_case[alias] for alias in aliases if alias in by_lower_case]
        if requested or known:
            columns[name] = requested or known[0]
    for name in ("label", "score"):
        if name not in columns:
            raise UserError(
                f"{options.file}: no column is known as the {name}; name it with --{name}; found: {', '.join(names)}"
            )
    if not {"video", "path"} & set(columns):
        raise UserError(
            f"{options.file}: expected a column of paths or videos; name one with --video; found: {', '.join(names)}"
        )
    return columns


def _label_words(labels, options):
    """The labels as words, and remarks; labels that are neither words nor 0 and 1 are left as they are."""
    normalized = labels.str.strip().str.lower()
    if not len(normalized) or not normalized.isin(("0", "1", "0.0", "1.0")).all():
        return normalized.where(normalized.isin(WORDS), labels), []
    numbers = normalized.str[0].astype(int)
    fake = numbers == options.fake_is
    words = pd.Series(to_words(np.where(fake, FAKE, REAL)), index=labels.index)
    return words, [f"label {options.fake_is} is fake, {1 - options.fake_is} is real (--fake-is)"]


def _levels(predictions, requested):
    if requested == "video" and not has_videos(predictions):
        raise UserError("--level video: the file has no column of videos; name it with --video")
    if requested != "both":
        return [requested]
    several = has_videos(predictions) and len(np.unique(video_numbers(predictions))) < len(predictions)
    return ["frame", "video"] if several else ["frame"]


if __name__ == "__main__":
    run_main(main)
