"""Stage 1: the DCGAN learns the real faces; losses, samples and checkpoints of every epoch."""

import logging

import keras
import numpy as np
import pandas as pd
from PIL import Image

from common.data.pipeline import Images, Preprocessing
from common.errors import UserError
from common.files import atomic_path, sha256, write_csv
from reproductions.dcgan_inception_resnet.config import DISCRIMINATOR, GENERATOR
from reproductions.dcgan_inception_resnet.gan import DCGAN, LOSSES, checkpoints, diverged, generate

log = logging.getLogger("deepfake")
SAMPLES = 5  # Sec. IV-C: after every epoch


def train_gan(reals, config, strategy, weights, state, samples, seed):
    """Train the DCGAN on `reals`, a table with the column file; go on from the latest checkpoint in `state`.

    weights: {network: a file to start from}; samples: the folder where five images of fixed noise are put after every
    epoch, epoch-0001.png and so on. Returns (generator, losses or None, notes): losses is a table of epoch, batch,
    generator_loss, discriminator_loss. With --gan-epochs 0 the generator is that of `weights`.
    UserError if a loss is no longer a finite number.
    """
    notes = [f"{name} of {file.name} ({sha256(file)[:12]})" for name, file in weights.items()]
    if config.gan_epochs == 0:
        return load_generator(weights[GENERATOR], config.image_size), None, notes
    images = Images(reals, Preprocessing(config.image_size, scale=1 / 127.5, offset=-1.0))  # [-1, 1]: Sec. III-B
    keras.utils.set_random_seed(seed)
    with strategy.scope():
        gan = DCGAN(
            config.image_size, config.gan_width, config.gan_learning_rate, config.gan_beta_1, config.gan_pooling,
            jit=config.jit == "on",
        )  # fmt: skip
        for name, file in weights.items():
            _start(getattr(gan, name), file)
    done = gan.restore(state)
    if done:
        log.info("DCGAN: going on after epoch %d of %d", done, config.gan_epochs)
    for epoch in range(done, config.gan_epochs):
        losses = gan.train_epoch(images.training_batches(config.gan_batch_size, seed, epoch), seed, epoch)
        if problem := diverged(losses):
            log.warning("DCGAN: epoch %d: %s", epoch + 1, problem)
        if not np.isfinite(losses[LOSSES].to_numpy()).all():
            raise UserError(
                f"the DCGAN diverged in epoch {epoch + 1}: {diverged(losses)}; lower --gan-learning-rate, now "
                f"{config.gan_learning_rate:g} (Radford et al. take 0.0002)"
            )
        losses.insert(0, "epoch", epoch + 1)
        write_csv(losses, state / f"losses-{epoch + 1:04d}.csv")
        _save_strip(next(generate(gan.generator, SAMPLES, seed)), samples / f"epoch-{epoch + 1:04d}.png")
        gan.save(state, epoch + 1, config.checkpoint_every)
        log.info("DCGAN: epoch %d of %d: %s", epoch + 1, config.gan_epochs, _in_words(losses))
    losses = pd.concat([pd.read_csv(file) for file in sorted(state.glob("losses-*.csv"))], ignore_index=True)
    losses = losses[losses["epoch"] <= config.gan_epochs]
    problems = [epoch for epoch, each in losses.groupby("epoch") if diverged(each)]
    if problems:
        notes.append(f"DCGAN: the discriminator's loss is about 0 in {len(problems)} of {config.gan_epochs} epochs")
    return gan.generator, losses, notes


def keep_models(state, models, suffix):
    """Copy the networks of the kept checkpoints, without their optimizers, into a run's models/.

    generator.keras and discriminator.keras are the last epoch's, generator-epoch-0010.keras that of an earlier one.
    Returns the earlier ones as {epoch: file}.
    """
    found = checkpoints(state)
    last = max(found)
    for name in (GENERATOR, DISCRIMINATOR):
        _copy(found[last] / f"{name}.keras", models / f"{name}{suffix}.keras")
    earlier = {}
    for epoch in sorted(set(found) - {last}):
        earlier[epoch] = models / f"{GENERATOR}{suffix}-epoch-{epoch:04d}.keras"
        _copy(found[epoch] / f"{GENERATOR}.keras", earlier[epoch])
    return earlier


def load_generator(file, image_size=None):
    """A trained generator from a .keras file; UserError if it is none, or makes images of another size."""
    network = _load(file, GENERATOR)
    size = network.output_shape[1]
    if image_size and size != image_size:
        raise UserError(f"--weights {GENERATOR}={file} makes images of {size} px; give --image-size {size}")
    return network


def _load(file, name):
    try:
        network = keras.models.load_model(file, compile=False)
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"--weights {name}={file}: expected a .keras file of this suite: {reason}") from error
    if network.name != name:
        raise UserError(f"--weights {name}={file}: expected a {name}, the file holds a network named {network.name}")
    return network


def _start(network, file):
    given = _load(file, network.name)
    shapes = [[weight.shape for weight in each.weights] for each in (network, given)]
    if shapes[0] != shapes[1]:
        raise UserError(
            f"--weights {network.name}={file}: expected {network.count_params():,} parameters, got "
            f"{given.count_params():,}; --image-size, --gan-width and --gan-pooling must be those it was trained with"
        )
    network.set_weights(given.get_weights())


def _copy(source, target):
    network = keras.models.load_model(source, compile=False)
    with atomic_path(target) as temporary:
        network.save(temporary, include_optimizer=False)


def _save_strip(images, path):
    with atomic_path(path) as temporary:
        Image.fromarray(np.concatenate(list(images), axis=1)).save(temporary, format="PNG")


def _in_words(losses):
    return ", ".join(f"{name} {losses[name].mean():.3g}" for name in LOSSES)
