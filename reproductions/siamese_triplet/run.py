"""Siamese network with triplet losses: "Exposing AI Generated Deepfake Images Using Siamese Network with Triplet Loss".

Kanwal, Tehsin, Saif, Computing and Informatics 41, 2022. A small network learns embeddings in which real and generated
faces lie apart, by a triplet loss; five ImageNet networks are its rivals. Case I tests on the generator that was
trained on (FFHQ and StyleGAN), Case II on one that was not (PGGAN).

    python reproductions/siamese_triplet/run.py                  embedded data, 5 to 7 minutes on 2 CPU cores
    python reproductions/siamese_triplet/run.py --data ffhq=DIR stylegan=DIR pggan=DIR   20 GPU hours, estimated

Expected with the paper's data: Case I accuracy 0.948, Case II 0.5475 of the fakes found (Table 3).
"""

import logging

import pandas as pd

from common.errors import UserError
from common.files import sha256
from common.runs.options import read_config, read_weights
from reproductions.siamese_triplet.config import (
    COUNTS,
    EMBEDDED,
    LAYOUTS,
    PAPER,
    PRESETS,
    SECOND_REAL,
    TRAINED,
    TRANSFER,
    UNSEEN,
    UNSEEN_IMAGES,
)

log = logging.getLogger("deepfake")


def main(argv=None):
    config = read_config(PRESETS, argv, prog=f"python reproductions/{PAPER}/run.py", description=__doc__)
    from common.runs import folder as runs
    from common.training import distribution
    from reproductions import experiment
    from results import compare

    weights = read_weights(config.weights, config.models)
    if config.epochs == 0 and not weights:
        raise UserError("--epochs 0 trains nothing: give --weights siamese=FILE, or other models of a run")
    datasets = experiment.load_data(config, LAYOUTS, EMBEDDED, faces="haar", size=config.image_size)
    roles = {data.role: data.name for data in datasets}
    trained = tuple(roles[role] for role in TRAINED if role in roles)
    images = all_images(datasets, roles, trained, config)
    splits = {
        (protocol, seed): split_cases(images, trained, config, protocol, seed)
        for protocol in choose_protocols(images[images["dataset"].isin(trained)], config.protocol)
        for seed in config.seeds
    }
    check_sizes(splits, config)
    starts = imagenet_starts(config, weights)
    strategy = distribution.set_up(config.strategy, config.precision, config.deterministic)
    distribution.check_batch(config.batch_size, strategy)
    fingerprints = {data.name: data.fingerprint for data in datasets}
    fingerprints |= {f"weights of {name}": sha256(file) for name, file in weights.items()}
    run = runs.open_run(PAPER, config, fingerprints, distribution.describe_devices())
    if missing := sorted(set(LAYOUTS) - set(roles)):
        log.info("data sets that the paper has, or we add, and this run has not: %s", ", ".join(missing))

    from common.data.pipeline import damage_named
    from reproductions.siamese_triplet.figures import draw_figures

    config.results.mkdir(parents=True, exist_ok=True)
    faces = experiment.prepared_faces([data for data in datasets if data.name in trained])
    outcomes = []
    for (protocol, seed), cases in splits.items():
        suffix = f"-{protocol}-seed{seed}" if outcomes else ""  # the first keeps the models' plain names
        with damage_named():
            outcomes.append(
                train_and_test(cases, config, run, strategy, weights, starts, faces, protocol, seed, suffix)
            )
    experiment.write_tables(outcomes, run)
    for outcome, cases in zip(outcomes, splits.values(), strict=True):
        publish(outcome, cases, config, run, roles, trained)
    draw_figures(outcomes[0], roles, trained, config, run)
    run.finish()
    compare.show([PAPER], config.results, run.name)
    print(f"rows: {config.results / PAPER}.csv; figures: {run.folder / 'figures'}")
    print(f"score a picture: python -m common.predict {run.folder} PICTURE")


def all_images(datasets, roles, trained, config):
    """All images as one table: of the unseen generator fakes alone, and no more than Table 1 has; of CelebA reals."""
    from common.data.datasets import merge

    images = merge(datasets, config.near_duplicates)
    if set(images.loc[images["dataset"].isin(trained), "label"]) != {"fake", "real"} and config.epochs:
        raise UserError(
            "training needs real and fake images: give --data ffhq=DIR stylegan=DIR, or a stylegan=DIR that holds both"
        )
    unseen, second = (images["dataset"] == roles.get(role) for role in (UNSEEN, SECOND_REAL))
    images = images[~(unseen & (images["label"] == "real")) & ~(second & (images["label"] == "fake"))]
    surplus = images[images["dataset"] == roles.get(UNSEEN)].sort_values("sha256").index[UNSEEN_IMAGES:]
    return images.drop(surplus).reset_index(drop=True)


