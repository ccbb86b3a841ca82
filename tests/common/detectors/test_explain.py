"""Grad-CAM against loops by hand, and against patches whose place is known."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from scipy.ndimage import uniform_filter
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from common.classifiers import NearestCentroid
from common.detectors.explain import Explainer, draw
from common.detectors.store import Description, Detector, fake_score
from common.errors import UserError
from common.labels import FAKE, REAL
from common.layers import l2_normalize

SIZE, PATCH = 48, 12
SHARE = PATCH**2 / SIZE**2  # of the image's area: 0.0625


def planted(count, seed, red=0.9):
    """Smooth noise (n, 48, 48, 3), a noisy red patch in each second image, labels (n, 1), corners (n, 2)."""
    generator = np.random.default_rng(seed)
    images = uniform_filter(generator.uniform(size=(count, SIZE, SIZE, 3)), (0, 7, 7, 0)).astype(np.float32)
    corners = generator.integers(0, SIZE - PATCH, (count, 2))
    labels = np.arange(count)[:, None] % 2
    for image, label, (top, left) in zip(images, labels, corners, strict=True):
        if label:
            image[top : top + PATCH, left : left + PATCH] = generator.normal((red, 0.2, 0.2), 0.2, (PATCH, PATCH, 3))
    return images, labels, corners


def inside(heat, corner):
    """The share of the heat that lies in the patch."""
    top, left = corner
    return heat[top : top + PATCH, left : left + PATCH].sum() / heat.sum()


@pytest.fixture(scope="module")
def patch_network():
    """A network that finds the patch, its weights set by hand: of its two maps one answers to red, one to brightness.
    The embedding `features`, of length 1, is a mixture of their means."""
    image = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(2, 3, padding="same", activation="relu", name="colours")(image)
    x = layers.MaxPooling2D(4, name="maps")(x)  # (B, 12, 12, 2)
    mixed = layers.Dense(8, use_bias=False, name="mixture")(layers.GlobalAveragePooling2D()(x))
    features = layers.Lambda(l2_normalize, name="features")(mixed)
    network = keras.Model(image, layers.Dense(1, activation="sigmoid", name="score")(features))
    kernel = np.stack([[0.9, -0.9, 0.0], [0.3, 0.3, 0.3]], axis=1) / 9  # a mean over 3 x 3 pixels
    network.get_layer("colours").set_weights([np.broadcast_to(kernel, (3, 3, 3, 2)), np.array([-0.2, 0.0])])
    mixture = np.random.default_rng(0).normal(size=(2, 8)) * [[10.0], [1.0]]
    network.get_layer("mixture").set_weights([mixture])
    direction = np.linalg.pinv(mixture) @ [1.0, -0.3]  # red, against brightness
    network.get_layer("score").set_weights([20 * direction[:, None], np.zeros(1)])
    images, labels, _ = planted(64, 1)
    found = network.predict(images, verbose=0)
    threshold = np.median(found)
    assert ((found > threshold) == labels).mean() == 1, "the patch decides"
    return network


def nested(network):
    """The same network, its convolutions in a network within a network."""
    convolutions = keras.Model(network.input, network.get_layer("maps").output)
    image = keras.Input((SIZE, SIZE, 3))
    rest = keras.Model(network.get_layer("maps").output, network.get_layer("features").output)
    inner = keras.Model(image, rest(convolutions(image)))
    outer = keras.Input((SIZE, SIZE, 3))
    return keras.Model(outer, network.get_layer("score")(inner(outer)))


def embedding_with(classifier, network):
    """The detector of the network's embedding and a classifier fitted on it."""
    network = keras.Model(network.input, network.get_layer("features").output)
    images, labels, _ = planted(128, 2)
    classifier = classifier.fit(network.predict(images, verbose=0), labels[:, 0])
    return Detector(Description("x", {}, "margin"), network, classifier)


def heat_in_patch(detector, verdict=FAKE):
    """The mean share of the heat in the patch, over 12 images with one, paler than the mean of its class: beyond a
    centroid, the way to a surer decision leads back."""
    explainer = Explainer(detector)
    images, _, corners = planted(24, 3, red=0.75)
    explained = [explainer.explain(image, verdict) for image in images[1::2]]
    assert all(each.heat.max() == pytest.approx(1) and each.heat.min() >= 0 for each in explained)
    return np.mean([inside(each.heat, corner) for each, corner in zip(explained, corners[1::2], strict=True)])


