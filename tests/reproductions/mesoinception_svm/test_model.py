from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from common.data.datasets import read_data
from common.data.pipeline import Images
from common.detectors.published import load_published
from common.detectors.scoring import Scorer
from common.errors import UserError
from common.networks import mesonet
from common.runs.options import read_weights
from common.training.distribution import set_up
from common.training.supervised import Training
from reproductions.mesoinception_svm import method, model
from reproductions.mesoinception_svm.activation import maximise_activation
from reproductions.mesoinception_svm.augmentation import choose_augmentation
from reproductions.mesoinception_svm.config import NETWORKS, PRESETS
from tests.common.networks.test_mesonet import write_like_mesonet


def test_the_hinge_variant_has_as_many_parameters_as_meso4():
    network = model.meso4_hinge()
    assert network.count_params() == 28073
    assert sum(int(np.prod(weights.shape)) for weights in network.trainable_weights) == 27977


def test_scores_and_features_are_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = mesonet.mesoinception4(64)
        assert network.layers[1].compute_dtype == "bfloat16"
        pixels = np.random.default_rng(1).uniform(size=(2, 64, 64, 3)).astype(np.float32)
        assert network.predict(pixels, verbose=0).dtype == np.float32
        assert model.feature_network(network).predict(pixels, verbose=0).dtype == np.float32
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["meso4", "mesoinception4"])
def test_predict_with_a_weight_file_scores_as_a_run_that_trains_nothing(name, images, tmp_path):
    """`predict --weights NAME=FILE` against `run.py --epochs 0 --weights NAME=FILE`, on the same images."""
    keras.utils.set_random_seed(0)
    write_like_mesonet(getattr(mesonet, name)(), tmp_path / "legacy.h5")
    config = replace(PRESETS["paper"], epochs=0)
    training = Training(set_up("none"), tmp_path / "state")
    run, *_ = method.train_network(name, config, images, tmp_path / "legacy.h5", training)
    scorer = Scorer(load_published(name, tmp_path / "legacy.h5"))
    table = images.head(4)
    scores = [scorer.scores(scorer.faces(Path(file)).pixels).mean for file in table["file"]]
    batches = Images(table, method.preprocessing(config)).evaluation_batches(4)
    np.testing.assert_allclose(scores, run.score(batches, 4), atol=1e-6)


def test_weight_arguments_are_checked(tmp_path):
    for pairs in (("resnet=x",), ("meso4",), (f"meso4={tmp_path / 'none.h5'}",)):
        with pytest.raises(UserError, match="--weights"):
            read_weights(pairs, NETWORKS)


def blobs(n, seed=0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, n)
    radius = np.where(labels == 1, 1.0, 2.5) + generator.normal(0, 0.2, n)
    angle = generator.uniform(0, 2 * np.pi, n)
    return np.stack([radius * np.cos(angle), 10 * radius * np.sin(angle)] * 8, axis=1), labels  # (n, 16)


def test_the_svm_is_scikit_learns_on_standardised_features():
    features, labels = blobs(300)
    svm, words = model.fit_svm(features, labels, max_exact=1000, seed=0)
    scaler = StandardScaler().fit(features)
    plain = SVC(kernel="rbf", C=1.0, gamma="scale").fit(scaler.transform(features), labels)
    expected = plain.decision_function(scaler.transform(features))
    np.testing.assert_allclose(svm.decision_function(features), expected, atol=1e-6)
    assert "exact SVC on 300" in words


@pytest.mark.slow
def test_above_its_cap_the_svm_is_approximated_and_says_so():
    (features, labels), (others, truth) = blobs(3000), blobs(500, seed=1)
    exact, _ = model.fit_svm(features, labels, max_exact=3000, seed=0)
    near, words = model.fit_svm(features, labels, max_exact=2999, seed=0)
    assert "Nystroem" in words and "--svm-max 2999" in words
    agreement = np.mean(near.predict(others) == exact.predict(others))
    assert agreement > 0.98
    assert np.mean(near.predict(others) == truth) > 0.95


@pytest.mark.parametrize("max_exact", [pytest.param(0, marks=pytest.mark.slow), 1000])
def test_a_share_of_fakes_weighs_the_smaller_class_up(max_exact):
    generator = np.random.default_rng(0)
    labels = (np.arange(500) % 10 > 0).astype(int)  # nine fakes to a real one, and they overlap
    features = generator.normal(labels[:, None] * 0.4, 1, (500, 16))
    as_they_are, _ = model.fit_svm(features, labels, max_exact, seed=0)
    balanced, _ = model.fit_svm(features, labels, max_exact, seed=0, fake_share=0.5)
    assert np.mean(balanced.predict(features) == 0) > np.mean(as_they_are.predict(features) == 0)


