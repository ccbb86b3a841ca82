"""CFFN: "DeepFake Image Detection", a two-phase common fake feature network on DFDC.

Salpekar (Stanford CS230), after Hsu, Zhuang, Lee 2020 (doi:10.3390/app10010370). Two towers of residual units first
learn, by a triplet loss, encodings in which real and fake frames lie apart; then the whole network learns to classify.

    python reproductions/cffn_resnet/run.py                    embedded data, 5 to 7 minutes on 2 CPU cores
    python reproductions/cffn_resnet/run.py --data dfdc=DIR    the paper: about 3 GPU hours a model, estimated

Expected with the paper's data: accuracy 0.9141 (Table 1), where calling everything fake scores 0.8001.
"""

import logging
from dataclasses import replace

import pandas as pd

from common.conditions import PARTIAL_DATA
from common.errors import UserError
from common.files import sha256
from common.runs.options import read_config, read_weights
from reproductions.cffn_resnet.config import (
    EMBEDDED,
    LAYOUTS,
    PAPER,
    PAPER_IMAGES,
    PRESETS,
    TRAINED,
    settings,
)

SCORED = 5000  # most training images of which the training accuracy is taken; the paper's is of one batch
log = logging.getLogger("deepfake")


def main(argv=None):
    config = read_config(PRESETS, argv, prog=f"python reproductions/{PAPER}/run.py", description=__doc__)
    from common.data.datasets import merge
    from common.runs import folder as runs
    from common.splits.protocols import choose_protocols
    from common.training import distribution
    from reproductions import experiment
    from results import compare

    weights = read_weights(config.weights, config.models)
    if config.epochs == 0 and not weights:
        raise UserError(f"--epochs 0 trains nothing: give --weights {config.models[0]}=FILE, or another model of a run")
    size = config.image_size
    datasets = experiment.load_data(config, LAYOUTS, EMBEDDED, faces="haar", size=size, frames=config.synthetic_frames)
    trained = next((data.name for data in datasets if data.role == TRAINED), "")
    if config.epochs and not trained:
        raise UserError(f"training needs --data {TRAINED}=DIR; the other data sets are only tested")
    images = merge(datasets, config.near_duplicates)
    seen = images[images["dataset"] == trained]
    protocols = choose_protocols(seen, config.protocol) if trained else config.protocol or ("frame",)
    splits = {
        (protocol, seed): experiment.split_seen(images, (trained,), config, protocol, seed)
        for protocol in protocols
        for seed in config.seeds
    }
    strategy = distribution.set_up(config.strategy, config.precision, config.deterministic)
    check_sizes(splits, config, strategy)
    fingerprints = {data.name: data.fingerprint for data in datasets}
    fingerprints |= {f"weights of {name}": sha256(file) for name, file in weights.items()}
    run = runs.open_run(PAPER, config, fingerprints, distribution.describe_devices())

    from common.data.pipeline import explain_damaged_images
    from reproductions.cffn_resnet.figures import draw_figures

    config.results.mkdir(parents=True, exist_ok=True)
    faces = experiment.prepared_faces([data for data in datasets if data.name == trained] or datasets)
    outcomes, steps = [], []
    for (protocol, seed), split in splits.items():
        suffix = f"-{protocol}-seed{seed}" if outcomes else ""  # the first keeps the models' plain names
        with explain_damaged_images():
            outcome, of_outcome = train_and_test(
                split.images, config, run, strategy, weights, faces, protocol, seed, suffix
            )
        outcomes.append(outcome)
        steps += of_outcome
        publish(outcome, split.remarks, config, run, trained)
    experiment.write_tables(outcomes, run)
    if steps:
        run.write_csv(pd.concat(steps), "steps.csv")
    draw_figures(outcomes[0], trained, steps, config, run)
    run.finish()
    compare.write_and_print_comparison([PAPER], config.results, run.name)
    print(f"rows: {config.results / PAPER}.csv; figures: {run.folder / 'figures'}")
    print(f"score a picture: python -m common.predict {run.folder} PICTURE_OR_VIDEO")


