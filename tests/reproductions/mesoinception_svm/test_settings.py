"""The preset paper, what is compiled, and the augmentation against what the paper prints, not against the code.

Numbers come from results/published/mesoinception_svm.csv. Those of the original networks come from Afchar et al. 2018:
27,977 trainable parameters of Meso-4 and 28,615 of MesoInception-4 (sections III-A and III-B).
"""

from dataclasses import replace

import cv2
import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from common.data.datasets import read_data
from common.training.distribution import set_up
from common.training.supervised import Training
from reproductions.mesoinception_svm import activation, method, model
from reproductions.mesoinception_svm.augmentation import choose_augmentation
from reproductions.mesoinception_svm.config import NETWORKS, PRESETS
from results.tables import read_published

PAPER = PRESETS["paper"]
BASE, FIRST, NEXT_BEST = "mesoinception4", "mesoinception4_first", "mesoinception4_next_best"
STEPS = 3  # of an epoch, 96 to 127 images in batches of 32


@pytest.fixture(scope="module")
def printed():
    """(table or row, metric) -> the published value."""
    rows = read_published("mesoinception_svm")
    text = rows[rows["table"] == "text"]
    values = dict(zip(zip(text["row"], text["metric"], strict=True), text["value"], strict=True))
    return values | {("Figure 9", row.metric): row.value for row in rows[rows["table"] == "Figure 9"].itertuples()}


@pytest.fixture(scope="module")
def trainings(tmp_path_factory, make_prepared):
    """{model: (compiled network, batches, plan, name of its augmentation)} of the preset paper, without training."""
    folder = make_prepared(tmp_path_factory.mktemp("settings") / "faces", per_class=66)
    images = read_data((f"d={folder}",), {"d": "folders"})[0].images
    images = images.assign(split=["val" if place % 6 == 0 else "train" for place in range(len(images))])  # 110 train
    found, chosen = {}, []

    class Recorder(Training):
        def fit(self, network, batches, validate, plan):
            found[network.name] = (network, batches, plan, chosen[-1])
            return pd.DataFrame({"epoch": [1]}), []

    original = method.choose_augmentation
    method.choose_augmentation = lambda name: chosen.append(name) or original(name)
    try:
        for name in NETWORKS:
            training = Recorder(set_up("none"), folder / "state")
            method.train_network(name, replace(PAPER, image_size=64), images, None, training)
    finally:
        method.choose_augmentation = original
    return found


def test_the_preset_has_the_papers_numbers(printed):
    assert PAPER.split == tuple(printed[f"split: {part}", "share"] for part in ("training", "validation", "test"))
    assert PAPER.image_size == printed["network", "image_size"]
    assert PAPER.batch_size == printed["training", "batch_size"] == printed["first model", "batch_size"]
    assert PAPER.learning_rate == printed["training", "learning_rate"] == printed["next best model", "learning_rate"]
    assert PAPER.decay_every == printed["training", "decay_every"]
    assert PAPER.planned_epochs == printed["first model", "planned_epochs"]
    assert PAPER.next_best_batch_size == printed["next best model", "batch_size"]
    epochs = {printed[row, "epochs"] for row in ("training", "first model", "next best model")}
    assert {PAPER.epochs} == epochs and PAPER.baseline_epochs is None and PAPER.patience is None
    assert PAPER.monitor == "val_accuracy"  # Sec. 4.3: "Here, "best" is in terms of accuracy."
    assert PAPER.fake_share is None and PAPER.limit is None and PAPER.augmentation == "paper"
    assert set(PAPER.models) == {*NETWORKS, "mesoinception4_svm"}


def test_networks_are_mesonets_with_a_picture_in_0_to_1(printed):
    trainable = {"meso4": 27_977, "meso4_hinge": 27_977, BASE: 28_615, FIRST: 28_615, NEXT_BEST: 28_615}
    total = {"meso4": 28_073, "meso4_hinge": 28_073, BASE: 28_725, FIRST: 28_725, NEXT_BEST: 28_725}
    size = int(printed["network", "image_size"])
    for name in NETWORKS:
        network = method.BUILDERS[name](PAPER.image_size)
        assert network.input_shape == (None, size, size, 3)
        assert sum(int(np.prod(weights.shape)) for weights in network.trainable_weights) == trainable[name], name
        assert network.count_params() == total[name]
    pixels = method.preprocessing(PAPER).scale_pixels(np.array([0, 255]))
    np.testing.assert_allclose(pixels, [0, 1])


def test_losses_and_adam(trainings, printed):
    """Sec. 4.2: l(a, y) = (a - y)^2 / 2, up to its factor; the hinge loss is the notebook's, on labels -1 and 1."""
    truth, output = np.array([[1.0], [0.0]]), np.array([[0.3], [0.2]])
    for name, (network, *_) in trainings.items():
        expected = np.mean([max(0, 1 - 0.3), max(0, 1 + 0.2)] if name == "meso4_hinge" else [0.7**2, 0.2**2])
        assert float(network.loss(truth, output)) == pytest.approx(expected, rel=1e-5), name
        assert isinstance(network.optimizer, keras.optimizers.Adam)
        assert network.optimizer.beta_1 == printed["training", "beta_1"]
        assert network.optimizer.beta_2 == printed["training", "beta_2"]


