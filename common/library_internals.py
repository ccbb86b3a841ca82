"""All uses of private parts of Keras and scikit-learn, one function each; their tests say what breaks without them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.losses import ALL_OBJECTS_DICT as LOSSES_BY_NAME

from common.data.sharding import Shard

if TYPE_CHECKING:  # the losses need Keras alone
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

SKLEARN_TREE = "sklearn.tree._tree.Tree"  # the type inside every fitted tree and forest, as .skops files name it

Loss = TypeVar("Loss", bound=type)


def all_layers(model: keras.Model) -> list[keras.Layer]:
    """Return the layers of a model and of everything nested in it, nested models included, the model itself excluded.

    Keras has no public way to visit nested layers; `Model._flatten_layers` is what its own `summary` uses. Its order
    matters: the states of random layers are derived from their places in it.
    """
    return list(model._flatten_layers(include_self=False))


def run_layer_by_layer(model: keras.Model, inputs: Any, step: Callable[[Any], Callable[..., Any]]) -> Any:
    """Call a functional model with a replacement for each of its operations.

    `keras.models.clone_model(call_function=...)` is public but does not reach layers of nested models.

    Args:
        model: a functional model.
        inputs: its inputs.
        step: maps an operation (a layer, a nested model, a bare op) to the function that is called in place of it.

    Returns:
        The outputs of the model.
    """
    functional = model._functional if isinstance(model, keras.Sequential) else model
    return functional._run_through_graph(inputs, operation_fn=step)


@contextmanager
def without_strategy(model: keras.Model) -> Iterator[None]:
    """Let a model of MultiWorkerMirroredStrategy predict on this machine alone, in this block.

    Keras would give each machine another part of the data, whose outputs it does not join again. On one machine nothing
    changes.
    """
    strategy = getattr(model, "_distribute_strategy", None)
    if Shard.of(strategy).machines == 1:
        yield
        return
    model._distribute_strategy = None
    try:
        yield
    finally:
        model._distribute_strategy = strategy


@contextmanager
def initial_values_of_tensorflow() -> Iterator[None]:
    """Under JAX, let initializers draw by TensorFlow's generator: a seed gives the same weights under both backends.

    Initializers of Keras call functions of their backend; no public one can be replaced.
    """
    if keras.config.backend() != "jax":
        yield
        return
    import tensorflow as tf
    from keras.src.backend import random

    def drawn_by(draw):
        def values(shape, *limits, dtype=None, seed=None, **named):
            seed = [seed, 0] if isinstance(seed, int) else np.asarray(random.draw_seed(seed))
            drawn = draw(shape, np.asarray(seed, np.int64) % (2**31 - 2), *limits, dtype=dtype or "float32", **named)
            return keras.ops.convert_to_tensor(drawn.numpy())

        return values

    drawing = {name: getattr(tf.random, f"stateless_{name}") for name in ("normal", "uniform", "truncated_normal")}
    own = {name: getattr(random, name) for name in drawing}
    try:
        for name, draw in drawing.items():
            setattr(random, name, drawn_by(draw))
        yield
    finally:
        for name, function in own.items():
            setattr(random, name, function)


def losses_of_this_step(layer: keras.Layer) -> list[Any]:
    """Return the losses that JAX's training step has computed before, or an empty list.

    `losses` must then return these alone: a subclass that adds its own to them would count them twice.
    """
    return layer._losses_override


def variable_index(optimizer: keras.optimizers.Optimizer, variable: Any) -> int:
    """Return the position of a variable among those that the optimizer was built with.

    Every `update_step` of Keras's own optimizers finds its momenta by it.
    """
    return optimizer._get_variable_index(variable)


def find_by_name(loss: Loss) -> Loss:
    """Let `keras.losses.get`, and so `compile(loss=NAME)`, find a loss by the name under which it is registered.

    Keras looks up strings among its own losses only; registered ones are found in dictionaries alone.
    """
    LOSSES_BY_NAME[keras.saving.get_registered_name(loss)] = loss
    return loss


def forget_uninitialized_variables() -> None:
    """Forget the variables that were made inside a `keras.StatelessScope` and have no values yet.

    The next scope that ends would allocate them, whatever their size.
    """
    global_state.set_global_attribute("uninitialized_variables", [])


def rbf_gamma(classifier: "SVC") -> float:
    """Return the gamma of a fitted RBF SVC as a number; the public `gamma` may be the word `scale`."""
    return classifier._gamma


def neighbour_points(classifier: "KNeighborsClassifier") -> tuple[np.ndarray, np.ndarray]:
    """Return what a nearest-neighbour classifier was fitted on: float (n, d), and indices of `classes_`, int (n,)."""
    return classifier._fit_X, classifier._y


def producing_operation(tensor: keras.KerasTensor) -> tuple[Any, list[keras.KerasTensor]]:
    """Return the layer, nested model or bare operation that a symbolic tensor is the output of, and its inputs there.

    Keras has no public way from a tensor to its layer. `Operation.input` of a nested model is its own inner input.
    """
    history = tensor._keras_history
    return history.operation, list(history.operation._inbound_nodes[history.node_index].input_tensors)
