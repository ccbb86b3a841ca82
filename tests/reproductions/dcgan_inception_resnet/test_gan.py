"""The DCGAN's networks, its step on one and two devices, sampling, checkpoints."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from common.errors import UserError
from common.training.checkpoints import Checkpoints, full_epochs
from common.training.distribution import set_up
from reproductions.dcgan_inception_resnet import dcgan, gan
from reproductions.dcgan_inception_resnet.dcgan import DCGAN, with_noise

COLOUR = np.array([0.7, -0.6, 0.1], np.float32)


def pictures(count, size=8):
    """Noisy pictures of one colour, in [-1, 1]."""
    noise = np.random.default_rng(0).uniform(-0.2, 0.2, (count, size, size, 3))
    return (COLOUR + noise).astype(np.float32)


def batches(steps=3, batch_size=8, size=8):
    images = pictures(steps * batch_size, size)
    data = tf.data.Dataset.from_tensor_slices((images, np.ones((len(images), 1), np.float32)))
    return data.batch(batch_size, drop_remainder=True)


def small(strategy, size=8, **arguments):
    """A narrow DCGAN, with the same initial weights in all calls."""
    keras.utils.set_random_seed(3)
    with strategy.scope():
        return DCGAN(size, width=0.02, **arguments)


def state(model):
    """All numbers that training changes: weights, averages and Adam's moments of both networks."""
    networks = (model.generator, model.discriminator)
    return [variable.numpy() for network in networks for variable in (*network.weights, *network.optimizer.variables)]


def weighted(network):
    return [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D | keras.layers.Conv2DTranspose)]


def losses(generator_loss, discriminator_loss):
    batch = np.arange(1, len(generator_loss) + 1)
    return pd.DataFrame(
        {"batch": batch, "generator_loss": generator_loss, "discriminator_loss": discriminator_loss}, dtype=float
    )


@pytest.mark.parametrize(
    ("size", "filters"),
    [(64, [1024, 512, 256, 128]), pytest.param(128, [1024, 512, 256, 128, 64], marks=pytest.mark.slow)],
    ids=["64px", "128px"],
)
def test_the_networks_are_those_of_radford(size, filters):
    """Figure 1 of Radford et al.: 4x4 maps with 1024 filters, halved at each doubling up to the image; 4x4 kernels:
    16 * inputs * outputs a convolution, 4 numbers a filter in batch normalisation, biases only without it."""
    generator, discriminator = gan.generator(size), gan.discriminator(size)
    shapes = [(4 << place, 4 << place, count) for place, count in enumerate(filters)]
    assert [layer.output.shape[1:] for layer in weighted(generator)] == [*shapes, (size, size, 3)]
    assert [layer.output.shape[1:] for layer in weighted(discriminator)] == shapes[::-1]
    channels = [100, *filters, 3]
    expected = sum(16 * a * b for a, b in zip(channels, channels[1:], strict=False)) + 4 * sum(filters) + 3
    assert generator.count_params() == expected
    channels = [3, *filters[::-1]]
    expected = sum(16 * a * b for a, b in zip(channels, channels[1:], strict=False)) + 4 * sum(filters[:-1])
    assert discriminator.count_params() == expected + filters[-1] + 1024 + 1
    flat = gan.discriminator(size, pooling=False)  # as Radford et al. have it: a weight for each of 4x4x1024 numbers
    assert flat.count_params() - discriminator.count_params() == 15 * 1024


def test_the_layers_are_those_of_the_paper():
    generator, discriminator = gan.generator(16, 0.25), gan.discriminator(16, 0.25)
    kinds = [type(layer).__name__ for layer in generator.layers]
    block = ["Conv2DTranspose", "FusedBatchNormalization", "ReLU"]
    assert kinds == ["InputLayer", "Reshape", *block, *block, "Conv2DTranspose", "Activation"]
    assert generator.layers[-1].activation is keras.activations.tanh
    kinds = [type(layer).__name__ for layer in discriminator.layers]
    blocks = ["Conv2D", "LeakyReLU", "Conv2D", "FusedBatchNormalization", "LeakyReLU"]
    assert kinds == ["InputLayer", *blocks, "GlobalAveragePooling2D", "Dense"]
    slopes = {layer.negative_slope for layer in discriminator.layers if isinstance(layer, keras.layers.LeakyReLU)}
    assert slopes == {0.2}
    kernels = [layer.kernel.numpy() for layer in (*weighted(generator), *weighted(discriminator))]
    for kernel in kernels:  # N(0, 0.02): the deviation of n samples is known to 0.02 / sqrt(2 n)
        assert kernel.std() == pytest.approx(0.02, abs=5 * 0.02 / np.sqrt(2 * kernel.size))
        assert abs(kernel.mean()) < 5 * 0.02 / np.sqrt(kernel.size)
    images = generator(np.random.default_rng(0).uniform(-1, 1, (4, 100)).astype(np.float32))
    assert images.shape == (4, 16, 16, 3) and np.abs(images).max() <= 1
    assert discriminator(images).shape == (4, 1)


