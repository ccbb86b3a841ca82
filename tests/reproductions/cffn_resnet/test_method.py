"""What each model trains with, killed trainings, and augmentation."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from common.data.datasets import open_dataset
from common.training.distribution import set_up
from common.training.supervised import Training
from reproductions.cffn_resnet import method
from reproductions.cffn_resnet.config import MODELS, PRESETS, config_of
from reproductions.cffn_resnet.phases import CLASSIFIER, TRIPLET
from reproductions.cffn_resnet.sampling import scored_images, training_images

CONFIG = replace(PRESETS["smoke"], triplet_epochs=2)
PAPER = replace(PRESETS["paper"], image_size=40, width=0.05, batch_size=8)


@pytest.fixture
def images(make_prepared, tmp_path):
    """40 fakes and 40 reals in clips of four; 16 of each are for validation."""
    dataset = open_dataset("dfdc", make_prepared(tmp_path / "data", per_class=40, size=40, clips=True))
    number = dataset.images["path"].str.extract(r"(\d{4})")[0].astype(int)
    return dataset.images.assign(split=np.where(number < 24, "train", "val"))


@pytest.fixture
def train(images, tmp_path):
    """A function that trains a model in a folder and returns its detector, history, steps and notes."""

    def run(folder="state", config=CONFIG, name="cffn", weights=None):
        training = Training(set_up("none"), tmp_path / folder)
        result = method.train_model(name, config_of(name, config), images, weights, training)
        return SimpleNamespace(**dict(zip(("detector", "history", "steps", "notes"), result, strict=True)))

    return run


@pytest.mark.slow
def test_a_killed_training_resumes_in_its_phase(short_towers, train, monkeypatch):
    """Epochs 1 and 2 are phase 1, 3 and 4 are phase 2. An epoch that is killed before it is saved is trained again."""
    whole = train("whole")
    write, epochs = method.StepValues.on_epoch_end, []

    def die(callback, epoch, logs=None):
        write(callback, epoch, logs)
        epochs.append(epoch)
        if len(epochs) in (1, 4):  # the first epoch of each phase
            raise KeyboardInterrupt

    monkeypatch.setattr(method.StepValues, "on_epoch_end", die)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train("killed")
    resumed = train("killed")
    assert epochs == [0, 0, 1, 0, 0, 1]
    columns = ["phase", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "val_auc", "learning_rate"]
    pd.testing.assert_frame_equal(whole.history[columns], resumed.history[columns], rtol=1e-3)
    pd.testing.assert_frame_equal(whole.steps, resumed.steps, rtol=1e-3)
    assert whole.notes == resumed.notes
    weights = [result.detector.network.get_weights() for result in (whole, resumed)]
    for left, right in zip(*weights, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-4)


@pytest.fixture
def recorded(monkeypatch):
    """What each phase would be trained with; nothing is trained."""
    calls = []

    def record(phase, network, batches, validate, training, callbacks):
        calls.append(
            SimpleNamespace(phase=phase, network=network, batch=next(iter(batches(0))), folder=training.folder)
        )
        pd.DataFrame({"epoch": [1], "step": [1], "loss": [1.0]}).to_csv(_folder_of(callbacks[0].path), index=False)
        history = pd.DataFrame({"epoch": range(1, phase.plan.epochs + 1), phase.plan.monitor: 0.5})
        return history, [f"epoch 1 of {phase.plan.epochs} by {phase.plan.monitor}", "batch-normalisation momentum 0.50"]

    monkeypatch.setattr(method, "fit_under_schedule", record)
    return calls


def _folder_of(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def phases_of(calls):
    return [(call.phase.name, call.phase.plan.epochs) for call in calls]


def test_the_proposal_trains_as_the_paper_says(short_towers, train, recorded):
    result = train(config=PAPER)
    first, second = recorded
    assert phases_of(recorded) == [(TRIPLET, 5), (CLASSIFIER, 15)]
    assert (first.phase.epochs_before, second.phase.epochs_before) == (0, 5)
    loss = first.network.loss
    assert (type(loss).__name__, loss.margin, loss.distance, loss.mean_over) == ("BatchAll", 0.8, "squared", "all")
    assert second.network.penalty == 0.001 and first.phase.plan.monitor == "val_auc"
    schedule = first.phase.schedule
    rates = [schedule.rate(TRIPLET, 0), schedule.rate(CLASSIFIER, 5), schedule.rate(CLASSIFIER, 16)]
    assert rates == [1e-4, 1e-5, 1e-6] and schedule.is_over(CLASSIFIER, 15, [0.94])
    assert not np.allclose(first.batch[0], second.batch[0]), "phase 2 starts with an order of its own"
    assert (first.folder.name, second.folder.name) == ("triplet", "classifier")
    assert result.notes == [
        "width 0.05", "images of 40 px", "batches of 8, triplets are mined in them",
        "phase 1: epoch 1 of 5 by val_auc 0.500 of pairs", "batch-normalisation momentum 0.50",
        "phase 2: epoch 1 of 15 by val_accuracy",
    ]  # fmt: skip


@pytest.mark.slow
def test_each_ablation_changes_one_thing(short_towers, train, recorded):
    properties = {}
    for name in MODELS:
        if name.startswith("story"):
            continue
        recorded.clear()
        layers = train(name, PAPER, name).detector.network.layers
        losses = [call.network.loss for call in recorded if call.phase.name == TRIPLET]
        convolutions = [layer for layer in layers if "unit" in layer.name and isinstance(layer, keras.layers.Conv2D)]
        activations = [layer.activation for layer in layers if isinstance(layer, keras.layers.Activation)]
        properties[name] = {
            "phases": phases_of(recorded),
            "loss": [(type(loss).__name__, loss.distance) for loss in losses],
            "kernels": sorted({layer.kernel_size[0] for layer in convolutions}),
            "activation": {activation.__name__ for activation in activations},
        }
    base = properties.pop("cffn")
    assert base["phases"] == [(TRIPLET, 5), (CLASSIFIER, 15)] and base["activation"] == {"silu"}
    changes = {
        name: {key: value for key, value in own.items() if value != base[key]} for name, own in properties.items()
    }
    assert changes == {
        "cffn_no_triplet": {"phases": [(CLASSIFIER, 20)], "loss": []},
        "cffn_phase_2": {"phases": [(CLASSIFIER, 15)], "loss": []},
        "cffn_hard": {"loss": [("BatchHard", "squared")]},
        "cffn_unsquared": {"loss": [("BatchAll", "euclidean")]},
        "cffn_hard_unsquared": {"loss": [("BatchHard", "euclidean")]},
        "cffn_3x3": {"kernels": [3]},
        "cffn_relu": {"activation": {"relu"}},
    }


@pytest.mark.slow
def test_the_early_models_of_section_5_2(images, recorded, tmp_path):
    """On a tenth of the images: 9 units and one epoch of triplets; 15 units and five; then the schedule and batches of
    128. None has the penalty; the learning rate stays 1e-4 in the first two."""
    units, phases, late_rates, batch_sizes, penalties = {}, {}, {}, {}, {}
    for name in ("story_first", "story_units", "story_schedule"):
        recorded.clear()
        config = config_of(name, replace(PAPER, batch_size=128))
        assert config.training_share == 0.1
        small = replace(config, training_share=1.0, batch_size=8)
        training = Training(set_up("none"), tmp_path / name)
        network = method.train_model(name, small, images, None, training)[0].network
        units[name] = sum(layer.name.endswith("_second_norm") for layer in network.layers)
        phases[name] = phases_of(recorded)
        late_rates[name] = recorded[1].phase.schedule.rate(CLASSIFIER, 18, [0.9])
        batch_sizes[name], penalties[name] = config.batch_size, recorded[1].network.penalty
    assert list(units.values()) == [18, 30, 30]
    assert list(phases.values()) == [[(TRIPLET, 1), (CLASSIFIER, 5)], *[[(TRIPLET, 5), (CLASSIFIER, 15)]] * 2]
    assert list(late_rates.values()) == [1e-4, 1e-4, 1e-6] and list(batch_sizes.values()) == [32, 32, 128]
    assert set(penalties.values()) == {0}


def test_pair_auc_compares_distances_within_and_between_classes():
    """Of the encodings 0, 1 (real) and 3, 7 (fake), pairs of one class are 1 and 4 apart, pairs of two 3, 7, 2, 6: in
    two of the eight comparisons, 4 with 3 and 2, the pair of one class is farther apart. Equal distances give 0.5."""
    labels = np.array([0, 0, 1, 1])
    assert method.pair_auc(labels, np.array([[0.0], [1], [3], [7]])) == 6 / 8
    assert method.pair_auc(labels, np.zeros((4, 3))) == 0.5
    assert method.pair_auc(np.ones(4), np.eye(4)) == 0.5


def test_a_share_of_the_training_images_keeps_the_classes(images):
    sample = training_images(images, replace(CONFIG, training_share=0.25), seed=3)
    assert sample["label"].value_counts().to_dict() == {"fake": 6, "real": 6} and set(sample["split"]) == {"train"}
    assert len(training_images(images, CONFIG, seed=3)) == 48


def test_scored_are_validation_test_and_the_images_that_were_trained_on(images):
    quarter = replace(CONFIG, training_share=0.25)
    scored = scored_images(images, quarter, seed=3)
    assert scored["split"].value_counts().to_dict() == {"val": 32, "train": 12}
    trained = training_images(images, quarter, seed=3)
    assert set(scored.loc[scored["split"] == "train", "path"]) == set(trained["path"])
    assert set(scored_images(images, replace(quarter, epochs=0), seed=3)["split"]) == {"val"}


def test_values_of_steps_may_come_late_and_in_any_order(tmp_path):
    """Keras fetches them from the device in threads; a checkpoint waits for those of the steps before it."""
    values = method.StepValues(tmp_path / "steps.csv")
    values.on_epoch_begin(0)
    values.set_state([{"loss": 4.0}])
    late = [threading.Timer(0.2 * (2 - batch), values.on_train_batch_end, (batch, {"loss": 2.0})) for batch in (0, 1)]
    for batch in range(3):
        values.on_train_batch_begin(batch)
    for timer in late:
        timer.start()
    assert values.get_state() == [{"loss": 4.0}, {"loss": 2.0}, {"loss": 2.0}]
    values.on_train_batch_end(2, {"loss": 1.0})
    values.on_epoch_end(0)
    steps = pd.read_csv(tmp_path / "steps.csv")
    assert steps["step"].to_list() == [1, 2, 3, 4] and steps["loss"].to_list() == [4.0, 0.0, 2.0, -2.0]


def test_augmentation_is_mild_and_a_function_of_the_seed():
    image = np.random.default_rng(0).uniform(60, 195, (20, 24, 3)).astype(np.float32)
    seeds = tf.constant([[7, place] for place in range(30)])
    augmented = list(method.augment(tf.tile(image[None], (30, 1, 1, 1)), seeds).numpy())
    np.testing.assert_array_equal(augmented[3], method.augment(tf.constant(image)[None], seeds[3:4]).numpy()[0])
    mirrored = [np.abs(other[:, ::-1] - image).mean() < np.abs(other - image).mean() for other in augmented]
    assert 5 < sum(mirrored) < 25
    upright = [other[:, ::-1] if flip else other for other, flip in zip(augmented, mirrored, strict=True)]
    changes = np.array([other.mean() - image.mean() for other in upright])
    assert 8 < np.abs(changes).max() < 0.06 * 255, "brightness, in units of [0, 255]; values above it are cut"
    assert max(np.abs(other - image).max() for other in upright) < 30


@pytest.fixture
def augmented_by(monkeypatch):
    """A function that leaves one of the random changes and returns an image under 40 seeds of it."""
    kinds = ("flip_left_right", "brightness", "contrast", "saturation")

    def augment(image, kept):
        for kind in kinds:
            if kind != kept:
                monkeypatch.setattr(tf.image, f"stateless_random_{kind}", lambda image, *_: image)
        seeds = tf.constant([[5, place] for place in range(40)])
        return list(method.augment(tf.tile(image[None], (40, 1, 1, 1)), seeds).numpy())

    return augment


def are_within_five_percent(factors):
    """Return whether factors, one for each image, are within 5 % of 1 and use that range."""
    return 0.95 <= min(factors) < 0.97 and 1.03 < max(factors) <= 1.05


def test_contrast_changes_by_five_percent(augmented_by):
    image = np.random.default_rng(0).uniform(60, 195, (20, 24, 3)).astype(np.float32)
    mean = image.mean(axis=(0, 1))
    factors = [(other - mean) / (image - mean) for other in augmented_by(image, "contrast")]
    assert max(np.ptp(np.median(factor, axis=(0, 1))) for factor in factors) < 1e-3
    assert are_within_five_percent([np.median(factor) for factor in factors])


def test_saturation_changes_by_five_percent(augmented_by):
    """In the hexcone model: 1 - min / max of the three channels."""
    image = np.random.default_rng(0).uniform(60, 195, (20, 24, 3)).astype(np.float32)

    def saturation(pixels):
        return 1 - pixels.min(axis=-1) / pixels.max(axis=-1)

    factors = [saturation(other) / saturation(image) for other in augmented_by(image, "saturation")]
    assert max(factor.std() for factor in factors) < 1e-2
    assert are_within_five_percent([np.median(factor) for factor in factors])
