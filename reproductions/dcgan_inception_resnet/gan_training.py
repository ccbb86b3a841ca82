"""Stage 1: the DCGAN learns the real faces; losses, samples and checkpoints of each epoch."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from PIL import Image

from common.data.pipeline import Images, Preprocessing
from common.detectors.store import save_network
from common.errors import UserError
from common.files import atomic_path, sha256, write_csv
from common.networks.stored import UnusableNetwork, load_network
from common.training.checkpoints import Checkpoints, full_epochs, read_state
from common.training.initial_weights import load_initial_weights
from common.training.supervised import Training
from reproductions.dcgan_inception_resnet.config import DISCRIMINATOR, GENERATOR, Config
from reproductions.dcgan_inception_resnet.dcgan import DCGAN, LOSSES, diverged
from reproductions.dcgan_inception_resnet.gan import generate

log = logging.getLogger("deepfake")
SAMPLES = 5  # Sec. IV-C: after each epoch


def train_gan(
    reals: pd.DataFrame, config: Config, training: Training, weights: Mapping[str, Path], samples: Path
) -> tuple[keras.Model, pd.DataFrame | None, list[str]]:
    """Train the DCGAN, or load its generator with --gan-epochs 0.

    Args:
        reals: the images to learn, with the columns file and label.
        config: the run's config.
        training: its devices, seed and folder, whose latest checkpoint is resumed.
        weights: {generator or discriminator: a file to start from}.
        samples: the folder for five images of fixed noise after each epoch, epoch-0001.png and so on.

    Returns:
        (generator, losses or None, notes): losses by epoch, batch, generator_loss and discriminator_loss, and the
        seconds that their epoch took.

    Raises:
        UserError: if a loss is no longer a finite number, or a file does not fit.
    """
    notes = [f"{name} of {file.name} ({sha256(file)[:12]})" for name, file in weights.items()]
    if config.gan_epochs == 0:
        return load_generator(weights[GENERATOR], config.image_size), None, notes
    images = Images(reals, Preprocessing(config.image_size, scale=1 / 127.5, offset=-1.0))  # [-1, 1]: Sec. III-B
    with training.scope():
        gan = DCGAN(
            config.image_size, config.gan_width, config.gan_learning_rate, config.gan_beta_1, config.gan_pooling,
            jit=training.jit == "on",
        )  # fmt: skip
        for name, file in weights.items():
            load_initial_weights(getattr(gan, name), file, f"--weights {name}")
    state = checkpoints(gan, training)
    facts = state.restore()
    done, begun = (facts["epochs"], facts["losses"]) if facts else (0, [])
    if facts:
        place = f"step {len(begun)} of epoch" if begun else "epoch"
        log.info("DCGAN: resuming after %s %d of %d", place, done + bool(begun), config.gan_epochs)
    for epoch in range(done, config.gan_epochs):
        resumed = facts if facts and epoch == done else {"losses": [], "seconds": 0.0}
        losses = _train_epoch(gan, images, config, training, epoch, state, resumed)
        _save_strip(next(generate(gan.generator, SAMPLES, training.seed)), samples / f"epoch-{epoch + 1:04d}.png")
        kept = range(config.checkpoint_every, epoch + 2, config.checkpoint_every)  # Sec. IV-A: every tenth
        state.save(epoch + 1, 0, {"epochs": epoch + 1, "losses": [], "seconds": 0.0}, kept)
        log.info("DCGAN: epoch %d of %d: %s", epoch + 1, config.gan_epochs, _in_words(losses))
    losses = _stored_losses(training.folder, config.gan_epochs)
    collapsed = [epoch for epoch, of_epoch in losses.groupby("epoch") if diverged(of_epoch)]
    if collapsed:
        notes.append(f"DCGAN: the discriminator's loss is about 0 in {len(collapsed)} of {config.gan_epochs} epochs")
    return gan.generator, losses, notes


def checkpoints(gan: DCGAN, training: Training) -> Checkpoints:
    """Return the checkpoints of a DCGAN's training: generator.keras and discriminator.keras, with their optimizers."""
    return Checkpoints(training.folder, gan.networks, training.checkpoint_minutes, ".keras")


