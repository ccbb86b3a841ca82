"""The preset `paper` has what the paper prints: each setting is read from the published numbers or quoted here.

[code] is the authors' notebook, RashmiD25/DeepFake_Detection.
"""

import re
from dataclasses import fields, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from common.data.pipeline import Images
from common.losses import SemiHard
from common.networks.weights import FACENET_FILE
from common.runs.options import RunOptions
from common.training.distribution import set_up
from common.training.supervised import Training
from data_prep.layouts.item import Item
from data_prep.preparation.selection import Selection
from reproductions.facenet_embeddings import augmentation, model, phase1, phase2
from reproductions.facenet_embeddings.config import LSTM, PAPER_FAKES, PAPER_FRAMES, PRESETS, TRIALS, XCEPTION
from reproductions.facenet_embeddings.nadam import ScheduledNadam
from results.tables import read_published

PAPER = PRESETS["paper"]
README = Path(model.__file__).with_name("README.md")
ROWS = {  # training: its row of Tables I and III
    "trial1": [("Table I", "trial 1")],
    "trial2": [("Table I", "trial 2"), ("Table III", "XceptionNet")],
    "trial3": [("Table I", "trial 3")],
    LSTM: [("Table III", "LSTM + frames")],
    "xception_30k": [("Table III", "XceptionNet, v1 + v2")],
}


@pytest.fixture(scope="module")
def published():
    """{(table, row, metric): value} of all numbers, and under `n of METRIC` of how many videos."""
    rows = read_published("facenet_embeddings").set_index(["table", "row", "metric"])
    n = {(table, row, "n of " + metric): number for (table, row, metric), number in rows["n"].dropna().items()}
    return rows["value"].to_dict() | n


def test_every_field_of_the_preset_is_what_the_paper_or_its_code_says(published):
    frames = 30_114  # [code]: 27,102 train; of 3,012 others 1,000 validate
    assert PAPER.split == pytest.approx((27_102 / frames, 1_000 / frames, 2_012 / frames), abs=1e-4)
    assert frames == PAPER_FRAMES and PAPER_FAKES == 16_375
    expected = {
        "phase1": tuple(TRIALS),
        "phase1_protocols": "all",
        "phase1_epochs": None,  # of Tables I and III
        "phase1_frames": None,
        "phase1_batch_size": published["Table I", "trial 1", "batch_size"],
        "phase1_size": 160,
        "phase1_validation": published["text", "Phase I", "validation_share"],
        "augment": True,  # Sec. VIII: "We applied rotation, zoom, flip and width and height shift"
        "lstm_units": 256,
        "embedder": "auto",
        "facenet_weights": "download",
        "image_size": 160,  # [code]
        "embedding_batch": 64,
        "epochs": published["text", "Phase II", "epochs"],
        "batch_size": published["text", "Phase II", "batch_size"],
        "learning_rate": published["text", "Phase II", "learning_rate"],
        "margin": 1.0,  # [code]
        "dropouts": 3,  # [code]
        "keep": "last",  # [code]
        "split": PAPER.split,
        "table2_videos": published["Table II", "Triplets + SGD", "n of recall"],  # 12 fake videos
        "folds": None,
        "synthetic_videos": 60,
        "synthetic_frames": 8,
    }
    own = {field.name for field in fields(PAPER)} - {field.name for field in fields(RunOptions)} | {"epochs"}
    assert {name: getattr(PAPER, name) for name in own} == expected
    assert FACENET_FILE.name == "20180402-114759-weights.h5"  # [code]


@pytest.mark.parametrize("trial", TRIALS)
def test_each_training_of_phase_1_has_the_settings_of_its_rows(trial, published):
    for row in ROWS[trial]:
        assert TRIALS[trial].learning_rate == published[*row, "learning_rate"]
        assert TRIALS[trial].epochs == published[*row, "epochs"]
        assert PAPER.phase1_batch_size == published[*row, "batch_size"]
    frames = published.get((*ROWS["trial2" if trial in ("trial1", "trial3") else trial][-1], "frames"))
    assert TRIALS[trial].frames == frames  # Table I does not print them: as of Table III's first row
    assert TRIALS[trial].both == (trial == "xception_30k")  # Table III: "CELEB DF+CELEB DF v2"
    assert {*ROWS} == {*TRIALS} == {*XCEPTION, LSTM}


@pytest.fixture
def trainings(monkeypatch):
    """What would be trained: (network, batches, plan) each."""
    captured = []

    def fit(self, network, batches, validate, plan):
        captured.append((network, batches, plan))
        return pd.DataFrame({"epoch": [1], "val_accuracy": [0.5]}), ["kept"]

    monkeypatch.setattr(Training, "fit", fit)
    return captured


