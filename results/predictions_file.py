"""Anybody's file of predictions: which of its columns are ours, and how its labels and scores are meant."""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from common.data.text_tables import read_text_table
from common.errors import UserError
from common.evaluation.evaluate import GROUPING_COLUMNS, check_predictions
from common.evaluation.predictions import SPLITS, add_origins
from common.labels import FAKE, REAL, WORDS, to_words

ALIASES = {  # column: its possible names in lower case; the first one that the file has is used
    "label": ("label", "true_label", "y_true", "target", "ground_truth", "gt"),
    "score": ("score", "confidence", "probability", "prob", "y_score", "p_fake", "prob_fake", "fake_prob"),
    "video": ("video", "video_name", "video_id", "video_path"),
    "path": ("path", "image", "image_path", "file", "filename", "filepath"),
    "identity": ("identity", "person", "subject"),
    "original": ("original", "source_video", "original_video"),
}
GROUPS = ("dataset", *GROUPING_COLUMNS)
ROW_NUMBERS = ("", "index", "unnamed: 0", "row", "no")  # columns that pandas and spreadsheets add


@dataclass(frozen=True)
class Reading:
    """How a file is read.

    Args:
        score, label, video: names of its columns; None: one of ALIASES.
        fake_is: which number is the label of fakes.
        score_of: which class a high score means.
        others: further columns to keep.
    """

    score: str | None = None
    label: str | None = None
    video: str | None = None
    fake_is: int = 1
    score_of: str = "fake"
    others: Sequence[str] = ()


def read_predictions(file: Path, reading: Reading) -> tuple[pd.DataFrame, dict[str, str], list[str]]:
    """Read a file of predictions; of a run, the originals are those of the splits.csv beside it.

    Args:
        file: a CSV file with a heading line.
        reading: how.

    Returns:
        The predictions: labels are words, scores float64, the index is the line in the file. {our column: the file's
        column}. Remarks on how labels and scores were read.

    Raises:
        UserError: if the file or a column is missing, or a label or score cannot be read.
    """
    if not file.is_file():
        raise UserError(f"no such file: {file}")
    table = read_text_table(file)
    table.index = table.index + 2
    columns = _choose_columns(file, reading, list(table))
    kept = [*(name for name in GROUPS if name in table), *reading.others]
    predictions = pd.DataFrame({name: table[column] for name, column in columns.items()})
    predictions = predictions.join(table[[name for name in dict.fromkeys(kept) if name not in predictions]])
    predictions["label"], remarks = _label_words(table[columns["label"]], reading)
    if "path" in columns or "frame" in table:  # an image is named
        repeats = _repeats(table, predictions, columns)
        predictions = predictions[~repeats]  # a file that was joined to itself would make every interval too narrow
        remarks += [f"{repeats.sum()} repeated rows are counted once"] if repeats.any() else []
    check_predictions(
        predictions.drop(columns=list(GROUPING_COLUMNS), errors="ignore"), probability=False, name=str(file)
    )
    predictions["score"] = predictions["score"].astype(np.float64)
    if reading.score_of == "real":
        probability = predictions["score"].between(0, 1).all()
        predictions["score"] = int(probability) - predictions["score"]
        remarks.append(f"score is {'1 - ' if probability else '-'}{columns['score']}, so that it grows with P(fake)")
    if "path" in columns and "video" not in columns:
        predictions, words = _group_by_path(predictions)
        remarks += words
    with_origins = add_origins(predictions, file.parent)
    remarks += (
        [f"original is that of {SPLITS} beside it"] if len(with_origins.columns) > len(predictions.columns) else []
    )
    return with_origins, columns, remarks


def _choose_columns(file, reading, names):
    """Which columns of the file are our label, score, video and path; a UserError names the columns that it has."""
    if len(names) == 1:
        raise UserError(f"{file}: expected a header with commas between the columns, got {names[0]!r}")
    columns = {}
    by_lower_case = {name.strip().lower(): name for name in reversed(names)}
    for name, aliases in ALIASES.items():
        requested = getattr(reading, name, None)
        if requested is not None and requested not in names:
            raise UserError(f"{file} has no column {requested!r}; found: {', '.join(names)}")
        known = [by_lower_case[alias] for alias in aliases if alias in by_lower_case]
        if requested or known:
            columns[name] = requested or known[0]
    if missing := [name for name in reading.others if name not in names]:
        raise UserError(f"{file} has no column {missing[0]!r}; found: {', '.join(names)}")
    for name in ("label", "score"):
        if name not in columns:
            raise UserError(
                f"{file}: no column is known as the {name}; name it with --{name}; found: {', '.join(names)}"
            )
    if not {"video", "path"} & set(columns):
        raise UserError(
            f"{file}: expected a column of paths or videos; name one with --video; found: {', '.join(names)}"
        )
    return columns


def _repeats(table, predictions, columns):
    """Which rows equal an earlier one, however label, score and path are written; row numbers are no difference."""
    content = table.drop(columns=[name for name in table if name.strip().lower() in ROW_NUMBERS])
    content[columns["label"]] = predictions["label"]
    content[columns["score"]] = pd.to_numeric(predictions["score"], errors="coerce").fillna(predictions["score"])
    for name in ("path", "video"):
        if name in columns:
            content[columns[name]] = predictions[name].map(lambda path: posixpath.normpath(path.strip()))
    return content.duplicated()


def _group_by_path(predictions):
    """The predictions, with the path as the video if several rows have it, and remarks on such paths."""
    keys = [name for name in (*GROUPS, "path") if name in predictions]
    several = predictions.duplicated(keys, keep=False)
    if not several.any():
        return predictions, []
    labels = predictions[several].groupby(keys, dropna=False, sort=False)["label"].nunique()
    if (mixed := int((labels > 1).sum())) == 0:
        words = f"{len(labels)} paths are in several rows, which are taken as frames of one video each"
        return predictions.assign(video=predictions["path"]), [words]
    first = labels.index[labels > 1][0]
    path = first[-1] if isinstance(first, tuple) else first
    return predictions, [
        f"{mixed} paths have both labels, e.g. {path}: each row is taken as an image of its own; give full paths"
    ]


def _label_words(labels, reading):
    """The labels as words, and remarks; labels that are neither words nor 0 and 1 are left as they are."""
    normalized = labels.str.strip().str.lower()
    if not len(normalized) or not normalized.isin(("0", "1", "0.0", "1.0")).all():
        return normalized.where(normalized.isin(WORDS), labels), []
    numbers = normalized.str[0].astype(int)
    fake = numbers == reading.fake_is
    words = pd.Series(to_words(np.where(fake, FAKE, REAL)), index=labels.index)
    return words, [f"label {reading.fake_is} is fake, {1 - reading.fake_is} is real (--fake-is)"]
