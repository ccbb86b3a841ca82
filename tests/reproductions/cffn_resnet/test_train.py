"""What each model trains with, killed trainings, augmentation, and the map of evidence."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from common.data.datasets import open_dataset
from common.labels import FAKE
from common.training.distribution import set_up
from reproductions.cffn_resnet import model, train
from reproductions.cffn_resnet.config import MODELS, PRESETS, settings
from reproductions.cffn_resnet.figures import evidence
from reproductions.cffn_resnet.model import STAGES, fake_score, networks
from reproductions.cffn_resnet.phases import CLASSIFIER, TRIPLET

CONFIG = replace(PRESETS["smoke"], batch_size=8, triplet_epochs=2)


@pytest.fixture
def short(monkeypatch):
    """Towers with one unit a stage."""
    monkeypatch.setattr(model, "STAGES", tuple((channels, 1) for channels, _ in STAGES))


@pytest.fixture
def images(make_prepared, tmp_path):
    """40 fakes and 40 reals in clips of four, 16 of each to validate on."""
    data = open_dataset("dfdc", make_prepared(tmp_path / "data", per_class=40, size=40, clips=True))
    number = data.images["path"].str.extract(r"(\d{4})")[0].astype(int)
    return data.images.assign(split=np.where(number < 24, "train", "val"))


def trained(images, folder, config=CONFIG, name="cffn"):
    found = train.train_model(name, settings(config, name), set_up("none"), images, None, Path(folder), 0, {})
    return dict(zip(("detector", "history", "steps", "notes"), found, strict=True))


@pytest.mark.parametrize("killed_in", [1, 2, 3])
def test_a_killed_training_goes_on_across_the_phases(short, images, tmp_path, monkeypatch, killed_in):
    """Epochs 1 and 2 are phase 1, 3 and 4 are phase 2. Killed before an epoch is saved, its end is trained anew."""
    whole = trained(images, tmp_path / "whole")
    write, epochs = train.StepValues.on_epoch_end, []

    def die(callback, epoch, logs=None):
        write(callback, epoch, logs)
        epochs.append(epoch)
        if len(epochs) == killed_in:
            raise KeyboardInterrupt

    monkeypatch.setattr(train.StepValues, "on_epoch_end", die)
    with pytest.raises(KeyboardInterrupt):
        trained(images, tmp_path / "cut")
    again = trained(images, tmp_path / "cut")
    assert epochs == [[0, 1, 0, 1][place] for place in (*range(killed_in), *range(killed_in - 1, 4))]
    columns = ["phase", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "val_auc", "learning_rate"]
    pd.testing.assert_frame_equal(whole["history"][columns], again["history"][columns], rtol=1e-3)
    pd.testing.assert_frame_equal(whole["steps"], again["steps"], rtol=1e-3)
    assert whole["notes"] == again["notes"]
    for one, other in zip(*(each["detector"].network.get_weights() for each in (whole, again)), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.fixture
def recorded(monkeypatch):
    """What each phase would be trained with, in the place of the training."""
    calls = []

    def record(phase, schedule, before, network, batches, validate, plan, folder, seed, callbacks):
        calls.append({"phase": phase, "schedule": schedule, "before": before, "network": network, "plan": plan})
        calls[-1] |= {"batch": next(iter(batches(0)))}
        pd.DataFrame({"epoch": [1], "step": [1], "loss": [1.0]}).to_csv(callbacks[0].path, index=False)
        return pd.DataFrame({"epoch": range(1, plan.epochs + 1), plan.monitor: 0.5})

    monkeypatch.setattr(train, "fit_phase", record)
    return calls


PAPER = replace(PRESETS["paper"], image_size=40, width=0.05, batch_size=8)


def test_the_proposal_trains_as_the_paper_says(short, images, recorded, tmp_path):
    trained(images, tmp_path / "state", PAPER)
    first, second = recorded
    assert (first["phase"], first["before"], first["plan"].epochs) == (TRIPLET, 0, 5)
    assert (second["phase"], second["before"], second["plan"].epochs) == (CLASSIFIER, 5, 15)
    loss = first["network"].loss
    assert (type(loss).__name__, loss.margin, loss.squared, loss.mean_over) == ("BatchAll", 0.8, True, "all")
    assert second["network"].penalty == 0.001 and first["plan"].monitor == "val_auc"
    schedule = first["schedule"]
    rates = [schedule.rate(TRIPLET, 0), schedule.rate(CLASSIFIER, 5), schedule.rate(CLASSIFIER, 16)]
    assert rates == [1e-4, 1e-5, 1e-6] and schedule.is_over(CLASSIFIER, 15, [0.94])
    assert not np.allclose(first["batch"][0], second["batch"][0]), "phase 2 begins with an order of its own"


def test_the_ablations_change_one_thing_each(short, images, recorded, tmp_path):
    found = {}
    for name in MODELS:
        if name.startswith("story"):
            continue
        recorded.clear()
        network = trained(images, tmp_path / name, PAPER, name)["detector"].network
        found[name] = {
            "phases": [(call["phase"], call["plan"].epochs) for call in recorded],
            "loss": [(type(call["network"].loss).__name__, getattr(call["network"].loss, "squared", None))
                     for call in recorded if call["phase"] == TRIPLET],
            "kernels": sorted({layer.kernel_size[0] for layer in network.layers if "unit" in layer.name
                               and isinstance(layer, keras.layers.Conv2D)}),
            "activation": {layer.activation.__name__ for layer in network.layers
                           if isinstance(layer, keras.layers.Activation)},
        }  # fmt: skip
    base = found.pop("cffn")
    assert base["phases"] == [(TRIPLET, 5), (CLASSIFIER, 15)] and base["activation"] == {"silu"}
    changed = {name: {key: value for key, value in each.items() if value != base[key]} for name, each in found.items()}
    assert changed == {
        "cffn_no_triplet": {"phases": [(CLASSIFIER, 20)], "loss": []},
        "cffn_phase_2": {"phases": [(CLASSIFIER, 15)], "loss": []},
        "cffn_hard": {"loss": [("BatchHard", True)]},
        "cffn_unsquared": {"loss": [("BatchAll", False)]},
        "cffn_hard_unsquared": {"loss": [("BatchHard", False)]},
        "cffn_3x3": {"kernels": [3]},
        "cffn_relu": {"activation": {"relu"}},
    }


def test_the_story_of_section_5_2(images, recorded, tmp_path):
    """On a tenth of the images: 9 units and one epoch of triplets; 15 units and five; then the schedule and batches of
    128. None has the penalty; the rate stays 1e-4 in the first two."""
    units, phases, late, batch, penalty = {}, {}, {}, {}, {}
    for name in ("story_first", "story_units", "story_schedule"):
        recorded.clear()
        config = replace(PAPER, batch_size=128)
        assert settings(config, name).training_share == 0.1
        small = replace(settings(config, name), training_share=1.0, batch_size=8)
        network = train.train_model(name, small, set_up("none"), images, None, tmp_path / name, 0, {})[0].network
        units[name] = sum(layer.name.endswith("_second_norm") for layer in network.layers)
        phases[name] = [(call["phase"], call["plan"].epochs) for call in recorded]
        late[name] = recorded[1]["schedule"].rate(CLASSIFIER, 18, [0.9])
        batch[name], penalty[name] = settings(config, name).batch_size, recorded[1]["network"].penalty
    assert list(units.values()) == [18, 30, 30]
    assert list(phases.values()) == [[(TRIPLET, 1), (CLASSIFIER, 5)], *[[(TRIPLET, 5), (CLASSIFIER, 15)]] * 2]
    assert list(late.values()) == [1e-4, 1e-4, 1e-6] and list(batch.values()) == [32, 32, 128]
    assert set(penalty.values()) == {0}


def test_pairs_that_are_told_apart_by_their_distance():
    """Of the encodings 0, 1 (real) and 3, 7 (fake) pairs of one class are 1 and 4 apart, of two 3, 7, 2, 6: in two of
    the eight comparisons, 4 with 3 and 2, the one class is farther apart. Where all are equal it is a toss-up."""
    labels = np.array([0, 0, 1, 1])
    assert train.pair_auc(labels, np.array([[0.0], [1], [3], [7]])) == 6 / 8
    assert train.pair_auc(labels, np.zeros((4, 3))) == 0.5
    assert train.pair_auc(np.ones(4), np.eye(4)) == 0.5


def test_a_share_of_the_training_images_keeps_the_classes(images):
    some = train.training_images(images, replace(CONFIG, training_share=0.25), seed=3)
    assert some["label"].value_counts().to_dict() == {"fake": 6, "real": 6} and set(some["split"]) == {"train"}
    assert len(train.training_images(images, CONFIG, seed=3)) == 48


def test_augmentation_is_mild_and_a_function_of_the_seed():
    image = np.random.default_rng(0).uniform(60, 195, (20, 24, 3)).astype(np.float32)
    several = [train.augment(tf.constant(image), tf.constant([7, place])).numpy() for place in range(30)]
    np.testing.assert_array_equal(several[3], train.augment(tf.constant(image), tf.constant([7, 3])).numpy())
    mirrored = [np.abs(each[:, ::-1] - image).mean() < np.abs(each - image).mean() for each in several]
    assert 5 < sum(mirrored) < 25
    upright = [each[:, ::-1] if flip else each for each, flip in zip(several, mirrored, strict=True)]
    changes = np.array([each.mean() - image.mean() for each in upright])
    assert 8 < np.abs(changes).max() < 0.06 * 255, "brightness, in units of [0, 255]; values above it are cut"
    assert max(np.abs(each - image).max() for each in upright) < 30


@pytest.fixture
def alone(monkeypatch):
    """A function that leaves one of the random changes and returns what it makes of an image under 40 seeds."""
    kinds = ("flip_left_right", "brightness", "contrast", "saturation")

    def changed(image, kept):
        for kind in kinds:
            if kind != kept:
                monkeypatch.setattr(tf.image, f"stateless_random_{kind}", lambda image, *_: image)
        return [train.augment(tf.constant(image), tf.constant([5, place])).numpy() for place in range(40)]

    return changed


def is_five_percent(factors):
    """Whether factors, one an image, lie within 5 % of 1 and use that range."""
    return 0.95 <= min(factors) < 0.97 and 1.03 < max(factors) <= 1.05


def test_contrast_changes_by_five_percent(alone):
    image = np.random.default_rng(0).uniform(60, 195, (20, 24, 3)).astype(np.float32)
    mean = image.mean(axis=(0, 1))
    factors = [(each - mean) / (image - mean) for each in alone(image, "contrast")]
    assert max(np.ptp(np.median(each, axis=(0, 1))) for each in factors) < 1e-3
    assert is_five_percent([np.median(each) for each in factors])


def test_saturation_changes_by_five_percent(alone):
    """By the hexcone model: 1 - min / max of the three channels."""
    image = np.random.default_rng(0).uniform(60, 195, (20, 24, 3)).astype(np.float32)

    def saturation(pixels):
        return 1 - pixels.min(axis=-1) / pixels.max(axis=-1)

    factors = [saturation(each) / saturation(image) for each in alone(image, "saturation")]
    assert max(each.std() for each in factors) < 1e-2 and is_five_percent([np.median(each) for each in factors])


def test_the_evidence_adds_up_to_the_logits():
    """Mean over the map, and the difference of the last biases, is log(p / (1 - p))."""
    keras.utils.set_random_seed(4)
    network = fake_score(networks(72, 0.05, kernels=(3,), added_units=False).classifier)
    network.get_layer("logits").set_weights([np.array([[1.0, -2], [0.5, 3]]), np.array([0.3, -0.4])])
    pixels = np.random.default_rng(1).integers(0, 256, (3, 72, 72, 3)).astype(np.uint8)
    maps = evidence(network, pixels)
    scores = network.predict(pixels, verbose=0)[:, 0].astype(float)
    assert maps.shape == (3, 4, 4) and maps.std() > 0 and FAKE == 1
    np.testing.assert_allclose(maps.mean(axis=(1, 2)) - 0.7, np.log(scores / (1 - scores)), atol=1e-4)