def test_a_width_narrows_all_layers_and_other_sizes_are_refused():
    assert [layer.filters for layer in weighted(gan.generator(16, 0.125))] == [128, 64, 3]
    assert [layer.filters for layer in weighted(gan.discriminator(16, 0.125))] == [64, 128]
    for size in (0, 4, 63, 96, 100):
        with pytest.raises(UserError, match=f"8, 16, 32, 64, 128, ... px, got {size};"):
            gan.generator(size)


@pytest.mark.slow
def test_a_step_is_binary_cross_entropy_and_adam_of_keras():
    """The first step against eager Keras: both players step from the same point, each on its own loss."""
    one = set_up("none")
    model, oracle = small(one), small(one)
    measured = model.train_epoch(batches(1), seed=1, epoch=0)
    ((images, noise),) = with_noise(batches(1), 1, 0)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    with tf.GradientTape() as first, tf.GradientTape() as second:
        fakes = oracle.generator(noise, training=True)
        real, fake = oracle.discriminator(images, training=True), oracle.discriminator(fakes, training=True)
        generator_loss = loss(tf.ones_like(fake), fake)
        discriminator_loss = loss(tf.ones_like(real), real) + loss(tf.zeros_like(fake), fake)
    assert measured["generator_loss"][0] == pytest.approx(float(generator_loss), abs=1e-6)
    assert measured["discriminator_loss"][0] == pytest.approx(float(discriminator_loss), abs=1e-6)
    for tape, value, network in (
        (first, generator_loss, oracle.generator),
        (second, discriminator_loss, oracle.discriminator),
    ):
        gradients = tape.gradient(value, network.trainable_variables)
        keras.optimizers.Adam(2e-4, beta_1=0.5).apply(gradients, network.trainable_variables)
    for network in ("generator", "discriminator"):
        for left, right in zip(getattr(model, network).weights, getattr(oracle, network).weights, strict=True):
            np.testing.assert_allclose(left.numpy(), right.numpy(), atol=1e-6)


@pytest.mark.slow
def test_two_replicas_step_like_one():
    one, two = set_up("none"), set_up("mirrored")
    assert two.num_replicas_in_sync == 2
    single, double = small(one, 16), small(two, 16)  # the smallest with batch normalisation in both networks
    expected, measured = (model.train_epoch(batches(3, size=16), seed=1, epoch=4) for model in (single, double))
    np.testing.assert_allclose(measured, expected, atol=1e-5)
    for left, right in zip(state(single), state(double), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


def test_replicas_get_different_noise_and_together_that_of_one():
    two = set_up("mirrored")
    whole = [noise.numpy() for _, noise in with_noise(batches(2), seed=1, epoch=0)]
    distributed = two.experimental_distribute_dataset(with_noise(batches(2), seed=1, epoch=0))
    for expected, (_, noise) in zip(whole, distributed, strict=True):
        parts = [part.numpy() for part in two.experimental_local_results(noise)]
        assert [len(part) for part in parts] == [4, 4]
        assert not np.isclose(parts[0], parts[1]).any(axis=1).all()
        np.testing.assert_array_equal(np.concatenate(parts), expected)


def test_noise_is_uniform_and_a_function_of_seed_epoch_and_step():
    def drawn(seed, epoch):
        return np.array([noise.numpy() for _, noise in with_noise(batches(2, 64), seed, epoch)])

    first = drawn(1, 0)
    assert first.shape == (2, 64, 100)
    np.testing.assert_array_equal(first, drawn(1, 0))
    assert len({noise.tobytes() for noise in (*first, *drawn(1, 1), *drawn(2, 0))}) == 6
    assert -1 <= first.min() < -0.99 and 0.99 < first.max() < 1
    assert abs(first.mean()) < 0.03 and first.std() == pytest.approx(1 / np.sqrt(3), abs=0.02)


@pytest.mark.slow
def test_training_learns_the_colour_of_the_images():
    model = small(set_up("none"), learning_rate=0.005)
    for epoch in range(3):
        measured = model.train_epoch(batches(40, 16), seed=0, epoch=epoch)
    assert measured["batch"].tolist() == list(range(1, 41)) and np.isfinite(measured.to_numpy()).all()
    (images,) = gan.generate(model.generator, 64, seed=1)
    colour = (images.mean(axis=(0, 1, 2)) / 127.5) - 1
    np.testing.assert_allclose(colour, COLOUR, atol=0.25)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.slow
def test_mixed_precision_trains(precision):
    one = set_up(precision=precision)
    try:
        model = small(one)
        before = state(model)
        measured = model.train_epoch(batches(2), seed=0, epoch=0)
    finally:
        set_up(precision="auto")
    assert model.generator.compute_dtype != "float32" and model.generator.output.dtype == "float32"
    assert np.isfinite(measured.to_numpy()).all()
    assert measured["discriminator_loss"][0] == pytest.approx(2 * np.log(2), abs=0.05)
    assert any((left != right).any() for left, right in zip(before, state(model), strict=True))


def test_a_diverging_epoch_is_described():
    ordinary = losses([0.7, 2.0, 1.0], [1.4, 0.0, 1.2])
    assert dcgan.diverged(ordinary) == ""
    assert "from batch 2" in dcgan.diverged(losses([0.7, np.nan, np.nan], [1.4, 1.4, 1.4]))
    assert "from batch 3" in dcgan.diverged(losses([0.7, 0.7, 0.7], [1.4, 1.4, np.inf]))
    assert "about 0" in dcgan.diverged(losses([0.7, 9.0, 12.0], [1.4, 0.001, 0.0]))


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["none", pytest.param("mirrored", marks=pytest.mark.slow)])
def test_the_ith_sample_depends_on_the_seed_and_i_alone(strategy):
    model = small(set_up(strategy))
    model.train_epoch(batches(2), seed=0, epoch=0)
    ten, twenty = (list(gan.generate(model.generator, count, seed=5, batch_size=8)) for count in (10, 20))
    assert [len(part) for part in ten] == [8, 2] and [len(part) for part in twenty] == [8, 8, 4]
    assert {part.dtype for part in ten} == {np.dtype("uint8")} and ten[0].shape == (8, 8, 8, 3)
    ten, twenty = np.concatenate(ten), np.concatenate(twenty)
    np.testing.assert_array_equal(ten, twenty[:10])
    (at_once,) = gan.generate(model.generator, 20, seed=5, batch_size=32)
    np.testing.assert_allclose(at_once.astype(int), twenty, atol=1)
    (other,) = gan.generate(model.generator, 20, seed=6, batch_size=32)
    assert not (other == at_once).all(axis=(1, 2, 3)).any()
    assert list(gan.generate(model.generator, 0, seed=5)) == []


