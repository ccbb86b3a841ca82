"""The losses as Keras users meet them: labels, dtypes, weights, names, configurations and saved models."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from common import losses
from common.losses import BatchAll, BatchHard, SemiHard, TripletHinge, TripletLogExp
from tests.gradients import value_and_gradient

RANDOM = np.random.default_rng(0)
CLASSES = np.array([2, 0, 1, 1, 0, 2, 1, 0, 2, 2])
EMBEDDINGS = RANDOM.normal(size=(10, 4)).astype(np.float32)
TRIPLETS = RANDOM.normal(size=(10, 3, 4)).astype(np.float32)
MINED = {
    "all": BatchAll(0.5),
    "all, soft": BatchAll("soft", "cosine"),
    "hard": BatchHard(0.5, "squared"),
    "semi-hard": SemiHard(0.5),
}
GIVEN = {"hinge": TripletHinge(), "soft": TripletHinge("soft", "cosine"), "log-exp": TripletLogExp()}
mined = pytest.mark.parametrize("loss", MINED.values(), ids=MINED)
every_loss = pytest.mark.parametrize("loss", (MINED | GIVEN).values(), ids=MINED | GIVEN)
INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def inputs_of(loss):
    return TRIPLETS if isinstance(loss, TripletHinge | TripletLogExp) else EMBEDDINGS


@pytest.mark.parametrize("dtype", [*INTEGERS, "float16", "bfloat16", "float32", "float64"])
def test_labels_of_every_dtype_and_form_give_one_value(dtype):
    expected = float(SemiHard()(CLASSES.tolist(), EMBEDDINGS))
    labels = ops.cast(CLASSES, dtype)
    for form in (labels, labels[:, None], ops.cast(np.eye(3)[CLASSES], dtype)):
        assert float(SemiHard()(form, EMBEDDINGS)) == expected > 0


@mined
def test_every_mined_loss_takes_labels_in_a_column_or_one_hot(loss):
    expected = float(loss(CLASSES, EMBEDDINGS))
    for form in (CLASSES[:, None], np.eye(3, dtype=bool)[CLASSES]):
        assert float(loss(form, EMBEDDINGS)) == expected > 0


def test_labels_may_be_booleans_negative_or_probabilities():
    two = CLASSES > 0
    expected = float(SemiHard()(two.astype(int), EMBEDDINGS))
    assert float(SemiHard()(two, EMBEDDINGS)) == expected != float(SemiHard()(CLASSES, EMBEDDINGS))
    assert float(SemiHard()(-5 * two.astype(int), EMBEDDINGS)) == pytest.approx(expected, rel=1e-6)
    probabilities = np.where(two[:, None], [0.4, 0.6], [0.55, 0.45])  # as label smoothing makes them
    assert float(SemiHard()(probabilities, EMBEDDINGS)) == expected


@pytest.mark.parametrize("first", [2**24, 2**31 - 1, 2**62])
def test_neighbouring_large_labels_are_different_classes(first):
    """float32, to which Keras casts the labels of a loss, has no odd number above 2^24."""
    labels = first + CLASSES.astype("int64")
    assert float(SemiHard()(labels, EMBEDDINGS)) == float(SemiHard()(CLASSES, EMBEDDINGS))


@pytest.mark.parametrize("labels", [list("cabbacbacc"), np.array(list("cab")), np.array(["c", 1], object)])
def test_strings_are_refused_with_what_to_do(labels):
    with pytest.raises(ValueError, match=r"expected class labels as numbers.*numpy.unique"):
        SemiHard()(labels, EMBEDDINGS)
    with pytest.raises(ValueError, match=r"expected class labels as numbers.*StringLookup"):
        SemiHard()(tf.constant(["c", "a"]), EMBEDDINGS[:2])


@pytest.mark.parametrize("labels, embeddings", [((4, 2, 2), (4, 3)), ((4,), (4, 3, 2)), ((), (4, 3)), ((4,), (4,))])
def test_other_shapes_are_refused(labels, embeddings):
    with pytest.raises(ValueError, match=r"expected y_true of shape \(B,\).*received"):
        SemiHard()(np.zeros(labels), np.zeros(embeddings))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@every_loss
def test_embeddings_of_16_bits_are_computed_in_float32(loss, dtype):
    narrow = ops.cast(inputs_of(loss) * 20, dtype)  # squared distances above 2^11, where float16 has steps of 2
    expected = np.asarray(loss.call(CLASSES, ops.cast(narrow, "float32")))
    values = loss.call(CLASSES, narrow)
    assert values.dtype == "float32"
    np.testing.assert_array_equal(values, expected)
    value, gradient = value_and_gradient(lambda tensor: loss(CLASSES, tensor), narrow)
    assert value.dtype == "float32" and float(value) == pytest.approx(np.mean(expected), rel=1e-6)
    assert gradient.dtype == dtype and np.isfinite(ops.cast(gradient, "float32")).all()


@mined
def test_a_sample_weight_multiplies_the_terms_of_its_anchor(loss):
    weights = np.array([0, 1, 2, 0.5, 1, 0, 3, 1, 1, 0.25], np.float32)
    values = np.asarray(loss.call(CLASSES, EMBEDDINGS))
    assert float(loss(CLASSES, EMBEDDINGS, weights)) == pytest.approx((values * weights).mean(), rel=1e-6)
    assert float(loss(CLASSES, EMBEDDINGS, weights[:, None])) == pytest.approx((values * weights).mean(), rel=1e-6)
    assert float(loss(CLASSES, EMBEDDINGS, np.ones(10))) == pytest.approx(float(loss(CLASSES, EMBEDDINGS)), rel=1e-6)
    config = loss.get_config()
    total = type(loss)(**config | {"reduction": "sum"})(CLASSES, EMBEDDINGS, weights)
    assert float(total) == pytest.approx((values * weights).sum(), rel=1e-6)
    mean = type(loss)(**config | {"reduction": "mean_with_sample_weight"})(CLASSES, EMBEDDINGS, weights)
    assert float(mean) == pytest.approx((values * weights).sum() / weights.sum(), rel=1e-6)
    np.testing.assert_array_equal(type(loss)(**config | {"reduction": None})(CLASSES, EMBEDDINGS), values)


@every_loss
def test_a_loss_survives_its_config(loss):
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is type(loss) and again.get_config() == loss.get_config()
    assert float(again(CLASSES, inputs_of(loss))) == float(loss(CLASSES, inputs_of(loss)))


@pytest.mark.parametrize("squared, distance", [(True, "squared"), (False, "euclidean")])
def test_a_config_of_before_distance_existed_is_read(squared, distance):
    config = {"name": "batch_hard", "reduction": "sum_over_batch_size", "margin": 0.8, "squared": squared}
    assert BatchHard.from_config(config).distance == distance
    assert config["squared"] is squared, "the caller's config is not changed"


def compiled(loss):
    shape = inputs_of(keras.losses.get(loss)).shape[1:]
    image = keras.Input(shape)
    model = keras.Model(image, keras.layers.Dense(3, kernel_initializer="ones")(image))
    model.compile(keras.optimizers.SGD(0.01), loss)
    return model


@pytest.mark.parametrize("name", ["BatchAll", "BatchHard", "SemiHard", "TripletHinge", "TripletLogExp"])
def test_keras_finds_a_loss_by_name(name):
    loss, expected = keras.losses.get(f"deepfake>{name}"), getattr(losses, name)(name="x")
    assert type(loss) is type(expected) and loss.get_config() | {"name": "x"} == expected.get_config()


slow = pytest.mark.slow


@pytest.mark.parametrize(
    "loss",
    [
        "deepfake>SemiHard",
        pytest.param(BatchAll("soft", "cosine"), marks=slow),
        pytest.param(TripletHinge(0.7, "euclidean"), marks=slow),
    ],
)
def test_a_saved_model_goes_on_with_its_loss(tmp_path, loss):
    model = compiled(loss)
    inputs = inputs_of(keras.losses.get(loss))
    expected = model.evaluate(inputs, CLASSES, batch_size=10, verbose=0)
    assert expected == pytest.approx(float(keras.losses.get(loss)(CLASSES, model(inputs))), rel=1e-5) != 0
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    expected_loss, loss = keras.losses.get(loss), keras.losses.get(again.loss)
    assert type(loss) is type(expected_loss)
    assert loss.get_config() | {"name": "x"} == expected_loss.get_config() | {"name": "x"}
    assert again.train_on_batch(inputs, CLASSES) == pytest.approx(expected, rel=1e-6)
    assert again.optimizer.iterations == 1


@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=slow)])
def test_a_training_step_with_large_labels_weights_and_half_precision(jit):
    image = keras.Input((4,))
    model = keras.Model(image, keras.layers.Dense(3, dtype="mixed_bfloat16")(image))
    model.compile(keras.optimizers.SGD(0.01), SemiHard(), jit_compile=jit)
    weights, outputs = np.linspace(0.5, 2, 10), model(EMBEDDINGS)
    assert outputs.dtype == "bfloat16"
    expected = float(SemiHard()(CLASSES, outputs, weights))
    assert model.train_on_batch(EMBEDDINGS, CLASSES + 2**40, weights) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("loss", [BatchAll, BatchHard, SemiHard, TripletHinge])
def test_wrong_arguments_are_refused_by_name(loss):
    for margin in (-0.1, float("nan"), float("inf"), "hard", None):
        with pytest.raises(ValueError, match='at least 0, or "soft", as margin; received'):
            loss(margin)
    with pytest.raises(ValueError, match="squared, euclidean, cosine as distance; received 'manhattan'"):
        loss(distance="manhattan")
    with pytest.raises(ValueError, match="active"):
        BatchAll(mean_over="hard")
