import subprocess
import sys

import keras
import numpy as np
import pytest
import skops.io

from reproductions.facenet_embeddings import model


def kinds(network):
    return [type(layer).__name__ for layer in network.layers]


@pytest.fixture(scope="module")
def xception():
    keras.utils.set_random_seed(0)
    return model.xception(71)


def pictures(count, size=71):
    return np.random.default_rng(0).uniform(0, 255, (count, size, size, 3)).astype(np.float32)


def frames(*lengths, dimensions=6, seed=0):
    """Videos of these lengths; as after a ReLU, many numbers are 0, and the second frame is zeros altogether."""
    generator = np.random.default_rng(seed)
    videos = [np.maximum(generator.normal(size=(length, dimensions)), 0).astype(np.float32) for length in lengths]
    for video in videos:
        video[1:2] = 0
    return videos


def test_xceptions_head_is_that_of_section_8(xception):
    assert kinds(xception)[-5:] == ["GlobalMaxPooling2D", "Dense", "Dropout", "Dropout", "Dense"]
    assert [layer.rate for layer in xception.layers[-3:-1]] == [0.4, 0.5]
    assert xception.count_params() == 20_861_480 + (2048 + 1) * 512 + (512 + 1) * 2
    assert xception.input_shape == (None, 71, 71, 3) and xception.output_shape == (None, 2)
    assert all(layer.trainable for layer in xception.layers)


@pytest.mark.slow
def test_xceptions_outputs_by_hand_and_its_last_layer_taken_off(xception):
    pixels = pictures(2)
    base = keras.Model(xception.input, [xception.layers[-6].output, *model.frame_embedder(xception).outputs])
    features, embeddings = base.predict_on_batch(pixels)
    (kernel, bias), (out_kernel, out_bias) = (xception.layers[place].get_weights() for place in (-4, -1))
    expected = np.maximum(features.max(axis=(1, 2)) @ kernel + bias, 0)
    np.testing.assert_allclose(embeddings, expected, rtol=1e-4, atol=1e-5)
    assert embeddings.shape == (2, 512) and (embeddings > 0).any()
    exponentials = np.exp(expected @ out_kernel + out_bias)
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(xception.predict_on_batch(pixels), probabilities, atol=1e-5)


def test_videos_are_padded_behind_their_last_frame():
    short, long = frames(2, 4)
    batch = model.padded([short, long])
    assert batch.shape == (2, 4, 6) and batch.dtype == np.float32
    np.testing.assert_array_equal(batch[0, :2], short)
    np.testing.assert_array_equal(batch[1], long)
    assert (batch[0, 2:] == model.PADDING).all()


def test_padding_changes_no_video():
    """Each video alone, without padding, against all in one batch; and frames of zeros are frames."""
    network = model.xception_lstm(6, units=5)
    videos = frames(1, 3, 7, 4)
    alone = np.concatenate([network.predict_on_batch(video[None]) for video in videos])
    np.testing.assert_allclose(network.predict_on_batch(model.padded(videos)), alone, atol=1e-6)
    assert np.abs(np.diff(alone[:, 0])).min() > 1e-4, "otherwise the test could not fail"
    without = np.delete(videos[1], 1, axis=0)
    assert np.abs(network.predict_on_batch(without[None]) - alone[1]).max() > 1e-4


def test_the_lstm_is_the_papers_by_hand():
    """Hochreiter and Schmidhuber's cell with a forget gate, in Keras's order of gates: input, forget, cell, output."""
    network = model.xception_lstm(6, units=5)
    (video,) = frames(4)
    kernel, recurrent, bias = network.layers[-2].get_weights()
    out_kernel, out_bias = network.layers[-1].get_weights()
    hidden, cell = np.zeros(5), np.zeros(5)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    for frame in video:
        write, keep, new, show = np.split(frame @ kernel + hidden @ recurrent + bias, 4)
        cell = sigmoid(keep) * cell + sigmoid(write) * np.tanh(new)
        hidden = sigmoid(show) * np.tanh(cell)
    exponentials = np.exp(hidden @ out_kernel + out_bias)
    np.testing.assert_allclose(
        network.predict_on_batch(video[None])[0], exponentials / exponentials.sum(), rtol=1e-4, atol=1e-5
    )


@pytest.mark.slow
def test_the_lstm_learns_videos_of_different_lengths():
    """Videos whose last frame, before the padding, tells their class."""
    keras.utils.set_random_seed(0)
    network = model.xception_lstm(6, units=16)
    labels = np.arange(64) % 2
    videos = frames(*np.random.default_rng(1).integers(3, 9, 64))
    for video, label in zip(videos, labels, strict=True):
        video[-1, 0] = 3 * label
    network.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", jit_compile=False)
    network.fit(model.padded(videos), labels, epochs=25, batch_size=16, verbose=0)
    assert (network.predict_on_batch(model.padded(videos)).argmax(axis=1) == labels).mean() > 0.95


