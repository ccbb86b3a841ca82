"""The mined losses against loops over all triplets, in float64.

An oracle returns (sum of terms, number of terms) of each anchor, from distances and labels.
"""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from common.losses import BatchAll, BatchHard, SemiHard
from tests import gradients


def others(labels, anchor):
    """Indices of the anchor's positives, and of its negatives."""
    positives = [i for i, label in enumerate(labels) if label == labels[anchor] and i != anchor]
    return positives, [i for i, label in enumerate(labels) if label != labels[anchor]]


def penalty(excess, margin):
    return math.log1p(math.exp(excess)) if margin == "soft" else max(excess + margin, 0)


def batch_all(distances, labels, margin, active):
    sums, numbers = [], []
    for anchor in range(len(labels)):
        d = distances[anchor]
        losses = [penalty(d[p] - d[n], margin) for p, n in itertools.product(*others(labels, anchor))]
        sums.append(sum(losses))
        numbers.append(sum(loss > 0 for loss in losses) if active else len(losses))
    return sums, numbers


def batch_hard(distances, labels, margin):
    sums, numbers = [], []
    for anchor in range(len(labels)):
        d, (positives, negatives) = distances[anchor], others(labels, anchor)
        complete = bool(positives and negatives)
        excess = max(d[p] for p in positives) - min(d[n] for n in negatives) if complete else 0
        sums.append(penalty(excess, margin) if complete else 0)
        numbers.append(complete)
    return sums, numbers


def semi_hard(distances, labels, margin):
    sums, numbers = [], []
    for anchor in range(len(labels)):
        d, (positives, negatives) = distances[anchor], others(labels, anchor)
        losses = []
        for p in positives if negatives else []:
            farther = [d[n] for n in negatives if d[n] > d[p]]
            losses.append(penalty(d[p] - (min(farther) if farther else max(d[n] for n in negatives)), margin))
        sums.append(sum(losses))
        numbers.append(len(losses))
    return sums, numbers


def cosine(x, y):
    """The cosine distance; a zero vector is at distance 1."""
    lengths = np.linalg.norm(x) * np.linalg.norm(y)
    return 1 - x @ y / lengths if lengths else 1.0


DISTANCES = {"squared": lambda x, y: sum((x - y) ** 2), "euclidean": lambda x, y: math.dist(x, y), "cosine": cosine}
CASES = {  # loss, its arguments, oracle, arguments of the oracle
    "all, active": (BatchAll, {"margin": 0.5}, batch_all, (0.5, True)),
    "all, squared": (BatchAll, {"margin": 0.5, "distance": "squared", "mean_over": "all"}, batch_all, (0.5, False)),
    "all, no margin": (BatchAll, {"margin": 0.0, "distance": "squared"}, batch_all, (0.0, True)),
    "all, cosine": (BatchAll, {"margin": 0.3, "distance": "cosine"}, batch_all, (0.3, True)),
    "all, soft": (BatchAll, {"margin": "soft"}, batch_all, ("soft", True)),
    "hard": (BatchHard, {"margin": 0.5}, batch_hard, (0.5,)),
    "hard, squared": (BatchHard, {"margin": 0.5, "distance": "squared"}, batch_hard, (0.5,)),
    "hard, soft": (BatchHard, {"margin": "soft"}, batch_hard, ("soft",)),
    "hard, soft cosine": (BatchHard, {"margin": "soft", "distance": "cosine"}, batch_hard, ("soft",)),
    "semi-hard": (SemiHard, {}, semi_hard, (1.0,)),
    "semi-hard, 0.25": (SemiHard, {"margin": 0.25}, semi_hard, (0.25,)),
    "semi-hard, euclidean": (SemiHard, {"margin": 0.5, "distance": "euclidean"}, semi_hard, (0.5,)),
    "semi-hard, soft cosine": (SemiHard, {"margin": "soft", "distance": "cosine"}, semi_hard, ("soft",)),
}
all_losses = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def expected_values(case, labels, embeddings):
    """sums * B / all terms: the vector whose mean is the sum of terms over their number; 0 if there are none."""
    loss, own, oracle, arguments = case
    distance = DISTANCES[loss(**own).distance]
    embeddings = np.asarray(embeddings, float)
    sums, numbers = oracle([[distance(x, y) for y in embeddings] for x in embeddings], labels, *arguments)
    return np.array(sums) * len(labels) / max(sum(numbers), 1)


def value_and_gradient(loss, labels, embeddings, dtype="float32"):
    labels, embeddings = np.asarray(labels), np.asarray(embeddings, dtype)
    value, gradient = gradients.value_and_gradient(lambda tensor: loss(labels, tensor), embeddings)
    return float(value), np.asarray(gradient)


# On a lattice distances tie and embeddings coincide often, and float32 is exact; cosines tie only up to rounding.
EXACT = {name: case for name, case in CASES.items() if "cosine" not in name}
lattice_batches = st.integers(1, 12).flatmap(
    lambda size: st.tuples(
        st.lists(st.integers(0, 3), min_size=size, max_size=size),
        st.lists(st.tuples(*[st.integers(-3, 3)] * 2), min_size=size, max_size=size),
        st.sampled_from([0.25, 1.0, 4.0]),
    )
)


