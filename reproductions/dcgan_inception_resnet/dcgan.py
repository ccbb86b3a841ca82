"""The DCGAN's training step under TensorFlow and JAX, on any number of devices, and its noise.

Radford, Metz, Chintala 2016, doi:10.48550/arXiv.1511.06434. The noise is drawn on the host for the whole batch as a
function of (seed, epoch, step): replicas get different noise, several of them train exactly as one, and a training that
was stopped resumes as if it had not been.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from common.data.image_reader import explain_damaged_images
from common.progress import show_progress
from reproductions.dcgan_inception_resnet.config import DISCRIMINATOR, GENERATOR
from reproductions.dcgan_inception_resnet.gan import NOISE, discriminator, generator

LOSSES = [f"{network}_loss" for network in (GENERATOR, DISCRIMINATOR)]
COLLAPSE_LOSS = 0.01  # below it the discriminator is right with p > 0.99 on both classes; at chance its loss is 2 ln 2


class DCGAN:
    """Both networks, each with its own Adam. Build it in a strategy's scope; the batch is the global one.

    Args:
        image_size, width: as for `generator`.
        learning_rate, beta_1: Adam's, of both; the paper prints 0.002, Radford et al. take 0.0002 and 0.5.
        pooling: as for `discriminator`.
        jit: whether XLA compiles the step.

    Attributes:
        generator, discriminator: keras.Model, each with its optimizer.
    """

    def __init__(
        self,
        image_size: int = 128,
        width: float = 1.0,
        learning_rate: float = 2e-4,
        beta_1: float = 0.5,
        pooling: bool = True,
        jit: bool = False,
    ):
        self._strategy = tf.distribute.get_strategy()
        synchronized = self._strategy.num_replicas_in_sync > 1
        self.generator = generator(image_size, width, synchronized)
        self.discriminator = discriminator(image_size, width, synchronized, pooling)
        for network in self.networks:
            # Compiled, a network is saved with its optimizer, which scales the loss where float16 asks for it.
            network.compile(keras.optimizers.Adam(learning_rate, beta_1=beta_1))
            network.optimizer.build(network.trainable_variables)
        under_jax = keras.config.backend() == "jax"
        self._step = self._jax_step() if under_jax else self._tensorflow_step(jit)

    @property
    def networks(self) -> tuple[keras.Model, keras.Model]:
        """The generator and the discriminator."""
        return self.generator, self.discriminator

    @explain_damaged_images()
    def train_epoch(
        self,
        batches: tf.data.Dataset,
        seed: int,
        epoch: int,
        before: Sequence[Any] = (),
        after_step: Callable[[Sequence[Any]], None] | None = None,
    ) -> pd.DataFrame:
        """Train on one epoch of full batches.

        Args:
            batches: (images (B, S, S, 3) in [-1, 1], labels that are not used), of Images.training_batches.
            seed: of the noise.
            epoch: from 0.
            before: the pairs of losses of the epoch's first steps, if they were trained before; they are left out.
            after_step: called after each step with the losses so far, (generator's, discriminator's) or tensors (2,).

        Returns:
            The losses before each step: batch (from 1), generator_loss, discriminator_loss.

        Raises:
            UserError: if an image is damaged.
        """
        rest = with_noise(batches, seed, epoch).skip(len(before))
        steps = int(rest.cardinality())
        # Losses stay on the device until the epoch is over: fetching each would make the device wait for us.
        losses = list(before)
        for batch in show_progress(self._on_devices(rest), f"DCGAN, epoch {epoch + 1}", steps, "step"):
            losses.append(self._step(*batch))
            if after_step:
                after_step(losses)
        table = pd.DataFrame(np.array(losses, np.float32).reshape(-1, 2), columns=LOSSES)
        table.insert(0, "batch", np.arange(1, len(table) + 1))
        return table

    def _on_devices(self, batches):
        """Return an iterable of batches, each spread over the devices."""
        if keras.config.backend() != "jax":
            return self._strategy.experimental_distribute_dataset(batches)
        distribution = keras.distribution.distribution()
        if distribution is None:
            return batches.as_numpy_iterator()
        return (
            [keras.distribution.distribute_tensor(part, distribution.get_data_layout(part.shape)) for part in batch]
            for batch in batches.as_numpy_iterator()
        )

    def _tensorflow_step(self, jit):
        """Return the step of both players from the same point, (images, noise) -> losses (2,)."""
        on_replica = tf.function(self._step_on_replica, jit_compile=jit)

        @tf.function
        def step(images, noise):
            losses = self._strategy.run(on_replica, (images, noise))
            return self._strategy.reduce("sum", losses, axis=None)

        return step

    def _step_on_replica(self, images, noise):
        """Take a step, and return this replica's share of both losses, float32 (2,)."""
        examples = tf.shape(noise)[0] * self._strategy.num_replicas_in_sync
        with tf.GradientTape(persistent=True) as tape:
            fakes = self.generator(noise, training=True)
            real = self.discriminator(images, training=True)  # (b, 1)
            fake = self.discriminator(fakes, training=True)  # (b, 1)
            losses = [tf.reduce_sum(loss) / tf.cast(examples, tf.float32) for loss in _losses(real, fake)]
            scaled = [network.optimizer.scale_loss(loss) for network, loss in zip(self.networks, losses, strict=True)]
        gradients = [
            tape.gradient(loss, network.trainable_variables)
            for network, loss in zip(self.networks, scaled, strict=True)
        ]
        for network, gradient in zip(self.networks, gradients, strict=True):
            network.optimizer.apply(gradient, network.trainable_variables)
        return tf.stack(losses)

    def _jax_step(self):
        """Return the same step as `_tensorflow_step`, as a function of all variables, whose new values are assigned."""
        import jax

        def new_state(state, images, noise):
            fixed = [values[1] for values in state]

            def losses(generator_weights, discriminator_weights):
                fakes, generated = self.generator.stateless_call(generator_weights, fixed[0], noise, training=True)
                real, seen = self.discriminator.stateless_call(discriminator_weights, fixed[1], images, training=True)
                fake, seen = self.discriminator.stateless_call(discriminator_weights, seen, fakes, training=True)
                return [keras.ops.mean(loss) for loss in _losses(real, fake)], [generated, seen]

            means, backward, fixed_after = jax.vjp(losses, *(values[0] for values in state), has_aux=True)
            after = []
            for place, (network, (weights, _, moments)) in enumerate(zip(self.networks, state, strict=True)):
                slopes = [keras.ops.zeros(()), keras.ops.zeros(())]  # of the player's scaled loss by both losses
                with keras.StatelessScope(state_mapping=list(zip(network.optimizer.variables, moments, strict=True))):
                    slopes[place] = network.optimizer.scale_loss(keras.ops.ones(()))
                gradients = backward(slopes)[place]
                weights, moments = network.optimizer.stateless_apply(moments, gradients, weights)
                after.append([weights, fixed_after[place], moments])
            return after, keras.ops.stack(means)

        compiled = jax.jit(new_state, donate_argnums=0)
        variables = [
            [network.trainable_variables, network.non_trainable_variables, network.optimizer.variables]
            for network in self.networks
        ]

        def step(images, noise):
            state = [[[variable.value for variable in group] for group in groups] for groups in variables]
            after, losses = compiled(state, images, noise)
            jax.tree.map(lambda variable, value: variable.assign(value), variables, after)
            return losses

        return step


