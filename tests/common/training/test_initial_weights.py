"""Networks that start from a file: what fits, what is refused, and what is noted."""

import keras
import numpy as np
import pytest

from common.errors import UserError
from common.files import sha256
from common.training.initial_weights import initial_weights_note, load_initial_weights, stored_network


def dense_network(inputs=6, seed=0, name=None):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(8), keras.layers.Dense(1)], name=name)


def assert_equal_weights(left, right):
    for ours, theirs in zip(left.get_weights(), right.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_network_starts_from_the_file_of_another_with_the_same_layers(tmp_path):
    stored, network = dense_network(seed=1), dense_network(seed=2)
    stored.save(tmp_path / "stored.keras")
    load_initial_weights(network, tmp_path / "stored.keras", "--weights tiny")
    assert_equal_weights(network, stored)


def test_a_network_starts_from_a_layer_of_its_name_in_a_larger_network(tmp_path):
    """A siamese network, for example, stores the stream that another one starts from."""
    inner = dense_network(seed=1, name="stream")
    whole = keras.Sequential([keras.Input((6,)), inner, keras.layers.Dense(3)])
    whole.save(tmp_path / "whole.keras")
    network = dense_network(seed=2, name="stream")
    load_initial_weights(network, tmp_path / "whole.keras", "--weights stream")
    assert_equal_weights(network, inner)
    assert stored_network(tmp_path / "whole.keras").output_shape == (None, 3)
    assert stored_network(tmp_path / "whole.keras", "stream").output_shape == (None, 1)


def test_a_file_that_does_not_fit_is_refused_by_name(tmp_path):
    dense_network(6).save(tmp_path / "stored.keras")
    (tmp_path / "damaged.keras").write_bytes(b"no zip")
    for network, file in ((dense_network(6), "damaged.keras"), (dense_network(5), "stored.keras")):
        with pytest.raises(UserError, match=f"--weights tiny=.*{file}: the file does not fit"):
            load_initial_weights(network, tmp_path / file, "--weights tiny")


def test_weights_of_equal_shapes_in_another_network_are_refused(tmp_path):
    """The weights of a convolution show neither the size of its images nor its activation."""

    def convolution(size, activation):
        return keras.Sequential([keras.Input((size, size, 3)), keras.layers.Conv2D(2, 3, activation=activation)])

    file = tmp_path / "stored.keras"
    convolution(16, "relu").save(file)
    load_initial_weights(convolution(16, "relu"), file, "--weights tiny")
    with pytest.raises(UserError, match=r"its input is \(16, 16, 3\), expected \(20, 20, 3\); give the flags"):
        load_initial_weights(convolution(20, "relu"), file, "--weights tiny")
    with pytest.raises(UserError, match="its activation is relu, expected silu; give the flags"):
        load_initial_weights(convolution(16, "swish"), file, "--weights tiny")


def test_a_network_of_another_width_is_refused(tmp_path):
    """Input, output and activations are equal: 6 x 8 + 8 + 8 + 1 = 65 parameters against 6 x 4 + 4 + 4 + 1 = 33."""
    dense_network().save(tmp_path / "stored.keras")
    narrow = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4), keras.layers.Dense(1)])
    with pytest.raises(UserError, match="its number of parameters is 65, expected 33; give the flags"):
        load_initial_weights(narrow, tmp_path / "stored.keras", "--weights tiny")


def test_another_layout_is_read_by_the_papers_own_reader(tmp_path):
    network, file = dense_network(), tmp_path / "published.h5"
    file.write_bytes(b"published")

    def read(model, path):
        assert path == file
        model.set_weights([np.ones_like(weights) for weights in model.get_weights()])

    load_initial_weights(network, file, "--weights tiny", read)
    assert all((weights == 1).all() for weights in network.get_weights())
    dense_network(seed=1).save(tmp_path / "own.keras")
    load_initial_weights(network, tmp_path / "own.keras", "--weights tiny", read)
    assert_equal_weights(network, dense_network(seed=1))

    def refuse(model, path):
        raise KeyError("no layer conv1")

    with pytest.raises(UserError, match="published.h5: the file does not fit this network: 'no layer conv1'"):
        load_initial_weights(network, file, "--weights tiny", refuse)


def test_the_note_names_the_file_and_its_bytes(tmp_path):
    file = tmp_path / "cffn.keras"
    file.write_bytes(b"weights")
    assert initial_weights_note(file) == (
        f"started from cffn.keras ({sha256(file)[:12]}), whose training images are not known"
    )
