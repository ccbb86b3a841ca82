"""Gradients under either backend of Keras that trains: TensorFlow or JAX."""

from collections.abc import Callable
from typing import Any

import keras


def compiled_gradient(function: Callable[[Any], tuple[Any, Any]]) -> Callable[[Any], tuple[Any, Any]]:
    """Return a compiled function of x -> (d value / d x, more).

    Args:
        function: x -> (value, a scalar; more, any tensors), in keras.ops.
    """
    if keras.config.backend() == "jax":
        import jax

        return jax.jit(jax.grad(function, has_aux=True))
    import tensorflow as tf

    @tf.function
    def gradient(inputs):
        inputs = tf.convert_to_tensor(inputs)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value, more = function(inputs)
        return tape.gradient(value, inputs), more

    return gradient