@pytest.mark.parametrize(
    ("iteration", "rate"), [(0, 1e-3), (999, 1e-3), (1000, 1e-4), (2000, 1e-5), (3000, 1e-6), (90000, 1e-6)]
)
def test_the_learning_rate_falls_every_1000_iterations_down_to_a_millionth(iteration, rate):
    schedule = method.learning_rate("mesoinception4", PRESETS["paper"], steps=438)
    assert float(schedule(iteration)) == pytest.approx(rate)


@pytest.mark.parametrize(("epoch", "rate"), [(0, 1e-3), (4.99, 1e-3), (5, 1e-4), (10, 1e-5)])
def test_the_next_best_models_rate_falls_every_5_epochs(epoch, rate):
    schedule = method.learning_rate("mesoinception4_next_best", PRESETS["paper"], steps=100)
    assert float(schedule(int(epoch * 100))) == pytest.approx(rate)


@pytest.mark.parametrize("name", ["paper", "notebook"])
def test_augmentation_is_seeded_and_varied(name):
    import tensorflow as tf

    augment = choose_augmentation(name)
    image = tf.constant(np.random.default_rng(0).uniform(0, 255, (64, 64, 3)), tf.float32)
    seeds = tf.constant([[3, place] for place in range(200)])
    results = list(augment(tf.tile(image[None], (200, 1, 1, 1)), seeds).numpy())
    np.testing.assert_array_equal(augment(image[None], seeds[7:8]).numpy()[0], results[7])
    different = {result.tobytes() for result in results}
    assert len(different) == {"paper": 9, "notebook": 200}[name], "paper: as it is, 3 blurs, 3 rotations, 2 scales"
    assert all(result.shape == (64, 64, 3) for result in results)


def test_the_papers_kinds_of_augmentation_are_equally_frequent():
    import tensorflow as tf

    augment = choose_augmentation("paper")
    image = tf.constant(np.random.default_rng(0).uniform(0, 255, (16, 16, 3)), tf.float32)
    results = augment(tf.tile(image[None], (800, 1, 1, 1)), tf.constant([[5, place] for place in range(800)])).numpy()
    untouched = np.mean([np.array_equal(result, image) for result in results])
    assert untouched == pytest.approx(0.25, abs=0.06)


@pytest.mark.slow
def test_gradient_ascent_raises_the_energy_it_states():
    network = mesonet.mesoinception4(64)
    images, energies = maximise_activation(network, steps=12)
    assert energies[-1].mean() > energies[0].mean()
    features = model.feature_network(network).predict(images, verbose=0)
    norms = np.array([(np.abs(image.astype(np.float64)) ** 6).sum() ** (1 / 6) for image in images])
    after = np.diag(features) - 10 * norms  # E(x) = f_ij(x) - 10 ||x||_6, one step after the last recorded
    assert after.mean() >= energies[-1].mean()


@pytest.fixture
def images(prepared):
    """The images of a prepared folder, a quarter of them for validation."""
    table = read_data((f"d={prepared}",), {"d": "folders"})[0].images
    return table.assign(split=["val" if place % 4 == 0 else "train" for place in range(len(table))])


@pytest.mark.slow
def test_meso4_hinge_trains_under_the_hinge_loss(images, tmp_path):
    training = Training(set_up("none"), tmp_path / "state")
    detector, history, notes = method.train_network("meso4_hinge", PRESETS["smoke"], images, None, training)
    assert isinstance(detector.network.loss, keras.losses.Hinge)
    assert list(history["epoch"]) == [1]
    assert notes == ["epoch 1 of 1 by val_accuracy", "batch-normalisation momentum 0.50"]
    assert detector.description.head == "margin"
    assert detector.network.predict(np.zeros((1, 64, 64, 3)), verbose=0).shape == (1, 1)


@pytest.mark.slow
def test_two_devices_train_and_feed_the_svm(images, tmp_path):
    strategy = set_up("mirrored")
    assert strategy.num_replicas_in_sync == 2
    config, training = PRESETS["smoke"], Training(strategy, tmp_path / "state")
    base, history, _ = method.train_network("mesoinception4", config, images, None, training)
    assert np.isfinite(history["loss"]).all()
    proposed, fitted = method.fit_proposed(base, config, images, seed=0)
    assert "exact SVC on 60" in fitted
    batches = Images(images, method.preprocessing(config)).evaluation_batches(8)
    for detector in (base, proposed):
        scores = detector.score(batches, len(images))
        assert scores.shape == (len(images),) and ((scores >= 0) & (scores <= 1)).all()
