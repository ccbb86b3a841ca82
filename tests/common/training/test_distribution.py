"""Two replicas train like one, and a run names the devices that it computes on."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.errors import UserError
from common.training import distribution
from common.training.distribution import check_batch, describe_devices, log_devices, set_up

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(32, 8, 8, 3)).astype(np.float32)
LABELS = GENERATOR.integers(0, 2, (32, 1)).astype(np.float32)


def weights_after(strategy, loss, regularizer=None, steps=3):
    """Return the weights and the first loss of a small network with batch normalisation after a few global batches."""
    keras.utils.set_random_seed(5)
    with strategy.scope():
        replicas = strategy.num_replicas_in_sync
        model = keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                keras.layers.Conv2D(4, 3, activation="relu"),
                keras.layers.BatchNormalization(synchronized=replicas > 1),
                keras.layers.Flatten(),
                keras.layers.Dense(1, kernel_regularizer=regularizer),
            ]
        )
        model.compile(keras.optimizers.SGD(0.1), loss, jit_compile=False)
    data = tf.data.Dataset.from_tensor_slices((INPUTS, LABELS)).batch(16, drop_remainder=True).repeat().take(steps)
    history = model.fit(data, verbose=0, shuffle=False).history
    return model.get_weights(), history["loss"][0]


@pytest.mark.parametrize(
    ("loss", "regularizer"),
    [
        pytest.param(keras.losses.MeanSquaredError(), None, id="mse"),
        pytest.param(keras.losses.Hinge(), None, id="hinge", marks=pytest.mark.slow),
        pytest.param(keras.losses.MeanSquaredError(), keras.regularizers.L2(0.01), id="mse-l2", marks=pytest.mark.slow),
        pytest.param(keras.losses.Hinge(), keras.regularizers.L2(0.01), id="hinge-l2", marks=pytest.mark.slow),
    ],
)
def test_two_replicas_train_like_one(loss, regularizer):
    two = set_up("mirrored")
    assert two.num_replicas_in_sync == 2
    one_weights, one_loss = weights_after(set_up("none"), loss, regularizer)
    two_weights, two_loss = weights_after(two, loss, regularizer)
    assert two_loss == pytest.approx(one_loss, abs=1e-5)
    for left, right in zip(one_weights, two_weights, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


def test_a_batch_that_is_no_multiple_of_the_devices_is_refused():
    with pytest.raises(UserError, match="--batch-size 33 .* 2 devices.*--batch-size 32"):
        check_batch(33, set_up("mirrored"))
    check_batch(33, set_up("none"))


def test_auto_is_one_device_without_gpus():
    assert set_up("auto").num_replicas_in_sync == 1


def test_precision_sets_the_layers():
    set_up(precision="mixed_bfloat16")
    assert keras.layers.Dense(1).compute_dtype == "bfloat16"
    set_up(precision="auto")
    assert keras.layers.Dense(1).compute_dtype == "float32"


@pytest.fixture
def suite_log(caplog, monkeypatch):
    """pytest's caplog of the suite's log."""
    monkeypatch.setattr(logging.getLogger("deepfake"), "propagate", True)  # an opened run log turns it off
    caplog.set_level(logging.INFO, "deepfake")
    return caplog


@pytest.fixture
def no_gpu(monkeypatch):
    """TensorFlow finds no GPU, and has said why."""
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
    lines = ["I0000 cpu_feature_guard.cc:227] optimized", "I0000 cudart_stub.cc:31] Could not find cuda drivers"]
    monkeypatch.setattr(distribution, "suppressed_messages", lambda: lines)


def test_the_log_names_the_devices_and_the_replicas(suite_log, tmp_path):
    log_devices(describe_devices(), set_up("mirrored"), tmp_path / "no driver")
    log_devices(["NVIDIA H100"], set_up("none"), tmp_path / "no driver")
    first, second = (record.getMessage() for record in suite_log.records)
    assert first.startswith("computing on CPU, ") and first.endswith(", 2 replicas")
    assert second == "computing on NVIDIA H100"


def test_a_gpu_that_tensorflow_cannot_use_is_a_warning_with_its_reason(suite_log, no_gpu, tmp_path):
    """Its driver is there, and the run would be a hundred times slower than expected."""
    driver = tmp_path / "version"
    driver.write_text("NVRM version: NVIDIA UNIX")
    log_devices(describe_devices(), set_up("none"), driver)
    warnings = [record.getMessage() for record in suite_log.records if record.levelno == logging.WARNING]
    (warning,) = warnings
    assert "GPU THAT TENSORFLOW CANNOT USE" in warning and "Could not find cuda drivers" in warning
    assert 'pip install -e ".[gpu]"' in warning


def test_a_machine_without_a_driver_or_with_a_usable_gpu_is_no_warning(suite_log, no_gpu, monkeypatch, tmp_path):
    strategy = set_up("none")
    log_devices(["CPU"], strategy, tmp_path / "absent")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["GPU:0"])
    (tmp_path / "version").touch()
    log_devices(["NVIDIA H100"], strategy, tmp_path / "version")
    assert not [record for record in suite_log.records if record.levelno == logging.WARNING]
