from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.errors import UserError
from common.training import distribution
from common.training.distribution import check_batch, quick_arithmetic, set_up

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(32, 8, 8, 3)).astype(np.float32)
LABELS = GENERATOR.integers(0, 2, (32, 1)).astype(np.float32)


def weights_after(strategy, loss, regularizer=None, steps=3):
    """The weights of a small network with batch normalisation after some steps on the same global batches."""
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


@pytest.mark.parametrize("loss", [keras.losses.MeanSquaredError(), keras.losses.Hinge()], ids=["mse", "hinge"])
@pytest.mark.parametrize("regularizer", [None, keras.regularizers.L2(0.01)], ids=["plain", "l2"])
def test_two_replicas_step_like_one(loss, regularizer):
    two = set_up("mirrored")
    assert two.num_replicas_in_sync == 2
    one_weights, one_loss = weights_after(set_up("none"), loss, regularizer)
    two_weights, two_loss = weights_after(two, loss, regularizer)
    assert two_loss == pytest.approx(one_loss, abs=1e-5)
    for left, right in zip(one_weights, two_weights, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


def test_a_batch_that_the_devices_do_not_divide_is_refused():
    with pytest.raises(UserError, match="--batch-size 33 .* 2 devices.*--batch-size 32"):
        check_batch(33, set_up("mirrored"))
    check_batch(33, set_up("none"))


def test_auto_is_a_single_device_without_gpus():
    assert set_up("auto").num_replicas_in_sync == 1


def test_precision_reaches_the_layers():
    set_up(precision="mixed_bfloat16")
    assert keras.layers.Dense(1).compute_dtype == "bfloat16"
    set_up(precision="auto")
    assert keras.layers.Dense(1).compute_dtype == "float32"


def test_bfloat16_only_where_the_processor_says_so(tmp_path, monkeypatch):
    (tmp_path / "with").write_text("flags : fpu avx512_bf16\n")
    (tmp_path / "without").write_text("flags : fpu avx2\n")
    assert [distribution._multiplies_bfloat16(tmp_path / name) for name in ("with", "without", "absent")] == [1, 0, 0]
    quick = SimpleNamespace(preset="quick", epochs=1, precision="auto")
    others = [{"preset": "paper"}, {"epochs": 0}, {"precision": "float32"}]
    monkeypatch.setattr(distribution, "_multiplies_bfloat16", lambda: True)
    with quick_arithmetic(quick) as notes:
        assert notes == [keras.config.dtype_policy().name] == ["mixed_bfloat16"]
    for other in others:
        with quick_arithmetic(SimpleNamespace(**vars(quick) | other)) as notes:
            assert notes == [] and keras.config.dtype_policy().name == "float32"
    monkeypatch.setattr(distribution, "_multiplies_bfloat16", lambda: False)
    with quick_arithmetic(quick) as notes:
        assert notes == [] and keras.config.dtype_policy().name == "float32"
    assert keras.config.dtype_policy().name == "float32"
