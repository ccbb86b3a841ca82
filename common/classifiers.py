"""Classifiers on embeddings that scikit-learn does not have as the papers need them; skops saves them."""

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, ClassifierMixin

from common.labels import FAKE, REAL


class NearestCentroid(ClassifierMixin, BaseEstimator):
    """The class whose mean embedding is nearest. scikit-learn's own has another `decision_function`, which scales each
    feature by its spread and so contradicts its `predict`, and refuses embeddings that a loss has let collapse."""

    def fit(self, embeddings, labels):
        """embeddings: (n, d); labels: (n,), fake = 1, both classes."""
        self.centroids_ = np.stack([embeddings[labels == label].mean(axis=0, dtype=float) for label in (REAL, FAKE)])
        return self

    def decision_function(self, embeddings):
        """d(real centroid) - d(fake centroid), (n,): positive means fake; between -2 and 2 for unit vectors."""
        distances = cdist(embeddings, self.centroids_)  # (n, 2)
        return distances[:, REAL] - distances[:, FAKE]