@pytest.fixture
def training(tmp_path):
    return Training(set_up("none"), tmp_path, seed=3)


def assert_section_8(network, rate):
    """Sec. VIII: "Nadam optimizer was used", "beta1 was 0.9, beta2 was 0.999, epsilon was 1e-08 with schedule decay of
    0.004. Categorical cross entropy loss function was used"; ours takes class numbers instead of pairs.
    """
    optimizer = network.optimizer
    assert type(optimizer) is ScheduledNadam and float(optimizer.learning_rate) == pytest.approx(rate)
    numbers = optimizer.beta_1, optimizer.beta_2, optimizer.epsilon, optimizer.schedule_decay
    assert numbers == (0.9, 0.999, 1e-8, 0.004)
    assert type(network.loss) is keras.losses.SparseCategoricalCrossentropy and not network.loss.from_logits


@pytest.mark.parametrize("trial", XCEPTION)
def test_xception_is_compiled_and_fed_as_section_8_says(trial, clips, published, monkeypatch, trainings, training):
    def tiny(image_size, weights, synchronized):
        image = keras.Input((image_size, image_size, 3))
        return keras.Model(image, keras.layers.Dense(2, "softmax")(keras.layers.GlobalAveragePooling2D()(image)))

    asked = []
    monkeypatch.setattr(model, "xception", tiny)
    monkeypatch.setattr(Images, "training_batches", lambda self, *arguments: asked.append(arguments))
    images = clips.assign(split="train")
    phase1.train_xception(trial, images, replace(PAPER, phase1_size=16), None, ("none", []), training)
    ((network, batches, plan),) = trainings
    assert_section_8(network, published[*ROWS[trial][0], "learning_rate"])
    assert plan.epochs == published[*ROWS[trial][0], "epochs"] and plan.monitor == "val_accuracy"
    batches(5)
    assert asked == [(published[*ROWS[trial][0], "batch_size"], 3, 5, augmentation.augment)]


def test_the_lstm_is_compiled_as_section_8_says(clips, published, monkeypatch, trainings, training):
    monkeypatch.setattr(phase1, "predict", lambda network, batches, count: np.ones((count, 512), np.float32))
    monkeypatch.setattr(model, "frame_embedder", lambda network: network)
    images = clips.assign(split=np.resize(["train", "train", "val", "val"], len(clips)))
    phase1.train_lstm(None, images, PAPER, training)
    ((network, _, plan),) = trainings
    row = ROWS[LSTM][0]
    assert_section_8(network, published[*row, "learning_rate"])
    assert plan.epochs == published[*row, "epochs"]
    assert [layer.units for layer in network.layers if isinstance(layer, keras.layers.LSTM)] == [256]


def test_xceptions_head_is_that_of_section_8(monkeypatch):
    """ "a maxpooling layer followed by the a fully connected layer with 512 neurons followed by two dropout layers with
    0.4 and 0.5 values respectively. The last layer was a softmax layer with 2 outputs."
    """
    asked = []

    def backbone(*arguments):
        asked.append(arguments)
        image = keras.Input((80, 80, 3))
        return keras.Model(image, keras.layers.Conv2D(4, 3)(image))

    monkeypatch.setattr(model, "backbone", backbone)
    *_, pool, dense, first, second, softmax = model.xception(80, "imagenet").layers
    assert asked == [("xception", (80, 80, 3), "imagenet", False)]
    assert type(pool) is keras.layers.GlobalMaxPooling2D
    assert (dense.units, dense.activation.__name__) == (512, "relu")
    assert (type(first), first.rate, type(second), second.rate) == (
        keras.layers.Dropout,
        0.4,
        keras.layers.Dropout,
        0.5,
    )
    assert (softmax.units, softmax.activation.__name__) == (2, "softmax")