@pytest.mark.parametrize("build", [lambda network: network, nested], ids=["flat", "nested"])
def test_heat_falls_on_the_planted_patch(patch_network, build):
    detector = Detector(Description("x", {}), build(patch_network))
    assert heat_in_patch(detector) > 8 * SHARE


CLASSIFIERS = {
    "linear svm": LinearSVC(),
    "rbf svm": make_pipeline(StandardScaler(), SVC()),
    "nystroem": make_pipeline(StandardScaler(), Nystroem(gamma=0.1, n_components=40, random_state=0), LinearSVC()),
    "sgd": SGDClassifier(loss="log_loss", random_state=0),
    "nearest centroid": NearestCentroid(),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_heat_of_an_embedding_falls_on_the_planted_patch(patch_network, name):
    assert heat_in_patch(embedding_with(CLASSIFIERS[name], patch_network)) > 8 * SHARE


def test_what_speaks_for_real_lies_outside_the_patch(patch_network):
    assert heat_in_patch(Detector(Description("x", {}), patch_network), REAL) < 0.5 * SHARE


def tiny(activation="sigmoid", units=1, bias=0.0, policy="float32"):
    """Two 3x3 filters on 6x6 pixels without padding, ReLU, all 32 numbers into one unit (or two)."""
    generator = np.random.default_rng(5)
    image = keras.Input((6, 6, 3))
    x = layers.Conv2D(2, 3, activation="relu", name="maps", dtype=policy)(image)
    last = layers.Dense(units, activation, dtype="float32" if policy == "float32" else policy, name="score")
    network = keras.Model(image, last(layers.Flatten(dtype=policy)(x)))
    weights = [generator.normal(size=weight.shape) for weight in network.get_weights()]
    weights[-1] += bias
    network.set_weights(weights)
    return network, generator.normal(size=(6, 6, 3)).astype(np.float32)


def cam_by_hand(maps, gradients):
    """Equations 1 and 2 in loops."""
    height, width, count = maps.shape
    total = np.zeros((height, width))
    for k in range(count):
        alpha = 0.0
        for i in range(height):
            for j in range(width):
                alpha += gradients[i, j, k] / (height * width)
        for i in range(height):
            for j in range(width):
                total[i, j] += alpha * maps[i, j, k]
    return np.where(total > 0, total, 0)


def maps_by_hand(network, image):
    kernel, bias = network.get_layer("maps").get_weights()
    maps = np.zeros((4, 4, 2))
    for i, j, k in np.ndindex(maps.shape):
        maps[i, j, k] = max(0, (image[i : i + 3, j : j + 3] * kernel[..., k]).sum() + bias[k])
    return maps


def test_the_map_is_that_of_the_equations():
    network, image = tiny()
    gradients = network.get_layer("score").get_weights()[0].reshape(4, 4, 2)  # of the logit, which is linear in them
    explainer = Explainer(Detector(Description("x", {}), network))
    assert cam_by_hand(maps_by_hand(network, image), gradients).any()
    for verdict, sign in ((FAKE, 1), (REAL, -1)):
        expected = cam_by_hand(maps_by_hand(network, image), sign * gradients)
        found = explainer.explain(image, verdict)
        assert (found.layer, found.shape, found.verdict) == ("maps", (4, 4), verdict)
        enlarged = tf.image.resize(expected[..., None], (6, 6)).numpy()[..., 0]
        largest = enlarged.max()
        np.testing.assert_allclose(found.heat, enlarged / largest if largest else enlarged, atol=1e-5)


def test_with_an_rbf_svm_the_gradient_is_that_of_its_decision():
    network, image = tiny()
    features = keras.Model(network.input, layers.GlobalAveragePooling2D()(network.get_layer("maps").output))
    generator = np.random.default_rng(0)
    vectors = generator.uniform(0, 3, (60, 2))
    svm = make_pipeline(StandardScaler(), SVC()).fit(vectors, vectors[:, 0] > vectors[:, 1])
    maps = maps_by_hand(network, image)
    means, step = maps.mean(axis=(0, 1)), 1e-5
    moved = means + step * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    decisions = svm.decision_function(moved)
    direction = np.array([decisions[0] - decisions[1], decisions[2] - decisions[3]]) / (2 * step)
    found = Explainer(Detector(Description("x", {}, "margin"), features, svm)).trace(image[None])
    np.testing.assert_allclose(found[0], maps, atol=1e-5)
    np.testing.assert_allclose(found[1], np.broadcast_to(direction / 16, (4, 4, 2)), atol=1e-6)


def test_a_probability_that_is_one_is_explained_all_the_same():
    sure, image = tiny(bias=200.0)
    assert sure.predict(image[None], verbose=0) == 1.0
    unsure = tiny()[0]
    heats = [Explainer(Detector(Description("x", {}), each)).explain(image, FAKE).heat for each in (sure, unsure)]
    np.testing.assert_allclose(heats[0], heats[1], atol=1e-5)


@pytest.mark.parametrize("own_layer", [False, True], ids=["activation", "layer"])
def test_a_softmax_is_explained_by_its_log_odds(own_layer):
    network, image = tiny("linear" if own_layer else "softmax", 2)
    if own_layer:
        network = keras.Model(network.input, layers.Softmax()(network.output))
    kernel = network.get_layer("score").get_weights()[0]
    _, gradients, _ = Explainer(Detector(Description("x", {}), fake_score(network))).trace(image[None])
    np.testing.assert_allclose(gradients, (kernel[:, FAKE] - kernel[:, REAL]).reshape(4, 4, 2), atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_is_explained_in_single_precision(policy):
    mixed, image = tiny(policy=policy)
    expected = Explainer(Detector(Description("x", {}), tiny()[0])).explain(image, FAKE).heat
    found = Explainer(Detector(Description("x", {}), mixed)).explain(image, FAKE).heat
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_axes_that_were_reshaped_are_no_places():
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, padding="same", name="maps")(image)
    x = layers.LayerNormalization()(layers.Reshape((16, 4, 6))(x))
    network = keras.Model(image, layers.Dense(1)(layers.Flatten()(x)))
    found = Explainer(Detector(Description("x", {}, "margin"), network)).explain(np.ones((8, 8, 3), "f4"), FAKE)
    assert (found.layer, found.shape) == ("maps", (8, 8))


def test_a_map_of_one_place_is_passed_over():
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 8, name="one_place")(layers.Conv2D(4, 3, padding="same", name="maps")(image))
    network = keras.Model(image, layers.Dense(1)(layers.Flatten()(x)))
    found = Explainer(Detector(Description("x", {}, "margin"), network)).explain(np.ones((8, 8, 3), "f4"), FAKE)
    assert found.layer == "maps"


