"""The preset `paper` held against what the paper prints: results/published and the sentences quoted here."""

from contextlib import nullcontext
from dataclasses import fields, replace
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from common.layers import FusedBatchNormalization
from common.runs.options import RunOptions
from reproductions.dcgan_inception_resnet import config, data, dcgan, detector, gan, gan_training, method
from results.tables import read_published

PAPER = config.PRESETS["paper"]
PUBLISHED = {
    (row.row, row.metric): row.value
    for row in read_published("dcgan_inception_resnet").itertuples(index=False)
    if row.table in ("text", "Figure 3")
}
SMALL = 1 / 64  # width of the networks of 128 px that are only looked at
DEVIATION = PUBLISHED["DCGAN", "initial_deviation"]  # Sec. III-B: `normal distribution with mean 0 and SD 0.02`


def test_every_setting_of_the_preset_is_the_papers_or_listed_as_ours():
    printed = {
        "image_size": PUBLISHED["Celeb 100k", "image_size"],  # Sec. III-D: `of size 128 * 128 * 3`
        "real_images": PUBLISHED["Celeb 100k", "images"],
        "gan_epochs": PUBLISHED["DCGAN", "epochs"],  # Sec. IV-A: `trained for 60 epochs`
        "gan_batch_size": PUBLISHED["DCGAN", "batch_size"],  # Sec. III-B: `mini batch of size 64`
        "gan_learning_rate": PUBLISHED["DCGAN", "learning_rate"],  # Sec. III-B: `Learning rate of 0.002`
        "gan_pooling": True,  # Sec. III-A: global average pooling
        "checkpoint_every": PUBLISHED["DCGAN", "epochs_per_session"],  # Sec. IV-A: `After every 10th epoch`
        "detector_images": PUBLISHED["detector", "reals"],  # Sec. IV-B: `each having 29,500 samples`
        "epochs": PUBLISHED["detector", "epochs"],  # Sec. IV-B: `consisted of 20 epochs`
        "models": ("inception_resnet_v2",),
        "imagenet_weights": "imagenet",  # Sec. IV-B: `pretrained Inception-ResNet-v2`
    }
    ours = {
        "gan_beta_1": 0.5, "gan_width": 1.0, "held_out": 0.2, "validation": 0.1, "batch_size": 32,
        "learning_rate": 1e-4, "match_jpeg": False, "generate": None, "generate_to": PAPER.generate_to,
        "synthetic_images": 2000,
    }  # fmt: skip
    values = {field.name: getattr(PAPER, field.name) for field in fields(PAPER)}
    assert {name: values[name] for name in printed | ours} == printed | ours
    assert set(values) - set(printed | ours) <= {field.name for field in fields(RunOptions)}, "a field without a source"
    assert PUBLISHED["DCGAN", "sessions"] * PAPER.checkpoint_every == PAPER.gan_epochs
    assert PUBLISHED["detector", "fakes"] == PAPER.detector_images == PUBLISHED["detector", "reals"]
    assert PUBLISHED["DCGAN", "samples_per_epoch"] == gan_training.SAMPLES  # Sec. IV-C: `a random sample of 5 images`


def test_of_the_papers_faces_the_detector_has_29500_and_the_gan_all_that_are_not_held_out():
    """A tenth of 100,000 faces and of 29,500: 2,950 train and validate, 590 of our own are held out from both."""
    count = config.PAPER_IMAGES // 10
    table = {
        "path": [f"{number}.png" for number in range(count)],
        "sha256": [f"{number:064d}" for number in range(count)],
    }
    empty = dict.fromkeys(("video", "identity", "original", "frame", "split"), "")
    reals = pd.DataFrame(table | empty | {"label": "real", "source": "celeba", "dataset": "celeb"})
    assert len(data.draw_reals(reals, count)) == 10_000
    few = replace(PAPER, detector_images=PAPER.detector_images // 10)
    splits = data.split_real_images(reals, few, 0)["split"].value_counts()
    assert splits["train"] + splits["val"] == 2950 and splits["val"] == 295
    assert splits["test"] == 590 and splits["gan"] == 10_000 - 2950 - 590
    assert config.PROTOCOLS == {"resubstitution": ("train", "val"), "heldout": ("test",)}


def test_stage_1_is_built_fed_and_checkpointed_with_the_presets_numbers(monkeypatch, tmp_path):
    """Sec. III-B: `scaling to the range of the tanh activation function [-1, 1]`."""
    seen = {}

    class Stop(Exception):
        pass

    class Recorder:
        def __init__(self, *values, jit=False):
            seen["arguments"] = values
            self.generator = lambda noise, training: tf.zeros((len(noise), 128, 128, 3))

        def train_epoch(self, batches, seed, epoch, before, after_step):
            return pd.DataFrame({"batch": [1], "generator_loss": [1.0], "discriminator_loss": [1.0]})

    class RecordedCheckpoints:
        def restore(self):
            return None

        def save(self, epochs, step, facts, keep):
            seen["keep_every"] = keep.step
            raise Stop

    def images(table, preprocessing):
        seen["preprocessing"] = preprocessing
        return SimpleNamespace(
            training_batches=lambda *words, **augmentation: seen.update(batches=(words, augmentation))
        )

    monkeypatch.setattr(gan_training, "DCGAN", Recorder)
    monkeypatch.setattr(gan_training, "checkpoints", lambda gan, training: RecordedCheckpoints())
    monkeypatch.setattr(gan_training, "Images", images)
    training = SimpleNamespace(scope=nullcontext, jit="auto", seed=0, folder=tmp_path)
    with pytest.raises(Stop):
        gan_training.train_gan(pd.DataFrame(), PAPER, training, {}, tmp_path)
    assert seen["arguments"] == (128, 1.0, PUBLISHED["DCGAN", "learning_rate"], 0.5, True)
    assert seen["keep_every"] == 10 and seen["batches"] == ((64, 0, 0), {}), "batch size, seed, epoch; no augmentation"
    darkest, brightest = (seen["preprocessing"].scale * pixel + seen["preprocessing"].offset for pixel in (0, 255))
    assert (darkest, brightest) == pytest.approx((-1, 1)) and seen["preprocessing"].size == 128
    with tf.io.gfile.GFile(str(next(tmp_path.glob("epoch-0001.png"))), "rb") as strip:
        assert tf.io.decode_png(strip.read()).shape == (128, 5 * 128, 3)


@pytest.fixture(scope="module")
def adversaries():
    """A DCGAN of 8 px with the preset's optimizers."""
    return dcgan.DCGAN(8, 0.02, PAPER.gan_learning_rate, PAPER.gan_beta_1, PAPER.gan_pooling)


def test_both_adversaries_have_adam_at_the_printed_rate(adversaries):
    for network in (adversaries.generator, adversaries.discriminator):
        settings = network.optimizer.get_config()
        assert type(network.optimizer) is keras.optimizers.Adam
        assert settings["learning_rate"] == pytest.approx(PUBLISHED["DCGAN", "learning_rate"])
        assert (settings["beta_1"], settings["beta_2"], settings["epsilon"]) == (0.5, 0.999, 1e-7)
        assert settings["weight_decay"] is None and settings["clipnorm"] is None and not settings["amsgrad"]


def test_the_adversaries_losses_are_sigmoid_cross_entropy(adversaries):
    """Sec. III-B: `sigmoid cross entropy as the loss function`: the discriminator's on real 1 and generated 0, the
    generator's on generated 1. The step returns both before it changes the weights."""
    random = np.random.default_rng(0)
    images, noise = (
        random.uniform(-1, 1, (6, 8, 8, 3)).astype("float32"),
        random.uniform(-1, 1, (6, 100)).astype("float32"),
    )
    copies = [keras.models.clone_model(each) for each in (adversaries.generator, adversaries.discriminator)]
    for copy, network in zip(copies, (adversaries.generator, adversaries.discriminator), strict=True):
        copy.set_weights(network.get_weights())
    fakes = copies[0](noise, training=True)
    real, fake = (1 / (1 + np.exp(-copies[1](each, training=True).numpy().astype(float))) for each in (images, fakes))
    expected = -np.log(fake).mean(), -np.log(real).mean() - np.log(1 - fake).mean()
    np.testing.assert_allclose(adversaries._step(images, noise).numpy(), expected, rtol=1e-4)


def test_the_generator_and_the_discriminator_are_those_of_the_text():
    """Sec. III-B, after Radford et al.: transposed convolutions and convolutions instead of pooling, batch
    normalisation, ReLU and LeakyReLU 0.2, tanh, weights from N(0, 0.02), no hidden dense layers."""
    maker, judge = gan.generator(128, SMALL), gan.discriminator(128, SMALL, pooling=PAPER.gan_pooling)
    kinds = [[type(layer) for layer in network.layers] for network in (maker, judge)]
    assert kinds[0].count(keras.layers.Conv2DTranspose) == 6 and kinds[0].count(keras.layers.ReLU) == 5
    assert kinds[0].count(FusedBatchNormalization) == 5 and keras.layers.Dense not in kinds[0]
    assert maker.layers[-1].activation is keras.activations.tanh and maker.output_shape == (None, 128, 128, 3)
    assert kinds[1].count(keras.layers.Conv2D) == 5 and kinds[1].count(FusedBatchNormalization) == 4
    assert kinds[1].count(keras.layers.Dense) == kinds[1].count(keras.layers.GlobalAveragePooling2D) == 1
    slopes = [layer.negative_slope for layer in judge.layers if isinstance(layer, keras.layers.LeakyReLU)]
    assert slopes == [PUBLISHED["DCGAN", "leaky_relu_slope"]] * 5 and judge.layers[-1].units == 1
    for layer in [*maker.layers, *judge.layers]:
        if hasattr(layer, "kernel_initializer"):
            initial = layer.kernel_initializer.get_config()
            assert (initial["mean"], initial["stddev"]) == (0.0, DEVIATION)
    assert gan.feature_maps(128, PAPER.gan_width) == [1024, 512, 256, 128, 64] and gan.NOISE == 100


def test_the_detector_is_figure_3_and_trains_by_cross_entropy(monkeypatch):
    """GAP and Dense(2) on 2 x 2 x 1536 maps, 3,074 parameters; the backbone is a stand-in with as many channels."""

    def backbone(name, shape, weights, synchronized):
        assert (name, shape, weights) == ("inceptionresnetv2", (128, 128, 3), "imagenet")
        image = keras.Input(shape)
        maps = keras.layers.Conv2D(1536, 64, strides=64, groups=3)(image)
        return keras.Model(image, maps, name=name)

    recorded = {}

    def fit(network, batches, validate, plan):
        recorded.update(network=network, plan=plan, drawn=batches(0))
        return None, []

    training = SimpleNamespace(
        scope=nullcontext,
        seed=0,
        synchronized=False,
        fit=fit,
        compile=lambda *words, **more: recorded.update(more, words=words),
    )
    monkeypatch.setattr(detector, "backbone", backbone)
    monkeypatch.setattr(method, "validate_classifier", lambda *_: None)
    images = SimpleNamespace(training_batches=lambda *words, **augmentation: (words, augmentation))
    monkeypatch.setattr(method, "Images", lambda *_: images)
    table = pd.DataFrame({"split": ["train", "val"]})
    method.train_detector(config.PROPOSED, PAPER, table, None, ("imagenet", []), training)
    network, (_, optimizer) = recorded["network"], recorded["words"]
    assert network.get_layer("inceptionresnetv2").output_shape == (
        None, PUBLISHED["inception_resnet_v2", "height"], PUBLISHED["inception_resnet_v2", "width"],
        PUBLISHED["inception_resnet_v2", "channels"],
    )  # fmt: skip
    dense = network.layers[-1]
    assert (
        dense.count_params() == PUBLISHED["dense_1", "parameters"] and dense.units == PUBLISHED["dense_1", "channels"]
    )
    assert dense.activation is keras.activations.softmax and isinstance(
        network.layers[-2], keras.layers.GlobalAveragePooling2D
    )
    assert not network.non_trainable_weights, "54,279,266 of 54,339,810 are trained: all layers"
    loss = recorded["loss"]
    assert type(loss) is keras.losses.SparseCategoricalCrossentropy and not loss.from_logits
    settings = optimizer.get_config()
    assert type(optimizer) is keras.optimizers.Adam and settings["learning_rate"] == pytest.approx(1e-4)
    assert (settings["beta_1"], settings["beta_2"]) == (0.9, 0.999)
    assert (recorded["plan"].epochs, recorded["plan"].monitor, recorded["plan"].patience) == (20, "val_loss", None)
    assert recorded["drawn"] == ((32, 0, 0), {}), "batch size, seed, epoch; no augmentation"
