import subprocess
import sys

import keras
import numpy as np
import pytest
import sklearn.neighbors
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from common.classifiers import NearestCentroid
from common.errors import UserError
from reproductions.siamese_triplet import model
from reproductions.siamese_triplet.model import Statistics

STATISTICS = Statistics((120.0, 110.0, 100.0), (60.0, 50.0, 40.0))


def pictures(count, size=32, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (count, size, size, 3)).astype(np.float32)


def learnt(network):
    return sum(int(np.prod(weights.shape)) for weights in network.trainable_weights)


def log_exp_loss(_, embeddings):
    """Eq. (15): (B, 3, 100) -> (B,)."""
    anchor, positive, negative = embeddings[:, 0], embeddings[:, 1], embeddings[:, 2]
    return keras.ops.softplus(keras.ops.sum(abs(anchor - positive) - abs(anchor - negative), axis=-1))


def test_the_siamese_network_is_figure_3_stage_by_stage():
    """A 3x3 convolution without padding takes 2 pixels off, a 2x2 pooling halves and drops an odd row:
    128 - 126 - 124 - 62 - 60 - 58 - 29 - 27. Weights: (9 * inputs + 1) * outputs a convolution, (inputs + 1) * outputs
    the dense layer."""
    network = model.siamese(STATISTICS)
    stages = [layer.output.shape[1:] for layer in network.layers]
    assert stages == [
        (128, 128, 3),
        (128, 128, 3),
        (126, 126, 32),
        (124, 124, 32),
        (62, 62, 32),
        (60, 60, 64),
        (58, 58, 64),
        (29, 29, 64),
        (27, 27, 128),
        (93312,),
        (100,),
        (100,),
    ]
    channels = (3, 32, 32, 64, 64, 128)
    expected = sum((9 * before + 1) * after for before, after in zip(channels, channels[1:], strict=False))
    expected += (27 * 27 * 128 + 1) * 100
    assert expected == 9_470_724
    assert network.count_params() == learnt(network) == expected
    weighted = [layer for layer in network.layers if layer.weights]
    assert [keras.activations.serialize(layer.activation) for layer in weighted] == ["relu"] * 5 + ["linear"]
    assert all(isinstance(layer.kernel_initializer, keras.initializers.GlorotNormal) for layer in weighted)
    assert model.control(STATISTICS).count_params() == expected + 101


