"""An exported detector, loaded by other means than ours, gives the scores of common.predict."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from common.classifiers import NearestCentroid
from common.data.pipeline import Preprocessing
from common.detectors import exporting, graph_resizing, store
from common.detectors.scoring import Scorer
from common.detectors.store import Description, Detector, fake_score
from common.errors import UserError
from common.export import main

SIZE = 12
FACES = {"faces": "none", "size": None}

MODELS = ["svm", *(pytest.param(name, marks=pytest.mark.slow) for name in ("net", "centroid", "forest"))]


def faces(height, width, count=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def network():
    """Constants (a Normalization), a network within, an embedding, and the fake one of two probabilities."""
    keras.utils.set_random_seed(3)
    image = keras.Input((SIZE, SIZE, 3))
    x = layers.Normalization(mean=[120.0, 110.0, 100.0], variance=[900.0, 800.0, 700.0])(image)
    inner = keras.Input((SIZE, SIZE, 3))
    convolutions = keras.Model(inner, layers.Conv2D(6, 3, strides=2, padding="same", activation="swish")(inner))
    x = layers.GlobalAveragePooling2D(name="features")(convolutions(x))
    return fake_score(keras.Model(image, layers.Dense(2, activation="softmax")(x)))


def fitted(classifier, whole):
    features = keras.Model(whole.input, whole.get_layer("features").output)
    vectors = features.predict(faces(SIZE, SIZE, 60, 1).astype("f4"), verbose=0)
    return classifier.fit(vectors, (vectors[:, 0] > np.median(vectors[:, 0])).astype(int))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with a network and three classifiers on its embedding."""
    folder, whole = tmp_path_factory.mktemp("run"), network()
    preprocessing = {"size": SIZE, "resize": "bilinear", "scale": 1.0, "offset": 0.0}
    description = Description("net", preprocessing, faces=FACES).placed("", has_classifier=False)
    store.save(Detector(description, whole), folder / "models")
    for name, classifier, head in (
        ("svm", make_pipeline(StandardScaler(), SVC()), "margin"),
        ("centroid", NearestCentroid(), "margin"),
        ("forest", RandomForestClassifier(5, random_state=0), "probability"),
    ):
        description = Description(
            name, preprocessing, head, "features", FACES, name=name, network="net.keras", classifier=f"{name}.skops"
        )
        store.save(Detector(description, None, fitted(classifier, whole)), folder / "models")
    return folder


def predicted(run, name, images, tmp_path):
    """The scores that common.predict gives the images as files."""
    scorer = Scorer(store.load(run, name))
    files = [tmp_path / f"{place}.png" for place in range(len(images))]
    for file, image in zip(files, images, strict=True):
        Image.fromarray(image).save(file)
    return [scorer.scores(scorer.faces(file).pixels).mean for file in files]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_savedmodel_gives_the_scores_of_predict(run, name, tmp_path, capsys):
    main([str(run), "--model", name, "--output", str(tmp_path / "out")])
    assert capsys.readouterr().out == f"{tmp_path / 'out'}\n"
    loaded = tf.saved_model.load(str(tmp_path / "out"))
    for height, width in ((SIZE, SIZE), (31, 20), (7, 9)):
        images = faces(height, width)
        expected = predicted(run, name, images, tmp_path)
        np.testing.assert_allclose(loaded.serve(images)["score"], expected, atol=1e-5)
        served = loaded.signatures["serving_default"](faces=tf.constant(images))["score"]
        np.testing.assert_allclose(served, expected, atol=1e-5)
    assert np.std(expected) > 1e-4, "a constant would prove nothing"


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_an_onnx_file_gives_the_scores_of_predict(run, name, tmp_path):
    reason = "needs the extra [onnx]"
    pytest.importorskip("tf2onnx", reason=reason)
    onnxruntime = pytest.importorskip("onnxruntime", reason=reason)
    main([str(run), "--model", name, "--format", "onnx", "--output", str(tmp_path / "out")])
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx", providers=["CPUExecutionProvider"])
    assert [put.name for put in session.get_inputs()] == ["faces"]
    for height, width in ((SIZE, SIZE), (31, 20), (7, 9)):
        images = faces(height, width)
        found = session.run(["score"], {"faces": images})[0]
        np.testing.assert_allclose(found, predicted(run, name, images, tmp_path), atol=1e-5)


@pytest.mark.parametrize("method", ["bilinear", "area", "nearest"])
@pytest.mark.parametrize("shape", [(40, 40), (97, 131), (218, 178), (80, 80), (31, 23), (300, 57)])
def test_resizing_by_matrices_is_tensorflows(method, shape):
    preprocessing = Preprocessing(40, method)
    images = faces(*shape)
    expected = np.stack([preprocessing.resize_image(image) for image in images]).astype(int)
    found = np.asarray(graph_resizing.resize_by_matrices(images, preprocessing)).astype(int)
    differ = found != expected
    assert abs(found - expected).max() <= 1 and differ.mean() < 1e-3, "only what lies half way between two values"
    assert shape != (40, 40) or not differ.any()


def test_a_margin_is_exported_as_a_score(tmp_path):
    image = keras.Input((8, 8, 3))
    margin = keras.Model(image, layers.Dense(1)(layers.GlobalAveragePooling2D()(image)))
    detector = Detector(Description("m", {"size": 8, "resize": "nearest"}, "margin"), margin)
    exporting.export(detector, "savedmodel", tmp_path / "out")
    images = faces(8, 8)
    expected = detector.score(images.astype("f4") / 255, 3)
    loaded = tf.saved_model.load(str(tmp_path / "out"))
    np.testing.assert_allclose(loaded.serve(images)["score"], expected, atol=1e-6)


def test_the_card_says_what_goes_in_and_out(run, tmp_path):
    exporting.export(store.load(run, "svm"), "savedmodel", tmp_path / "out")
    card = json.loads((tmp_path / "out" / "export.json").read_text())
    assert card["model"] == "svm" and card["threshold"] == 0.5 and card["cropping"]["faces"] == "none"
    assert card["inside"]["preprocessing"]["size"] == SIZE and "uint8 (B, H, W, 3)" in card["input"]
    mtcnn = {"faces": "mtcnn", "size": 160, "margin": 40, "min_confidence": 0.9, "pick": "best"}
    detector = Detector(Description("m", {"size": 8}, faces=mtcnn), None)
    words = exporting.export_card(detector, "onnx")["cropping"]["words"]
    assert "mtcnn" in words and "40 px" in words and "160 x 160" in words


def test_a_failed_export_leaves_nothing(run, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("stopped")

    monkeypatch.setattr(exporting, "export_card", fail)
    with pytest.raises(RuntimeError):
        exporting.export(store.load(run, "net"), "savedmodel", tmp_path / "to" / "out")
    assert list((tmp_path / "to").iterdir()) == []


def test_a_folder_that_exists_is_not_written_over(run, tmp_path):
    with pytest.raises(UserError, match="exists; remove it"):
        main([str(run), "--output", str(tmp_path)])


def test_onnx_without_its_packages_is_said(run, tmp_path, monkeypatch):
    monkeypatch.setattr("common.export.ONNX_PACKAGES", ("no_such_package",))
    with pytest.raises(UserError, match=r"pip install .*\[onnx\]"):
        main([str(run), "--format", "onnx", "--output", str(tmp_path / "out")])


def test_a_resizing_that_onnx_lacks_is_said():
    with pytest.raises(UserError, match="nearest, bilinear, area, not lanczos3"):
        graph_resizing.resize_by_matrices(faces(8, 8), Preprocessing(4, "lanczos3"))
