"""TensorFlow without its banner, and the backend of Keras."""

import importlib.util
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import UserError

BACKENDS = ("tensorflow", "jax")  # of Keras; TensorFlow reads the images under both

_suppressed: list[str] = []


def import_tensorflow() -> None:
    """Import TensorFlow and Keras silently; call it before anything else imports them.

    Their C++ code prints build notes to the file descriptor of stderr before any log level applies. If the import
    fails, what was printed is shown.

    Raises:
        UserError: if KERAS_BACKEND names neither TensorFlow nor JAX, or JAX is not installed.
    """
    _check_backend(os.environ.get("KERAS_BACKEND") or BACKENDS[0])
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # TensorFlow's own default only on processors with AVX-512
    logging.getLogger("tensorflow").addFilter(_is_no_retracing)
    if "tensorflow" in sys.modules:
        return
    with _without_stderr():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices()  # looks for GPUs, and complains if it finds none


def use_tensorflow() -> None:
    """Import Keras on TensorFlow, whatever KERAS_BACKEND says: for what TensorFlow alone can compute.

    The file of a network is the same under both backends.

    Raises:
        UserError: as `import_tensorflow`, and if this process has imported Keras on another backend.
    """
    _check_backend(os.environ.get("KERAS_BACKEND") or BACKENDS[0])
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = BACKENDS[0]
    import_tensorflow()
    import keras

    if (found := keras.config.backend()) != BACKENDS[0]:
        raise UserError(f"expected Keras on {BACKENDS[0]}, got {found}: set KERAS_BACKEND={BACKENDS[0]}")


def _check_backend(name: str) -> None:
    if name not in BACKENDS:
        raise UserError(f"KERAS_BACKEND: expected one of {', '.join(BACKENDS)}, got {name}")
    if name == "jax" and importlib.util.find_spec("jax") is None:
        raise UserError('KERAS_BACKEND=jax: JAX is not installed; pip install -e ".[jax]"')


def suppressed_messages() -> list[str]:
    """Return the lines that TensorFlow printed while `import_tensorflow` imported it."""
    return list(_suppressed)


def _is_no_retracing(record: logging.LogRecord) -> bool:
    """Leave out the warning that a function is traced again: a run has several networks, each traced once."""
    return "triggered tf.function retracing" not in record.getMessage()


@contextmanager
def _without_stderr() -> Iterator[None]:
    sys.stderr.flush()
    with tempfile.TemporaryFile() as hidden:
        stderr = os.dup(2)
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except Exception:
            hidden.seek(0)
            os.write(stderr, hidden.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            hidden.seek(0)
            _suppressed.extend(hidden.read().decode(errors="replace").splitlines())