def choose_protocols(images, requested):
    """`paper`, the numbers of Table 1 image by image, and what else the data allow but `frame`, which is the same."""
    from common.splits.protocols import choose_protocols as choose

    others = [protocol for protocol in requested if protocol != "paper"]
    chosen = choose(images, others) if others or not requested else []
    return ["paper"] * (not requested or "paper" in requested) + [each for each in chosen if others or each != "frame"]


def split_cases(images, trained, config, protocol, seed):
    """{case: Split}: Case I, and Case II where it is trained for itself: under `paper` only, whose numbers differ."""
    from reproductions import experiment
    from reproductions.siamese_triplet.split_counts import split_counts

    def counted(case):
        return lambda images, protocol, seed, fractions: split_counts(
            images, COUNTS[case], seed, by="label", val_share=config.validation
        )

    if protocol != "paper":
        return {"case1": experiment.split_seen(images, trained, config, protocol, seed)}
    cases = config.cases if "case1" in config.cases else ("case1", *config.cases)
    return {case: experiment.split_seen(images, trained, config, protocol, seed, counted(case)) for case in cases}


def imagenet_starts(config, weights):
    """{model: (what its backbone starts from, notes)} for those that have one; looked for before any training."""
    from reproductions.experiment import imagenet_start

    starts = {}
    for name in config.models:
        backbone = name.removeprefix("siamese_")
        if backbone in TRANSFER:
            given = name in weights or config.epochs == 0
            starts[name] = ("none", []) if given else imagenet_start(backbone, config, name)
    return starts


def check_sizes(splits, config):
    """UserError where a training split does not fill a batch."""
    for cases in splits.values():
        for split in cases.values():
            train = split.images[split.images["split"] == "train"]
            if config.epochs and len(train) < config.batch_size:
                raise UserError(f"--batch-size {config.batch_size}: the training split has only {len(train)} images")


def train_and_test(cases, config, run, strategy, weights, starts, faces, protocol, seed, suffix):
    """Train every model for every case; score validation and test once with each."""
    from dataclasses import replace

    from common.data.pipeline import Images
    from common.detectors import store as detectors
    from common.evaluation.predictions import prediction_table
    from reproductions.experiment import Outcome
    from reproductions.siamese_triplet import train
    from reproductions.siamese_triplet.rows import SECOND_CASE

    outcome = Outcome(protocol, seed, pd.concat([split.images.assign(case=case) for case, split in cases.items()]))
    for case, split in cases.items():
        held_out = split.images[split.images["split"] != "train"]
        for name in config.models:
            if config.epochs == 0 and name not in weights:
                log.info("%s: skipped, --epochs 0 and no --weights %s=FILE", name, name)
                continue
            model = name + (SECOND_CASE if case == "case2" else "")
            state = run.path("checkpoints", model + suffix)
            detector, history, outcome.notes[model] = train.train_model(
                name, config, strategy, split.images, weights.get(name), starts.get(name), state, seed, faces
            )
            if history is not None:
                outcome.histories[model] = history
            description = replace(
                detector.description,
                name=model + suffix,
                network=f"{model}{suffix}.keras",
                classifier=detector.description.classifier and f"{model}{suffix}.skops",
                proposed=detector.description.proposed and case == "case1",
            )
            detector = replace(detector, description=description)
            detectors.save(detector, run.folder / "models")
            batches = Images(held_out, train.preprocessing(config, name)).evaluation_batches(config.batch_size)
            scores = detector.score(batches, len(held_out))
            outcome.predictions.append(prediction_table(held_out, scores, model, protocol, seed))
    return outcome


def publish(outcome, cases, config, run, roles, trained):
    """Our rows beside the published ones, into RESULTS/siamese_triplet.csv, and Table 1 as it was split."""
    from reproductions import experiment
    from reproductions.siamese_triplet.rows import result_rows, size_rows, sizes, summary

    split = sizes(outcome.images, roles, trained)
    print(f"\nprotocol {outcome.protocol}, seed {outcome.seed}, images:", flush=True)
    print(*(f"  {row}, {part}: {number}" for (row, part), number in split.items()), sep="\n")
    rows = result_rows(pd.concat(outcome.predictions), roles, trained, outcome.seed)
    print("", *summary(rows), sep="\n  ", flush=True)
    remarks = [remark for case in cases.values() for remark in case.remarks]
    partial = any("fewer images than the paper's" in remark for remark in remarks)
    notes = [
        *experiment.changed_flags(config, PRESETS),
        *dict.fromkeys(remarks),
        *(["partial data"] if partial else []),
    ]
    outcome.notes["data"] = []
    rows = pd.concat([size_rows(split, "+".join(trained)), rows], ignore_index=True)
    experiment.publish(PAPER, outcome, rows, notes, config, PRESETS, run)


if __name__ == "__main__":
    from common.cli import GOES_ON, run_main

    run_main(main, GOES_ON)
