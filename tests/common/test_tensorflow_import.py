"""What TensorFlow still says after its silent import, and the backends of Keras that are refused before it."""

import logging

import pytest

from common.errors import UserError
from common.tensorflow_import import import_tensorflow, use_tensorflow


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


@pytest.mark.parametrize("name", ["torch", "nonsense"])
@pytest.mark.parametrize("start", [import_tensorflow, use_tensorflow])
def test_another_backend_is_a_users_error(monkeypatch, name, start):
    monkeypatch.setenv("KERAS_BACKEND", name)
    with pytest.raises(UserError, match=f"KERAS_BACKEND: expected one of tensorflow, jax, got {name}"):
        start()


def test_jax_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"JAX is not installed; pip install -e \"\.\[jax\]\""):
        import_tensorflow()