def test_what_has_no_gradient_or_no_places_is_said(patch_network):
    with pytest.raises(UserError, match="DecisionTreeClassifier decides by steps"):
        Explainer(embedding_with(DecisionTreeClassifier(), patch_network))
    image = keras.Input((8, 8, 3))
    network = keras.Model(image, layers.Dense(1)(layers.Flatten()(image)))
    with pytest.raises(UserError, match="none of its layers has spatial axes"):
        Explainer(Detector(Description("flat", {}), network))


def test_the_scores_own_network_is_left_as_it_was(patch_network):
    images, _, _ = planted(4, 3)
    before = patch_network.predict(images, verbose=0)
    Explainer(Detector(Description("x", {}), patch_network)).explain(images[1], FAKE)
    np.testing.assert_allclose(patch_network(images), before, atol=1e-6)  # not `predict`, which was traced before


def test_the_picture_shows_the_heat_where_it_is(tmp_path, patch_network):
    from PIL import Image

    images, _, corners = planted(2, 7)
    explainer = Explainer(Detector(Description("x", {}), patch_network))
    found = explainer.explain(images[1], FAKE)
    pixels = (255 * images[1]).astype(np.uint8)
    file = draw(tmp_path / "a" / "x.png", pixels, found, "x.png: fake, score 0.987 by x", explainer.caption(found))
    drawn = np.asarray(Image.open(file).convert("RGB")).astype(int)
    redness = drawn[..., 0] - drawn[..., 2]
    right = redness[60:-60, drawn.shape[1] // 2 : int(0.9 * drawn.shape[1])]
    rows, columns = np.nonzero(right > 100)
    middle = (corners[1] + PATCH / 2) / SIZE
    assert rows.mean() / right.shape[0] == pytest.approx(middle[0], abs=0.15)
    assert columns.mean() / right.shape[1] == pytest.approx(middle[1], abs=0.15)
