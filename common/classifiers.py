"""Classifiers on embeddings that scikit-learn does not have in the form that the papers need.

.skops files of earlier runs contain the name `common.classifiers.NearestCentroid`: neither may be renamed.
"""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from common.labels import FAKE, REAL


class NearestCentroid(ClassifierMixin, BaseEstimator):
    """Binary classifier that predicts the class whose mean embedding is nearest by Euclidean distance.

    The `decision_function` of scikit-learn's own NearestCentroid divides each feature by its spread and so contradicts
    its `predict`, and its `fit` raises an error if all embeddings are equal, as after a loss that has collapsed.

    Attributes:
        classes_: the two labels in ascending order, (2,); in this project real = 0 and fake = 1.
        centroids_: the mean embedding of each class, float64 (2, d).
        n_features_in_: d.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Compute the mean embedding of each class.

        Args:
            X: embeddings, float (n, d), finite.
            y: labels (n,), two distinct values.

        Returns:
            The classifier itself.

        Raises:
            ValueError: if there are not exactly two classes, or an embedding is not finite.
        """
        embeddings, labels = validate_data(self, X, y)
        check_classification_targets(labels)
        self.classes_ = np.unique(labels)
        if len(self.classes_) != 2:
            raise ValueError(
                "Only binary classification is supported: expected labels of 2 classes, "
                f"got {len(self.classes_)} class{'es' if len(self.classes_) > 2 else ''}"
            )
        self.centroids_ = np.stack([embeddings[labels == label].mean(axis=0, dtype=float) for label in self.classes_])
        return self

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return the difference of the distances to the centroids, d(real) - d(fake).

        Args:
            X: embeddings, float (n, d).

        Returns:
            float64 (n,): positive if the fake centroid is nearer; between -2 and 2 for embeddings of length 1.
        """
        check_is_fitted(self)
        distances = cdist(validate_data(self, X, reset=False), self.centroids_)  # (n, 2)
        return distances[:, REAL] - distances[:, FAKE]

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the label of the nearer centroid, (n,); real for an embedding at equal distances.

        Args:
            X: embeddings, float (n, d).
        """
        nearest = (self.decision_function(X) > 0).astype(int)
        return self.classes_[nearest]

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a classifier; files of earlier versions contain the centroids alone."""
        centroids = state.get("centroids_")
        if centroids is not None:
            state = {"classes_": np.array([REAL, FAKE]), "n_features_in_": centroids.shape[1]} | state
        super().__setstate__(state)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags
