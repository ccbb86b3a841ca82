"""The preset `paper` held against what the paper prints: results/published and the sentences quoted here."""

from dataclasses import fields
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.faces.detection import HaarDetector
from common.runs.options import RunOptions
from reproductions.siamese_triplet import config, method, model
from reproductions.siamese_triplet.model import Statistics
from results.tables import read_published

PAPER = config.PRESETS["paper"]
PUBLISHED = {
    (row.table, row.row, row.metric): row.value for row in read_published("siamese_triplet").itertuples(index=False)
}
STATISTICS = Statistics((120.0,) * 3, (60.0,) * 3)
TINY = (27, 0.02)  # image size and width of a network that is only compiled


def test_every_setting_of_the_preset_is_the_papers_or_listed_as_ours():
    printed = {
        "batch_size": PUBLISHED["text", "triplet batch", "batch_size"],  # Sec. 5.5.1
        "margin": PUBLISHED["text", "Loss2", "margin"],  # Sec. 5.5.1: `a constant parameter and set as 0.4`
        "baseline_epochs": PUBLISHED["text", "VGG16 and VGG19", "epochs"],  # Sec. 5.4.1: `in less than 35 epochs`
        "image_size": 128,  # Sec. 4: `re-scaled to 128x128`; Sec. 5.5.1
        "baseline_size": None,  # Sec. 5.4.1: `with 128 x 128 x 3 input`, that of image_size
        "width": 1.0,  # Figure 3
        "cases": ("case1", "case2"),  # Sec. 5.1
        "models": ("siamese", "siamese_loss1", "siamese_loss2", "siamese_resnet50",
                   "vgg16", "vgg19", "resnet50", "inceptionv3", "xception"),
        "imagenet_weights": "imagenet",  # Sec. 5.4.1: `trained with imagenet weights`
    }  # fmt: skip
    ours = {
        "epochs": 30, "patience": 5, "learning_rate": 1e-3, "resnet_learning_rate": 1e-4, "beta_1": 0.9,
        "baseline_learning_rate": 1e-4, "dense_units": 4096, "classifier": "centroid", "validation": 0.1,
        "split": (0.675, 0.075, 0.25), "tsne_images": 900, "synthetic_images": 500,
    }  # fmt: skip
    values = {field.name: getattr(PAPER, field.name) for field in fields(PAPER)}
    assert {name: values[name] for name in printed | ours} == printed | ours
    assert set(values) - set(printed | ours) <= {field.name for field in fields(RunOptions)}, "a field without a source"


def test_numbers_of_images_are_those_of_table_1():
    """Case II is tested on PGAN alone; our further real images are as many as Case I tests on."""
    for case, title in (("case1", "Case I"), ("case2", "Case II")):
        for label, source in (("real", "FFHQ"), ("fake", "StyleGAN")):
            printed = {
                split: PUBLISHED.get(("Table 1", f"{title}: {source}", metric))
                for split, metric in (("train", "training"), ("test", "testing"))
            }
            assert config.COUNTS[case][label] == {split: number for split, number in printed.items() if number}
    assert PUBLISHED["Table 1", "Case II: PGAN", "testing"] == config.UNSEEN_IMAGES
    assert {"case1": {}, "case2": {"real": {"test": PUBLISHED["Table 1", "Case I: FFHQ", "testing"]}}} == config.FURTHER


class Recorder:
    """Stands in for a Training and for its images: records what a network is compiled and trained with."""

    def __init__(self):
        self.strategy, self.seed, self.labels = tf.distribute.get_strategy(), 0, np.array([0, 1] * 40)

    def compile(self, network, optimizer, loss, metrics=()):
        self.optimizer, self.loss = optimizer, loss

    def fit(self, network, batches, validate, plan):
        self.plan = plan
        self.drawn = batches(0)
        return None, []

    def grouped_batches(self, places, batch_size):
        return places, batch_size

    def training_batches(self, *words, **augmentation):
        return words, augmentation