def _losses(real, fake):
    """Return the losses of generator and discriminator for each example, from logits (b, 1).

    Sigmoid cross-entropy, the generator's in its non-saturating form (Goodfellow et al. 2014, Sec. 3): with logit x,
    softplus(-x) = -log D and softplus(x) = -log(1 - D).
    """
    return keras.ops.softplus(-fake), keras.ops.softplus(-real) + keras.ops.softplus(fake)


def diverged(losses: pd.DataFrame) -> str:
    """Return what went wrong in an epoch, in words; empty if nothing did.

    Args:
        losses: of `DCGAN.train_epoch`.
    """
    unbounded = ~np.isfinite(losses[LOSSES].to_numpy()).all(axis=1)
    if unbounded.any():
        return f"a loss is not a finite number from batch {losses['batch'].iloc[unbounded.argmax()]} on"
    median = losses["discriminator_loss"].median()
    if median < COLLAPSE_LOSS:
        return f"the discriminator's loss is about 0 (median {median:.2g}): the generator learns nothing from it"
    return ""


def with_noise(batches: tf.data.Dataset, seed: int, epoch: int) -> tf.data.Dataset:
    """Replace the labels of batches by noise, a function of (seed, epoch, step) whatever the devices.

    Args:
        batches: (images (B, S, S, 3), labels).
        seed: of the run.
        epoch: from 0.

    Returns:
        (images, z), z float32 (B, 100) in [-1, 1].
    """
    base = int(np.random.default_rng([seed, epoch, 3]).integers(2**31))

    def add(step: tf.Tensor, batch: Any) -> tuple[tf.Tensor, tf.Tensor]:
        images, _ = batch
        shape = (tf.shape(images)[0], NOISE)
        seeds = tf.stack([tf.constant(base, tf.int64), step])
        return images, tf.random.stateless_uniform(shape, seeds, -1.0, 1.0)

    return batches.enumerate().map(add).prefetch(tf.data.AUTOTUNE)
