"""The two stages of a run, the DCGAN with its fakes and the detectors on them, and how good the fakes are."""

import logging
from dataclasses import dataclass, replace

from common.data.pipeline import Images
from common.detectors import store as detectors
from common.evaluation.predictions import prediction_table
from common.training import distribution
from reproductions.dcgan_inception_resnet import quality, train
from reproductions.dcgan_inception_resnet.config import DISCRIMINATOR, GENERATOR, PROTOCOLS, Config
from reproductions.dcgan_inception_resnet.data import GAN_ONLY, Made
from reproductions.dcgan_inception_resnet.detector import feature_network
from reproductions.dcgan_inception_resnet.fakes import write_fakes
from reproductions.dcgan_inception_resnet.gan_training import keep_models, load_generator, train_gan

log = logging.getLogger("deepfake")


@dataclass(frozen=True)
class Setting:
    """What both stages work with, whatever the seed."""

    config: Config
    run: object  # common.runs.folder.Run
    strategy: object  # tf.distribute.Strategy
    weights: dict  # {network: file to start from}
    imagenet: tuple  # what Inception-ResNet-v2 starts from, and notes on that
    inception: str  # the weights of the network that judges the fakes, none: a detector judges them
    jpeg: tuple  # how the generated images are compressed
    faces: dict  # how those of the real images were found
    prefix: str  # of the names of the generated data sets


def make_fakes(setting, real, seed, suffix):
    """Stage 1: the DCGAN learns the reals that are not held out, then makes as many fakes as the detector has reals."""
    config, run = setting.config, setting.run
    made = Made(real, run.folder / "samples" / f"seed-{seed}")
    weights = {name: file for name, file in setting.weights.items() if name in (GENERATOR, DISCRIMINATOR)}
    if not config.gan_epochs and GENERATOR not in weights:
        log.info("no generated images: --epochs 0, and no --weights %s=FILE", GENERATOR)
        return made
    state = run.folder / "checkpoints" / f"dcgan-seed{seed}"
    visible = real[real["split"] != "test"]
    made.generator, made.losses, made.notes = train_gan(
        visible, config, setting.strategy, weights, state, made.samples, seed
    )
    counts = real["split"].value_counts()

    def add(generator, name, kind, splits):
        folder = run.folder / "fakes" / f"{name}-seed{seed}"
        write_fakes(generator, folder, len(splits), seed, {"run": run.name, "generator": kind}, setting.jpeg)
        made.add(folder, setting.prefix + name, kind, splits)

    own = [split for split in ("train", "val", "test") for _ in range(counts.get(split, 0))]
    add(made.generator, "dcgan", "DCGAN", own)
    earlier = keep_models(state, run.folder / "models", suffix) if config.gan_epochs else {}
    if earlier:
        epoch = sorted(earlier)[len(earlier) // 2]
        splits = ["test"] * counts["test"]
        add(load_generator(earlier[epoch]), f"dcgan-epoch-{epoch:04d}", f"DCGAN, epoch {epoch}", splits)
    return made


def detect(setting, outcomes, suffix):
    """Stage 2: train every detector, save it, and score with it what each protocol measures, and validation.

    outcomes: those of one seed, which get its predictions, notes and history. Returns {model: network}.
    """
    config, images, networks = setting.config, outcomes[0].images, {}
    scored = images[images["split"] != GAN_ONLY]
    for name in config.models:
        if config.epochs == 0 and name not in setting.weights:
            log.info("%s: skipped, --epochs 0 and no --weights %s=FILE", name, name)
            continue
        state = setting.run.path("checkpoints", name + suffix)
        with distribution.quick_arithmetic(config) as arithmetic:
            detector, history, notes = train.train_detector(
                name, config, setting.strategy, images, setting.weights.get(name), setting.imagenet, state,
                outcomes[0].seed, setting.faces,
            )  # fmt: skip
        notes += arithmetic
        description = replace(detector.description, name=name + suffix, network=f"{name}{suffix}.keras")
        detectors.save(replace(detector, description=description), setting.run.folder / "models")
        batches = Images(scored, train.preprocessing(config)).evaluation_batches(config.batch_size)
        scores = detector.score(batches, len(scored))
        for outcome in outcomes:
            table = prediction_table(scored, scores, name, outcome.protocol, outcome.seed)
            outcome.predictions.append(table[table["split"].isin((*PROTOCOLS[outcome.protocol], "val"))])
            outcome.notes[name] = notes
        if history is not None:
            outcomes[0].histories[name] = history
        networks[name] = detector.network
    return networks


def judge_fakes(setting, outcome, made, networks):
    """How far the fakes of each generator are from the held-out reals, and for comparison the training reals.

    Returns ({what: {metric: common.evaluation.evaluate.Value}}, the network whose features were compared, in words).
    """
    config, images = setting.config, outcome.images
    if setting.inception != "none":
        judge, network = "InceptionV3, ImageNet", quality.inception(config.image_size, setting.inception)
    else:
        name, network = next(iter(networks.items()))
        judge, network = f"our {name}, which was trained on such fakes", feature_network(network)

    def features(chosen):
        pixels = Images(images[chosen], train.preprocessing(config)).evaluation_batches(config.batch_size)
        return quality.features(network, pixels, chosen.sum())

    test, real = images["split"] == "test", images["label"] == "real"
    held_out = features(test & real)
    compared = {kind: test & (images["dataset"] == name) for kind, name in made.groups.items()}
    if (images["split"] == "train").any():
        compared["real images of the training split"] = real & (images["split"] == "train")
    found = {}
    for kind, chosen in compared.items():
        theirs = features(chosen)
        found[kind] = {"kid": quality.kid(theirs, held_out, outcome.seed), "fid": quality.fid(theirs, held_out)}
    return found, judge


def gan_history(losses):
    """The DCGAN's losses by epoch, for history.csv."""
    return losses.drop(columns="batch").groupby("epoch", as_index=False).mean()
