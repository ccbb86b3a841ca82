"""The preset `paper` has what the paper prints: each setting is read from the published numbers or quoted here."""

from dataclasses import fields, replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.losses import BatchAll, BatchHard
from common.runs.options import RunOptions
from common.training.distribution import set_up
from common.training.supervised import Training
from reproductions.cffn_resnet import method, model, sizes
from reproductions.cffn_resnet.config import MODELS, PAPER_FAKE_SHARE, PAPER_IMAGES, PRESETS, config_of
from reproductions.cffn_resnet.phases import CLASSIFIER, TRIPLET, Schedule
from results.tables import read_published

PAPER = PRESETS["paper"]
NARROW = replace(PAPER, image_size=64, width=1 / 32)  # what is compiled does not depend on them
CODE = "the author's code, osalpekar/DeepFake-Detection"


@pytest.fixture(scope="module")
def published():
    """{(row, metric): value} of the numbers in the text."""
    rows = read_published("cffn_resnet")
    text = rows[rows["table"] == "text"]
    return dict(zip(zip(text["row"], text["metric"], strict=True), text["value"], strict=True))


def test_every_field_of_the_preset_is_what_the_paper_or_its_code_says(published):
    expected = {
        "models": ("cffn", "cffn_no_triplet"),
        "epochs": published["training", "phase_2_epochs"],
        "triplet_epochs": published["training", "phase_1_epochs"],
        "phase_1": "triplet",  # Sec. 5.1: "Phase-1 Training (CFFN as a Siamese Network)"
        "mining": "all",  # Sec. 4: "We choose all possible triplets per batch"
        "squared": True,  # eq. (1): ||f(A) - f(P)||_2^2
        "margin": 0.8,  # Sec. 5.1: "a margin of 0.8 for the triplet loss function"
        "penalty": 0.001,  # Sec. 5.1: "regularization of 0.001 for the cross-entropy loss function"
        "batch_size": published["training", "batch_size"],
        "fake_share": None,  # the data's own
        "learning_rate": 1e-4,  # Sec. 5.1: "started at 1e-4 and divided by 10 until 1e-6"
        "classifier_learning_rate": 1e-5,
        "last_learning_rate": 1e-6,
        "last_after": published["training", "schedule_epochs"],
        "last_accuracy": published["training", "schedule_accuracy"],
        "stop_accuracy": published["training", "stopping_accuracy"],
        "stop_after": 15,  # CODE
        "schedule": True,
        "monitor": "val_accuracy",
        "image_size": 224,  # Sec. 3: "resized to (224x224) pixels"
        "width": 1.0,
        "kernels": (3, 5),  # Sec. 5.1: "two separate Dense Residual Blocks with filter sizes of 3 and 5"
        "activation": "swish",  # Sec. 5.1, eq. (2)
        "initializer": "he",
        "added_units": True,  # Sec. 5.1: "12 additional residual units"
        "augmentation": True,  # Sec. 3: "mirrored or transformed (in brightness, contrast, and saturation) at random"
        "training_share": 1.0,
        "epochs_divided_by": 1,
        "split": (0.9, 0.05, 0.05),
        "saliency_images": 4,
        "synthetic_images": 480,
        "synthetic_frames": 2,
    }
    own = {field.name for field in fields(PAPER)} - {field.name for field in fields(RunOptions)} | {"epochs"}
    assert {name: getattr(PAPER, name) for name in own} == expected
    assert published["training set", "images"] == PAPER_IMAGES
    assert published["validation set", "fake_share"] == PAPER_FAKE_SHARE


def test_the_learning_rate_falls_as_section_5_1_says(published):
    """1e-4 for the 5 epochs of phase 1, 1e-5 until 16 epochs are trained or 89 % are reached, 1e-6 from then on."""
    schedule = Schedule.from_config(PAPER)
    first, total = int(published["training", "phase_1_epochs"]), int(published["training", "phase_2_epochs"]) + 5
    last = int(published["training", "schedule_epochs"])
    phases = [TRIPLET] * first + [CLASSIFIER] * (total - first)
    rates = [schedule.rate(phase, epoch) for epoch, phase in enumerate(phases)]
    assert rates == [1e-4] * first + [1e-5] * (last - first) + [1e-6] * (total - last)
    reached, below = published["training", "schedule_accuracy"], published["training", "schedule_accuracy"] - 1e-6
    assert schedule.rate(CLASSIFIER, 8, [0.5, reached]) == 1e-6 and schedule.rate(CLASSIFIER, 8, [below]) == 1e-5
    stop = published["training", "stopping_accuracy"]
    assert schedule.is_over(CLASSIFIER, 15, [stop]) and not schedule.is_over(CLASSIFIER, 15, [stop - 1e-6])
    assert not schedule.is_over(CLASSIFIER, 14, [stop])  # CODE


@pytest.fixture
def trained(short_towers, monkeypatch, tmp_path):
    """A function (model) -> {phase: (phase, compiled network)} of what would be trained."""

    def run(name):
        captured = {}

        def capture(self, phase, network, validate):
            captured[phase.name] = (phase, network)

        config = config_of(name, NARROW)
        networks = model.build_networks(config)
        monkeypatch.setattr(method.TwoPhaseTraining, "_fit", capture)
        training = Training(set_up("none"), tmp_path / name)
        phases = method.TwoPhaseTraining(config, None, SimpleNamespace(labels=np.array([0, 1])), training)
        if phases.has_triplets:
            phases.train_encoder(networks)
        phases.train_classifier(networks, model.fake_score(networks.classifier))
        return captured

    return run