def test_the_base_network_is_the_notebooks():
    """(512 + 1) 256 + (256 + 1) 256 + (256 + 1) 128 + (128 + 1) 64 = 131,328 + 65,792 + 32,896 + 8,256 = 238,272."""
    network = model.base_network()
    assert network.count_params() == 238_272 and network.output_shape == (None, 64)
    assert kinds(network)[1:] == ["Dense", "Dropout"] * 3 + ["Dense"]
    dense = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    assert [keras.activations.serialize(layer.activation) for layer in dense] == ["relu"] * 3 + ["linear"]
    assert all(isinstance(layer.kernel_initializer, keras.initializers.HeUniform) for layer in dense[:3])
    assert {layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)} == {0.1}


def test_the_papers_two_dropouts_stand_after_the_first_two_layers():
    network = model.base_network(dropouts=2)
    assert kinds(network)[1:] == ["Dense", "Dropout", "Dense", "Dropout", "Dense", "Dense"]
    assert network.count_params() == 238_272


def test_the_base_network_embeds_as_by_hand():
    network = model.base_network(8)
    x = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    weights = network.get_weights()
    expected = x
    for kernel, bias in zip(weights[:6:2], weights[1:6:2], strict=True):
        expected = np.maximum(expected @ kernel + bias, 0)
    expected = expected @ weights[6] + weights[7]
    np.testing.assert_allclose(network.predict_on_batch(x), expected, rtol=1e-4, atol=1e-5)
    assert not np.allclose(np.linalg.norm(expected, axis=1), 1, atol=0.01), "no unit length"


def test_the_classifiers_are_the_notebooks():
    found = model.classifiers(3)
    assert list(found) == [
        "sgd",
        "random_forest",
        "logistic_regression",
        "k_neighbours",
        "perceptron",
        "decision_tree",
    ]
    sgd = found["sgd"].get_params()
    assert (sgd["loss"], sgd["max_iter"], sgd["tol"]) == ("log_loss", 50, None)
    assert found["random_forest"].n_estimators == 100
    assert found["k_neighbours"].n_neighbors == 10
    assert found["perceptron"].max_iter == 15
    seeds = {classifier.random_state for name, classifier in found.items() if name != "k_neighbours"}
    assert seeds == {3}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_classifiers_repeat_at_one_seed_and_load_by_skops(tmp_path):
    generator = np.random.default_rng(0)
    labels = np.arange(200) % 2
    points = generator.normal(size=(200, 64)) + 0.5 * labels[:, None]
    others = generator.normal(size=(40, 64)) + 0.5 * (np.arange(40) % 2)[:, None]
    for name, classifier in model.classifiers(1).items():
        classifier.fit(points, labels)
        again = model.classifiers(1)[name].fit(points, labels)
        skops.io.dump(classifier, tmp_path / name)
        unknown = skops.io.get_untrusted_types(file=tmp_path / name)
        assert all(kind.startswith("sklearn.") for kind in unknown)
        loaded = skops.io.load(tmp_path / name, trusted=unknown)
        score = "predict_proba" if hasattr(classifier, "predict_proba") else "decision_function"
        expected = getattr(classifier, score)(others)
        np.testing.assert_array_equal(getattr(again, score)(others), expected)
        np.testing.assert_array_equal(getattr(loaded, score)(others), expected)
        assert (classifier.predict(others) == np.arange(40) % 2).mean() > 0.6, name


def test_outputs_are_float32_under_mixed_precision_and_padding_is_still_seen():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        lstm, base = model.xception_lstm(6, units=5), model.base_network(8)
    finally:
        keras.config.set_dtype_policy("float32")
    assert base.layers[1].compute_dtype == "bfloat16"
    assert base.predict_on_batch(np.ones((2, 8), np.float32)).dtype == np.float32
    (video,) = frames(3)
    batch = model.padded([video, *frames(5)])
    found = lstm.predict_on_batch(batch)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], lstm.predict_on_batch(video[None])[0], atol=1e-5)


@pytest.mark.slow
def test_networks_load_in_a_fresh_process_in_safe_mode(tmp_path):
    """With nothing of the suite imported: their layers are Keras's own."""
    networks = {"lstm": model.xception_lstm(6, units=5), "base": model.base_network(8)}
    inputs = {"lstm": model.padded(frames(3, 5)), "base": np.random.default_rng(0).normal(size=(4, 8))}
    for name, network in networks.items():
        network.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}-in.npy", inputs[name])
        np.save(tmp_path / f"{name}-out.npy", network.predict_on_batch(inputs[name]))
    code = f"""
import keras, numpy as np
for name in {list(networks)}:
    network = keras.models.load_model(f"{tmp_path}/{{name}}.keras", compile=False, safe_mode=True)
    output = network.predict_on_batch(np.load(f"{tmp_path}/{{name}}-in.npy"))
    np.testing.assert_allclose(output, np.load(f"{tmp_path}/{{name}}-out.npy"), atol=1e-6)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
