"""The DCGAN that makes the fakes: two networks, their training step on any number of devices, and sampling.

Paper: Sarkar, Bhattacharya, "GAN generated Deepfake face detection implementing Transfer learning", section III-B; what
it leaves open is as in Radford, Metz, Chintala 2016, doi:10.48550/arXiv.1511.06434.

Images are RGB in [-1, 1], float32 (B, S, S, 3), the range of tanh. The noise z is 100 uniform numbers in [-1, 1]
(Radford et al., figure 1), drawn on the host for the whole batch as a function of (seed, epoch, step): replicas get
different noise, several of them train exactly as one, and a training that was stopped goes on as if it had not been.
"""

import shutil
import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers
from tqdm import tqdm

from common.errors import UserError
from common.layers import FusedBatchNormalization

NOISE = 100  # numbers in z
BASE = 4  # height and width of the smallest feature maps
# Filters at 4x4, halved with every doubling of the size (Radford et al., figure 1: 1024, 512, 256, 128 at 64 px).
FILTERS = 1024
KERNEL = 4  # a multiple of the stride, so that no checkerboard arises: Odena et al. 2016, doi:10.23915/distill.00003
SLOPE = 0.2  # of LeakyReLU
NETWORKS = ("generator", "discriminator")
LOSSES = [f"{network}_loss" for network in NETWORKS]
NO_CONTEST = 0.01  # the discriminator is right with p > 0.99 on both classes; where neither wins its loss is 2 ln 2


def generator(image_size=128, width=1.0, synchronized=False):
    """z (B, 100) -> images (B, S, S, 3) in [-1, 1]: transposed convolutions alone, ReLU, batch normalisation, tanh.

    width: a factor on the filters; synchronized: whether batch normalisation takes its statistics over all replicas.
    UserError unless the size is a power of two from 8 on.
    """
    noise = keras.Input((NOISE,), name="noise")
    x = layers.Reshape((1, 1, NOISE))(noise)
    for place, filters in enumerate(feature_maps(image_size, width)):
        first = {"strides": 1, "padding": "valid"} if place == 0 else {}  # 1x1 -> 4x4, Radford's projection of z
        x = _convolution(layers.Conv2DTranspose, filters, use_bias=False, **first)(x)
        x = layers.ReLU()(_normalization(synchronized)(x))
    x = _convolution(layers.Conv2DTranspose, 3)(x)  # (B, S, S, 3)
    return keras.Model(noise, layers.Activation("tanh", dtype="float32")(x), name="generator")


