"""TensorFlow without its banner."""

import os
import sys
import tempfile
from contextlib import contextmanager


def import_tensorflow():
    """Import TensorFlow and Keras in silence; call it before anything else imports them.

    Their C++ code prints build notes to the file descriptor of stderr before any log level applies. If the import
    fails, what was printed is shown.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" in sys.modules:
        return
    with _without_stderr():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices()  # looks for GPUs, and complains where there are none


@contextmanager
def _without_stderr():
    sys.stderr.flush()
    with tempfile.TemporaryFile() as unseen:
        kept = os.dup(2)
        os.dup2(unseen.fileno(), 2)
        try:
            yield
        except Exception:
            unseen.seek(0)
            os.write(kept, unseen.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
