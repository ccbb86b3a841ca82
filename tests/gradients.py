"""A value and its gradient, by the backend that Keras runs on: KERAS_BACKEND=jax pytest tests/common/losses."""

import keras
import pytest


def value_and_gradient(function, inputs):
    """(value, gradient of `inputs`' shape and dtype) of a function of one tensor that returns a scalar."""
    skip_without(inputs.dtype)
    tensor = keras.ops.convert_to_tensor(inputs)
    if keras.config.backend() == "jax":
        import jax

        return jax.value_and_grad(function)(tensor)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(tensor)
        value = function(tensor)
    return value, tf.convert_to_tensor(tape.gradient(value, tensor))


def skip_without(dtype):
    """Skip a test that needs a dtype which the backend lacks."""
    if keras.backend.standardize_dtype(keras.ops.zeros((), dtype).dtype) != keras.backend.standardize_dtype(dtype):
        pytest.skip(f"JAX has {dtype} only with JAX_ENABLE_X64=1")
