"""What the files behind predictions tell: groups by compression and size, and the scores of a shortcut detector."""

from pathlib import Path

import pandas as pd

from common.data.file_features import file_features
from common.data.text_tables import read_text_table
from common.errors import UserError
from common.evaluation.baselines import SHORTCUT
from common.evaluation.breakdown import file_groups
from common.evaluation.evaluate import is_fake
from common.evaluation.sampling import sampling_of
from common.evaluation.shortcut import FOLDS, cross_fitted_scores, shortcut_scores


def add_files(predictions: pd.DataFrame, folder: Path, validation: pd.DataFrame | None) -> tuple[pd.DataFrame, str]:
    """Add the columns of `file_groups`, and the scores of a shortcut detector, to predictions.

    Args:
        predictions: rows with the column path.
        folder: what the paths are relative to.
        validation: rows whose files the detector is fitted on; None: those of other clusters of `predictions`.

    Returns:
        The predictions, and a sentence on how many files there are and what the detector was fitted on. Rows whose file
        cannot be read have no score.

    Raises:
        UserError: if no path leads to an image.
    """
    if any("path" not in table for table in (predictions, validation) if table is not None):
        raise UserError("--images: expected a column path in each file, relative to that folder")
    image = [name for name in ("dataset", "path") if name in predictions]
    distinct = predictions.drop_duplicates(image)  # each is looked at once, whatever the number of models
    place = pd.Series(range(len(distinct)), index=pd.MultiIndex.from_frame(distinct[image]))
    place = place.loc[pd.MultiIndex.from_frame(predictions[image])].to_numpy()
    features = _features(distinct, folder)
    readable = features["bytes"].notna().to_numpy()[place]
    if not readable.any():
        raise UserError(
            f"--images {folder}: none of {len(predictions)} paths leads to an image in it, "
            f"first {predictions['path'].iloc[0] if len(predictions) else '(no paths)'}"
        )
    if validation is None:
        scores = cross_fitted_scores(features, is_fake(distinct), sampling_of(distinct).clusters)
        words = f"cross-fitted on this file in {FOLDS} folds of clusters"
    else:
        seen = validation.drop_duplicates([name for name in image if name in validation])
        fitted = _features(seen, folder)
        scores = shortcut_scores(fitted, is_fake(seen), features)
        words = f"fitted on {int(fitted['bytes'].notna().sum())} files of validation"
    groups = file_groups(features).iloc[place].set_axis(predictions.index, axis=0)
    found = f"{int(readable.sum())} of {len(readable)} files found in {folder}"
    if scores is None:
        return predictions.join(groups), f"{found}; no shortcut detector: too few of them of each class"
    return predictions.join(groups).assign(**{SHORTCUT: scores[place]}), f"{found}; shortcut detector {words}"


def add_manifest(predictions: pd.DataFrame, manifest: Path, columns: list[str]) -> pd.DataFrame:
    """Add columns of a manifest to predictions, by path.

    Args:
        predictions: rows with the column path.
        manifest: a prepared folder, or a CSV file with the column path.
        columns: to add.

    Returns:
        The predictions; empty text where the manifest does not know a path.

    Raises:
        UserError: if there is no such file, a column is missing, or a path is listed twice.
    """
    path = manifest / "manifest.csv" if manifest.is_dir() else manifest
    if not path.is_file():
        raise UserError(f"--manifest: no such file: {path}")
    table = read_text_table(path)
    if missing := [name for name in ("path", *columns) if name not in table]:
        raise UserError(f"{path} has no column {missing[0]!r}; found: {', '.join(table)}")
    if "path" not in predictions or table["path"].duplicated().any():
        raise UserError(f"--manifest {path}: expected a column path in both files, each path once in the manifest")
    known = table.set_index("path")[columns].reindex(predictions["path"]).fillna("")
    return predictions.join(known.set_axis(predictions.index, axis=0))


def _features(predictions, folder):
    return file_features([folder / path for path in predictions["path"]])
