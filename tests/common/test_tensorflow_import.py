"""What TensorFlow still says after its silent import."""

import logging

from common.tensorflow_import import import_tensorflow


def test_that_several_networks_are_traced_is_no_warning():
    messages, log = [], logging.getLogger("tensorflow")
    import_tensorflow()
    level = log.level
    log.setLevel("WARNING")  # other libraries raise it
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    log.addHandler(handler)
    try:
        log.warning("%d out of the last %d calls to %s triggered tf.function retracing.", 5, 13, "f")
        log.warning("the disk is full")
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
    assert messages == ["the disk is full"]
