"""The two stages of a run, the DCGAN with its fakes and the detectors on them, and how good the fakes are."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from common.conditions import SYNTHETIC
from common.data.pipeline import Images, Preprocessing
from common.detectors.store import Description, Detector, fake_score
from common.errors import UserError
from common.evaluation.evaluate import Value
from common.networks.weights import find_weights
from common.training.fit import TrainingPlan
from common.training.initial_weights import initial_weights_note, load_initial_weights
from common.training.supervised import NOT_TRAINED, Training, validate_classifier
from reproductions.dcgan_inception_resnet import quality
from reproductions.dcgan_inception_resnet.config import (
    BACKBONE,
    DISCRIMINATOR,
    FEATURE_NETWORK,
    GENERATOR,
    HELD_OUT,
    PROPOSED,
    PROTOCOLS,
    Config,
)
from reproductions.dcgan_inception_resnet.data import GAN_ONLY, GeneratedData
from reproductions.dcgan_inception_resnet.detector import feature_network, inception_resnet_v2, stand_in
from reproductions.dcgan_inception_resnet.fakes import Compression, write_fakes
from reproductions.dcgan_inception_resnet.gan_training import keep_models, load_generator, train_gan
from reproductions.inputs import resolve_imagenet_weights
from reproductions.session import Session
from reproductions.splitting import Split

log = logging.getLogger("deepfake")


def preprocessing(config: Config) -> Preprocessing:
    """Return what happens to pixels before a detector: they stay in [0, 255], each network scales them itself."""
    return Preprocessing(config.image_size, scale=1.0)


def find_imagenet(config: Config, weights: Mapping[str, Path]) -> tuple[tuple[str, list[str]], str]:
    """Find the ImageNet weights before anything is trained.

    Args:
        config: the run's config.
        weights: {network: file} of --weights.

    Returns:
        ((what Inception-ResNet-v2 starts from, notes on it), the weights of the network whose features measure the
        fakes: `none` if a detector of the run has to do it).

    Raises:
        UserError: if Inception-ResNet-v2's weights cannot be downloaded.
    """
    initial: tuple[str, list[str]] = ("none", [])
    feature_weights = config.imagenet_weights
    if PROPOSED in config.models and PROPOSED not in weights and config.epochs:
        initial = resolve_imagenet_weights(BACKBONE, config)
        feature_weights = initial[0]
    if config.gan_epochs or GENERATOR in weights:
        try:
            find_weights(FEATURE_NETWORK, feature_weights)
        except UserError as error:
            log.warning("a detector of this run measures the quality of the generated images: %s", error)
            feature_weights = "none"
    return initial, feature_weights


def make_fakes(session: Session, config: Config, split: Split, compression: Sequence[Compression]) -> GeneratedData:
    """Stage 1: the DCGAN learns the reals that are not held out, then makes as many fakes as the detector has reals.

    Args:
        session: the run.
        config: its config.
        split: the first protocol of a seed, with the real images.
        compression: of the fakes, in turn.

    Returns:
        The reals with the fakes of the last epoch and, for the test split, those of an earlier checkpoint.
    """
    run, real, seed = session.run, split.images, split.seed
    generated = GeneratedData(real, run.folder / "samples" / f"seed-{seed}")
    weights = {name: file for name, file in session.weights.items() if name in (GENERATOR, DISCRIMINATOR)}
    if not config.gan_epochs and GENERATOR not in weights:
        log.info("no generated images: --epochs 0, and no --weights %s=FILE", GENERATOR)
        return generated
    if real.empty:
        log.info("no generated images: as many are made as there are real faces, and there are none")
        return generated
    training = session.training_in(f"dcgan-seed{seed}", seed)
    visible = real[real["split"] != "test"]
    generator, losses, notes = train_gan(visible, config, training, weights, generated.samples)
    generated.generator, generated.losses = generator, losses
    generated.notes = notes if config.match_jpeg else [*notes, "generated images not compressed"]
    if losses is not None:
        run.write_csv(losses.drop(columns="seconds"), f"gan_losses{split.suffix}.csv")
    counts = real["split"].value_counts()
    prefix = f"{SYNTHETIC}-" if any(dataset.is_synthetic for dataset in session.data.datasets) else ""

    def add(generator: keras.Model, name: str, maker: str, splits: list[str]) -> None:
        folder = run.folder / "fakes" / f"{name}-seed{seed}"
        write_fakes(generator, folder, len(splits), seed, {"run": run.name, "generator": maker}, compression)
        generated.add(folder, prefix + name, maker, splits)

    add(generator, "dcgan", "DCGAN", [name for name in ("train", "val", "test") for _ in range(counts.get(name, 0))])
    earlier = keep_models(training.folder, run.folder / "models", split.suffix) if config.gan_epochs else {}
    if earlier:
        epoch = sorted(earlier)[len(earlier) // 2]
        name, maker = f"dcgan-epoch-{epoch:04d}", f"DCGAN, epoch {epoch}"
        add(load_generator(earlier[epoch]), name, maker, ["test"] * counts["test"])
    return generated


def train_detector(
    name: str,
    config: Config,
    images: pd.DataFrame,
    weights: Path | None,
    imagenet: tuple[str, list[str]],
    training: Training,
) -> tuple[Detector, pd.DataFrame | None, list[str]]:
    """Stage 2: train one detector on the rows of `images` whose split is train; validation chooses the epoch.

    Args:
        name: the detector, one of --models.
        config: the run's config.
        images: real and generated, with the columns file, label and split.
        weights: a .keras file to start from, or None.
        imagenet: what the backbone starts from, and notes on that.
        training: its devices, seed and folder.

    Returns:
        (detector, history or None, notes for the results).
    """
    initial, notes = imagenet
    with training.scope():
        if name == PROPOSED:
            network = inception_resnet_v2(config.image_size, initial, training.synchronized)
        else:
            network = stand_in(config.image_size, training.synchronized)
        scoring = fake_score(network)
        if weights:
            load_initial_weights(scoring, weights, f"--weights {name}")
            notes = [initial_weights_note(weights)]
        if config.epochs:
            training.compile(
                network,
                keras.optimizers.Adam(config.learning_rate),
                loss=keras.losses.SparseCategoricalCrossentropy(),
                metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy")],
            )
    detector = Detector(Description(name, asdict(preprocessing(config)), proposed=name == PROPOSED), scoring)
    if config.epochs == 0:
        return detector, None, [*notes, NOT_TRAINED]
    train = Images(images[images["split"] == "train"], preprocessing(config))
    validation = Images(images[images["split"] == "val"], preprocessing(config))
    history, training_notes = training.fit(
        network,
        lambda epoch: train.training_batches(config.batch_size, training.seed, epoch),
        validate_classifier(validation, config.batch_size, scoring),
        TrainingPlan(config.epochs, "val_loss"),
    )
    return detector, history, [*notes, *training_notes]


def score_detector(
    session: Session, splits: Sequence[Split], detector: Detector, history: pd.DataFrame | None, notes: Sequence[str]
) -> None:
    """Save a detector, score with it all images but the DCGAN's own, and record what each protocol measures.

    Args:
        session: the run.
        splits: the protocols of one seed, whose one training this was; the first one gets the history.
        detector, history, notes: of `train_detector`.
    """
    session.save(next((split for split in splits if split.protocol == HELD_OUT), splits[0]), detector)
    images = splits[0].images[splits[0].images["split"] != GAN_ONLY]
    scores = session.score(detector, images)
    for split in splits:
        measured = images["split"].isin((*PROTOCOLS[split.protocol], "val")).to_numpy()
        own_history = history if split is splits[0] else None
        session.record(split, detector.description.model, images[measured], scores[measured], own_history, notes)


def measure_fake_quality(
    config: Config,
    images: pd.DataFrame,
    groups: Mapping[str, str],
    feature_weights: str,
    detector: Detector,
    seed: int,
) -> tuple[dict[str, dict[str, Value]], str]:
    """Measure how far generated images are from the held-out reals, and for comparison as many of the training reals.

    FID falls with the number of images, so only equal numbers of images compare.

    Args:
        config: the run's config.
        images: real and generated, with the column split.
        groups: {what made the fakes: their data set}.
        feature_weights: of Inception-v3; `none` takes the features of `detector`.
        detector: one of this run.
        seed: of the blocks of images.

    Returns:
        ({what was compared: {metric: Value}}, the network whose features were compared, in words).
    """
    if feature_weights != "none":
        source, network = "InceptionV3, ImageNet", quality.inception(config.image_size, feature_weights)
    else:
        source = f"our {detector.description.model}, which was trained on such fakes"
        network = feature_network(detector.network)
    test, real = images["split"] == "test", images["label"] == "real"

    def features(chosen: pd.Series) -> np.ndarray:
        pixels = Images(images[chosen], preprocessing(config)).evaluation_batches(config.batch_size)
        return quality.features(network, pixels, int(chosen.sum()))

    held_out = features(test & real)
    compared = {maker: test & (images["dataset"] == name) for maker, name in groups.items()}
    if (images["split"] == "train").any():
        training = images[real & (images["split"] == "train")]
        drawn = training.sample(min(len(training), len(held_out)), random_state=seed)
        compared["real images of the training split"] = images.index.to_series().isin(drawn.index)
    values = {}
    for name, chosen in compared.items():
        others = features(chosen)
        values[name] = {"kid": quality.kid(others, held_out, seed), "fid": quality.fid(others, held_out)}
    return values, source
