import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.layers import l2_normalize


def test_length_is_one_along_the_last_axis():
    vectors = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32)
    expected = [[vector / np.sqrt(sum(x * x for x in vector)) for vector in rows] for rows in vectors]
    np.testing.assert_allclose(l2_normalize(tf.constant(vectors)), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_zero_stays_zero_with_a_finite_gradient_in_every_precision(dtype):
    vectors = tf.Variable(tf.cast([[0.0, 0.0], [300.0, 400.0]], dtype))  # 300^2 + 400^2 is beyond float16
    with tf.GradientTape() as tape:
        normalised = l2_normalize(vectors)
        total = tf.reduce_sum(tf.cast(normalised, "float64") ** 2)
    assert normalised.dtype == dtype
    np.testing.assert_allclose(tf.cast(normalised, "float64"), [[0, 0], [0.6, 0.8]], rtol=5e-3)
    assert np.isfinite(tf.cast(tape.gradient(total, vectors), "float64")).all()


def test_the_gradient_at_zero_is_finite_for_a_loss_with_slope_there():
    vectors = tf.Variable(tf.zeros((1, 3)))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(l2_normalize(vectors))
    assert np.isfinite(tape.gradient(total, vectors)).all()


LOAD = """
import sys, keras, numpy as np
import common.layers
model = keras.models.load_model(sys.argv[1])  # safe mode is the default
np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0))
"""


def test_a_model_with_the_lambda_loads_in_safe_mode_in_a_fresh_process(tmp_path):
    image = keras.Input((4,))
    embedding = keras.layers.Lambda(l2_normalize, name="embedding")(keras.layers.Dense(3)(image))
    model, inputs = keras.Model(image, embedding), np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    paths = [str(tmp_path / name) for name in ("model.keras", "inputs.npy", "outputs.npy")]
    model.save(paths[0])
    np.save(paths[1], inputs)
    subprocess.run([sys.executable, "-c", LOAD, *paths], check=True)
    outputs = np.load(paths[2])
    np.testing.assert_allclose(outputs, model.predict(inputs, verbose=0), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(outputs, axis=1), 1, rtol=1e-5)