def test_samples_map_minus_one_and_one_to_black_and_white():
    levels = np.array([-1.0, 0.0, 1.0], np.float32)
    noise = keras.Input((100,))
    flat = keras.layers.Lambda(lambda z: keras.ops.zeros_like(z[:, :3]) + levels, output_shape=(3,))(noise)
    picture = keras.layers.Reshape((1, 1, 3))(flat)
    (images,) = gan.generate(keras.Model(noise, picture), 2, seed=0)
    np.testing.assert_array_equal(images, np.broadcast_to([0, 128, 255], (2, 1, 1, 3)))


@pytest.mark.parametrize("strategy", ["none", "mirrored"])
@pytest.mark.slow
def test_a_stopped_training_resumes_as_if_it_had_not_been(strategy, tmp_path):
    scope = set_up(strategy)
    whole, stopped, resumed = small(scope), small(scope), small(scope)
    expected = [whole.train_epoch(batches(), seed=1, epoch=epoch) for epoch in range(2)][1]
    stopped.train_epoch(batches(), seed=1, epoch=0)

    def save_and_stop(losses):
        if len(losses) == 2:
            pairs = [[float(loss) for loss in pair] for pair in losses]
            Checkpoints(tmp_path, stopped.networks, suffix=".keras").save(1, 2, {"losses": pairs})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped.train_epoch(batches(), seed=1, epoch=1, after_step=save_and_stop)
    resumed.train_epoch(batches(2), seed=9, epoch=9)  # its state before must not matter
    facts = Checkpoints(tmp_path, resumed.networks, suffix=".keras").restore()
    measured = resumed.train_epoch(batches(), seed=1, epoch=1, before=facts["losses"])
    np.testing.assert_allclose(measured, expected, atol=1e-6)
    for left, right in zip(state(whole), state(resumed), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)


def test_a_checkpoint_holds_networks_that_can_be_loaded_and_is_whole(tmp_path, monkeypatch):
    model = small(set_up("none"))
    checkpoints = Checkpoints(tmp_path, model.networks, suffix=".keras")
    assert checkpoints.restore() is None
    for epoch in (1, 2, 3, 4, 5):
        checkpoints.save(epoch, 0, {}, range(2, epoch + 1, 2))
    assert list(full_epochs(tmp_path)) == [2, 4, 5]

    def full(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        patch.setattr(model.discriminator, "save", full)
        checkpoints.save(6, 0, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-0002", "epoch-0004", "epoch-0005"]
    generator = keras.models.load_model(full_epochs(tmp_path)[5] / "generator.keras", compile=False)
    (expected,), (loaded,) = (gan.generate(network, 3, seed=1) for network in (model.generator, generator))
    np.testing.assert_array_equal(loaded, expected)


def test_a_checkpoint_of_another_width_is_refused(tmp_path):
    Checkpoints(tmp_path, small(set_up("none")).networks, suffix=".keras").save(1, 0, {})
    for other in (DCGAN(8, width=0.05), small(set_up("none"), 16)):
        with pytest.raises(UserError, match="generator.keras: expected a generator .* of this width"):
            Checkpoints(tmp_path, other.networks, suffix=".keras").restore()