def test_a_width_narrows_every_convolution_and_a_small_image_is_refused():
    network = model.siamese(STATISTICS, image_size=24, width=0.25)
    filters = [layer.filters for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert filters == [8, 8, 16, 16, 32]
    assert next(layer for layer in network.layers if isinstance(layer, keras.layers.Flatten)).output.shape == (None, 32)
    with pytest.raises(UserError, match="at least 24x24, got 23x23"):
        model.siamese(STATISTICS, image_size=23)


def test_the_stream_is_the_papers_by_hand():
    """A narrow network on a 24 px picture against plain loops: Z-score, convolutions, poolings, dense, length one."""
    network = model.siamese(STATISTICS, image_size=24, width=0.1)
    picture = pictures(1, 24)[0]
    weighted = iter([layer.get_weights() for layer in network.layers if layer.weights])
    x = (picture - STATISTICS.mean) / STATISTICS.deviation

    def convolve(x):
        kernel, bias = next(weighted)
        size = len(x) - 2
        out = np.zeros((size, size, kernel.shape[-1])) + bias
        for i in range(3):
            for j in range(3):
                out += x[i : i + size, j : j + size] @ kernel[i, j]
        return np.maximum(out, 0)

    def pool(x):
        half = len(x) // 2
        return x[: 2 * half, : 2 * half].reshape(half, 2, half, 2, -1).max(axis=(1, 3))

    x = pool(convolve(convolve(x)))
    x = pool(convolve(convolve(x)))
    x = convolve(x).ravel()
    kernel, bias = next(weighted)
    embedding = x @ kernel + bias
    expected = embedding / np.sqrt((embedding**2).sum())
    np.testing.assert_allclose(network.predict_on_batch(picture[None])[0], expected, atol=1e-4)


@pytest.fixture(scope="module")
def resnet():
    return model.siamese_resnet50(32)


@pytest.mark.slow
def test_the_resnet50_variant_has_the_papers_embedding(resnet):
    base = 23_587_712  # ResNet50 without its classifier, He et al. 2015 as keras.applications counts it
    assert resnet.count_params() == base + 2048 * 100 + 100
    embeddings = resnet.predict_on_batch(pictures(3))
    assert embeddings.shape == (3, 100)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_a_triplets_three_pictures_go_through_one_stream():
    network = model.siamese(STATISTICS, 32, width=0.25)
    triplets = model.triplet_network(network)
    images = pictures(12).reshape(4, 3, 32, 32, 3)
    embeddings = triplets.predict_on_batch(images)
    assert triplets.output_shape == (None, 3, 100)
    for place in range(3):
        np.testing.assert_allclose(embeddings[:, place], network.predict_on_batch(images[:, place]), atol=1e-5)
    assert [id(weights) for weights in triplets.weights] == [id(weights) for weights in network.weights]


@pytest.mark.slow
def test_training_on_triplets_moves_the_network_of_embeddings():
    """Two classes that differ in brightness: after some steps on eq. (15) the two are further apart than before."""
    keras.utils.set_random_seed(0)
    network = model.siamese(STATISTICS, 32, width=0.25)
    dark, bright = pictures(16) * 0.5, pictures(16, seed=1) * 0.5 + 127
    triplets = np.stack([dark[:8], dark[8:], bright[:8]], axis=1)

    def gap():
        means = [network.predict_on_batch(images).mean(axis=0) for images in (dark, bright)]
        return np.linalg.norm(means[0] - means[1])

    before = gap()
    trained = model.triplet_network(network)
    trained.compile(keras.optimizers.Adam(1e-3), log_exp_loss, jit_compile=False)
    trained.fit(triplets, np.zeros(8), batch_size=8, epochs=10, verbose=0)
    assert gap() > before + 0.3


@pytest.mark.slow
def test_vgg_keeps_imagenet_convolutions_and_learns_three_dense_layers(tmp_path, monkeypatch):
    from common.networks import backbones

    base = 14_714_688  # VGG16's convolutions
    head = (512 + 1) * 16 + (16 + 1) * 16 + (16 + 1)
    scratch = model.transfer("vgg16", 32, units=16)
    assert scratch.count_params() == learnt(scratch) == base + head, "random convolutions are learnt too"
    monkeypatch.setattr(backbones, "find_weights", lambda *_: None)
    pretrained = model.transfer("vgg16", 32, weights=str(tmp_path), units=16)
    assert pretrained.count_params() == base + head
    assert learnt(pretrained) == head
    pretrained.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", jit_compile=False)
    before = pretrained.get_weights()
    pretrained.fit(pictures(8), np.arange(8) % 2, verbose=0)
    moved = [not np.array_equal(*pair) for pair in zip(before, pretrained.get_weights(), strict=True)]
    assert moved == [False] * 26 + [True] * 6


def test_the_other_baselines_learn_every_layer():
    network = model.transfer("xception", 71, weights="none")
    assert network.output_shape == (None, 1)
    statistics = 2 * sum(
        layer.moving_mean.shape[0] for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)
    )
    assert network.count_params() == 20_861_480 + 2048 + 1
    assert learnt(network) == network.count_params() - statistics


def test_embeddings_and_scores_are_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        stream = model.siamese(STATISTICS, 32, width=0.25)
        networks = [stream, model.control(STATISTICS, 32, width=0.25), model.transfer("vgg16", 32, units=8)]
    finally:
        keras.config.set_dtype_policy("float32")
    assert stream.layers[2].compute_dtype == "bfloat16"
    for network in networks:
        assert network.predict_on_batch(pictures(2)).dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(stream.predict_on_batch(pictures(2)), axis=1), 1, atol=1e-5)


