"""scikit-learn's fitted classifiers as TensorFlow functions: export puts them behind a network, explain follows their
gradients. Arithmetic is in float64, as scikit-learn's own."""

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

LINEAR = (LogisticRegression, LinearSVC, Perceptron, SGDClassifier)


def margins(classifier):
    """`decision_function` as a function of float64 (n, d) -> (n,), differentiable; None for a classifier that has none:
    trees, forests, neighbours.

    UserError for a type, or a kernel, that is not known here.
    """
    if isinstance(classifier, Pipeline):
        transforms = [_transform(step) for _, step in classifier.steps[:-1]]
        last = margins(classifier.steps[-1][1])
        return last and (lambda features: last(_in_turn(transforms, features)))
    if isinstance(classifier, (DecisionTreeClassifier, RandomForestClassifier, KNeighborsClassifier)):
        return None
    if isinstance(classifier, NearestCentroid):
        return lambda features: _distance_difference(features, _wide(classifier.centroids_))
    if isinstance(classifier, LINEAR):
        return _linear(classifier.coef_, classifier.intercept_)
    if isinstance(classifier, SVC) and classifier.kernel == "rbf":
        kernel = _rbf(classifier.support_vectors_, classifier._gamma)  # 'scale', resolved
        linear = _linear(classifier.dual_coef_, classifier.intercept_)
        return lambda features: linear(kernel(features))
    raise _unknown(classifier)


def scores(classifier, head):
    """What a Detector makes of a classifier, as a function of float64 (n, d) -> scores (n,) in [0, 1].

    head: of common.detectors.store.Description. UserError for a type that is not known here.
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


def _in_turn(functions, value):
    for function in functions:
        value = function(value)
    return value


def _wide(values):
    return np.asarray(values, np.float64)  # what was fitted on float32 keeps it


def _linear(coefficients, intercept):
    return lambda features: tf.linalg.matvec(features, _wide(coefficients)[0]) + _wide(intercept)[0]


def _transform(step):
    if isinstance(step, StandardScaler):
        return lambda features: (features - _wide(step.mean_)) / _wide(step.scale_)
    if isinstance(step, Nystroem) and step.kernel == "rbf":
        kernel = _rbf(step.components_, step.gamma)
        return lambda features: tf.matmul(kernel(features), _wide(step.normalization_).T)
    raise _unknown(step)


def _rbf(points, gamma):
    """exp(-gamma ||x - p||^2): (n, d) -> (n, points)."""
    return lambda features: tf.exp(-gamma * _squared_distances(features, _wide(points)))


def _squared_distances(features, points):
    lengths = tf.reduce_sum(features**2, axis=1)[:, None] + tf.reduce_sum(points**2, axis=1)
    return tf.maximum(lengths - 2 * tf.matmul(features, points, transpose_b=True), 0.0)


def _distance_difference(features, centroids):
    squares = tf.reduce_sum((features[:, None] - centroids) ** 2, axis=2)  # (n, 2)
    distances = tf.sqrt(tf.maximum(squares, 1e-24))  # at a centroid itself a gradient of 0, not of infinity
    return distances[:, REAL] - distances[:, FAKE]


def _neighbours(classifier):
    """The share of fakes among the k nearest, each with weight 1 or, as the classifier has it, 1 / distance."""
    points, fakes = _wide(classifier._fit_X), _wide(classifier._y == FAKE)
    if classifier.weights not in ("uniform", "distance") or classifier.effective_metric_ != "euclidean":
        raise _unknown(classifier)

    def score(features):
        found = tf.math.top_k(-_squared_distances(features, points), classifier.n_neighbors)
        distances = tf.sqrt(tf.maximum(-found.values, 1e-24))  # (n, k)
        weights = 1 / distances if classifier.weights == "distance" else tf.ones_like(distances)
        return tf.reduce_sum(weights * tf.gather(fakes, found.indices), axis=1) / tf.reduce_sum(weights, axis=1)

    return score


def _trees(estimators):
    """The mean share of fakes in the leaves that an image falls into; every tree is gone down at once."""
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
    root = np.arange(len(trees), dtype=np.int32) * nodes  # of each tree, once all lie one after another

    def of_node(values, places):
        return tf.gather(values.ravel(), places + root)

    def score(features):
        features = tf.cast(tf.cast(features, tf.float32), tf.float64)  # scikit-learn compares in single precision
        places = tf.zeros_like(features[:, :1], tf.int32) + tf.zeros_like(root)  # (n, trees)
        for _ in range(depth):
            values = tf.gather(features, of_node(feature, places), batch_dims=1)
            places = tf.where(values <= of_node(threshold, places), of_node(left, places), of_node(right, places))
        return tf.reduce_mean(of_node(fakes, places), axis=1)

    return score


def _unknown(classifier):
    return UserError(
        f"{classifier} is not among the classifiers that can be followed or exported: linear ones, RBF SVC, Nystroem, "
        "nearest centroid; trees, forests and nearest neighbours for export alone"
    )