def discriminator(image_size=128, width=1.0, synchronized=False, pooling=True):
    """Images (B, S, S, 3) in [-1, 1] -> logits (B, 1), positive for real: the generator's mirror with LeakyReLU.

    pooling: global average pooling before the logit, the paper's (section III-A); without it the 4x4 maps are
    flattened, as Radford et al. chose (section 3: pooling "increased model stability but hurt convergence speed").
    Other arguments as for `generator`.
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    x = image
    for place, filters in enumerate(reversed(feature_maps(image_size, width))):
        x = _convolution(layers.Conv2D, filters, use_bias=place == 0)(x)
        x = _normalization(synchronized)(x) if place else x
        x = layers.LeakyReLU(SLOPE)(x)
    x = layers.GlobalAveragePooling2D()(x) if pooling else layers.Flatten()(x)  # (B, 1024) or (B, 16384)
    logit = layers.Dense(1, kernel_initializer=_initializer(), dtype="float32", name="logit")(x)
    return keras.Model(image, logit, name="discriminator")


class DCGAN:
    """Both networks, each with its own Adam. Make it in a strategy's scope; the batch is the global one.

    Attributes generator, discriminator: keras.Model, each with its optimizer.
    """

    def __init__(self, image_size=128, width=1.0, learning_rate=2e-4, beta_1=0.5, pooling=True, jit=False):
        """learning_rate, beta_1: Adam's, of both; the paper prints 0.002, Radford et al. take 0.0002 and 0.5.

        image_size, width: as for `generator`; pooling: as for `discriminator`; jit: whether XLA compiles the step.
        """
        self._strategy = tf.distribute.get_strategy()
        synchronized = self._strategy.num_replicas_in_sync > 1
        self.generator = generator(image_size, width, synchronized)
        self.discriminator = discriminator(image_size, width, synchronized, pooling)
        for network in self._networks:
            # Compiled, a network is saved with its optimizer, which scales the loss where float16 asks for it.
            network.compile(keras.optimizers.Adam(learning_rate, beta_1=beta_1))
            network.optimizer.build(network.trainable_variables)
        on_replica = tf.function(self._step_on_replica, jit_compile=jit)

        @tf.function
        def step(images, noise):
            losses = self._strategy.run(on_replica, (images, noise))
            return self._strategy.reduce("sum", losses, axis=None)

        self._step = step

    def train_epoch(self, batches, seed, epoch):
        """Train on one epoch of full batches, (images (B, S, S, 3) in [-1, 1], labels that are not used).

        batches: such a tf.data.Dataset, as Images.training_batches gives it; epoch is counted from 0.
        Returns the losses before each step: a DataFrame of batch (from 1), generator_loss, discriminator_loss.
        """
        batches = self._strategy.experimental_distribute_dataset(_with_noise(batches, seed, epoch))
        # Losses stay on the device until the epoch is over: fetching each would make the device wait for us.
        losses = [self._step(*batch) for batch in tqdm(batches, f"DCGAN, epoch {epoch + 1}", leave=False, disable=None)]
        losses = pd.DataFrame(np.array([loss.numpy() for loss in losses]).reshape(-1, 2), columns=LOSSES)
        losses.insert(0, "batch", np.arange(1, len(losses) + 1))
        return losses

    def save(self, folder, epoch, keep_every=10):
        """Write the state after `epoch` epochs to folder/epoch-0010/, whole or not at all.

        It holds generator.keras and discriminator.keras, each with its optimizer. The checkpoint before is then
        removed, unless its epoch is a multiple of keep_every: the paper exports every tenth (section IV-A).
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"epoch-{epoch:04d}"
        with tempfile.TemporaryDirectory(prefix=".", dir=folder) as parent:
            temporary = Path(parent) / target.name
            temporary.mkdir()
            for network in self._networks:
                network.save(temporary / f"{network.name}.keras")
            temporary.rename(target)
        for before, path in checkpoints(folder).items():
            if before < epoch and before % keep_every:
                shutil.rmtree(path)

    def restore(self, folder):
        """Go on from the latest checkpoint in `folder`. Returns the epochs trained, 0 where there is none."""
        found = checkpoints(folder)
        if not found:
            return 0
        epoch = max(found)
        for network in self._networks:
            file = found[epoch] / f"{network.name}.keras"
            try:
                network.load_weights(file)
            except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
                reason = str(error).strip().splitlines()[0]
                raise UserError(
                    f"{file}: expected a {network.name} {network.input_shape} -> {network.output_shape} of this width "
                    f"({reason}); remove the folder {found[epoch]} to go on from the checkpoint before"
                ) from error
        return epoch

    @property
    def _networks(self):
        return self.generator, self.discriminator

    def _step_on_replica(self, images, noise):
        """One step of both players from the same point. Returns this replica's share of both losses, float32 (2,).

        Sigmoid cross-entropy, the generator's in its non-saturating form (Goodfellow et al. 2014, section 3): with
        logit x, softplus(-x) = -log D and softplus(x) = -log(1 - D).
        """
        examples = tf.shape(noise)[0] * self._strategy.num_replicas_in_sync
        with tf.GradientTape(persistent=True) as tape:
            fakes = self.generator(noise, training=True)
            real = self.discriminator(images, training=True)  # (b, 1)
            fake = self.discriminator(fakes, training=True)  # (b, 1)
            per_example = tf.nn.softplus(-fake), tf.nn.softplus(-real) + tf.nn.softplus(fake)
            losses = [tf.reduce_sum(loss) / tf.cast(examples, tf.float32) for loss in per_example]
            scaled = [network.optimizer.scale_loss(loss) for network, loss in zip(self._networks, losses, strict=True)]
        gradients = [
            tape.gradient(loss, network.trainable_variables)
            for network, loss in zip(self._networks, scaled, strict=True)
        ]
        for network, gradient in zip(self._networks, gradients, strict=True):
            network.optimizer.apply(gradient, network.trainable_variables)
        return tf.stack(losses)


