"""tf.distribute in one place: devices, arithmetic, determinism, and the scope that everything is built in.

Under a strategy every loss must return one value per example, shape (B,): Keras divides it by the global batch, and
two replicas then step exactly like one. The batch size of a config is always the global one, the paper's.
"""

import functools
import os
from contextlib import contextmanager
from pathlib import Path

from common.errors import UserError
from common.tensorflow_import import import_tensorflow


def set_up(strategy="auto", precision="auto", deterministic=False, seed=0):
    """Prepare TensorFlow and return the tf.distribute.Strategy that the whole run builds its models in.

    strategy: none | mirrored (all GPUs, or the logical CPUs where there are none) | auto (mirrored with several GPUs).
    precision: a Keras dtype policy, or auto for float32. deterministic: TensorFlow's part
    of --deterministic (common.runs.options has the other).
    """
    import_tensorflow()
    import keras
    import tensorflow as tf

    if keras.config.backend() != "tensorflow":
        raise UserError(f"training needs KERAS_BACKEND=tensorflow, got {keras.config.backend()}")
    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:  # devices are already in use: a second run in one process
            break
    keras.config.set_dtype_policy("float32" if precision == "auto" else precision)
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    gpus = tf.config.list_logical_devices("GPU")
    if strategy == "mirrored" or (strategy == "auto" and len(gpus) > 1):
        return _mirrored(tuple(device.name for device in gpus or tf.config.list_logical_devices("CPU")))
    return tf.distribute.get_strategy()


@functools.cache
def _mirrored(devices):
    """One MirroredStrategy a process: two over the same devices number their collectives alike, and mix them up."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(devices)


def check_batch(batch_size, strategy):
    """UserError unless the replicas divide the global batch: TensorFlow would crash on the first step."""
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        nearest = max(replicas, batch_size // replicas * replicas)
        raise UserError(
            f"--batch-size {batch_size} is the global batch and must be a multiple of the {replicas} devices; "
            f"for example --batch-size {nearest}, or --strategy none"
        )


@contextmanager
def quick_arithmetic(config):
    """Build layers in mixed_bfloat16 where a preset has to be quick, the processor gains by it and no flag forbids it.

    A training step of a large network then takes about two thirds of its time on a processor that multiplies in
    bfloat16, and more than its time on others. config: its preset, epochs and precision. Yields notes for the results.
    """
    import keras
    import tensorflow as tf

    chosen = config.precision == "auto" and config.preset != "paper" and config.epochs
    if not chosen or tf.config.list_physical_devices("GPU") or not _multiplies_bfloat16():
        yield []
        return
    before = keras.config.dtype_policy().name
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield ["mixed_bfloat16"]
    finally:
        keras.config.set_dtype_policy(before)


def _multiplies_bfloat16(information=Path("/proc/cpuinfo")):
    """Whether the processor says so; on systems without that file, and on Apple's, it is not asked."""
    flags = information.read_text(errors="replace").split() if information.is_file() else []
    return bool({"avx512_bf16", "amx_bf16"} & set(flags))


def describe_devices():
    """The devices TensorFlow computes on, by name, for environment.json."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return names or [f"CPU, {os.cpu_count()} cores"]