def check_sizes(splits, config, strategy):
    """UserError where images are too small, too few for a batch of a model, or the devices do not divide it, and for
    kernels or a share of the images that make no sense."""
    from common.data.pipeline import epoch_order
    from common.labels import to_numbers
    from common.training import distribution
    from reproductions.cffn_resnet.model import check_size
    from reproductions.cffn_resnet.train import training_images

    check_size(config.image_size)
    if not config.kernels or len(set(config.kernels)) < len(config.kernels):
        raise UserError(f"--kernels: expected one or more different sizes, got {list(config.kernels)}")
    if config.training_share > 1:
        raise UserError(f"--training-share: expected a share of at most 1, got {config.training_share}")
    for name in config.models if config.epochs else ():
        own = settings(config, name)
        distribution.check_batch(own.batch_size, strategy)
        for (_, seed), split in splits.items():
            labels = to_numbers(training_images(split.images, own, seed)["label"])
            if len(labels) < own.batch_size:
                raise UserError(f"--batch-size {own.batch_size}: {name} has only {len(labels)} training images")
            epoch_order(labels, own.batch_size, seed, 0, own.fake_share)


def train_and_test(images, config, run, strategy, weights, faces, protocol, seed, suffix):
    """Train every model; score validation and test once with each, and some training images.

    Returns (Outcome, the tables of their steps).
    """
    from common.data.pipeline import Images
    from common.detectors import store as detectors
    from common.evaluation.predictions import prediction_table
    from reproductions.cffn_resnet import train
    from reproductions.experiment import Outcome

    outcome, steps = Outcome(protocol, seed, images), []
    held_out = images[images["split"] != "train"]
    for name in config.models:
        if config.epochs == 0 and name not in weights:
            log.info("%s: skipped, --epochs 0 and no --weights %s=FILE", name, name)
            continue
        own = settings(config, name)
        detector, history, of_model, outcome.notes[name] = train.train_model(
            name, own, strategy, images, weights.get(name), run.path("checkpoints", name + suffix), seed, faces
        )
        scored = held_out
        if history is not None:
            outcome.histories[name] = history
            steps.append(of_model.assign(model=name, protocol=protocol, seed=seed))
            learnt = train.training_images(images, own, seed)
            scored = pd.concat([learnt.sample(min(SCORED, len(learnt)), random_state=seed), held_out])
        description = replace(detector.description, name=name + suffix, network=f"{name}{suffix}.keras")
        detectors.save(replace(detector, description=description), run.folder / "models")
        batches = Images(scored, train.preprocessing(own)).evaluation_batches(own.batch_size)
        scores = detector.score(batches, len(scored))
        outcome.predictions.append(prediction_table(scored, scores, name, protocol, seed))
    return outcome, steps


def publish(outcome, remarks, config, run, trained):
    """Our rows beside the published ones, into RESULTS/cffn_resnet.csv."""
    from reproductions import experiment
    from reproductions.cffn_resnet.rows import result_rows, size_rows, summary

    notes = [*experiment.changed_flags(config, PRESETS), *remarks]
    rows = result_rows(pd.concat(outcome.predictions), trained, outcome.seed)
    number = (outcome.images["dataset"] == trained).sum()
    if trained and config.data and number < 0.95 * PAPER_IMAGES:
        notes.append(f"{PARTIAL_DATA}: {number} of the paper's {PAPER_IMAGES} images")
    if trained and config.epochs:
        outcome.notes["data"] = []
        rows = pd.concat([size_rows(outcome.images, trained), rows], ignore_index=True)
    print(f"\nprotocol {outcome.protocol}, seed {outcome.seed}", *summary(rows), sep="\n  ", flush=True)
    experiment.publish(PAPER, outcome, rows, notes, config, PRESETS, run)


if __name__ == "__main__":
    from common.cli import RESUME_HINT, run_main

    run_main(main, RESUME_HINT)