@pytest.mark.slow
@pytest.mark.parametrize("case", EXACT.values(), ids=EXACT)
@settings(max_examples=60, deadline=None)
@given(batch=lattice_batches)
def test_values_equal_the_loops_on_any_batch(case, batch):
    labels, points, scale = batch
    embeddings = np.array(points, np.float32) * scale
    loss = case[0](**case[1])
    values = loss.call(np.array(labels, np.float32), ops.convert_to_tensor(embeddings))
    assert values.shape == (len(labels),)
    expected = expected_values(case, labels, embeddings)
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5 * max(1, expected.max()))
    value, gradient = value_and_gradient(loss, labels, embeddings)
    assert value == pytest.approx(expected.mean(), rel=1e-5, abs=1e-5) and np.isfinite(gradient).all()


@all_losses
def test_gradients_equal_the_differences_of_the_loops(case):
    random = np.random.default_rng(3)
    labels, embeddings, step = random.integers(0, 3, 9), random.normal(size=(9, 3)), 1e-6
    value, gradient = value_and_gradient(case[0](**case[1], dtype="float64"), labels, embeddings, "float64")
    assert value == pytest.approx(expected_values(case, labels, embeddings).mean(), abs=1e-12)
    for place in np.ndindex(embeddings.shape):
        shift = np.zeros_like(embeddings)
        shift[place] = step
        up, down = (expected_values(case, labels, embeddings + sign * shift).mean() for sign in (1, -1))
        assert gradient[place] == pytest.approx((up - down) / (2 * step), abs=1e-7)


@all_losses
def test_a_larger_batch_of_normalised_embeddings(case):
    random = np.random.default_rng(4)
    labels, embeddings = random.integers(0, 2, 48), random.normal(size=(48, 16))
    embeddings = (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float32)
    expected = expected_values(case, labels, embeddings).mean()
    assert value_and_gradient(case[0](**case[1]), labels, embeddings)[0] == pytest.approx(expected, rel=1e-5)


WITHOUT_TRIPLETS = {"one class": [1, 1, 1, 1], "no positive": [0, 1, 2, 3], "one example": [0]}


@pytest.mark.parametrize("labels", WITHOUT_TRIPLETS.values(), ids=WITHOUT_TRIPLETS)
@all_losses
def test_a_batch_without_triplets_has_the_value_and_the_gradient_zero(case, labels):
    embeddings = np.random.default_rng(5).normal(size=(len(labels), 3)) * 9
    value, gradient = value_and_gradient(case[0](**case[1]), labels, embeddings)
    assert value == 0 and not gradient.any()


@all_losses
def test_equal_embeddings_have_a_finite_value_and_the_gradient_zero(case):
    labels, embeddings = [0, 1, 0, 1, 1], np.full((5, 3), 0.7)
    value, gradient = value_and_gradient(case[0](**case[1]), labels, embeddings)
    assert value == pytest.approx(expected_values(case, labels, embeddings).mean(), rel=1e-6)
    assert not gradient.any()


@all_losses
def test_huge_distances_have_finite_values_and_gradients(case):
    random = np.random.default_rng(6)
    labels, embeddings = random.integers(0, 2, 12), (random.normal(size=(12, 4)) * 1e6).astype(np.float32)
    value, gradient = value_and_gradient(case[0](**case[1]), labels, embeddings)
    if case[1].get("margin") != "soft":  # the oracle's exp would overflow
        assert value == pytest.approx(expected_values(case, labels, embeddings).mean(), rel=1e-5)
    assert np.isfinite(value) and np.isfinite(gradient).all() and gradient.any()


@pytest.mark.parametrize("loss", [BatchAll, BatchHard, SemiHard])
def test_a_zero_vector_is_at_cosine_distance_1_and_has_the_gradient_zero(loss):
    random = np.random.default_rng(9)
    labels, embeddings = [0, 0, 1, 1, 0], random.normal(size=(5, 3)).astype(np.float32)
    embeddings[[0, 3]] = 0
    case = next(case for case in CASES.values() if case[0] is loss and case[1].get("distance") == "cosine")
    value, gradient = value_and_gradient(loss(**case[1]), labels, embeddings)
    assert value == pytest.approx(expected_values(case, labels, embeddings).mean(), rel=1e-5)
    assert np.isfinite(gradient).all() and gradient.any() and not gradient[[0, 3]].any()


def test_small_distances_far_from_the_origin_are_not_lost():
    """Points 0.001 apart around 10: x.x + y.y - 2 x.y in float32 would be wrong in the first digit."""
    random = np.random.default_rng(7)
    labels, embeddings = random.integers(0, 2, 16), (10 + 0.001 * random.normal(size=(16, 8))).astype(np.float32)
    case = (BatchHard, {"margin": 0.0}, batch_hard, (0.0,))
    expected = expected_values(case, labels, embeddings).mean()
    assert value_and_gradient(BatchHard(margin=0.0), labels, embeddings)[0] == pytest.approx(expected, rel=1e-4)