def checkpoints(folder):
    """The whole checkpoints in `folder` as {epochs trained: path}, in order."""
    return {int(path.name.removeprefix("epoch-")): path for path in sorted(Path(folder).glob("epoch-*"))}


def diverged(losses):
    """What went wrong in an epoch, by its losses (a DataFrame of `train_epoch`), in words; empty: nothing did."""
    unbounded = ~np.isfinite(losses[LOSSES].to_numpy()).all(axis=1)
    if unbounded.any():
        return f"a loss is no finite number from batch {losses['batch'].iloc[unbounded.argmax()]} on"
    median = losses["discriminator_loss"].median()
    if median < NO_CONTEST:
        return f"the discriminator's loss is about 0 (median {median:.2g}): the generator learns nothing from it"
    return ""


def feature_maps(image_size, width):
    """The filters of the hidden feature maps, from 4x4 up to half the image's size; UserError for another size."""
    doublings = image_size.bit_length() - BASE.bit_length()
    if image_size != BASE << max(doublings, 1):
        raise UserError(f"the DCGAN makes images of 8, 16, 32, 64, 128, ... px, got {image_size}; the paper's are 128")
    return [max(1, round((FILTERS >> place) * width)) for place in range(doublings)]


def generate(generator, count, seed, batch_size=64, begin=0):
    """Sample a trained generator: a stream of uint8 (<= batch_size, S, S, 3), the images `begin` to `count`.

    The i-th image depends on (seed, i) alone, up to the rounding of another batch_size, of which `begin` is a multiple.
    Moving averages stand in for the batch's statistics, as always outside training.
    """
    stream = np.random.default_rng([seed, 0, 4])
    stream.bit_generator.advance(begin * NOISE)  # a uniform number takes one step of the generator
    for start in range(begin, count, batch_size):
        noise = stream.uniform(-1, 1, (batch_size, NOISE)).astype(np.float32)  # a full one: same shape, same rounding
        images = generator(noise, training=False)
        yield tf.saturate_cast(tf.round((images + 1) * 127.5), tf.uint8).numpy()[: count - start]


def _convolution(layer, filters, strides=2, padding="same", **arguments):
    return layer(filters, KERNEL, strides, padding, kernel_initializer=_initializer(), **arguments)


def _initializer():
    return keras.initializers.RandomNormal(0.0, 0.02)


def _normalization(synchronized):
    """As in Radford et al.'s code. Keras's epsilon of 1e-3 would drown the small activations that N(0, 0.02) begins
    with, and its momentum of 0.99 would make samples lag behind the weights."""
    return FusedBatchNormalization(momentum=0.9, epsilon=1e-5, synchronized=synchronized)


def _with_noise(batches, seed, epoch):
    """(images, labels) -> (images, z), z (B, 100) a function of (seed, epoch, step) that no device has a part in."""
    base = int(np.random.default_rng([seed, epoch, 3]).integers(2**31))

    def add(step, batch):
        images, _ = batch
        shape = (tf.shape(images)[0], NOISE)
        seeds = tf.stack([tf.constant(base, tf.int64), step])
        return images, tf.random.stateless_uniform(shape, seeds, -1.0, 1.0)

    return batches.enumerate().map(add).prefetch(tf.data.AUTOTUNE)