def trained(name, monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(method, "validate_classifier", lambda *_: None)
    parts = {"train": recorder, "val": recorder, "reference": recorder}
    train = method._train_siamese if name in config.SIAMESE else method._train_baseline
    train(name, model.siamese(STATISTICS, *TINY), parts, PAPER, recorder)
    return recorder


def triplets(seed=0):
    vectors = np.random.default_rng(seed).normal(size=(50, 3, 100))
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def loss1(anchor, positive, negative):
    """Eq. 13: max[sum_i ((f_a - f_p)^2 - (f_a - f_n)^2), 0]."""
    return max(sum((a - p) ** 2 - (a - n) ** 2 for a, p, n in zip(anchor, positive, negative, strict=True)), 0)


def loss2(anchor, positive, negative):
    """Eq. 14: the same sum plus the margin, 0.4."""
    total = sum((a - p) ** 2 - (a - n) ** 2 for a, p, n in zip(anchor, positive, negative, strict=True))
    return max(total + 0.4, 0)


def loss3(anchor, positive, negative):
    """Eq. 15: log[1 + exp(sum_i (|f_a - f_p| - |f_a - f_n|))]."""
    return np.log1p(np.exp(sum(abs(a - p) - abs(a - n) for a, p, n in zip(anchor, positive, negative, strict=True))))


@pytest.mark.parametrize(
    ("name", "expected", "rate"),
    [
        ("siamese", loss3, 1e-3),  # Sec. 5.5.1: Loss3 `provides the highest accuracies`, the proposal
        ("siamese_loss1", loss1, 1e-3),
        ("siamese_loss2", loss2, 1e-3),
        ("siamese_resnet50", loss3, 1e-4),
    ],
)
def test_a_siamese_network_trains_with_its_loss_and_adam_of_equations_3_and_4(name, expected, rate, monkeypatch):
    recorder = trained(name, monkeypatch)
    embeddings = triplets()
    values = recorder.loss.call(None, keras.ops.convert_to_tensor(embeddings.astype("float32")))
    np.testing.assert_allclose(values, [expected(*triplet) for triplet in embeddings], rtol=1e-4, atol=1e-5)
    settings = recorder.optimizer.get_config()
    assert type(recorder.optimizer) is keras.optimizers.Adam
    assert settings["learning_rate"] == pytest.approx(rate) and settings["epsilon"] == 1e-8  # `epsilon is set as 10^-8`
    assert (settings["beta_1"], settings["beta_2"]) == (0.9, 0.999)  # both print 0.999: README, difference 3
    assert not settings["amsgrad"] and settings["weight_decay"] is None and settings["clipnorm"] is None
    places, batch_size = recorder.drawn
    assert batch_size == PUBLISHED["text", "triplet batch", "batch_size"]
    anchor, positive, negative = recorder.labels[places.T]
    assert (anchor == positive).all() and (anchor != negative).all()
    assert sorted(places[:, 0]) == list(range(80)), "each image is once the anchor"
    assert (recorder.plan.epochs, recorder.plan.monitor, recorder.plan.patience) == (30, "val_auc", None)


@pytest.mark.parametrize("name", config.TRANSFER)
def test_a_baseline_trains_by_cross_entropy_and_stops_early_by_validation_loss(name, monkeypatch):
    """Sec. 5.4.1: `less than 35 epochs, with early stopping criteria based upon validation loss`; no augmentation."""
    recorder = trained(name, monkeypatch)
    assert type(recorder.loss) is keras.losses.BinaryCrossentropy and not recorder.loss.get_config()["from_logits"]
    assert type(recorder.optimizer) is keras.optimizers.Adam
    assert recorder.optimizer.get_config()["learning_rate"] == pytest.approx(1e-4)
    assert (recorder.plan.epochs, recorder.plan.monitor, recorder.plan.patience) == (35, "val_loss", 5)
    assert recorder.drawn == ((32, 0, 0), {}), "batch size, seed, epoch; nothing else"


def test_the_stream_is_that_of_figure_3():
    """`The initial layers take as input an image of 128x128x3 dimension that is reduced to 27x27x128`; two blocks of 32
    and 64 filters, one convolution of 128; an embedding of 100 without activation, of length 1; 12 layers."""
    network = model.siamese(STATISTICS, PAPER.image_size, PAPER.width)
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.filters for layer in convolutions] == [32, 32, 64, 64, 128]
    assert convolutions[-1].output.shape[1:] == (27, 27, 128)
    assert all(layer.activation is keras.activations.relu for layer in convolutions)
    assert all(type(layer.kernel_initializer) is keras.initializers.GlorotNormal for layer in convolutions)
    assert len([layer for layer in network.layers if isinstance(layer, keras.layers.MaxPooling2D)]) == 2
    (dense,) = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    assert dense.units == 100 and dense.activation is keras.activations.linear
    assert len(network.layers) == 12 and network.count_params() == 9_470_724
    np.testing.assert_allclose(np.linalg.norm(network(np.full((1, 128, 128, 3), 99.0)), axis=-1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", config.TRANSFER)
def test_what_a_baseline_trains_of_its_imagenet_weights(name, monkeypatch):
    """Sec. 5.4.1: of VGG `we freeze the initial layers and retrain the dense layers`, three of them; of the others `we
    retrain all the layers`. The backbone is a stand-in of one convolution."""
    asked = []

    def backbone(network, shape, weights, synchronized):
        asked.append((network, shape, weights))
        image = keras.Input(shape)
        return keras.Model(image, keras.layers.Conv2D(8, 32, strides=32, name="convolution")(image))

    monkeypatch.setattr(model, "backbone", backbone)
    network = model.transfer(name, PAPER.image_size, PAPER.imagenet_weights, units=PAPER.dense_units)
    assert asked == [(name, (128, 128, 3), "imagenet")]
    dense = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    vgg = name in ("vgg16", "vgg19")
    assert [layer.units for layer in dense] == ([4096, 4096, 1] if vgg else [1])
    assert dense[-1].activation is keras.activations.sigmoid
    frozen = [weight.path for weight in network.non_trainable_weights]
    assert len(frozen) == (2 if vgg else 0) and all("convolution" in path for path in frozen)


def test_faces_are_found_with_the_parameters_of_algorithm_1():
    """`Parameter: rescale = 1.05, min_n = 6`, on the grey image."""
    calls = []

    def detect(grey, **parameters):
        calls.append((grey.ndim, parameters))
        return [], [], []

    detector = HaarDetector()
    detector._cascade = SimpleNamespace(detectMultiScale3=detect)
    detector.detect(np.zeros((50, 50, 3), np.uint8))
    assert calls == [(2, {"scaleFactor": 1.05, "minNeighbors": 6, "outputRejectLevels": True})]
