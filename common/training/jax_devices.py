"""The devices of a run under KERAS_BACKEND=jax. TensorFlow feeds the data from the CPU."""

import contextlib
import os

import keras
import tensorflow as tf

from common.errors import UserError


def share(strategy: str) -> None:
    """Leave the GPUs to JAX, and let several of them share each batch by keras.distribution.DataParallel.

    Args:
        strategy: of --strategy: none, mirrored (all devices), or auto (mirrored with several GPUs).

    Raises:
        UserError: for multiworker.
    """
    if strategy == "multiworker":
        raise UserError("--strategy multiworker is tf.distribute's: unset KERAS_BACKEND")
    import jax

    with contextlib.suppress(RuntimeError):  # devices are already in use
        tf.config.set_visible_devices([], "GPU")  # their memory is JAX's
    devices = jax.local_device_count()
    shared = strategy == "mirrored" or (strategy == "auto" and jax.default_backend() != "cpu")
    keras.distribution.set_distribution(keras.distribution.DataParallel() if shared and devices > 1 else None)


def count() -> int:
    """Return the number of devices that share a batch."""
    distribution = keras.distribution.distribution()
    return distribution.device_mesh.devices.size if distribution else 1


def describe() -> list[str]:
    """Return the names of the devices."""
    import jax

    names = [device.device_kind for device in jax.local_devices() if device.platform != "cpu"]
    return [f"{name} (JAX)" for name in names or [f"CPU, {os.cpu_count()} cores"]]
