"""Figures 5 to 10 of a small made-up run: what is drawn, not only that a file is there."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from common.evaluation import figures as shared
from common.training.distribution import set_up
from reproductions.dcgan_inception_resnet import figures, gan
from reproductions.dcgan_inception_resnet.data import GeneratedData
from reproductions.splitting import Split

EPOCHS = 12


@pytest.fixture
def drawn(monkeypatch):
    """{file name: matplotlib figure} of what is saved, instead of the files."""
    saved = {}

    def save_figure(figure, path):
        saved[Path(path).name] = figure
        return path

    monkeypatch.setattr(figures, "save_figure", save_figure)
    monkeypatch.setattr(shared, "save_figure", save_figure)
    return saved


@pytest.fixture
def run(tmp_path):
    (tmp_path / "figures").mkdir()
    return SimpleNamespace(folder=tmp_path, path=lambda *parts: tmp_path.joinpath(*parts))


@pytest.fixture
def generated(tmp_path):
    """A DCGAN of twelve epochs with two batches each; the strip of epoch e has the grey level e."""
    (tmp_path / "samples").mkdir()
    for epoch in range(1, EPOCHS + 1):
        strip = np.full((8, 40, 3), epoch, np.uint8)
        Image.fromarray(strip).save(tmp_path / "samples" / f"epoch-{epoch:04d}.png")
    batches = [(epoch, batch, epoch + batch / 10, 1.0) for epoch in range(1, EPOCHS + 1) for batch in (1, 2)]
    losses = pd.DataFrame(batches, columns=["epoch", "batch", "generator_loss", "discriminator_loss"])
    set_up()
    return GeneratedData(
        pd.DataFrame(), tmp_path / "samples", gan.generator(8, 0.02), losses, groups={"DCGAN": "dcgan"}
    )


def split(protocol, counts):
    """The protocol's predictions: `counts` images of each (split, label, data set), all called fake."""
    rows = [
        {"split": name, "label": label, "dataset": dataset, "score": 0.9, "model": "stand_in"}
        for (name, label, dataset), count in counts.items()
        for _ in range(count)
    ]
    return Split(protocol, 0, {}, predictions=[pd.DataFrame(rows)])


def cells(figure):
    """{title of a confusion matrix: its counts}."""
    return {
        axis.get_title(): [int(text.get_text().partition("\n")[0]) for text in axis.texts]
        for axis in figure.axes
        if axis.texts
    }


def test_all_figures_of_a_run(drawn, run, generated):
    counts = {("train", "real", "celeb"): 3, ("val", "fake", "dcgan"): 2}
    paper = split("resubstitution", counts)
    paper.histories = {
        "stand_in": pd.DataFrame(
            {"epoch": [1, 2], "loss": [2, 1], "val_loss": [3, 2], "accuracy": [0, 1], "val_accuracy": [0, 0.5]}
        ),
        "dcgan": pd.DataFrame({"epoch": [1], "generator_loss": [1]}),
    }
    heldout = split(
        "heldout", {("test", "real", "celeb"): 1, ("test", "fake", "dcgan"): 4, ("test", "fake", "pggan"): 7}
    )
    figures.draw_figures([paper, heldout], generated, run)
    assert set(drawn) == {
        "figure_05_samples.png", "figure_06_loss_epoch_01.png", "figure_07_loss_epoch_12.png",
        "figure_08_generated.png", "figure_09_accuracy.png", "figure_09_loss.png", "figure_10_confusion.png",
        "samples_over_epochs.png", "losses_of_all_epochs.png",
    }  # fmt: skip
    samples = drawn["figure_05_samples.png"].axes[0].images[0].get_array()
    assert samples.shape == (8, 40, 3) and (samples == 10).all()  # epoch 10, as in the paper
    for file, epoch in (("figure_06_loss_epoch_01.png", 1), ("figure_07_loss_epoch_12.png", 12)):
        lines = drawn[file].axes[0].lines
        assert [list(line.get_ydata()) for line in lines] == [[epoch + 0.1, epoch + 0.2], [1, 1]]
    panels = [axis for axis in drawn["losses_of_all_epochs.png"].axes if axis.get_visible()]
    assert [axis.get_title() for axis in panels] == [f"epoch {epoch}" for epoch in range(1, EPOCHS + 1)]
    assert [list(line.get_ydata()) for line in panels[4].lines] == [[5.1, 5.2], [1, 1]]
    assert drawn["figure_08_generated.png"].axes[0].images[0].get_array().shape == (64, 64, 3)
    assert [axis.get_title() for axis in drawn["figure_09_loss.png"].axes] == ["stand_in"]
    grid = drawn["samples_over_epochs.png"].axes
    assert len(grid) == 10 and [axis.get_ylabel() for axis in (grid[0], grid[-1])] == ["1", "12"]
    # fake called fake, fake called real, real called fake, real called real; pggan's fakes are not the paper's
    assert cells(drawn["figure_10_confusion.png"]) == {
        "stand_in, resubstitution": [2, 0, 3, 0], "stand_in, heldout": [4, 0, 1, 0],
    }  # fmt: skip
    with Image.open(run.folder / "figures" / "samples_over_epochs.gif") as animation:
        assert animation.n_frames == EPOCHS and animation.size == (80, 16)


def test_without_a_dcgan_all_fakes_are_in_the_matrix(drawn, run, tmp_path):
    nothing = GeneratedData(pd.DataFrame(), tmp_path)
    heldout = split("heldout", {("test", "real", "celeb"): 1, ("test", "fake", "pggan"): 7})
    figures.draw_figures([heldout], nothing, run)
    assert list(drawn) == ["figure_10_confusion.png"]
    assert cells(drawn["figure_10_confusion.png"]) == {"stand_in, heldout": [7, 0, 1, 0]}


def test_real_images_alone_have_a_matrix(drawn, run, tmp_path):
    heldout = split("heldout", {("test", "real", "celeb"): 5})
    figures.draw_figures([heldout], GeneratedData(pd.DataFrame(), tmp_path), run)
    assert cells(drawn["figure_10_confusion.png"]) == {"stand_in, heldout": [0, 0, 5, 0]}
