"""One step on two devices equals the step on one, for every loss; each half of a mined batch has one class only."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.layers import l2_normalize
from common.losses import BatchAll, BatchHard, SemiHard, TripletHinge, TripletLogExp
from common.training.distribution import set_up

STEPS, BATCH = 3, 16
RANDOM = np.random.default_rng(0)
LABELS = np.tile(np.repeat([0.0, 1.0], BATCH // 2), STEPS).astype(np.float32)
IMAGES = RANDOM.normal(size=(STEPS * BATCH, 8)).astype(np.float32) + LABELS[:, None]
TRIPLETS = RANDOM.normal(size=(STEPS * BATCH, 3, 8)).astype(np.float32)
LOSSES = {
    "loss1": TripletHinge(0.0),
    "loss2": TripletHinge(0.4),
    "loss3": TripletLogExp(),
    "all, active": BatchAll(),
    "all, squared": BatchAll(0.8, "squared", "all"),
    "all, soft": BatchAll("soft"),
    "hard": BatchHard(),
    "hard, squared": BatchHard(distance="squared"),
    "hard, soft": BatchHard("soft"),
    "semi-hard": SemiHard(),
    "semi-hard, cosine": SemiHard(0.3, "cosine"),
}


def train(strategy, loss):
    """The weights after three steps and the logged loss of an embedding network."""
    inputs = TRIPLETS if isinstance(loss, TripletHinge | TripletLogExp) else IMAGES
    keras.utils.set_random_seed(5)
    with strategy.scope():
        image = keras.Input(inputs.shape[1:])
        x = keras.layers.Dense(12, activation="relu")(image)
        x = keras.layers.Lambda(l2_normalize, name="embedding")(keras.layers.Dense(4)(x))
        model = keras.Model(image, x)
        model.compile(keras.optimizers.SGD(0.1), loss, jit_compile=False)
    before = model.get_weights()
    # The batch size stays unknown to the graph, as in a data set that keeps its last, shorter batch.
    history = model.fit(tf.data.Dataset.from_tensor_slices((inputs, LABELS)).batch(BATCH), verbose=0, shuffle=False)
    return before, model.get_weights(), history.history["loss"][0]


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_two_devices_step_like_one(loss):
    two = set_up("mirrored")
    assert two.num_replicas_in_sync == 2
    before, one_weights, one_loss = train(set_up("none"), loss)
    _, two_weights, two_loss = train(two, loss)
    assert two_loss == pytest.approx(one_loss, abs=1e-6) and one_loss > 0
    assert any(np.abs(old - new).max() > 1e-3 for old, new in zip(before, one_weights, strict=True))
    for left, right in zip(one_weights, two_weights, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)


@pytest.mark.slow
def test_the_logged_loss_is_the_published_mean():
    """Four points on a line, at 0, 1 (class 0) and 3, 4 (class 1), margin 2.5. Every anchor's hardest triplet has
    d(a, p) = 1 and d(a, n) = 3, 2, 2, 3: losses max(1 - d(a, n) + 2.5, 0) = 0.5, 1.5, 1.5, 0.5, mean 1."""
    points, labels = np.array([[0.0], [1], [3], [4]], np.float32), np.array([0.0, 0, 1, 1], np.float32)
    for strategy in (set_up("none"), set_up("mirrored")):
        with strategy.scope():
            image = keras.Input((1,))
            model = keras.Model(image, keras.layers.Dense(1, kernel_initializer="ones")(image))
            model.compile(keras.optimizers.SGD(0.0), BatchHard(2.5), jit_compile=False)
        assert model.evaluate(points, labels, batch_size=4, verbose=0) == pytest.approx(1.0, abs=1e-6)
        assert model.train_on_batch(points, labels) == pytest.approx(1.0, abs=1e-6)