def test_the_base_network_is_compiled_and_fed_as_section_8_says(blobs, published, trainings, training):
    """ "three fully connected layers of size 256, 256 and 128", "0.1 as values of the drop out parameter", "an
    embedding vector of size 64", "semi-hard triplets", "Adam optimizer"; [code]: margin 1, three dropouts, 238,272
    parameters.
    """
    parts = {"train": blobs(80), "val": blobs(8)}
    _, base, _, _ = phase2.train_base(parts, PAPER, None, training)
    ((network, batches, plan),) = trainings
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    assert network is base and network.count_params() == 238_272
    assert [(layer.units, layer.activation.__name__) for layer in layers] == [
        (256, "relu"), (256, "relu"), (128, "relu"), (64, "linear"),
    ]  # fmt: skip
    assert all(type(layer.kernel_initializer) is keras.initializers.HeUniform for layer in layers[:3])
    assert [layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)] == [0.1] * 3
    optimizer = network.optimizer
    assert type(optimizer) is keras.optimizers.Adam
    assert float(optimizer.learning_rate) == pytest.approx(published["text", "Phase II", "learning_rate"])
    assert (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == (0.9, 0.999, 1e-7)
    assert type(network.loss) is SemiHard and network.loss.margin == 1.0
    assert plan.epochs == published["text", "Phase II", "epochs"] and plan.monitor == "epoch"  # [code]: the last
    (embeddings, _), *_ = batches(0)
    assert len(embeddings) == published["text", "Phase II", "batch_size"]


def test_the_classifiers_are_those_of_the_notebook():
    """Sec. VIII: "ML classifiers SGD and Random Forest"; [code]: their parameters, and the others'."""
    found = model.classifiers(seed=0)
    sgd, forest = found["sgd"], found["random_forest"]
    assert (sgd.loss, sgd.max_iter, sgd.tol) == ("log_loss", 50, None) and forest.n_estimators == 100
    assert found["k_neighbours"].n_neighbors == 10 and found["perceptron"].max_iter == 15
    assert list(found) == [
        "sgd", "random_forest", "logistic_regression", "k_neighbours", "perceptron", "decision_tree",
    ]  # fmt: skip


def test_the_augmentation_has_its_ranges(monkeypatch):
    """Sec. VIII names rotation, zoom, flip and shifts; the ranges are ours: 15 degrees, 20 %, half, 10 %."""
    turns, shifts = [], []

    def affine_matrices(size, *numbers):
        turns.extend(np.transpose([np.asarray(number, float) for number in numbers]))
        return tf.zeros((200, 6))

    monkeypatch.setattr(augmentation, "affine_matrices", affine_matrices)
    monkeypatch.setattr(augmentation, "transform", lambda images, _, pixels: shifts.extend(pixels.numpy()) or images)
    augmentation.augment(tf.zeros((200, 100, 100, 3)), tf.constant([[seed, 0] for seed in range(200)]))
    degrees, zoom, flip = np.array(turns).T
    for values, most in ((degrees, 15), (zoom - 1, 0.2), (np.array(shifts), 10)):
        assert 0.9 * most <= values.max() <= most * 1.0001 and -most * 1.0001 <= values.min() <= -0.9 * most
    assert 0.4 < flip.mean() < 0.6


def test_xception_is_pretrained_and_facenet_is_asked_for():
    """Sec. VIII: "We used pretrained weights of Xception Net", "the pretrained weights of FaceNet"."""
    assert (PAPER.imagenet_weights, PAPER.facenet_weights, PAPER.embedder) == ("imagenet", "download", "auto")


def test_the_readmes_commands_take_the_authors_videos():
    """The authors' list: 16,375 fake and 13,739 real frames, 25 a video: 655 and 550 videos of v1 and v2."""
    v1, v2 = raw_items(158, 250, 795), raw_items(590, 300, 5639)
    texts = re.findall(r"python -m data_prep celebdf Celeb-DF.*?(?=\n    python)", README.read_text(), re.DOTALL)
    taken = []
    for text, items in zip(texts, (v1, v2), strict=True):
        assert "--first 25" in text
        flags = dict(re.findall(r"--(videos-per-class|fakes-per-real) (\S+)", text))
        fakes_per_real = float(flags["fakes-per-real"]) if "fakes-per-real" in flags else None
        taken += Selection(int(flags["videos-per-class"]), fakes_per_real).choose(items)
    labels = [item.label for item in taken]
    assert (labels.count("fake"), labels.count("real")) == (655, 550) == (PAPER_FAKES // 25, 13_739 // 25 + 1)
    assert 25 * len(taken) == pytest.approx(PAPER_FRAMES, rel=1e-3)


def raw_items(celebrities, youtube, fakes):
    """Return Items of as many videos as Celeb-DF's authors publish."""
    real = [f"Celeb-real/{number}" for number in range(celebrities)]
    real += [f"YouTube-real/{number}" for number in range(youtube)]
    items = [Item(f"{name}.mp4", "real", "any", name) for name in real]
    names = [f"Celeb-synthesis/{number}" for number in range(fakes)]
    return items + [Item(f"{name}.mp4", "fake", "any", name) for name in names]
