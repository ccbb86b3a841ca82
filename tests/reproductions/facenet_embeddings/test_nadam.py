"""ScheduledNadam against its rule in plain NumPy, against Keras's Nadam where the two coincide, and on two replicas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.training.distribution import set_up
from reproductions.facenet_embeddings.nadam import ScheduledNadam

RANDOM = np.random.default_rng(0)
START = RANDOM.normal(size=(3, 4)).astype(np.float32)
GRADIENTS = RANDOM.normal(size=(400, 3, 4)).astype(np.float32)
IMAGES = RANDOM.normal(size=(48, 6)).astype(np.float32)
TARGETS = (IMAGES[:, :1] * IMAGES[:, 1:2]).astype(np.float32)


def steps(optimizer, gradients=GRADIENTS):
    """The weights after each step, (steps, 3, 4)."""
    weights, path = keras.Variable(START), []
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient)], [weights])
        path.append(weights.numpy().copy())
    return np.array(path)


def by_hand(learning_rate, beta_1, beta_2, epsilon, schedule_decay):
    """Keras 2's lines of arithmetic in float64, the running product of the momenta being its `m_schedule`."""
    weights, m, v, schedule, path = START.astype(float), 0.0, 0.0, 1.0, []
    for t, g in enumerate(GRADIENTS.astype(float), start=1):
        cache = beta_1 * (1 - 0.5 * 0.96 ** (t * schedule_decay))
        next_cache = beta_1 * (1 - 0.5 * 0.96 ** ((t + 1) * schedule_decay))
        schedule = schedule * cache
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        bar = (1 - cache) * g / (1 - schedule) + next_cache * m / (1 - schedule * next_cache)
        weights = weights - learning_rate * bar / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
        path.append(weights)
    return np.array(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("learning_rate", "beta_1", "beta_2", "epsilon", "schedule_decay"),
    [
        pytest.param(0.002, 0.9, 0.999, 1e-7, 0.004, id="Keras 2"),
        pytest.param(0.05, 0.9, 0.999, 1e-8, 0.004, id="the paper"),
        pytest.param(0.05, 0.9, 0.99, 0.1, 1.0, id="fast"),
        pytest.param(0.05, 0.9, 0.99, 0.1, 10.0, id="at once"),
        pytest.param(0.01, 0.99, 0.999, 1e-7, 0.0, id="constant"),
        pytest.param(0.01, 0.0, 0.999, 1e-7, 0.004, id="no momentum"),
    ],
)
def test_every_step_follows_the_rule(learning_rate, beta_1, beta_2, epsilon, schedule_decay):
    arguments = (learning_rate, beta_1, beta_2, epsilon, schedule_decay)
    np.testing.assert_allclose(
        steps(ScheduledNadam(*arguments)), by_hand(*arguments), rtol=0, atol=2e-3 * learning_rate
    )


def test_defaults_are_those_of_keras_2():
    expected = {"learning_rate": 0.002, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "schedule_decay": 0.004}
    config = ScheduledNadam().get_config()
    assert {name: config[name] for name in expected} == pytest.approx(expected)


@pytest.mark.slow
def test_keras_3_has_the_rule_with_a_schedule_decay_of_one():
    """0.96^(t * 1) is its 0.96^t; with Keras 2's 0.004 the first steps already differ."""
    theirs = steps(keras.optimizers.Nadam(0.05))
    np.testing.assert_allclose(steps(ScheduledNadam(0.05, schedule_decay=1.0)), theirs, rtol=0, atol=1e-4)
    assert np.abs(steps(ScheduledNadam(0.05), GRADIENTS[:10])[-1] - theirs[9]).max() > 0.01


def test_momentum_rises_as_the_docstring_says():
    for schedule_decay, step in ((1, 57), (0.004, 14_102)):
        momentum = ScheduledNadam(schedule_decay=schedule_decay).momentum
        assert momentum(step - 1) < 0.95 * 0.9 < momentum(step)
    assert ScheduledNadam().momentum(1) == pytest.approx(0.45, abs=1e-3)


def compiled(optimizer):
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
    model.compile(optimizer, "mse", jit_compile=False)
    return model


def train(model, epochs=1):
    batches = tf.data.Dataset.from_tensor_slices((IMAGES, TARGETS)).batch(16, drop_remainder=True)
    model.fit(batches, epochs=epochs, shuffle=False, verbose=0)
    return model


@pytest.mark.slow
def test_two_replicas_step_like_one():
    weights = []
    for strategy in (set_up("none"), set_up("mirrored")):
        with strategy.scope():
            model = compiled(ScheduledNadam(0.05))
        before = model.get_weights()
        weights.append(train(model, epochs=4).get_weights())
    assert strategy.num_replicas_in_sync == 2
    assert max(np.abs(new - old).max() for new, old in zip(weights[0], before, strict=True)) > 0.1
    for one, two in zip(*weights, strict=True):
        np.testing.assert_allclose(two, one, atol=1e-5)


@pytest.mark.slow
def test_a_saved_training_resumes_without_a_difference(tmp_path):
    uninterrupted = train(compiled(ScheduledNadam(0.05, epsilon=1e-5, schedule_decay=0.1)), epochs=6)
    train(compiled(ScheduledNadam(0.05, epsilon=1e-5, schedule_decay=0.1)), epochs=3).save(tmp_path / "model.keras")
    resumed = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(resumed.optimizer, ScheduledNadam)
    configs = [optimizer.get_config() | {"name": ""} for optimizer in (resumed.optimizer, uninterrupted.optimizer)]
    assert configs[0] == configs[1]
    train(resumed, epochs=3)
    for left, right in zip(uninterrupted.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.slow
def test_float16_with_a_scaled_loss_trains():
    """Weights and moments stay float32 there, and Keras wraps the optimizer in one that scales the loss."""
    set_up(precision="mixed_float16")
    try:
        model = compiled(ScheduledNadam(0.01))
        losses = [train(model).evaluate(IMAGES, TARGETS, verbose=0) for _ in range(15)]
    finally:
        set_up(precision="auto")
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