def keep_models(checkpoint_folder: Path, models: Path, suffix: str) -> dict[int, Path]:
    """Copy the networks of the kept checkpoints, without their optimizers, into a run's models/.

    generator.keras and discriminator.keras are the last epoch's, generator-epoch-0010.keras is that of an earlier one.

    Args:
        checkpoint_folder: of `train_gan`.
        models: the run's models/.
        suffix: what the names of this seed end with.

    Returns:
        The earlier generators as {epoch: file}.
    """
    paths = full_epochs(checkpoint_folder)
    last = max(paths)
    kept = (read_state(paths[last], verify=False) or {"keep": ()})["keep"]
    for name in (GENERATOR, DISCRIMINATOR):
        _copy(paths[last] / f"{name}.keras", models / f"{name}{suffix}.keras")
    earlier = {}
    for epoch in sorted(set(kept) - {last}):
        earlier[epoch] = models / f"{GENERATOR}{suffix}-epoch-{epoch:04d}.keras"
        _copy(paths[epoch] / f"{GENERATOR}.keras", earlier[epoch])
    return earlier


def load_generator(file: Path, image_size: int | None = None) -> keras.Model:
    """Load a trained generator.

    Args:
        file: a .keras file.
        image_size: the size that its images must have; None: any.

    Raises:
        UserError: if the file is not a generator, or makes images of another size.
    """
    try:
        network = load_network(file)
    except UnusableNetwork as error:
        raise UserError(f"--weights {GENERATOR}={file}: expected a .keras file of this suite: {error}") from error
    if network.name != GENERATOR:
        raise UserError(f"--weights {GENERATOR}={file}: expected a {GENERATOR}, got a network named {network.name}")
    size = network.output_shape[1]
    if image_size and size != image_size:
        raise UserError(f"--weights {GENERATOR}={file} makes images of {size} px; give --image-size {size}")
    return network


def losses_by_epoch(losses: pd.DataFrame) -> pd.DataFrame:
    """Return the mean losses of each epoch and its seconds, for history.csv.

    Args:
        losses: of `train_gan`.
    """
    return losses.drop(columns="batch").groupby("epoch", as_index=False).mean()


def _train_epoch(gan, images, config, training, epoch, state, resumed):
    """Train one epoch, or the rest of it, and store its losses, which a resumed run reads again."""
    batches = images.training_batches(config.gan_batch_size, training.seed, epoch)
    started = time.monotonic() - resumed["seconds"]
    kept = range(config.checkpoint_every, epoch + 1, config.checkpoint_every)

    def save_if_due(losses):
        if state.is_due:
            pairs = [[float(loss) for loss in pair] for pair in losses]
            _check(pd.DataFrame(pairs, columns=LOSSES).assign(batch=range(1, len(pairs) + 1)), epoch, config)
            facts = {"epochs": epoch, "losses": pairs, "seconds": time.monotonic() - started}
            state.save(epoch, len(pairs), facts, kept)

    losses = gan.train_epoch(batches, training.seed, epoch, resumed["losses"], save_if_due)
    seconds = round(time.monotonic() - started, 2)
    _check(losses, epoch, config)
    if problem := diverged(losses):
        log.warning("DCGAN: epoch %d: %s", epoch + 1, problem)
    losses.insert(0, "epoch", epoch + 1)
    losses["seconds"] = seconds
    write_csv(losses, training.folder / f"losses-{epoch + 1:04d}.csv")
    return losses


def _check(losses, epoch, config):
    if not np.isfinite(losses[LOSSES].to_numpy()).all():
        raise UserError(
            f"the DCGAN diverged in epoch {epoch + 1}: {diverged(losses)}; lower --gan-learning-rate, now "
            f"{config.gan_learning_rate:g} (Radford et al. take 0.0002)"
        )


def _stored_losses(folder, epochs):
    files = sorted(folder.glob("losses-*.csv"))
    losses = pd.concat([pd.read_csv(file, float_precision="round_trip") for file in files], ignore_index=True)
    return losses[losses["epoch"] <= epochs]


def _copy(source, target):
    save_network(load_network(source), target)


def _save_strip(images, path):
    with atomic_path(path) as temporary:
        Image.fromarray(np.concatenate(list(images), axis=1)).save(temporary, format="PNG")


def _in_words(losses):
    return ", ".join(f"{name} {losses[name].mean():.3g}" for name in LOSSES)
