"""DCGAN + Inception-ResNet-v2: "GAN generated Deepfake face detection implementing Transfer learning".

Sarkar, Bhattacharya (National College of Ireland). A DCGAN (Radford et al. 2016, doi:10.48550/arXiv.1511.06434) learns
celebrities' faces and makes fakes; Inception-ResNet-v2 learns to tell them from the real ones.

    python reproductions/dcgan_inception_resnet/run.py                    embedded data, 7 to 9 minutes on 2 CPU cores
    python reproductions/dcgan_inception_resnet/run.py --data celeb=DIR   the paper: about 4 GPU hours, estimated

Expected with the paper's data: accuracy 0.998 (Figure 10) under the protocol `paper`, which scores the images that were
trained on; what is left of it on unseen ones is the row of `heldout`.
"""

import logging
from dataclasses import replace

import pandas as pd

from common.conditions import PARTIAL_DATA, SYNTHETIC
from common.errors import UserError
from common.files import sha256
from common.runs.options import read_config, read_weights
from reproductions.dcgan_inception_resnet.config import (
    BACKBONE,
    DISCRIMINATOR,
    EMBEDDED,
    GENERATOR,
    JPEG,
    JUDGE,
    LAYOUTS,
    PAPER,
    PAPER_IMAGES,
    PRESETS,
    PROPOSED,
    PROTOCOLS,
)

log = logging.getLogger("deepfake")


def main(argv=None):
    config = read_config(PRESETS, argv, prog=f"python reproductions/{PAPER}/run.py", description=__doc__)
    weights = read_weights(config.weights, (GENERATOR, DISCRIMINATOR, *config.models))
    if config.generate:
        return generate(config, weights)
    if config.epochs == 0:
        config = replace(config, gan_epochs=0)
    protocols = choose_protocols(config, weights)
    from common.runs import folder as runs
    from common.training import distribution
    from reproductions import experiment
    from reproductions.dcgan_inception_resnet import data
    from results import compare

    datasets = experiment.load_data(config, LAYOUTS, EMBEDDED, faces="haar", size=config.image_size, jpeg=JPEG)
    reals, others = data.real_and_other(datasets, config.near_duplicates)
    dealt = {seed: data.deal(reals, config, seed) for seed in config.seeds}
    check_sizes(dealt, config)
    jpeg = data.compression(reals, config.match_jpeg)
    imagenet, inception = find_imagenet(config, weights)
    strategy = distribution.set_up(config.strategy, config.precision, config.deterministic)
    from reproductions.dcgan_inception_resnet import gan

    for batch_size in (config.batch_size, config.gan_batch_size):
        distribution.check_batch(batch_size, strategy)
    if config.gan_epochs:
        gan.feature_maps(config.image_size, config.gan_width)  # tells of an impossible size before a run begins
    fingerprints = {each.name: each.fingerprint for each in datasets}
    fingerprints |= {f"weights of {name}": sha256(file) for name, file in weights.items()}
    run = runs.open_run(PAPER, config, fingerprints, distribution.describe_devices())

    from common.data.pipeline import explain_damaged_images
    from reproductions.dcgan_inception_resnet.stages import Setting

    config.results.mkdir(parents=True, exist_ok=True)
    prefix = f"{SYNTHETIC}-" if any(each.is_synthetic for each in datasets) else ""
    faces = experiment.prepared_faces(datasets)
    setting = Setting(config, run, strategy, weights, imagenet, inception, jpeg, faces, prefix)
    outcomes = []
    for seed, real in dealt.items():
        with explain_damaged_images():
            outcomes += both_stages(setting, real, others, protocols, seed, f"-seed{seed}" if outcomes else "")
    experiment.write_tables(outcomes, run)
    run.finish()
    compare.write_and_print_comparison([PAPER], config.results, run.name)
    print(f"rows: {config.results / PAPER}.csv; figures: {run.folder / 'figures'}")
    print(f"score a picture: python -m common.predict {run.folder} PICTURE")


def generate(config, weights):
    """--generate: images of a trained generator, with a manifest, and nothing else."""
    if GENERATOR not in weights:
        raise UserError(f"--generate: expected --weights {GENERATOR}=RUN/models/{GENERATOR}.keras")
    from common.training import distribution

    distribution.set_up(config.strategy, config.precision, config.deterministic)
    from reproductions.dcgan_inception_resnet.fakes import write_fakes
    from reproductions.dcgan_inception_resnet.gan_training import load_generator

    file = weights[GENERATOR]
    write_fakes(load_generator(file), config.generate_to, config.generate, config.seeds[0], {"generator": sha256(file)})
    print(f"{config.generate} images of {file} and their manifest: {config.generate_to}")


