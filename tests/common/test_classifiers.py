"""NearestCentroid against scikit-learn's contract of an estimator, NumPy, and a file of an earlier version."""

from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator

from common.classifiers import NearestCentroid

CHECKS = list(estimator_checks_generator(NearestCentroid()))
# Embeddings (0, 0), (0, 2) of reals and (4, 0), (4, 2) of fakes, when the class had no `classes_` yet.
OLD_FILE = Path(__file__).parent / "nearest_centroid_without_classes.skops"


@pytest.mark.parametrize("number", range(len(CHECKS)), ids=lambda number: f"{number}-{CHECKS[number][1].func.__name__}")
def test_the_contract_of_scikit_learn(number):
    estimator, check = CHECKS[number]
    check(estimator)


def test_predict_and_score_follow_the_nearer_mean():
    generator = np.random.default_rng(0)
    embeddings, labels = generator.normal(size=(40, 8)), np.arange(40) % 2
    embeddings[labels == 1] += 0.5
    classifier = NearestCentroid().fit(embeddings, labels)
    real, fake = (embeddings[labels == label].mean(axis=0) for label in (0, 1))
    expected = [int(np.linalg.norm(x - fake) < np.linalg.norm(x - real)) for x in embeddings]
    assert classifier.predict(embeddings).tolist() == expected
    assert classifier.score(embeddings, labels) == np.mean(labels == expected)
    assert classifier.classes_.tolist() == [0, 1]


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_other_numbers_of_classes_are_refused(labels):
    with pytest.raises(ValueError, match="expected labels of 2 classes, got"):
        NearestCentroid().fit(np.eye(3), labels)


def test_a_file_of_an_earlier_version_loads():
    classifier = skops.io.load(OLD_FILE, trusted=["common.classifiers.NearestCentroid"])
    assert classifier.centroids_.tolist() == [[0, 1], [4, 1]]
    assert classifier.decision_function([[1, 1], [3, 1]]).tolist() == [-2, 2]
    assert classifier.predict([[1, 1], [3, 1]]).tolist() == [0, 1]
    assert classifier.score([[1, 1], [3, 1]], [0, 1]) == 1
    with pytest.raises(ValueError, match="2 features"):
        classifier.predict([[1, 1, 1]])
    clone(classifier).fit(np.eye(2), [0, 1])
