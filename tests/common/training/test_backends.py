"""TensorFlow and JAX train the same: each in its own process, from the same seed."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

TRAIN = """
import sys
import keras, numpy as np, tensorflow as tf
from common.layers import FusedBatchNormalization, l2_normalize
from common.losses import BatchAll
from common.networks.mesonet import mesoinception4
from common.training.distribution import device_count, set_up
from common.training.fit import TrainingPlan
from common.training.supervised import Training
from pathlib import Path

random = np.random.default_rng(0)
labels = random.integers(0, 2, (48, 1)).astype("float32")
images = (random.normal(size=(48, 12, 12, 3)) + labels[:, :, None, None]).astype("float32")
faces = (random.uniform(size=(48, 64, 64, 3)) * 0.7 + 0.3 * labels[:, :, None, None]).astype("float32")


def small(units):
    inputs = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu")(inputs)
    x = FusedBatchNormalization()(x)
    x = keras.layers.LSTM(6)(keras.layers.Reshape((-1, 4))(x))
    x = keras.layers.Dense(units, kernel_initializer="he_normal")(x)
    return keras.Model(inputs, keras.layers.Lambda(l2_normalize)(x) if units > 1 else x)


def mesonet():
    network = mesoinception4(64)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    return network


saved = {}
for name, build, loss, pixels in (
    ("classifier", lambda: small(1), keras.losses.MeanSquaredError(), images),
    ("triplets", lambda: small(5), BatchAll(0.8), images),
    ("mesonet", mesonet, keras.losses.MeanSquaredError(), faces),
):
    data = tf.data.Dataset.from_tensor_slices((pixels, labels)).batch(16)
    training = Training(set_up(*sys.argv[2:]), Path(sys.argv[1]) / name, 3, checkpoint_minutes=0)
    with training.scope():
        network = build()
        training.compile(network, keras.optimizers.Adam(1e-3), loss)
    saved |= {f"{name}_initial_{place}": weight for place, weight in enumerate(network.get_weights())}
    validate = lambda network: {"val_loss": float(np.mean(network.predict(pixels, verbose=0) ** 2))}
    history, _ = training.fit(network, lambda epoch: data, validate, TrainingPlan(1, "val_loss"))
    saved |= {f"{name}_{place}": weight for place, weight in enumerate(network.get_weights())}
    saved[f"{name}_history"] = history[["loss", "val_loss"]].to_numpy()
np.savez(sys.argv[1] + "/weights.npz", **saved, devices=device_count(tf.distribute.get_strategy()))
"""

GAN = """
import sys
import keras, numpy as np, tensorflow as tf
from pathlib import Path
from common.training.distribution import device_count, set_up
from common.training.supervised import Training
from reproductions.dcgan_inception_resnet.dcgan import DCGAN
from reproductions.dcgan_inception_resnet.gan import generate

images = np.random.default_rng(0).uniform(-1, 1, (24, 8, 8, 3)).astype("float32")
data = tf.data.Dataset.from_tensor_slices((images, np.zeros((24, 1)))).batch(8)
with Training(set_up(*sys.argv[2:]), Path(sys.argv[1]), 3).scope():
    gan = DCGAN(8, width=0.02)
saved = {f"initial_{place}": value for place, value in enumerate(gan.generator.get_weights())}
saved["losses"] = gan.train_epoch(data, seed=1, epoch=0).to_numpy()
for network in gan.networks:
    saved |= {f"{network.name}_{place}": value for place, value in enumerate(network.get_weights())}
saved["output"] = keras.ops.convert_to_numpy(gan.generator(np.full((1, 100), 0.5, "float32"), training=False))
assert np.abs(next(generate(gan.generator, 4, seed=1)) / 127.5 - 1).max() <= 1
np.savez(sys.argv[1] + "/weights.npz", **saved, devices=device_count(tf.distribute.get_strategy()))
"""


def trained(script, folder, *strategy, **variables):
    """What the script saves under a strategy and variables of the environment."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script, folder, *strategy], env=os.environ | variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return dict(np.load(folder / "weights.npz"))


both_scripts = pytest.mark.parametrize("script", [TRAIN, GAN], ids=["shared trainer", "dcgan"])


@pytest.mark.slow
@both_scripts
def test_jax_trains_as_tensorflow_does(tmp_path, script):
    """The same initial weights; after an epoch weights, losses and outputs agree to 1e-4."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed")
    ours, theirs = (trained(script, tmp_path / backend, KERAS_BACKEND=backend) for backend in ("tensorflow", "jax"))
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        if "initial" in name:
            np.testing.assert_allclose(theirs[name], value, rtol=1e-6, atol=1e-7, err_msg=name)
        else:
            np.testing.assert_allclose(theirs[name], value, rtol=1e-4, atol=1e-4, err_msg=name)
    assert (
        any((ours[name] != ours[name.replace("initial_", "")]).any() for name in ours if "_initial_" in name)
        or (ours["losses"][0] != ours["losses"][-1]).any()
    )


@pytest.mark.slow
@both_scripts
def test_two_devices_of_jax_train_as_one(tmp_path, script):
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed")
    one, two = (
        trained(
            script, tmp_path / str(count), "mirrored",
            KERAS_BACKEND="jax", XLA_FLAGS=f"--xla_force_host_platform_device_count={count}",
        )
        for count in (1, 2)
    )  # fmt: skip
    assert int(one["devices"]) == 1 and int(two["devices"]) == 2
    for name in one.keys() - {"devices"}:
        np.testing.assert_allclose(two[name], one[name], atol=1e-5, err_msg=name)
