"""l2_normalize against NumPy, and the fused batch normalisation against Keras's own layer."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.layers import FusedBatchNormalization, l2_normalize


def test_length_is_one_along_the_last_axis():
    vectors = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32)
    expected = [[vector / np.sqrt(sum(x * x for x in vector)) for vector in rows] for rows in vectors]
    np.testing.assert_allclose(l2_normalize(tf.constant(vectors)), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_zero_stays_zero_with_a_finite_gradient_in_every_precision(dtype):
    vectors = tf.Variable(tf.cast([[0.0, 0.0], [300.0, 400.0]], dtype))  # 300^2 + 400^2 overflows float16
    with tf.GradientTape() as tape:
        normalised = l2_normalize(vectors)
        total = tf.reduce_sum(tf.cast(normalised, "float64") ** 2)
    assert normalised.dtype == dtype
    np.testing.assert_allclose(tf.cast(normalised, "float64"), [[0, 0], [0.6, 0.8]], rtol=5e-3)
    assert np.isfinite(tf.cast(tape.gradient(total, vectors), "float64")).all()


def test_the_gradient_at_zero_is_finite_for_a_loss_that_is_not_flat_there():
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


@pytest.mark.slow
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


def both_normalisations(dtype="float32", **options):
    """Keras's layer and ours with the same scale and offset, in a policy."""
    generator = np.random.default_rng(1)
    both = [kind(dtype=dtype, **options) for kind in (keras.layers.BatchNormalization, FusedBatchNormalization)]
    scale, offset = generator.normal(size=(2, 5)).astype(np.float32)
    for layer in both:
        layer.build((None, None, None, 5))
        layer.gamma.assign(scale)
        layer.beta.assign(offset)
    return both


def train(layer, batches):
    """Outputs, gradients by input, scale and offset of every batch, and the moving statistics after them all."""
    tensors = []
    for batch in batches:
        inputs = tf.Variable(batch)
        with tf.GradientTape() as tape:
            outputs = tf.cast(layer(inputs, training=True), "float32")
            loss = tf.reduce_sum(tf.sin(3 * outputs))
        tensors += [outputs, *tape.gradient(loss, [inputs, layer.gamma.value, layer.beta.value])]
    return [np.asarray(tf.cast(x, "float32")) for x in (*tensors, layer.moving_mean, layer.moving_variance)]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-4), ("mixed_bfloat16", 0.1)])
@pytest.mark.parametrize("shape", [(2, 1, 2, 5), (3, 8, 8, 5)])  # few values, so that N and N - 1 differ
def test_the_fused_batch_normalisation_equals_keras(shape, dtype, tolerance):
    generator = np.random.default_rng(0)
    batches = [generator.normal(2, 3, shape).astype(np.float32) for _ in range(3)]
    theirs, ours = both_normalisations(dtype, momentum=0.7, epsilon=0.01)
    for expected, found in zip(train(theirs, batches), train(ours, batches), strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())
    np.testing.assert_allclose(ours(batches[0]), theirs(batches[0]), rtol=tolerance, atol=tolerance)


def test_the_fused_kernel_is_used_only_for_what_it_supports(monkeypatch):
    called = []
    kernel = tf.compat.v1.nn.fused_batch_norm
    monkeypatch.setattr(tf.compat.v1.nn, "fused_batch_norm", lambda *a, **k: called.append(1) or kernel(*a, **k))
    maps, vectors = tf.ones((2, 3, 3, 5)), tf.ones((2, 5))
    FusedBatchNormalization()(maps, training=True)
    assert called == [1]
    FusedBatchNormalization()(maps)
    FusedBatchNormalization()(vectors, training=True)
    for option in ({"synchronized": True}, {"scale": False}, {"center": False}, {"axis": 1}, {"trainable": False}):
        FusedBatchNormalization(**option)(maps, training=True)
    assert called == [1]


def test_the_fused_batch_normalisation_is_saved_and_loaded(tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 3)), FusedBatchNormalization(momentum=0.5)])
    images = np.random.default_rng(0).normal(size=(8, 4, 4, 3)).astype(np.float32)
    model(images, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.layers[0], FusedBatchNormalization) and loaded.layers[0].momentum == 0.5
    np.testing.assert_allclose(loaded(images), model(images), rtol=1e-6)