@pytest.mark.slow
def test_networks_load_in_a_fresh_process_in_safe_mode(tmp_path, resnet):
    """With nothing of the suite imported but common.layers; the Z-score's numbers travel in the file."""
    networks = {"siamese": model.siamese(STATISTICS, 32, width=0.25), "vgg16": model.transfer("vgg16", 32, units=8)}
    networks["siamese_resnet50"] = resnet
    images = pictures(2)
    for name, network in networks.items():
        network.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", network.predict_on_batch(images))
    np.save(tmp_path / "images.npy", images)
    code = f"""
import keras, numpy as np, common.layers, sys
for name in {list(networks)}:
    network = keras.models.load_model(f"{tmp_path}/{{name}}.keras", compile=False, safe_mode=True)
    output = network.predict_on_batch(np.load("{tmp_path}/images.npy"))
    np.testing.assert_allclose(output, np.load(f"{tmp_path}/{{name}}.npy"), rtol=1e-4, atol=1e-5)
assert "reproductions" not in sys.modules and "common.networks.backbones" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 12), st.integers(1, 5), st.sampled_from(["uint8", "float32"]), st.integers(0, 2**32 - 1))
def test_statistics_are_numpys_over_the_first_images_only(count, batch_size, dtype, seed):
    """Evaluation batches are filled up with copies of the last image, which must not count."""
    images = np.random.default_rng(seed).uniform(0, 256, (count, 4, 5, 3)).astype(dtype)
    filled = np.concatenate([images, np.repeat(images[-1:], -count % batch_size, axis=0)])
    batches = tf.data.Dataset.from_tensor_slices(filled).batch(batch_size)
    found = model.channel_statistics(batches, count)
    np.testing.assert_allclose(found.mean, images.astype(np.float64).mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(found.deviation, images.astype(np.float64).std(axis=(0, 1, 2)), rtol=1e-9)


def test_statistics_make_the_training_pixels_standard():
    images = pictures(20) * np.array([1, 0.5, 0.1], np.float32)
    network = model.siamese(model.channel_statistics([images], 20), 32, width=0.25)
    z_scores = keras.Model(network.input, network.get_layer("z_score").output).predict_on_batch(images)
    np.testing.assert_allclose(z_scores.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(z_scores.std(axis=(0, 1, 2)), 1, atol=1e-4)


def two_clouds(n, seed=0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, n)
    points = generator.normal(0, 1, (n, 100)) * np.where(np.arange(100) < 50, 0.02, 1) + 0.3 * labels[:, None]
    return points / np.linalg.norm(points, axis=1, keepdims=True), labels


def test_the_centroids_score_is_the_difference_of_plain_distances(tmp_path):
    import skops.io

    (embeddings, labels), (others, _) = two_clouds(200), two_clouds(50, seed=1)
    skops.io.dump(NearestCentroid().fit(embeddings, labels), tmp_path / "centroids.skops")
    unknown = skops.io.get_untrusted_types(file=tmp_path / "centroids.skops")
    assert unknown == ["common.classifiers.NearestCentroid"]
    classifier = skops.io.load(tmp_path / "centroids.skops", trusted=unknown)
    real, fake = (embeddings[labels == label].mean(axis=0) for label in (0, 1))
    expected = [np.sqrt(((x - real) ** 2).sum()) - np.sqrt(((x - fake) ** 2).sum()) for x in others]
    np.testing.assert_allclose(classifier.decision_function(others), expected, atol=1e-12)
    nearest = sklearn.neighbors.NearestCentroid().fit(embeddings, labels).predict(others)
    np.testing.assert_array_equal(classifier.decision_function(others) > 0, nearest == 1)


def test_collapsed_embeddings_score_alike_for_both_classes():
    collapsed = np.full((6, 100), 0.1, np.float32)
    classifier = NearestCentroid().fit(collapsed, np.array([0, 1, 0, 1, 0, 1]))
    np.testing.assert_allclose(classifier.decision_function(collapsed), 0)


def test_the_neighbours_score_grows_with_fakes_nearby(tmp_path):
    import skops.io

    (embeddings, labels), (others, _) = two_clouds(200), two_clouds(50, seed=1)
    skops.io.dump(model.fit_neighbours(embeddings, labels, 7), tmp_path / "neighbours.skops")
    classifier = skops.io.load(tmp_path / "neighbours.skops")
    expected = []
    for x in others:
        distances = np.sqrt(((embeddings - x) ** 2).sum(axis=1))
        nearest = np.argsort(distances)[:7]
        weights = 1 / distances[nearest]
        expected.append(weights[labels[nearest] == 1].sum() / weights.sum())
    np.testing.assert_allclose(classifier.predict_proba(others)[:, 1], expected, atol=1e-6)


@pytest.mark.slow
def test_triplets_train_on_two_replicas_as_on_one():
    from common.training.distribution import set_up

    images = pictures(12, 24).reshape(4, 3, 24, 24, 3)
    weights = []
    for strategy in (set_up("mirrored"), set_up("none")):
        keras.utils.set_random_seed(0)
        with strategy.scope():
            network = model.siamese(STATISTICS, 24, width=0.1)
            trained = model.triplet_network(network)
            trained.compile(keras.optimizers.SGD(0.1), log_exp_loss, jit_compile=False)
        first = network.get_weights()
        batches = tf.data.Dataset.from_tensor_slices((images, np.zeros(4))).batch(4).repeat(3)
        trained.fit(batches, verbose=0, shuffle=False)
        weights.append(network.get_weights())
    assert max(np.abs(last - before).max() for last, before in zip(weights[0], first, strict=True)) > 1e-3
    for two, one in zip(*weights, strict=True):
        np.testing.assert_allclose(two, one, atol=1e-6)
