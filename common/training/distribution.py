"""tf.distribute in one place: devices, arithmetic, determinism, and the scope that everything is built in.

Under a strategy every loss must return one value per example, shape (B,): Keras divides it by the global batch, and
two replicas then step exactly like one. The batch size of a config is always the global one, the paper's.
"""

import functools
import logging
import os
from pathlib import Path

import keras
import tensorflow as tf

from common.data.sharding import Shard
from common.errors import UserError
from common.tensorflow_import import suppressed_messages
from common.training import cluster, jax_devices

log = logging.getLogger("deepfake")

NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")  # exists if a Linux machine has a GPU with its driver


def set_up(
    strategy: str = "auto", precision: str = "auto", deterministic: bool = False, seed: int = 0,
    worker_minutes: float = 10.0,
):  # fmt: skip
    """Prepare the devices and return the tf.distribute.Strategy that the whole run builds its models in.

    Under KERAS_BACKEND=jax it is the default one, which does nothing: see common.training.jax_devices.

    Args:
        strategy: none, mirrored (all GPUs, or the logical CPUs without any), auto (mirrored with several GPUs), or
            multiworker (all machines of TF_CONFIG or of a SLURM job step; auto if there is only one).
        precision: a Keras dtype policy, or auto for float32.
        deterministic: TensorFlow's part of --deterministic; common.runs.options has the other.
        seed: of Keras's, NumPy's and TensorFlow's global random state.
        worker_minutes: how long multiworker waits for the other machines.

    Raises:
        UserError: if Keras runs on neither TensorFlow nor JAX.
    """
    if keras.config.backend() not in ("tensorflow", "jax"):
        raise UserError(f"training needs KERAS_BACKEND=tensorflow or jax, got {keras.config.backend()}")
    under_jax = keras.config.backend() == "jax"
    if under_jax:
        jax_devices.share(strategy)
    else:
        _let_memory_grow()
    keras.config.set_dtype_policy("float32" if precision == "auto" else precision)
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return tf.distribute.get_strategy() if under_jax else _strategy(strategy, worker_minutes)


def device_count(strategy) -> int:
    """Return the number of devices that share a batch."""
    return jax_devices.count() if keras.config.backend() == "jax" else strategy.num_replicas_in_sync


def notes() -> list[str]:
    """Return what a reader of a run's numbers must know of how they were computed."""
    backend = keras.config.backend()
    return [] if backend == "tensorflow" else [f"KERAS_BACKEND={backend}"]


def _let_memory_grow():
    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:  # devices are already in use: a second run in one process
            break


def _strategy(name, worker_minutes):
    if name == "multiworker" and (machines := _connected(worker_minutes)):
        return machines
    gpus = tf.config.list_logical_devices("GPU")
    if name == "mirrored" or (name in ("auto", "multiworker") and len(gpus) > 1):
        return _mirrored(tuple(device.name for device in gpus or tf.config.list_logical_devices("CPU")))
    return tf.distribute.get_strategy()


@functools.cache
def _connected(minutes):
    """Return the process's one MultiWorkerMirroredStrategy, or None if it is alone."""
    return cluster.connect(minutes)


@functools.cache
def _mirrored(devices):
    """Return the process's one MirroredStrategy: two over the same devices would mix up their collectives."""
    return tf.distribute.MirroredStrategy(devices)


def check_batch(batch_size: int, strategy, flag: str = "--batch-size") -> None:
    """Check that the replicas divide the global batch: TensorFlow would crash on the first step.

    Raises:
        UserError: naming a batch size that would do.
    """
    replicas, machines = device_count(strategy), Shard.of(strategy).machines
    if batch_size % replicas:
        nearest = max(replicas, batch_size // replicas * replicas)
        devices = f"{replicas} devices" + (f" of {machines} machines" if machines > 1 else "")
        raise UserError(
            f"{flag} {batch_size} is the global batch and must be a multiple of the {devices}; "
            f"for example {flag} {nearest}, or --strategy none"
        )


def describe_devices() -> list[str]:
    """Return the names of the devices that a run computes on, for the log and environment.json."""
    if keras.config.backend() == "jax":
        return jax_devices.describe()
    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return names or [f"CPU, {os.cpu_count()} cores"]


def log_devices(devices: list[str], strategy, driver: Path = NVIDIA_DRIVER) -> None:
    """Log what a run computes on, and warn if the machine has an NVIDIA GPU that TensorFlow cannot use."""
    replicas, machines = device_count(strategy), Shard.of(strategy).machines
    several = f", {replicas} replicas" + (f" on {machines} machines" if machines > 1 else "") if replicas > 1 else ""
    log.info("computing on %s%s", "; ".join(devices), several)
    if driver.exists() and keras.config.backend() == "jax" and devices[0].startswith("CPU"):
        log.warning(
            "THIS MACHINE HAS A GPU THAT JAX CANNOT USE, the run computes on the CPU: "
            'pip install -e ".[jax]", or "jax[cuda13]" for a driver of version 580 or later'
        )
    elif driver.exists() and keras.config.backend() != "jax" and not tf.config.list_physical_devices("GPU"):
        reasons = [line for line in suppressed_messages() if "cuda" in line.lower() or "gpu" in line.lower()]
        log.warning(
            "THIS MACHINE HAS A GPU THAT TENSORFLOW CANNOT USE, the run computes on the CPU: "
            'pip install -e ".[gpu]", or check CUDA_VISIBLE_DEVICES and the driver%s',
            f" (TensorFlow: {reasons[-1].strip()})" if reasons else "",
        )
