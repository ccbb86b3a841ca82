"""What each private part of a library is needed for. A failure here after an update names what has to be rewritten."""

import keras
import numpy as np
import pytest
import skops.io
import tensorflow as tf
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from common.library_internals import (
    SKLEARN_TREE,
    all_layers,
    find_by_name,
    neighbour_points,
    rbf_gamma,
    run_layer_by_layer,
    variable_index,
    without_strategy,
)

GENERATOR = np.random.default_rng(0)
POINTS, CLASSES = GENERATOR.normal(size=(30, 4)), np.arange(30) % 2


def nested_model():
    """A dropout, and a nested model with another one."""
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, name="inner"), keras.layers.Dropout(0.5)])
    image = keras.Input((4,))
    x = keras.layers.Dropout(0.5, name="outer")(keras.layers.Dense(3, name="first")(image))
    return keras.Model(image, keras.layers.Dense(1, name="last")(inner(x)))


def test_all_layers_reaches_nested_models():
    """Without it: dropout of nested models is not seeded by epoch (common.training.fit), their momentum of batch
    normalisation is not adapted, and their weights are not compared with a file (common.training.initial_weights)."""
    model = nested_model()
    kinds = [type(layer).__name__ for layer in all_layers(model)]
    assert kinds.count("Dropout") == 2 and kinds.count("Dense") == 3 and kinds.count("Sequential") == 1
    assert model not in all_layers(model)


def test_operations_of_nested_models_can_be_replaced():
    """Without it: no heat maps, since the maps inside a nested backbone are out of reach (common.detectors.explain)."""
    model, called = nested_model(), []

    def record(operation):
        called.append(operation.name)
        if not isinstance(operation, keras.Model):
            return operation
        return lambda x, **options: run_layer_by_layer(operation, x, record)

    inputs = tf.constant(GENERATOR.normal(size=(2, 4)), tf.float32)
    np.testing.assert_array_equal(run_layer_by_layer(model, inputs, record), model(inputs))
    assert [name for name in called if name in ("first", "outer", "inner", "last")] == [
        "first",
        "outer",
        "inner",
        "last",
    ]


def test_an_optimizer_numbers_its_variables():
    """Without it: ScheduledNadam cannot find the momenta of a weight (reproductions.facenet_embeddings.nadam)."""
    variables = [keras.Variable(np.zeros(size)) for size in (1, 2, 3)]
    optimizer = keras.optimizers.SGD()
    optimizer.build(variables)
    assert [variable_index(optimizer, variable) for variable in variables] == [0, 1, 2]


def test_a_registered_loss_is_found_by_its_name():
    """Without it: `compile(loss="deepfake>SemiHard")` is refused (common.losses)."""

    @keras.saving.register_keras_serializable(package="library_internals")
    class Own(keras.losses.Loss):
        pass

    with pytest.raises(ValueError, match="library_internals>Own"):  # else Keras has learnt it: delete the function
        keras.losses.get("library_internals>Own")
    assert find_by_name(Own) is Own and type(keras.losses.get("library_internals>Own")) is Own


def test_the_gamma_of_an_svc_is_a_number():
    """Without it: an RBF SVM cannot be exported or explained (common.detectors.tensor_classifiers)."""
    classifier = SVC(gamma="scale").fit(POINTS, CLASSES)
    expected = 1 / (POINTS.shape[1] * POINTS.var())  # scikit-learn's documentation of `scale`
    np.testing.assert_allclose(rbf_gamma(classifier), expected, rtol=1e-12)
    assert rbf_gamma(SVC(gamma=0.25).fit(POINTS, CLASSES)) == 0.25


def test_a_nearest_neighbour_classifier_keeps_its_data():
    """Without it: a nearest-neighbour classifier cannot be exported (common.detectors.tensor_classifiers)."""
    points, classes = neighbour_points(KNeighborsClassifier().fit(POINTS, np.where(CLASSES, "real", "fake")))
    np.testing.assert_array_equal(points, POINTS)
    np.testing.assert_array_equal(classes, CLASSES)


def test_the_type_of_a_tree_is_the_only_one_that_skops_does_not_know(tmp_path):
    """Without it: saved trees and forests do not load (common.detectors.store)."""
    for number, classifier in enumerate((DecisionTreeClassifier(), RandomForestClassifier(3))):
        skops.io.dump(classifier.fit(POINTS, CLASSES), tmp_path / f"{number}.skops")
        assert skops.io.get_untrusted_types(file=tmp_path / f"{number}.skops") == [SKLEARN_TREE]


def test_a_model_of_several_machines_predicts_on_one():
    """Without it: each machine scores another part of the images (common.training.fit.predict)."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    spec = tf.train.ClusterSpec({"worker": ["a:1", "b:1"]})
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(spec, "", "worker", 0)
    of_machines = type("Strategy", (), {"cluster_resolver": resolver})()
    model._distribute_strategy = of_machines  # as keras.Model's constructor keeps the strategy of its scope
    assert model.distribute_strategy is of_machines
    with without_strategy(model):
        assert model.distribute_strategy is tf.distribute.get_strategy()
        assert model.predict(np.ones((2, 4), np.float32), verbose=0).shape == (2, 1)
    assert model.distribute_strategy is of_machines
