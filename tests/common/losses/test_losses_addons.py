"""SemiHard and BatchHard against TensorFlow Addons' TripletSemiHardLoss and TripletHardLoss, and where they differ.

The oracles are Addons' published definition (v0.23, tensorflow_addons/losses/triplet.py) in NumPy loops: a minimum over
no element is the row's maximum, a maximum over no element is the row's minimum, and means are over all positive pairs
(semi-hard) or over all examples (hard). Addons' names of the distances: squared-L2, L2 and angular.
"""

import math

import keras
import numpy as np
import pytest

from common.losses import BatchHard, SemiHard
from tests.gradients import skip_without

DTYPES = ["float16", "bfloat16", "float32", "float64"]
ULP = {"float16": 1e-5, "bfloat16": 1e-5, "float32": 1e-5, "float64": 1e-12}  # relative; 16 bits are computed in 32


def addons_distances(embeddings, distance):
    """(B, B) in float64."""
    x = np.asarray(embeddings, np.float64)
    if distance == "cosine":
        x = x / np.sqrt(np.maximum((x**2).sum(axis=1, keepdims=True), 1e-12))
        return np.maximum(1 - x @ x.T, 0)
    squared = ((x[:, None] - x[None]) ** 2).sum(axis=-1)
    return squared if distance == "squared" else np.sqrt(squared)


def addons_semi_hard(labels, d, margin):
    total, pairs = 0.0, 0
    for a in range(len(labels)):
        negatives = [d[a, n] for n in range(len(labels)) if labels[n] != labels[a]]
        for p in range(len(labels)):
            if p == a or labels[p] != labels[a]:
                continue
            outside = [distance for distance in negatives if distance > d[a, p]]
            mined = min(outside) if outside else max(negatives, default=d[a].min())
            total += max(d[a, p] - mined + margin, 0)
            pairs += 1
    return total / pairs if pairs else math.nan


def addons_hard(labels, d, margin, soft):
    losses = []
    for a in range(len(labels)):
        positives = [d[a, p] for p in range(len(labels)) if p != a and labels[p] == labels[a]]
        negatives = [d[a, n] for n in range(len(labels)) if labels[n] != labels[a]]
        excess = max(positives, default=d[a].min()) - min(negatives, default=d[a].max())
        losses.append(math.log1p(math.exp(excess)) if soft else max(excess + margin, 0))
    return sum(losses) / len(losses)


def draw(seed, size, dimensions, classes, dtype):
    """Labels of which each class has two examples or more, and embeddings; those of 16 bits are exact in float64."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(size) % classes)
    embeddings = keras.ops.cast(random.normal(size=(size, dimensions)).astype("float32"), dtype)
    return labels, embeddings, keras.ops.convert_to_numpy(keras.ops.cast(embeddings, "float64"))


BATCHES = {"Addons' own": (10, 6, 4), "two classes": (32, 64, 2), "pairs": (24, 3, 12), "one dimension": (18, 1, 3)}
kinds = pytest.mark.parametrize(
    "batch, dtype", [("Addons' own", dtype) for dtype in DTYPES] + [(batch, "float32") for batch in list(BATCHES)[1:]]
)
distances = pytest.mark.parametrize("distance", ["squared", "euclidean", "cosine"])


@kinds
@distances
def test_semi_hard_equals_addons(batch, dtype, distance):
    if distance == "cosine" and batch == "one dimension":
        pytest.skip("in one dimension every cosine is 1 or -1: all distances tie up to rounding")
    skip_without(dtype)
    labels, embeddings, exact = draw(0, *BATCHES[batch], dtype)
    value = float(SemiHard(1.0, distance, dtype="float64")(labels, embeddings))
    assert value == pytest.approx(addons_semi_hard(labels, addons_distances(exact, distance), 1.0), rel=ULP[dtype])


@pytest.mark.parametrize("margin", [1.0, "soft"])
@kinds
@distances
def test_hard_equals_addons(batch, dtype, distance, margin):
    skip_without(dtype)
    labels, embeddings, exact = draw(1, *BATCHES[batch], dtype)
    value = float(BatchHard(margin, distance, dtype="float64")(labels, embeddings))
    expected = addons_hard(labels, addons_distances(exact, distance), margin, margin == "soft")
    assert value == pytest.approx(expected, rel=ULP[dtype])


ALONE = np.array([0, 0, 1, 1, 2])  # the last example has no positive
POINTS = np.array([[0.0], [1.0], [3.0], [4.0], [2.0]])


def test_an_anchor_without_a_positive_counts_in_addons_hard_loss_and_not_in_ours():
    """Hardest triplets, d(a, p) - d(a, n): 1 - 2, 1 - 1, 1 - 1, 1 - 2; with margin 1 the losses 0, 1, 1, 0, mean 0.5.
    Addons adds the fifth example with d(a, p) = 0, its distance from itself: max(0 - 1 + 1, 0) = 0, mean 0.4."""
    assert float(BatchHard(1.0)(ALONE, POINTS)) == pytest.approx(0.5)
    assert addons_hard(ALONE, addons_distances(POINTS, "euclidean"), 1.0, soft=False) == pytest.approx(0.4)


def test_an_anchor_without_a_positive_has_no_pair_in_either_semi_hard_loss():
    expected = addons_semi_hard(ALONE, addons_distances(POINTS, "squared"), 4.0)
    assert float(SemiHard(4.0)(ALONE, POINTS)) == pytest.approx(expected) and expected > 0


def test_batches_in_which_nothing_can_be_mined():
    """Addons: NaN without a positive pair; with one class only, the margin and the positives' distances."""
    d = addons_distances(POINTS, "squared")
    assert math.isnan(addons_semi_hard([0, 1, 2, 3, 4], d, 1.0)) and float(SemiHard()([0, 1, 2, 3, 4], POINTS)) == 0
    assert addons_semi_hard([0] * 5, d, 1.0) == pytest.approx(6.0) and float(SemiHard()([0] * 5, POINTS)) == 0
    assert addons_hard([0] * 5, d, 1.0, soft=False) == pytest.approx(1.0)
    assert float(BatchHard(1.0, "squared")([0] * 5, POINTS)) == 0


def test_the_soft_margin_overflows_in_addons_and_not_here():
    points = np.array([[0.0], [1000.0], [1.0], [1001.0]])
    with pytest.raises(OverflowError):
        addons_hard([0, 0, 1, 1], addons_distances(points, "euclidean"), 0.0, soft=True)
    assert float(BatchHard("soft")([0, 0, 1, 1], points)) == pytest.approx(999.0)  # 1000 - 1 for each anchor