def choose_protocols(config, weights):
    """The protocols to report; UserError for flags that leave a stage without a network."""
    if unknown := sorted(set(config.protocol) - set(PROTOCOLS)):
        raise UserError(f"--protocol {' '.join(unknown)}: expected some of {', '.join(PROTOCOLS)}")
    if config.epochs == 0:
        if not set(weights) & set(config.models):
            raise UserError(f"--epochs 0 trains nothing: give --weights {config.models[0]}=FILE, or another detector")
        if "paper" in config.protocol:
            raise UserError("--protocol paper scores what was trained on, --epochs 0 trains nothing: choose heldout")
        return ("heldout",)
    if config.gan_epochs == 0 and GENERATOR not in weights:
        raise UserError(f"--gan-epochs 0 trains no generator: give --weights {GENERATOR}=FILE")
    return config.protocol or tuple(PROTOCOLS)


def check_sizes(dealt, config):
    """UserError where a stage has too few images for a batch."""
    for real in dealt.values():
        counts = real["split"].value_counts()
        enough = {"batch-size": (config.batch_size, 2 * counts.get("train", 0))} if config.epochs else {}
        if config.gan_epochs:
            enough["gan-batch-size"] = config.gan_batch_size, len(real) - counts["test"]
        for flag, (size, number) in enough.items():
            if number < size:
                raise UserError(f"--{flag} {size}: there are only {number} images to train on")


def find_imagenet(config, weights):
    """What Inception-ResNet-v2 starts from, with notes, and the network that judges the fakes: before any training."""
    from common.networks.backbones import find_weights
    from reproductions.experiment import imagenet_start

    start, judge = ("none", []), config.imagenet_weights
    if PROPOSED in config.models and PROPOSED not in weights and config.epochs:
        start = imagenet_start(BACKBONE, config, PROPOSED)
        judge = start[0]
    try:
        find_weights(JUDGE, judge)
    except UserError as error:
        log.warning("a detector judges the generated images: %s", error)
        judge = "none"
    return start, judge


def both_stages(setting, real, others, protocols, seed, suffix):
    """The DCGAN, its fakes, the detectors on them; rows and figures. Returns an Outcome for each protocol."""
    from reproductions.dcgan_inception_resnet import data, stages
    from reproductions.dcgan_inception_resnet.figures import draw_figures
    from reproductions.experiment import Outcome

    made = stages.make_fakes(setting, real, seed, suffix)
    images = pd.concat([made.images, data.others_for_test(others, made.images)], ignore_index=True)
    data.check(images)
    outcomes = [Outcome(protocol, seed, images, notes={"dcgan": []}) for protocol in protocols]
    networks = stages.detect(setting, outcomes, suffix)
    if made.losses is not None:
        outcomes[0].histories["dcgan"] = stages.gan_history(made.losses)
        setting.run.write_csv(made.losses, f"gan_losses{suffix}.csv")
    publish(setting, outcomes, made, networks)
    if not suffix:
        draw_figures(outcomes, made, setting.run)
    return outcomes


def publish(setting, outcomes, made, networks):
    """Our rows beside the published ones, into RESULTS/dcgan_inception_resnet.csv."""
    from reproductions import experiment
    from reproductions.dcgan_inception_resnet import rows, stages

    config, images, tables = setting.config, outcomes[0].images, {}
    name = images["dataset"].iloc[0]
    groups = made.groups | {
        f"other fakes ({other})": other
        for other in images.loc[images["label"] == "fake", "dataset"].unique()
        if other not in made.groups.values()
    }
    for outcome in outcomes:
        found = [rows.result_rows(pd.concat(outcome.predictions), groups, outcome.protocol, outcome.seed)]
        tables[outcome.protocol] = found[0]
        if outcome is outcomes[0] and PROPOSED in networks:
            found.append(rows.size_rows(networks[PROPOSED], name))
        if outcome.protocol == "heldout" and made.groups:
            found.append(rows.quality_rows(*stages.judge_fakes(setting, outcome, made, networks), name))
        found = pd.concat(found, ignore_index=True)
        experiment.publish(PAPER, outcome, found, remarks(config, made), config, PRESETS, setting.run)
    print(f"\nseed {outcomes[0].seed}", *rows.summary(tables), sep="\n  ", flush=True)


def remarks(config, made):
    """What a reader of any row must know."""
    from reproductions import experiment

    notes = [*experiment.changed_flags(config, PRESETS), *made.notes]
    if made.groups and not config.match_jpeg:
        notes.append("generated images not compressed")
    real = (made.images["label"] == "real").sum()
    if config.data and real < 0.99 * PAPER_IMAGES:  # a few unreadable files are not another data set
        notes.append(f"{PARTIAL_DATA}: {real} of the paper's {PAPER_IMAGES} real images")
    return notes


if __name__ == "__main__":
    from common.cli import RESUME_HINT, run_main

    run_main(main, RESUME_HINT)
