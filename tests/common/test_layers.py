"""l2_normalize against NumPy, and the fused batch normalisation against Keras's own layer."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from common import batch_normalization
from common.layers import FusedBatchNormalization, l2_normalize
from common.training.distribution import set_up


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


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 3e-6), ("mixed_bfloat16", 2e-2)])
def test_batch_statistics_of_large_maps_keep_their_digits(dtype, tolerance):
    """Against float64: added one by one in float32, the mean of these maps is 3e-4 off, the variance 7e-4."""
    generator = np.random.default_rng(0)
    maps, upstream = generator.normal(1.0, 1.0, (2, 8, 128, 128, 5)).astype(np.float32)
    _, layer = both_normalisations(dtype, momentum=0.0)
    inputs = tf.Variable(maps)
    with tf.GradientTape() as tape:
        outputs = tf.cast(layer(inputs, training=True), tf.float32)
    of_maps, of_scale, of_offset = tape.gradient(outputs, [inputs, layer.gamma.value, layer.beta.value], upstream)
    x, up = (np.asarray(tf.cast(tf.cast(each, layer.compute_dtype), "float64")) for each in (maps, upstream))
    mean, variance, axes = x.mean((0, 1, 2)), x.var((0, 1, 2)), (0, 1, 2)
    inverse, gamma = 1 / np.sqrt(variance + layer.epsilon), np.asarray(layer.gamma.value, float)
    centred = (x - mean) * inverse
    slopes = up - up.mean(axes) - centred * (up * centred).mean(axes)
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=3e-6)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=3e-6)
    np.testing.assert_allclose(outputs, centred * gamma + np.asarray(layer.beta.value), atol=4 * tolerance)
    np.testing.assert_allclose(of_maps, gamma * inverse * slopes, atol=6 * tolerance)
    for found, summed in ((of_scale, up * centred), (of_offset, up)):  # relative to what is added up
        np.testing.assert_allclose(found, summed.sum(axes), atol=1e-6 * np.abs(summed).sum(axes).max())


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_two_replicas_normalise_like_one(dtype):
    maps = np.random.default_rng(0).normal(2, 3, (6, 16, 16, 5)).astype(np.float32)
    parts = np.split(maps, [3])
    strategy = set_up("mirrored")
    with strategy.scope():
        layer = FusedBatchNormalization(synchronized=True, momentum=0.0, dtype=dtype)
        layer.build(maps.shape)

    def step(part):
        with tf.GradientTape() as tape:
            tape.watch(part)
            outputs = tf.cast(layer(part, training=True), "float32")
            loss = tf.reduce_sum(tf.sin(3 * outputs))
        return outputs, tape.gradient(loss, part)

    shares = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(parts[context.replica_id_in_sync_group])
    )
    outputs, slopes = (
        np.concatenate(strategy.experimental_local_results(each)) for each in strategy.run(tf.function(step), (shares,))
    )
    moving = np.asarray(layer.moving_variance)
    one = FusedBatchNormalization(momentum=0.0, dtype=dtype)
    inputs = tf.Variable(maps)
    with tf.GradientTape() as tape:
        expected = tf.cast(one(inputs, training=True), "float32")
        loss = tf.reduce_sum(tf.sin(3 * expected))
    np.testing.assert_allclose(outputs, expected, atol=1e-6)
    np.testing.assert_allclose(slopes, tape.gradient(loss, inputs), atol=5e-6)
    np.testing.assert_allclose(moving, one.moving_variance, rtol=1e-6)


def test_keras_normalises_what_ours_does_not_support(monkeypatch):
    called, real = [], batch_normalization.normalize_batch
    monkeypatch.setattr(batch_normalization, "normalize_batch", lambda *a: called.append(1) or real(*a))
    maps, vectors = tf.ones((2, 3, 3, 5)), tf.ones((2, 5))
    FusedBatchNormalization()(maps, training=True)
    assert called == [1]
    FusedBatchNormalization()(maps)
    FusedBatchNormalization()(vectors, training=True)
    FusedBatchNormalization(dtype="float64")(tf.cast(maps, "float64"), training=True)
    for option in ({"scale": False}, {"center": False}, {"axis": 1}, {"trainable": False}):
        FusedBatchNormalization(**option)(maps, training=True)
    assert called == [1]


def test_a_gpu_has_the_fused_kernel(monkeypatch):
    """A GPU is pretended: the kernel runs on this CPU, and agrees on few pixels."""
    maps = np.random.default_rng(0).normal(2, 3, (2, 4, 4, 8)).astype(np.float32)
    layer, fused = (FusedBatchNormalization(momentum=0.0) for _ in range(2))
    expected = layer(maps, training=True)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    np.testing.assert_allclose(fused(maps, training=True), expected, atol=2e-5)
    np.testing.assert_allclose(fused.moving_variance, layer.moving_variance, rtol=2e-5)
    synchronised = FusedBatchNormalization(synchronized=True)(maps, training=True)
    np.testing.assert_allclose(synchronised, expected, atol=2e-5)


def test_the_fused_batch_normalisation_is_saved_and_loaded(tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 3)), FusedBatchNormalization(momentum=0.5)])
    images = np.random.default_rng(0).normal(size=(8, 4, 4, 3)).astype(np.float32)
    model(images, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.layers[0], FusedBatchNormalization) and loaded.layers[0].momentum == 0.5
    np.testing.assert_allclose(loaded(images), model(images), rtol=1e-6)
