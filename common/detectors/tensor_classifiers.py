"""scikit-learn's fitted classifiers as TensorFlow functions: for export behind a network, and for explain's gradients.

Arithmetic is in float64, like scikit-learn's own.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from sklearn.ensemble import RandomForestClassifier
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, Perceptron, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from common.classifiers import NearestCentroid
from common.errors import UserError
from common.labels import FAKE, REAL
from common.library_internals import neighbour_points, rbf_gamma

TensorFunction = Callable[[tf.Tensor], tf.Tensor]

LINEAR = (LogisticRegression, LinearSVC, Perceptron, SGDClassifier)


def margins(classifier: Any) -> TensorFunction | None:
    """Return a classifier's `decision_function` as a differentiable function of float64 (n, d) -> (n,).

    Returns:
        The function; None for a classifier that has none: trees, forests, neighbours.

    Raises:
        UserError: if the type, or the kernel, is not supported.
    """
    if isinstance(classifier, Pipeline):
        transforms = [_transform(step) for _, step in classifier.steps[:-1]]
        last = margins(classifier.steps[-1][1])
        return last and (lambda features: last(_apply_all(transforms, features)))
    if isinstance(classifier, (DecisionTreeClassifier, RandomForestClassifier, KNeighborsClassifier)):
        return None
    if isinstance(classifier, NearestCentroid):
        return lambda features: _distance_difference(features, _float64(classifier.centroids_))
    if isinstance(classifier, LINEAR):
        return _linear(classifier.coef_, classifier.intercept_)
    if isinstance(classifier, SVC) and classifier.kernel == "rbf":
        kernel = _rbf(classifier.support_vectors_, rbf_gamma(classifier))
        linear = _linear(classifier.dual_coef_, classifier.intercept_)
        return lambda features: linear(kernel(features))
    raise _unknown(classifier)


def scores(classifier: Any, head: str) -> TensorFunction:
    """Return a function of float64 (n, d) -> scores (n,) in [0, 1], those of a Detector with this classifier.

    Args:
        classifier: a fitted classifier.
        head: of the Description.

    Raises:
        UserError: if the type is not supported.
    """
    margin = margins(classifier)
    if margin is not None:
        logistic = isinstance(classifier, LogisticRegression) or getattr(classifier, "loss", None) == "log_loss"
        if head == "probability" and not logistic:
            raise _unknown(classifier)
        return lambda features: tf.sigmoid(margin(features))
    if isinstance(classifier, KNeighborsClassifier):
        return _neighbours(classifier)
    if isinstance(classifier, (DecisionTreeClassifier, RandomForestClassifier)):
        return _trees(getattr(classifier, "estimators_", [classifier]))
    raise _unknown(classifier)


def _apply_all(functions, value):
    for function in functions:
        value = function(value)
    return value


def _float64(values):
    return np.asarray(values, np.float64)  # attributes fitted on float32 stay float32


def _linear(coefficients, intercept):
    return lambda features: tf.linalg.matvec(features, _float64(coefficients)[0]) + _float64(intercept)[0]


def _transform(step):
    if isinstance(step, StandardScaler):
        return lambda features: (features - _float64(step.mean_)) / _float64(step.scale_)
    if isinstance(step, Nystroem) and step.kernel == "rbf":
        kernel = _rbf(step.components_, step.gamma)
        return lambda features: tf.matmul(kernel(features), _float64(step.normalization_).T)
    raise _unknown(step)


def _rbf(points, gamma):
    """Return a function: exp(-gamma ||x - p||^2), (n, d) -> (n, points)."""
    return lambda features: tf.exp(-gamma * _squared_distances(features, _float64(points)))


def _squared_distances(features, points):
    lengths = tf.reduce_sum(features**2, axis=1)[:, None] + tf.reduce_sum(points**2, axis=1)
    return tf.maximum(lengths - 2 * tf.matmul(features, points, transpose_b=True), 0.0)


def _distance_difference(features, centroids):
    squares = tf.reduce_sum((features[:, None] - centroids) ** 2, axis=2)  # (n, 2)
    distances = tf.sqrt(tf.maximum(squares, 1e-24))  # the gradient at a centroid is 0, not infinite
    return distances[:, REAL] - distances[:, FAKE]


def _neighbours(classifier):
    """Return the share of fakes among the k nearest, weighted by 1 or by 1 / distance as the classifier does."""
    points, labels = neighbour_points(classifier)
    points, fakes = _float64(points), _float64(labels == FAKE)
    if classifier.weights not in ("uniform", "distance") or classifier.effective_metric_ != "euclidean":
        raise _unknown(classifier)

    def score(features):
        nearest = tf.math.top_k(-_squared_distances(features, points), classifier.n_neighbors)
        distances = tf.sqrt(tf.maximum(-nearest.values, 1e-24))  # (n, k)
        weights = 1 / distances if classifier.weights == "distance" else tf.ones_like(distances)
        return tf.reduce_sum(weights * tf.gather(fakes, nearest.indices), axis=1) / tf.reduce_sum(weights, axis=1)

    return score


def _trees(estimators):
    """Return the mean share of fakes in the leaves that an image falls into; all trees are descended at once."""
    trees = [estimator.tree_ for estimator in estimators]
    nodes, depth = max(tree.node_count for tree in trees), max(tree.max_depth for tree in trees)

    def padded(values, dtype):
        return np.stack([np.pad(value, (0, nodes - len(value))) for value in values]).astype(dtype)  # (trees, nodes)

    leaf = [tree.children_left < 0 for tree in trees]
    stay = [np.arange(tree.node_count) for tree in trees]
    left = padded([np.where(at, s, t.children_left) for at, s, t in zip(leaf, stay, trees, strict=True)], np.int32)
    right = padded([np.where(at, s, t.children_right) for at, s, t in zip(leaf, stay, trees, strict=True)], np.int32)
    feature = padded([np.maximum(tree.feature, 0) for tree in trees], np.int32)
    threshold = padded([tree.threshold for tree in trees], np.float64)
    fakes = padded([tree.value[:, 0, FAKE] for tree in trees], np.float64)
    root = np.arange(len(trees), dtype=np.int32) * nodes  # of each tree, in the concatenated nodes

    def node_values(values, places):
        return tf.gather(values.ravel(), places + root)

    def score(features):
        features = tf.cast(tf.cast(features, tf.float32), tf.float64)  # scikit-learn compares in single precision
        places = tf.zeros_like(features[:, :1], tf.int32) + tf.zeros_like(root)  # (n, trees)
        for _ in range(depth):
            values = tf.gather(features, node_values(feature, places), batch_dims=1)
            places = tf.where(
                values <= node_values(threshold, places), node_values(left, places), node_values(right, places)
            )
        return tf.reduce_mean(node_values(fakes, places), axis=1)

    return score


def _unknown(classifier):
    return UserError(
        f"{classifier} cannot be explained or exported; expected a linear classifier, RBF SVC, Nystroem or nearest "
        "centroid, or for export alone a tree, a forest or nearest neighbours"
    )
