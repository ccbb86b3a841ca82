"""Where a detector fails: its metrics by source, compression, image size, or any other column, and the worst group."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from common.evaluation.baselines import SHORTCUT
from common.evaluation.evaluate import evaluate, is_fake
from common.labels import FAKE, REAL, WORDS

MEASURED = ("auc", "balanced_accuracy", "recall", "specificity")
COLUMNS = (
    *("by", "group", "compared_with", "worst", "fakes", "reals", "clusters"),
    *(f"{name}{end}" for name in MEASURED for end in ("", "_low", "_high")),
)
QUALITIES = (0, 50, 75, 90, 95, 101)  # of JPEG files
SIZES = (0, 64, 128, 256, 512, 1024, np.inf)  # in pixels
FEW = 8  # distinct numbers that are groups of their own; more are cut into quarters
FILE_GROUPS = ("compression", "image_size")


def breakdown(
    predictions: pd.DataFrame, columns: Sequence[str], *, threshold: float = 0.5, level: str = "frame"
) -> pd.DataFrame:
    """Measure each group of images by itself.

    A group of one class, such as the fakes of one method, is compared with all images of the other class.

    Args:
        predictions: of one model on one set of images, as for `evaluate`.
        columns: what to group by; one with fewer than two groups is left out. Numbers with more than FEW values are cut
            into quarters. Empty cells belong to no group.
        threshold: an image with score >= threshold is called fake.
        level: frame or video.

    Returns:
        Rows with the columns COLUMNS. `worst` is True for the group of a column with the lowest AUC (if no group has
        one, the lowest recall or specificity), among those that have an interval if any has.
    """
    rows = []
    fake, scored = is_fake(predictions), predictions.drop(columns=SHORTCUT, errors="ignore")
    for column in columns:
        groups = _groups(predictions[column])
        names = [name for name in sorted(groups.unique(), key=_natural) if name]
        if len(names) < 2:
            continue
        found = [
            {"by": column, "group": name, **_measure(scored, fake, (groups == name).to_numpy(), threshold, level)}
            for name in names
        ]
        worst = worst_place(found)
        rows += [row | {"worst": place == worst} for place, row in enumerate(found)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def worst_place(rows: Sequence[dict]) -> int | None:
    """Return the place of the worst of several groups; None if none was measured.

    Args:
        rows: of `breakdown`, of one column.
    """
    for names in (("auc",), ("recall", "specificity")):
        scored = [
            (np.isnan(row[f"{name}_low"]), row[name], place)
            for place, row in enumerate(rows)
            for name in names
            if not np.isnan(row[name])
        ]
        if scored:
            return min(scored)[2]
    return None


def worst_sentences(table: pd.DataFrame) -> list[str]:
    """Return a sentence for each column on its worst group.

    Args:
        table: of `breakdown`.
    """
    sentences = []
    for column, groups in table.groupby("by", sort=False):
        for row in groups[groups["worst"].eq(True)].to_dict("records"):
            name = next(name for name in ("auc", "recall", "specificity") if not np.isnan(row[name]))
            low, high = row[f"{name}_low"], row[f"{name}_high"]
            interval = "no interval" if np.isnan(low) else f"{low:.3f} to {high:.3f}"
            if name == "auc":
                others = {"all real": " against all reals", "all fake": " against all fakes"}
                words, among, against = "AUC", groups["auc"].notna(), others.get(row["compared_with"], "")
            else:  # all images are of one class
                words, among, against = name, groups[["recall", "specificity"]].notna().any(axis=1), ""
            sentences.append(
                f"worst {column}: {row['group']}, {words} {row[name]:.3f} ({interval}){against}, "
                f"{row['fakes']} fakes and {row['reals']} reals; the lowest of {among.sum()} groups"
            )
    return sentences


def file_groups(features: pd.DataFrame) -> pd.DataFrame:
    """Return the groups of files by compression and image size, which of cropped faces is the face's.

    Args:
        features: n rows of `common.data.file_features.file_features`.

    Returns:
        n rows of text with the columns FILE_GROUPS; empty for a file that cannot be read.
    """
    quality = _binned(features["jpeg_quality"], QUALITIES, "JPEG quality ")
    readable = features["bytes"].notna()
    side = features[["width", "height"]].min(axis=1)
    return pd.DataFrame(
        {
            "compression": quality.where(quality != "", "not JPEG").where(readable, ""),
            "image_size": _binned(side, SIZES, "", " px"),
        }
    )


def _measure(predictions, fake, inside, threshold, level):
    """The cells of one group, which is compared with the other class if it has only one."""
    reference = "itself"
    chosen = inside
    if fake[inside].all() or not fake[inside].any():
        other = ~fake if fake[inside].all() else fake
        chosen, reference = inside | other, f"all {WORDS[REAL if fake[inside].all() else FAKE]}"
    values = evaluate(predictions[chosen], level=level, threshold=threshold, probability=False)
    cells = {
        "compared_with": reference,
        "fakes": values["recall"].n,
        "reals": values["specificity"].n,
        "clusters": values["accuracy"].clusters,
    }
    for name in MEASURED:
        value = values[name]
        cells |= {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
    return cells


def _groups(column):
    """The group of each row as text."""
    numbers = pd.to_numeric(column, errors="coerce")
    text = column.fillna("").astype(str).str.strip()
    if numbers[text != ""].isna().any() or numbers.nunique() <= FEW:
        return text
    edges = np.unique(np.quantile(numbers.dropna(), [0, 0.25, 0.5, 0.75, 1]))
    return _binned(numbers, (*edges[:-1], np.nextafter(edges[-1], np.inf)), "")


def _binned(numbers, edges, before, after=""):
    """Text like `64 to 127` for numbers from one edge up to, but not including, the next; empty for NaN."""
    places = np.digitize(numbers.to_numpy(float), edges) - 1
    names = [f"{before}{_range(low, high)}{after}" for low, high in zip(edges, edges[1:], strict=False)]
    known = numbers.notna().to_numpy() & (places >= 0) & (places < len(names))
    return pd.Series(
        [names[place] if inside else "" for place, inside in zip(places, known, strict=True)], numbers.index
    )


def _range(low, high):
    if np.isinf(high):
        return f"{low:g} or more"
    whole = float(low).is_integer() and float(high).is_integer()
    return f"{low:g} to {high - 1 if whole else high:g}"


def _natural(name):
    """Numbers within names are compared as numbers."""
    return [(0, float(part), "") if part.isdigit() else (1, 0.0, part) for part in re.split(r"(\d+)", name) if part]