def test_batches_epochs_and_augmentation_of_each_network(trainings, printed):
    for name, (_, batches, plan, augmentation) in trainings.items():
        row = {FIRST: "first model", NEXT_BEST: "next best model"}.get(name, "training")
        assert batches(0).element_spec[0].shape[0] == printed[row, "batch_size"], name
        assert plan.epochs == printed[row, "epochs"] and plan.monitor == "val_accuracy" and plan.patience is None
        assert augmentation == ("notebook" if name == "meso4_hinge" else "paper"), name


def rates(network, iterations):
    schedule = network.optimizer._learning_rate
    return [float(schedule(iteration)) for iteration in iterations]


def test_the_rate_falls_every_1000_iterations_to_a_millionth(trainings, printed):
    every, first = int(printed["training", "decay_every"]), printed["training", "learning_rate"]
    for name in (BASE, "meso4"):
        iterations = [0, every - 1, every, 2 * every, 3 * every - 1, 3 * every, 50 * every]
        powers = [0, 0, 1, 2, 2, 3, 3]
        expected = [first / printed["training", "decay_divisor"] ** power for power in powers]
        assert rates(trainings[name][0], iterations) == pytest.approx(expected)
        assert expected[-1] == pytest.approx(printed["training", "last_learning_rate"])


def test_the_first_models_rate_reaches_its_limit_after_the_planned_epochs(trainings, printed):
    """Sec. 4.3: the decay's steps follow from limit and epochs: 3 falls in 30 epochs, so 10 epochs have one rate."""
    planned, trained = int(printed["first model", "planned_epochs"]), int(printed["first model", "epochs"])
    first, last = printed["training", "learning_rate"], printed["training", "last_learning_rate"]
    network = trainings[FIRST][0]
    assert rates(network, [0, trained * STEPS - 1]) == pytest.approx([first, first])
    assert rates(network, [10 * STEPS, 20 * STEPS - 1, 20 * STEPS]) == pytest.approx([1e-4, 1e-4, 1e-5])
    assert rates(network, [planned * STEPS]) == pytest.approx([last])


def test_the_next_best_models_rate_falls_every_5_epochs(trainings, printed):
    steps, every = 110 // 64, int(printed["next best model", "decay_epochs"])
    first, factor = printed["next best model", "learning_rate"], printed["next best model", "decay_rate"]
    iterations = [0, every * steps - 1, every * steps, 2 * every * steps]
    expected = [first, first, first * factor, first * factor**2]
    assert rates(trainings[NEXT_BEST][0], iterations) == pytest.approx(expected)


def test_the_notebooks_rate_falls_every_3_of_10_epochs(trainings):
    iterations = [0, 3 * STEPS - 1, 3 * STEPS, 9 * STEPS]
    assert rates(trainings["meso4_hinge"][0], iterations) == pytest.approx([1e-3, 1e-3, 1e-4, 1e-6])


def test_the_augmentation_is_blur_rotation_and_scaling_as_opencv_does_them(printed):
    """Sec. 4.1.3. Every variant that the paper names is drawn, and nothing else but the image itself."""
    image = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 255, (65, 65, 3)).astype(np.float32), (0, 0), 2)
    seeds = tf.constant([[3, place] for place in range(150)])
    results = choose_augmentation("paper")(tf.tile(image[None], (150, 1, 1, 1)), seeds).numpy()
    drawn = {result.tobytes(): result for result in results}
    expected = {"itself": image}
    for size in ("small", "medium", "large"):
        kernel = int(printed["augmentation: blur", f"{size}_kernel"])
        expected[f"blur {kernel}"] = cv2.GaussianBlur(image, (kernel, kernel), 0, borderType=cv2.BORDER_REFLECT_101)
        expected[size] = warp(image, degrees=printed["augmentation: rotation", f"{size}_angle"])
    expected["larger"] = warp(image, zoom=1 + printed["augmentation: scaling", "enlargement"])
    expected["smaller"] = warp(image, zoom=1 - printed["augmentation: scaling", "reduction"])
    assert len(drawn) == len(expected)
    for name, wanted in expected.items():
        middle = slice(24, 41)  # the borders of cv2 and TensorFlow differ
        distances = [np.abs(wanted - result)[middle, middle].max() for result in drawn.values()]
        assert min(distances) < 0.5, name


def warp(image, degrees=0.0, zoom=1.0):
    return cv2.warpAffine(image, cv2.getRotationMatrix2D((32, 32), degrees, zoom), (65, 65))


def test_the_proposal_is_an_rbf_svm_on_sixteen_features():
    """Sec. 3: "SVM(RBF) for better classification at the end of the fully connected layers"; MesoNet has 16 units."""
    features = model.feature_network(method.BUILDERS[BASE](64))
    assert features.output_shape == (None, 16)
    assert isinstance(features.layers[-1], keras.layers.LeakyReLU)
    generator = np.random.default_rng(0)
    radius = generator.permutation(np.repeat([0.5, 2.0], 100))
    direction = generator.normal(size=(200, 16))
    rings = radius[:, None] * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    svm, _ = model.fit_svm(rings, (radius > 1).astype(int), PAPER.svm_max, seed=0)
    assert svm[-1].kernel == "rbf"
    assert svm.score(rings, radius > 1) > 0.95  # no plane separates a ball from its shell


def test_figure_9_has_the_papers_penalty(printed):
    assert printed["Figure 9", "lambda"] == activation.LAMBDA and printed["Figure 9", "p"] == activation.P
