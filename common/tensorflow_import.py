"""TensorFlow without its banner."""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_suppressed: list[str] = []


def import_tensorflow() -> None:
    """Import TensorFlow and Keras silently; call it before anything else imports them.

    Their C++ code prints build notes to the file descriptor of stderr before any log level applies. If the import
    fails, what was printed is shown.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # TensorFlow's own default only on processors with AVX-512
    logging.getLogger("tensorflow").addFilter(_is_no_retracing)
    if "tensorflow" in sys.modules:
        return
    with _without_stderr():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices()  # looks for GPUs, and complains if it finds none


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
