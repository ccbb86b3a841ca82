"""The shortcut detector: logistic regression on what can be known of a file without looking at what it shows.

Data sets often keep fakes and reals apart by accident: another encoder, another image size, another sharpness. This
detector finds such accidents (Geirhos et al. 2020, doi:10.1038/s42256-020-00257-z). A network that does no better need
not have seen a trace of forgery.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.data.file_features import TABLE_COLUMNS

FOLDS = 5
MOST_IMAGES = 20_000  # that it is fitted on; more change nothing
ITERATIONS = 2000


def shortcut_scores(
    train: pd.DataFrame, fake: NDArray[np.bool_], others: pd.DataFrame, seed: int = 0
) -> NDArray[np.float64] | None:
    """Fit the shortcut detector on the files of the training split, and score others.

    Args:
        train: features of the training files, of `common.data.file_features.file_features`.
        fake: bool (n,), their labels.
        others: features of the files to score.
        seed: of the choice of training files, if there are more than MOST_IMAGES.

    Returns:
        P(fake) of the others, float64; NaN for a file that cannot be read. None if the training files that can be read
        are not of both classes.
    """
    readable = train["bytes"].notna().to_numpy()
    places = np.flatnonzero(readable)
    if len(places) > MOST_IMAGES:
        places = np.sort(np.random.default_rng(seed).choice(places, MOST_IMAGES, replace=False))
    if len(np.unique(fake[places])) < 2:
        return None
    model = _model().fit(design_matrix(train.iloc[places]), fake[places])
    scores, readable = np.full(len(others), np.nan), others["bytes"].notna().to_numpy()
    if readable.any():
        scores[readable] = model.predict_proba(design_matrix(others[readable]))[:, 1]
    return scores


def cross_fitted_scores(
    features: pd.DataFrame, fake: NDArray[np.bool_], clusters: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Score each file by a shortcut detector that is fitted on the files of other clusters of the same set.

    It knows the very set that it is tested on, so it is a stricter baseline than one of another training split.

    Args:
        features: of `common.data.file_features.file_features`, n rows.
        fake: bool (n,).
        clusters: int64 (n,), equal for images that are drawn together.

    Returns:
        P(fake), float64 (n,); NaN for a file that cannot be read. None if a class has fewer than FOLDS clusters.
    """
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict  # half a second, and seldom needed

    readable = features["bytes"].notna().to_numpy()
    kept, groups = fake[readable], clusters[readable]
    if min(len(np.unique(groups[kept])), len(np.unique(groups[~kept]))) < FOLDS:
        return None
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    found = cross_val_predict(
        _model(), design_matrix(features[readable]), kept, groups=groups, cv=folds, method="predict_proba"
    )
    scores = np.full(len(fake), np.nan)
    scores[readable] = found[:, 1]
    return scores


def design_matrix(features: pd.DataFrame) -> NDArray[np.float64]:
    """Return what the regression sees, float64 (n, 135): sizes, sharpness and tables by their logarithms.

    Args:
        features: n rows of `common.data.file_features.file_features`, none NaN but jpeg_quality.
    """
    sizes = np.log(features[["bytes", "width", "height"]].to_numpy())
    sharpness = np.log(features[["sharpness"]].to_numpy() + 1e-6)
    brightness, jpeg = features[["brightness"]].to_numpy(), features[["jpeg_quality"]].notna().to_numpy()
    tables = np.log1p(features[list(TABLE_COLUMNS)].to_numpy())
    return np.hstack([sizes, (sizes[:, 1:2] - sizes[:, 2:3]), sharpness, brightness, jpeg, tables])


def _model():
    from sklearn.linear_model import LogisticRegression  # half a second, and seldom needed
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=ITERATIONS))
