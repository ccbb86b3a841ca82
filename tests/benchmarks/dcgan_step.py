"""Training steps a second of our DCGAN against a plain Keras one of the same networks, in turns in one run.

    python -m tests.benchmarks.dcgan_step [--image-size 64] [--width 0.25] [--batch 64] [--steps 20] [--rounds 5]
        [--jit]

The plain one is the GAN of Keras's documentation (keras.io, "DCGAN to generate face images"): a keras.Model with a
train_step, trained by fit. Both have reproductions.dcgan_inception_resnet.gan's networks, Adam, noise of 100 numbers,
float32, and are fed the same pictures from memory. They differ in what a step does:

- ours passes once through the generator: the fakes that the discriminator learns from are those that the generator
  learns from, and both networks step from the same point; Keras's lets the discriminator step first, then draws new
  noise, and passes through both networks again;
- ours shows the discriminator reals and fakes one after the other, so that each has its own batch statistics; Keras's
  shows it both as one batch, without a gradient for the generator;
- ours keeps the losses on the device until the epoch is over; fit hands them to its callbacks after every step.

One turn of each is an epoch of --steps steps; the first is not counted. What counts is the ratio of the medians.
"""

import time
from dataclasses import dataclass
from statistics import median

import numpy as np

from common.cli import parse, run_main
from common.tensorflow_import import import_tensorflow
from tests.benchmarks.table import Row, TableOptions, publish

RATE, BETA_1 = 2e-4, 0.5  # of Adam


@dataclass(frozen=True)
class Options(TableOptions):
    """Flags of the benchmark."""

    image_size: int = 64
    width: float = 0.25
    """A factor on the filters of both networks."""
    batch: int = 64
    steps: int = 20
    rounds: int = 5
    jit: bool = False
    """Compile both with XLA."""


def main(argv=None):
    options = parse(Options, argv, description=__doc__)
    import_tensorflow()
    runs, rates = contestants(options), {}
    for _ in range(options.rounds + 1):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            rates.setdefault(name, []).append(options.steps / (time.perf_counter() - began))
    ours, rival = (median(rates[name][1:]) for name in ("ours", "plain Keras"))
    size = f"{options.image_size} px, width {options.width:g}, batch {options.batch}"
    job = f"training step of the DCGAN, {size}, {'with' if options.jit else 'without'} XLA"
    publish([Row(job, ours, "plain Keras", rival, "steps/s")], options.table)


def contestants(options):
    """{name: a function that trains for --steps steps}."""
    from reproductions.dcgan_inception_resnet.dcgan import DCGAN

    ours = DCGAN(options.image_size, options.width, RATE, BETA_1, jit=options.jit)
    rival = plain_keras(options)
    data = pictures(options)
    images = data.map(lambda images, _: images)
    return {
        "ours": lambda: ours.train_epoch(data, seed=0, epoch=0),
        "plain Keras": lambda: rival.fit(images, shuffle=False, verbose=0),
    }


def pictures(options):
    """A tf.data.Dataset of --steps batches (images (B, S, S, 3) in [-1, 1], labels (B, 1)), decoded and in memory."""
    import tensorflow as tf

    shape = (options.batch, options.image_size, options.image_size, 3)
    images = np.random.default_rng(0).uniform(-1, 1, (4, *shape)).astype(np.float32)
    labels = np.ones((4, options.batch, 1), np.float32)
    return tf.data.Dataset.from_tensor_slices((images, labels)).repeat().take(options.steps).prefetch(2)


def plain_keras(options):
    """The rival, compiled."""
    import keras
    import tensorflow as tf
    from keras import ops

    from reproductions.dcgan_inception_resnet import gan
    from reproductions.dcgan_inception_resnet.dcgan import LOSSES

    class PlainKeras(keras.Model):
        def __init__(self):
            super().__init__()
            self.generator = gan.generator(options.image_size, options.width)
            self.discriminator = gan.discriminator(options.image_size, options.width)
            self.optimizers = [keras.optimizers.Adam(RATE, BETA_1) for _ in range(2)]
            self.cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
            self.means = [keras.metrics.Mean(name) for name in LOSSES]
            self.built = True

        @property
        def metrics(self):
            return self.means

        def train_step(self, images):
            size = ops.shape(images)[0]
            fakes = self.generator(self.noise(size), training=True)
            labels = ops.concatenate([ops.zeros((size, 1)), ops.ones((size, 1))])  # 1: real
            discriminated = self.player_step(
                self.optimizers[1], self.discriminator, labels, lambda: ops.concatenate([fakes, images])
            )
            noise = self.noise(size)
            generated = self.player_step(
                self.optimizers[0], self.generator, ops.ones((size, 1)), lambda: self.generator(noise, training=True)
            )
            for mean, loss in zip(self.means, (generated, discriminated), strict=True):
                mean.update_state(loss)
            return {mean.name: mean.result() for mean in self.means}

        def noise(self, size):
            return keras.random.uniform((size, gan.NOISE), -1, 1)

        def player_step(self, optimizer, player, labels, shown):
            with tf.GradientTape() as tape:
                loss = self.cross_entropy(labels, self.discriminator(shown(), training=True))
            optimizer.apply(tape.gradient(loss, player.trainable_variables), player.trainable_variables)
            return loss

    model = PlainKeras()
    model.compile(jit_compile=options.jit)
    return model


if __name__ == "__main__":
    run_main(main)
