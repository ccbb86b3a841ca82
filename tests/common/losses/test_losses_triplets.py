"""The losses of given triplets against the equations in plain Python."""

import math

import numpy as np
import pytest
from keras import ops

from common.losses import TripletHinge, TripletLogExp
from tests import gradients

TRIPLETS = np.random.default_rng(1).normal(size=(16, 3, 5)).astype(np.float32)
LOSSES = {"loss1": TripletHinge(0.0), "loss2": TripletHinge(0.4), "loss3": TripletLogExp()}
all_losses = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def hinge(anchor, positive, negative, margin):
    """Equations 13 (margin 0) and 14."""
    terms = [(a - p) ** 2 - (a - n) ** 2 for a, p, n in zip(anchor, positive, negative, strict=True)]
    return max(sum(terms) + margin, 0)


def log_exp(anchor, positive, negative):
    """Equation 15."""
    terms = [abs(a - p) - abs(a - n) for a, p, n in zip(anchor, positive, negative, strict=True)]
    return math.log(1 + math.exp(sum(terms)))


def value_and_gradient(loss, triplets):
    labels = np.zeros(len(triplets), np.float32)
    value, gradient = gradients.value_and_gradient(lambda tensor: loss(labels, tensor), triplets)
    return float(value), np.asarray(gradient)


@pytest.mark.parametrize("margin", [0.0, 0.4])
def test_hinge_is_equations_13_and_14(margin):
    expected = [hinge(*triplet.astype(float), margin) for triplet in TRIPLETS]
    values = TripletHinge(margin).call(None, ops.convert_to_tensor(TRIPLETS))
    assert values.shape == (16,) and 0 < np.count_nonzero(values) < 16
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)


def test_log_exp_is_equation_15():
    values = TripletLogExp().call(None, ops.convert_to_tensor(TRIPLETS))
    assert values.shape == (16,)
    np.testing.assert_allclose(values, [log_exp(*triplet.astype(float)) for triplet in TRIPLETS], rtol=1e-5)


def test_the_margin_of_loss2_is_the_papers():
    assert TripletHinge().margin == 0.4


@pytest.mark.parametrize("margin", [0.3, "soft"])
@pytest.mark.parametrize("distance", ["squared", "euclidean", "cosine"])
def test_every_distance_and_margin(distance, margin):
    def apart(x, y):
        cosine = x @ y / math.sqrt((x @ x) * (y @ y))
        return {"squared": math.dist(x, y) ** 2, "euclidean": math.dist(x, y), "cosine": 1 - cosine}[distance]

    excesses = [apart(a, p) - apart(a, n) for a, p, n in TRIPLETS.astype(float)]
    expected = [math.log(1 + math.exp(x)) if margin == "soft" else max(x + margin, 0) for x in excesses]
    values = TripletHinge(margin, distance).call(None, ops.convert_to_tensor(TRIPLETS))
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("distance", ["squared", "euclidean", "cosine"])
def test_zero_vectors_have_finite_values_and_gradients(distance):
    triplets = TRIPLETS.copy()
    triplets[:4, 0], triplets[4:8, 1], triplets[8:12] = 0, 0, 0
    value, gradient = value_and_gradient(TripletHinge(1.0, distance), triplets)
    assert np.isfinite(value) and np.isfinite(gradient).all() and gradient.any() and not gradient[8:12].any()


@all_losses
@pytest.mark.parametrize("sign", [1, -1])
def test_huge_distances_have_finite_values_and_gradients(loss, sign):
    """The log-exp loss of a difference x of 5e6 is x itself, or 0; exp(x) would overflow."""
    triplets = np.zeros((1, 3, 5), np.float32)
    triplets[:, 1 if sign > 0 else 2] = 1e6
    value, gradient = value_and_gradient(loss, triplets)
    expected = 5e6 if isinstance(loss, TripletLogExp) else 5e12
    assert value == pytest.approx(expected if sign > 0 else 0, rel=1e-6)
    assert np.isfinite(gradient).all() and np.any(gradient) == (sign > 0)


@all_losses
def test_equal_embeddings_have_the_value_at_zero_and_the_gradient_zero(loss):
    value, gradient = value_and_gradient(loss, np.ones((4, 3, 5), np.float32))
    assert value == pytest.approx(math.log(2) if isinstance(loss, TripletLogExp) else loss.margin)
    assert not gradient.any()


def test_another_shape_is_refused_by_name():
    with pytest.raises(ValueError, match=r"\(B, 3, N\).*received \(16, 15\)"):
        TripletHinge()(np.zeros(16), ops.zeros((16, 15)))
