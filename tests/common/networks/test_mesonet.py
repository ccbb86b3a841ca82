import h5py
import keras
import numpy as np
import pytest

from common.errors import UserError
from common.layers import NarrowConv2D
from common.networks import mesonet
from common.training.initial_weights import load_initial_weights


def trainable(network):
    return sum(int(np.prod(weights.shape)) for weights in network.trainable_weights)


@pytest.mark.parametrize(
    ("build", "total", "learnt"),
    [(mesonet.meso4, 28073, 27977), (mesonet.mesoinception4, 28725, 28615)],
)
def test_parameter_counts_are_mesonets(build, total, learnt):
    network = build()
    assert network.count_params() == total
    assert trainable(network) == learnt


def test_every_stage_of_mesoinception4_has_its_shape():
    network = mesonet.mesoinception4()
    pools = [layer.output.shape[1:] for layer in network.layers if isinstance(layer, keras.layers.MaxPooling2D)]
    assert pools == [(128, 128, 11), (64, 64, 12), (32, 32, 16), (8, 8, 16)]
    assert network.get_layer(mesonet.FEATURES).output.shape == (None, 16)
    assert network.output_shape == (None, 1)


def test_a_module_is_four_branches_by_hand():
    """One module on a 5x8 picture against plain loops: 1x1, and 1x1 then 3x3 of dilation 1, 2, 3, all with ReLU."""
    image = keras.Input((5, 8, 3))
    network = keras.Model(image, mesonet.inception_module(image, 1, 2, 2, 1))
    pixels = np.random.default_rng(0).uniform(size=(1, 5, 8, 3)).astype(np.float32)
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]

    def convolve(x, layer):
        kernel, bias = layer.get_weights()
        rate, reach = layer.dilation_rate[0], layer.dilation_rate[0] * (kernel.shape[0] // 2)
        padded = np.pad(x, ((reach, reach), (reach, reach), (0, 0)))
        out = np.zeros((5, 8, kernel.shape[-1]))
        for row in range(5):
            for column in range(8):
                for i in range(kernel.shape[0]):
                    for j in range(kernel.shape[1]):
                        out[row, column] += padded[row + i * rate, column + j * rate] @ kernel[i, j]
        return np.maximum(out + bias, 0)

    ones = [layer for layer in convolutions if layer.kernel_size == (1, 1)]
    threes = {layer.dilation_rate[0]: layer for layer in convolutions if layer.kernel_size == (3, 3)}
    plain = next(layer for layer in ones if not any(layer.output is three.input for three in threes.values()))
    expected = [convolve(pixels[0], plain)]
    for rate in (1, 2, 3):
        before = next(layer for layer in ones if layer.output is threes[rate].input)
        expected.append(convolve(convolve(pixels[0], before), threes[rate]))
    np.testing.assert_allclose(network.predict(pixels, verbose=0)[0], np.concatenate(expected, axis=-1), atol=1e-5)


def write_like_mesonet(network, path):
    """A weight file of the form of 2018's Keras: groups by layer name, names in attributes, no topology."""
    with h5py.File(path, "w") as file:
        layers = [layer for layer in network.layers if layer.weights]
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.1.5"
        for layer in layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0".encode() for weight in layer.weights]
            group.attrs["weight_names"] = names
            for name, value in zip(names, layer.get_weights(), strict=True):
                group.create_dataset(name.decode(), data=value)


@pytest.mark.parametrize("name", [pytest.param("mesoinception4", marks=pytest.mark.slow), "meso4"])
def test_legacy_weights_point_at_real_and_our_scores_at_fake(tmp_path, name):
    keras.utils.set_random_seed(0)
    theirs, ours = getattr(mesonet, name)(), getattr(mesonet, name)()
    write_like_mesonet(theirs, tmp_path / "legacy.h5")
    pixels = np.random.default_rng(1).uniform(size=(3, 256, 256, 3)).astype(np.float32)
    p_real = theirs.predict(pixels, verbose=0)
    load_initial_weights(ours, tmp_path / "legacy.h5", "--weights m", mesonet.load_legacy_weights)
    np.testing.assert_allclose(ours.predict(pixels, verbose=0), 1 - p_real, atol=1e-6)


@pytest.mark.parametrize("name", ["own.weights.h5", "own.keras"])
def test_our_own_weight_files_are_taken_as_they_are(tmp_path, name):
    ours, again = mesonet.meso4(64), mesonet.meso4(64)
    (ours.save_weights if name.endswith(".h5") else ours.save)(tmp_path / name)
    pixels = np.random.default_rng(1).uniform(size=(3, 64, 64, 3)).astype(np.float32)
    load_initial_weights(again, tmp_path / name, "--weights m", mesonet.load_legacy_weights)
    np.testing.assert_allclose(again.predict(pixels, verbose=0), ours.predict(pixels, verbose=0), atol=1e-6)


def test_weights_of_another_network_are_refused_in_one_line(tmp_path):
    write_like_mesonet(mesonet.meso4(), tmp_path / "meso4.h5")
    (tmp_path / "text.h5").write_text("not a weight file")
    for name in ("meso4.h5", "text.h5"):
        with pytest.raises(UserError, match="does not fit") as error:
            load_initial_weights(mesonet.mesoinception4(), tmp_path / name, "--weights m", mesonet.load_legacy_weights)
        assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_file_of_an_earlier_version_starts_the_network(tmp_path):
    """Earlier .keras files have Keras's Conv2D where NarrowConv2D is now: the same weights, in the same order."""
    ours = mesonet.mesoinception4(32)
    kinds = {NarrowConv2D: keras.layers.Conv2D}
    earlier = keras.models.clone_model(
        ours, clone_function=lambda layer: kinds.get(type(layer), type(layer)).from_config(layer.get_config())
    )
    assert not any(isinstance(layer, NarrowConv2D) for layer in earlier.layers)
    assert sum(isinstance(layer, NarrowConv2D) for layer in ours.layers) == 14
    earlier.save(tmp_path / "earlier.keras")
    load_initial_weights(ours, tmp_path / "earlier.keras", "--weights m", mesonet.load_legacy_weights)
    pixels = np.random.default_rng(1).uniform(size=(3, 32, 32, 3)).astype(np.float32)
    for expected, found in zip(outputs(earlier, pixels), outputs(ours, pixels), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def outputs(network, pixels):
    """What each pooling layer and the head return in inference."""
    pools = [layer.output for layer in network.layers if isinstance(layer, keras.layers.MaxPooling2D)]
    return keras.Model(network.input, [*pools, network.output])(pixels)
