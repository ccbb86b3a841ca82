"""NarrowConv2D against Keras's own Conv2D, and its folded kernel against plain loops."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common import layers
from common.layers import NarrowConv2D, fold_kernel
from common.training.distribution import set_up

FOLDED = [  # height, width, channels, filters, kernel, dilation
    (16, 16, 3, 4, 1, 1),
    (16, 16, 4, 4, 3, 1),
    (16, 16, 4, 4, 3, 2),
    (16, 16, 2, 2, 3, 3),
    (13, 8, 5, 1, 3, 3),  # no multiple of 3 rows
    (7, 12, 3, 4, 5, 2),
    (1, 8, 1, 8, 3, 4),
]
KERAS = [(16, 15, 4, 4, 3, 2), (16, 16, 4, 3, 3, 2), (16, 16, 4, 4, 2, 2)]  # width, filters or kernel that do not fit


def both_convolutions(filters, kernel, channels, **options):
    """Keras's layer and ours with the same weights."""
    kinds = keras.layers.Conv2D, NarrowConv2D
    both = [kind(filters, kernel, padding="same", activation="relu", **options) for kind in kinds]
    generator = np.random.default_rng(1)
    for layer in both:
        layer.build((None, None, None, channels))
    weights = [generator.normal(size=weight.shape) for weight in both[0].weights]
    for layer in both:
        layer.set_weights(weights)
    return both


def outputs_and_gradients(layer, maps):
    """The maps of a layer, and the gradients of a weighted mean of them by input, kernel and bias."""
    inputs = tf.Variable(maps)
    with tf.GradientTape() as tape:
        outputs = tf.cast(layer(inputs), "float32")
        weights = np.random.default_rng(2).normal(size=outputs.shape).astype(np.float32)
        loss = tf.reduce_mean(outputs * weights)
    tensors = [outputs, *tape.gradient(loss, [inputs, *layer.trainable_variables])]
    return [np.asarray(tf.cast(tensor, "float32")) for tensor in tensors]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 0.05)])
@pytest.mark.parametrize("form", FOLDED + KERAS, ids=str)
def test_values_and_gradients_are_those_of_keras(form, dtype, tolerance):
    height, width, channels, filters, kernel, dilation = form
    theirs, ours = both_convolutions(filters, kernel, channels, dtype=dtype, dilation_rate=dilation)
    assert [weight.shape for weight in ours.get_weights()] == [weight.shape for weight in theirs.get_weights()]
    maps = np.random.default_rng(0).normal(size=(2, height, width, channels)).astype(np.float32)
    for expected, found in zip(outputs_and_gradients(theirs, maps), outputs_and_gradients(ours, maps), strict=True):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize(("pixels", "dilation", "taps"), [(1, 2, 3), (2, 1, 3), (4, 3, 5)])
def test_a_folded_kernel_by_loops(pixels, dilation, taps):
    """Along one row: sum over taps j of x[place + (j - k // 2) d] w[j], zero outside, for each place."""
    generator = np.random.default_rng(0)
    row, kernel = generator.normal(size=(8 * pixels, 2)), generator.normal(size=(1, taps, 2, 3))
    expected = np.zeros((len(row), 3))
    for place in range(len(row)):
        for tap in range(taps):
            source = place + (tap - taps // 2) * dilation
            if 0 <= source < len(row):
                expected[place] += row[source] @ kernel[0, tap]
    folded = np.asarray(fold_kernel(keras.ops.convert_to_tensor(kernel), pixels, dilation))[0]
    reach = len(folded) // 2
    blocks = np.pad(row.reshape(8, pixels * 2), ((reach, reach), (0, 0)))
    found = sum(blocks[block : block + 8] @ folded[block] for block in range(len(folded)))
    np.testing.assert_allclose(found.reshape(-1, 3), expected, atol=1e-9)


def test_only_what_fits_is_folded(monkeypatch):
    called = []
    monkeypatch.setattr(layers, "fold_kernel", lambda *words: called.append(words[1:]) or fold_kernel(*words))
    maps = np.ones((1, 8, 8, 3), np.float32)
    NarrowConv2D(4, 3, padding="same", dilation_rate=3)(maps)
    assert called == [(2, 3)]  # two pixels in a block, dilation 3
    for options in ({"padding": "valid"}, {"strides": 2}, {"activation": "softmax"}):
        NarrowConv2D(4, 3, **{"padding": "same", **options})(maps)
    for filters in (3, 16):
        NarrowConv2D(filters, 3, padding="same")(maps)
    NarrowConv2D(3, 3, padding="same", groups=3)(maps)
    assert len(called) == 1


def test_maps_of_unknown_size_are_convolved():
    image = keras.Input((None, None, 3))
    network = keras.Model(image, NarrowConv2D(4, 3, padding="same", dilation_rate=2)(image))
    assert network(np.ones((1, 6, 10, 3))).shape == (1, 6, 10, 4)


def test_it_is_saved_and_loaded_in_safe_mode(tmp_path):
    model = keras.Sequential([keras.Input((8, 8, 3)), NarrowConv2D(4, 3, padding="same", dilation_rate=(2, 2))])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.layers[0], NarrowConv2D) and loaded.layers[0].dilation_rate == (2, 2)
    maps = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(loaded(maps), model(maps), rtol=1e-6)


@pytest.mark.slow
def test_two_replicas_step_like_one():
    maps = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype(np.float32)
    kernels = []
    for strategy in (set_up("none"), set_up("mirrored")):
        with strategy.scope():
            keras.utils.set_random_seed(0)
            layer = NarrowConv2D(4, 3, padding="same", dilation_rate=2, activation="relu")
            network = keras.Sequential([keras.Input((8, 8, 3)), layer])
            network.compile(keras.optimizers.SGD(0.1), "mse")
        data = tf.data.Dataset.from_tensors((maps, np.ones((4, 8, 8, 4), np.float32))).unbatch().batch(4)
        network.fit(data, verbose=0)
        kernels.append(layer.get_weights()[0])
    np.testing.assert_allclose(*kernels, atol=1e-6)
