import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.errors import UserError
from common.training.fit import Plan, best_epoch, fit, shorten_batch_norm, start_from

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.normal(size=(64, 6)).astype(np.float32)
LABELS = (INPUTS[:, :1] > 0).astype(np.float32)


def network():
    keras.utils.set_random_seed(1)
    hidden, output = keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([keras.Input((6,)), hidden, keras.layers.Dropout(0.5), output], name="tiny")
    model.compile(keras.optimizers.Adam(0.01), keras.losses.MeanSquaredError())
    return model


def batches(epoch):
    order = np.random.default_rng([7, epoch]).permutation(64)
    return tf.data.Dataset.from_tensor_slices((INPUTS[order], LABELS[order])).batch(16, drop_remainder=True)


def validate(model):
    return {"val_loss": float(np.mean((model.predict(INPUTS, verbose=0) - LABELS) ** 2))}


def test_a_training_killed_between_epochs_ends_with_the_same_weights(tmp_path):
    whole = network()
    history = fit(whole, batches, validate, Plan(4, "val_loss"), tmp_path / "whole", seed=3)

    class Killed(Exception):
        pass

    def killing(epoch):
        if epoch == 2:
            raise Killed
        return batches(epoch)

    with pytest.raises(Killed):
        fit(network(), killing, validate, Plan(4, "val_loss"), tmp_path / "cut", seed=3)
    resumed = network()
    after = fit(resumed, batches, validate, Plan(4, "val_loss"), tmp_path / "cut", seed=3)
    np.testing.assert_allclose(after["val_loss"], history["val_loss"], rtol=1e-5)
    for left, right in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)


def test_the_best_epoch_of_validation_is_kept(tmp_path):
    scores, kept = iter([0.6, 0.9, 0.9, 0.7]), []

    def scripted(model):
        kept.append(model.get_weights())
        return {"val_auc": next(scores)}

    model = network()
    history = fit(model, batches, scripted, Plan(4, "val_auc"), tmp_path)
    assert best_epoch(history, "val_auc") == 2
    for left, right in zip(model.get_weights(), kept[1], strict=True):
        np.testing.assert_array_equal(left, right)


def test_training_stops_when_validation_no_longer_improves(tmp_path):
    scores = iter([0.5, 0.4, 0.45, 0.43, 0.1, 0.1])
    history = fit(network(), batches, lambda _: {"val_loss": next(scores)}, Plan(6, "val_loss", patience=2), tmp_path)
    assert len(history) == 4  # the best is epoch 2; two more without improvement


def test_a_finished_training_is_not_repeated(tmp_path):
    fit(network(), batches, validate, Plan(2, "val_loss"), tmp_path)

    def refuse(epoch):
        raise AssertionError(f"epoch {epoch} was trained again")

    assert len(fit(network(), refuse, validate, Plan(2, "val_loss"), tmp_path)) == 2


def test_only_the_last_state_and_the_best_weights_stay(tmp_path):
    fit(network(), batches, validate, Plan(3, "val_loss"), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"best.weights.h5", "epoch-0003.weights.h5", "state.json"}
    assert json.loads((tmp_path / "state.json").read_text())["weights"] == "epoch-0003.weights.h5"


def test_a_step_is_traced_once(tmp_path):
    """Networks have hundreds of layers, and tracing them is what a short training waits for."""
    traced = []

    class Noted(keras.layers.Dense):
        def call(self, inputs, training=None):
            traced.append(bool(training) and not tf.executing_eagerly())
            return super().call(inputs)

    model = keras.Sequential([keras.Input((6,)), Noted(1)])
    model.compile("adam", "mse", metrics=["mae"])
    before = model.get_weights()
    history = fit(model, batches, validate, Plan(2, "val_loss"), tmp_path)
    assert sum(traced) == 1 and list(history["epoch"]) == [1, 2]
    assert any((one != other).any() for one, other in zip(before, model.get_weights(), strict=True))


def test_a_diverged_training_is_an_error_that_says_so(tmp_path):
    def broken(epoch):
        return tf.data.Dataset.from_tensor_slices((INPUTS, LABELS * np.nan)).batch(16)

    with pytest.raises(UserError, match="diverged in epoch 1: lower its learning rate"):
        fit(network(), broken, validate, Plan(2, "val_loss"), tmp_path)
    assert not (tmp_path / "state.json").exists()


def test_batch_normalisation_follows_in_a_short_epoch():
    """Data of mean 5, standard deviation 3: after 12 steps the momentum 0.99 has forgotten 11 % of its start."""
    inputs = np.random.default_rng(0).normal(5, 3, (384, 4)).astype(np.float32)

    def means_after_one_epoch(shorten):
        model = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)])
        momentum = shorten_batch_norm(model, 12) if shorten else None
        model.compile("sgd", "mse")
        model.fit(inputs, inputs[:, :1] * 0, batch_size=32, epochs=1, verbose=0)
        return momentum, model.layers[0].moving_mean.numpy()

    momentum, followed = means_after_one_epoch(True)
    assert momentum == pytest.approx(1 - 5 / 12)
    np.testing.assert_allclose(followed, inputs.mean(axis=0), atol=0.5)
    assert np.all(means_after_one_epoch(False)[1] < 1)


def test_long_epochs_leave_batch_normalisation_alone():
    model = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization()])
    assert shorten_batch_norm(model, 500) is None
    assert model.layers[0].momentum == 0.99


def test_a_model_starts_from_the_file_of_another_of_its_form(tmp_path):
    given, model = network(), network()
    given.set_weights([weights + 1 for weights in given.get_weights()])
    given.save(tmp_path / "given.keras")
    start_from(model, tmp_path / "given.keras", "--weights tiny")
    for ours, theirs in zip(model.get_weights(), given.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    (tmp_path / "damaged.keras").write_bytes(b"no zip")
    other = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
    for wrong, file in ((model, "damaged.keras"), (other, "given.keras")):
        with pytest.raises(UserError, match=f"--weights tiny=.*{file}: the file does not fit"):
            start_from(wrong, tmp_path / file, "--weights tiny")


def test_weights_of_equal_shapes_in_another_network_are_refused(tmp_path):
    """Neither the size of its images nor an activation shows in the weights of a convolution."""

    def convolution(size, activation):
        return keras.Sequential([keras.Input((size, size, 3)), keras.layers.Conv2D(2, 3, activation=activation)])

    convolution(16, "relu").save(tmp_path / "given.keras")
    start_from(convolution(16, "relu"), tmp_path / "given.keras", "--weights tiny")
    with pytest.raises(UserError, match=r"its input is \(16, 16, 3\), here \(20, 20, 3\); give the flags"):
        start_from(convolution(20, "relu"), tmp_path / "given.keras", "--weights tiny")
    with pytest.raises(UserError, match="its activation is relu, here silu; give the flags"):
        start_from(convolution(16, "swish"), tmp_path / "given.keras", "--weights tiny")