ALL, HARD = (BatchAll, "squared"), (BatchHard, "squared")
LOSSES = {  # the loss of phase 1 and its distances; None: there is no triplet loss
    "cffn": ALL, "cffn_no_triplet": None, "cffn_phase_2": None, "cffn_hard": HARD,
    "cffn_unsquared": (BatchAll, "euclidean"), "cffn_hard_unsquared": (BatchHard, "euclidean"), "cffn_3x3": ALL,
    "cffn_relu": ALL, "story_first": ALL, "story_units": ALL, "story_schedule": ALL,
}  # fmt: skip


def test_every_model_has_an_expected_loss():
    assert set(LOSSES) == set(MODELS)


@pytest.mark.parametrize("name", ["cffn", "cffn_no_triplet", "cffn_hard_unsquared"])
def test_each_phase_is_compiled_as_the_paper_says(name, trained, published):
    phases = trained(name)
    loss, epochs = LOSSES[name], int(published["training", "phase_1_epochs"])
    assert (TRIPLET in phases) == (loss is not None)
    if loss:
        phase, encoder = phases[TRIPLET]
        assert type(encoder.loss) is loss[0] and (encoder.loss.margin, encoder.loss.distance) == (0.8, loss[1])
        assert phase.plan.epochs == epochs
        if loss[0] is BatchAll:
            assert encoder.loss.mean_over == "all"  # eq. (1) over all triplets of the batch
    phase, whole = phases[CLASSIFIER]
    assert type(whole.loss) is keras.losses.SparseCategoricalCrossentropy and whole.loss.from_logits
    assert phase.plan.epochs == int(published["training", "phase_2_epochs"]) + (0 if loss else epochs)
    assert phase.plan.monitor == "val_accuracy" and whole.penalty == 0.001
    for _, network in phases.values():  # Sec. 5.1: "Both phases used the Adam Optimizer"
        optimizer = network.optimizer
        assert type(optimizer) is keras.optimizers.Adam
        assert (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == (0.9, 0.999, 1e-7)  # its defaults, CODE


@pytest.mark.parametrize("name", MODELS)
def test_each_models_triplet_loss(name):
    config = config_of(name, PAPER)
    has_triplets = config.phase_1 == "triplet" and config.triplet_epochs > 0
    assert has_triplets == (LOSSES[name] is not None)
    if has_triplets:
        loss = method.triplet_loss(config.mining, config.margin, config.squared)
        assert (type(loss), loss.distance, loss.margin) == (*LOSSES[name], 0.8)


def test_the_earlier_models_are_those_of_section_5_2(published):
    """ "10GB slice (with around 10K images)"; "previously only trained for one epoch"; then the schedule and 128."""
    share = 10_000 / published["training set", "images"]
    first, units, schedule = (config_of(f"story_{name}", PAPER) for name in ("first", "units", "schedule"))
    assert first.training_share == units.training_share == schedule.training_share == share
    assert (first.triplet_epochs, units.triplet_epochs) == (1, published["training", "phase_1_epochs"])
    assert (first.added_units, units.added_units, schedule.added_units) == (False, True, True)
    assert (first.schedule, units.schedule, schedule.schedule) == (False, False, True)
    assert (first.penalty, units.penalty, schedule.penalty) == (None, None, None)  # "We first added regularization"
    assert (units.batch_size, schedule.batch_size) == (32, published["training", "batch_size"])


def test_batches_have_128_augmented_images(tmp_path, published):
    asked = []
    train = SimpleNamespace(training_batches=lambda *arguments: asked.append(arguments))
    training = Training(set_up("none"), tmp_path, seed=4)
    method.TwoPhaseTraining(PAPER, train, None, training)._batches(7)
    assert asked == [(published["training", "batch_size"], 4, 7, method.augment, None)]


def test_the_augmentation_has_the_ranges_of_section_3_and_the_code(monkeypatch):
    """Mirroring; brightness by 0.05 of the range, contrast and saturation within 5 %: CODE."""
    asked, plain = {}, tf.image

    def recorder(name):
        def record(image, *arguments, **options):
            asked[name] = arguments[:-1]  # the last is the seed
            return getattr(plain, name)(image, *arguments, **options)

        return record

    names = ["flip_left_right", "brightness", "contrast", "saturation"]
    names = [f"stateless_random_{name}" for name in names]
    fake = SimpleNamespace(**{name: recorder(name) for name in names})
    monkeypatch.setattr(method, "tf", SimpleNamespace(image=fake, random=tf.random, clip_by_value=tf.clip_by_value))
    image = np.random.default_rng(0).uniform(50, 200, (8, 8, 3)).astype(np.float32)
    changed = method.augment(tf.constant(image)[None], tf.constant([[1, 2]])).numpy()[0]
    assert asked == dict(zip(names, [(), (0.05,), (0.95, 1.05), (0.95, 1.05)], strict=True))
    assert 0 < np.abs(np.sort(changed.ravel()) - np.sort(image.ravel())).max() < 0.2 * 255


def test_the_network_has_the_counts_of_section_5_1(published):
    """Figure 2: stages of 64, 96, 128 and 256 channels; 36,284,680 parameters, counted from Figures 1 and 2."""
    networks = model.build_networks(PAPER)
    counts = sizes.count_units(networks.classifier, PAPER)
    assert counts == {name: published["network", name] for name in counts} and len(counts) == 4
    assert tuple(channels for channels, _ in model.STAGES) == (64, 96, 128, 256)
    assert networks.encoder.input_shape == (None, 224, 224, 3) and networks.encoder.output_shape == (None, 128)
    learnt = {id(weight): weight for network in networks for weight in network.trainable_weights}
    assert sum(int(np.prod(weight.shape)) for weight in learnt.values()) == 36_284_680
    activations = {layer.activation.__name__ for layer in networks.classifier.layers if "swish" in layer.name}
    assert activations == {"silu"}  # eq. (2), x sigmoid(x)
