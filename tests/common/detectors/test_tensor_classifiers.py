"""Classifiers as TensorFlow functions, against scikit-learn itself and central differences of its decisions."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, Perceptron, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from common.classifiers import NearestCentroid
from common.detectors.store import Description, Detector
from common.detectors.tensor_classifiers import margins, scores
from common.errors import UserError

SMOOTH = {
    "svc": make_pipeline(StandardScaler(), SVC()),
    "nystroem": make_pipeline(StandardScaler(), Nystroem(gamma=0.2, n_components=20, random_state=0), LinearSVC()),
    "sgd": SGDClassifier(loss="log_loss", random_state=0),
    "logistic_regression": LogisticRegression(),
    "perceptron": Perceptron(random_state=0),
    "nearest_centroid": NearestCentroid(),
}
STEPPED = {
    "forest": RandomForestClassifier(20, random_state=0),
    "tree": DecisionTreeClassifier(random_state=0),
    "neighbours": KNeighborsClassifier(10),
    "weighted_neighbours": KNeighborsClassifier(5, weights="distance", algorithm="brute"),
}


def points(count, seed):
    """Features float32 (n, 6) of two classes that overlap, and labels."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, count)
    return (generator.normal(size=(count, 6)) + 0.8 * labels[:, None]).astype(np.float32), labels


@pytest.mark.parametrize("name", [*SMOOTH, *STEPPED])
def test_scores_are_those_of_scikit_learn(name):
    classifier = (SMOOTH | STEPPED)[name].fit(*points(120, 0))
    head = "probability" if hasattr(classifier, "predict_proba") else "margin"
    new = points(50, 1)[0]
    expected = Detector(Description(name, {}, head), None, classifier).score_outputs(new)
    found = scores(classifier, head)(tf.constant(new, tf.float64)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert expected.std() > 0.02, "a constant would prove nothing"


@pytest.mark.parametrize("name", SMOOTH)
def test_the_gradient_is_the_central_difference_of_the_decision(name):
    classifier = SMOOTH[name].fit(*points(120, 0))
    new = points(5, 1)[0].astype(np.float64)
    with tf.GradientTape() as tape:
        features = tf.constant(new)
        tape.watch(features)
        margin = margins(classifier)(features)
    found = tape.gradient(margin, features).numpy()
    step = 1e-5
    for place in np.ndindex(new.shape):
        moved = np.zeros_like(new)
        moved[place] = step
        both = [classifier.decision_function(new + sign * moved)[place[0]] for sign in (1, -1)]
        assert found[place] == pytest.approx((both[0] - both[1]) / (2 * step), abs=1e-6)


def test_at_a_centroid_itself_the_gradient_is_finite():
    classifier = NearestCentroid().fit(*points(40, 0))
    with tf.GradientTape() as tape:
        features = tf.constant(classifier.centroids_)
        tape.watch(features)
        margin = margins(classifier)(features)
    assert np.isfinite(tape.gradient(margin, features).numpy()).all()


def test_neighbours_of_a_training_image_itself():
    features, labels = points(60, 0)
    classifier = STEPPED["weighted_neighbours"].fit(features, labels)
    found = scores(classifier, "probability")(tf.constant(features, tf.float64)).numpy()
    np.testing.assert_allclose(found, classifier.predict_proba(features)[:, 1], atol=1e-5)
    np.testing.assert_allclose(found, labels, atol=1e-5)


@pytest.mark.parametrize("name", STEPPED)
def test_what_decides_by_steps_has_no_margin(name):
    assert margins(STEPPED[name].fit(*points(30, 0))) is None


@pytest.mark.parametrize("classifier", [GradientBoostingClassifier(n_estimators=2), SVC(kernel="poly")])
def test_an_unknown_classifier_is_named(classifier):
    with pytest.raises(UserError, match=f"{type(classifier).__name__}.* cannot be explained or exported"):
        scores(classifier.fit(*points(30, 0)), "margin")
