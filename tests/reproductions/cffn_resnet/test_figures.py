"""The figures hold what they are said to show."""

import keras
import numpy as np
import pandas as pd
import pytest

from common.data.datasets import open_dataset
from common.labels import FAKE
from reproductions.cffn_resnet import figures, model
from reproductions.cffn_resnet.config import Config
from reproductions.cffn_resnet.model import fake_score

SIZE = 72


@pytest.fixture(scope="module")
def network(narrow_networks):
    """A network of P(fake) with one unit in each stage, whose last layer has known weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "STAGES", tuple((channels, 1) for channels, _ in model.STAGES))
        network = fake_score(narrow_networks(image_size=SIZE, added_units=False).classifier)
    network.get_layer("logits").set_weights([np.array([[1.0, -2], [0.5, 3]]), np.array([0.3, -0.4])])
    return network


def test_the_evidence_adds_up_to_the_logits(network):
    """The mean over the map, plus the difference of the last biases, is log(p / (1 - p))."""
    pixels = np.random.default_rng(1).integers(0, 256, (3, SIZE, SIZE, 3)).astype(np.uint8)
    maps = figures.evidence(network, pixels)
    scores = network.predict(pixels, verbose=0)[:, 0].astype(float)
    assert maps.shape == (3, 4, 4) and maps.std() > 0 and FAKE == 1
    np.testing.assert_allclose(maps.mean(axis=(1, 2)) - 0.7, np.log(scores / (1 - scores)), atol=1e-4)


def test_the_evidence_figure_has_pictures_scores_and_maps(network, prepared_images):
    images = figures.sample(prepared_images, 2, seed=0)
    figure = figures.evidence_figure(network, images, Config(image_size=SIZE), "faces")
    *panels, bar = figure.axes
    assert len(panels) == 8 and bar.get_ylabel() == "for real  <  logit  >  for fake"
    pixels = [axis.images[0].get_array() for axis in panels[:4]]
    scores = network.predict(np.stack(pixels), verbose=0)[:, 0]
    titles = [f"{label}\nP(fake) = {score:.2f}" for label, score in zip(images["label"], scores, strict=True)]
    assert [axis.get_title() for axis in panels[:4]] == titles
    maps = np.stack([axis.images[1].get_array() for axis in panels[4:]])
    np.testing.assert_allclose(maps, figures.evidence(network, np.stack(pixels)), atol=1e-5)


@pytest.fixture
def prepared_images(prepared):
    return open_dataset("dfdc", prepared).images


def test_figure_3_shows_each_step_and_the_validation_of_phase_2():
    """Two epochs of two steps under the triplet loss, then two of two under cross-entropy."""
    steps = pd.DataFrame(
        {
            "phase": ["triplet"] * 4 + ["classifier"] * 4,
            "epoch": [1, 1, 2, 2] * 2,
            "loss": [8.0, 7, 6, 5, 4, 3, 2, 1],
            "accuracy": [np.nan] * 4 + [0.5, 0.625, 0.75, 0.875],
        }
    )
    history = pd.DataFrame({"phase": ["triplet"] * 2 + ["classifier"] * 2, "val_accuracy": [np.nan, np.nan, 0.6, 0.7]})
    loss, accuracy, validation = figures.training_figure(steps, history, "faces").axes
    assert "loss" in loss.get_title() and "validation accuracy" in validation.get_title()
    curves = [line.get_ydata().tolist() for line in loss.lines]
    assert curves == [[8, 7, 6, 5], [8, 7.5, 7, 6.5], [4, 3, 2, 1], [4, 3.5, 3, 2.5]], "each step, and its moving mean"
    assert [line.get_xdata().tolist() for line in accuracy.lines] == [[5, 6, 7, 8]] * 2
    (line,) = validation.lines
    assert line.get_xdata().tolist() == [6, 8] and line.get_ydata().tolist() == [0.6, 0.7]
    assert [text.get_text() for text in loss.get_legend().get_texts()] == [
        "phase 1, triplet loss", "phase 2, cross-entropy and penalty",
    ]  # fmt: skip


def test_figure_4_shows_real_above_fake_images(prepared_images):
    images = figures.sample(prepared_images, 3, seed=1)
    assert images["label"].tolist() == ["real"] * 3 + ["fake"] * 3
    axes = figures.examples_figure(images, Config(image_size=40)).axes
    assert [axis.get_title() for axis in axes] == images["label"].tolist()
    shown = [axis.images[0].get_array() for axis in axes]
    assert {pixels.shape for pixels in shown} == {(40, 40, 3)}
    for file, pixels in zip(images["file"], shown, strict=True):
        original = keras.utils.img_to_array(keras.utils.load_img(file))
        assert abs(pixels.mean() - original.mean()) < 2, "the picture of this row"


def test_a_sample_has_one_image_of_a_video():
    images = pd.DataFrame(
        {"video": ["a", "a", "b", "b", "", ""], "label": ["real", "real", "fake", "fake", "real", "real"]}
    )
    chosen = figures.sample(images, 5, seed=0)
    assert chosen["label"].tolist() == ["real"] * 3 + ["fake"]
    assert sorted(chosen["video"]) == ["", "", "a", "b"]
