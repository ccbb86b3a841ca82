"""MesoInception-4 + SVM: "What AI Has Broken Can Be Fixed By AI As Well" (Vemana, Quidwai, Shyamsukha).

After MesoNet (Afchar et al., WIFS 2018, doi:10.1109/WIFS.2018.8630761): a small network looks for the mesoscopic traces
of a swapped face; the paper replaces its last unit by an RBF SVM on the 16 fully connected features.

    python reproductions/mesoinception_svm/run.py                       embedded data, 3 to 5 minutes on 2 CPU cores
    python reproductions/mesoinception_svm/run.py --data deepfake=DIR   the paper: hours on 2 cores, minutes on a GPU

Expected on MesoNet's face set: accuracy 0.90 (Table 4, MesoInception-4), and 0.78 with the SVM (Table 5 prints 0.9, but
its own recalls give 0.782).
"""

import logging

import pandas as pd

from common.errors import UserError
from common.files import sha256
from common.runs.options import read_config, read_weights
from reproductions.mesoinception_svm.config import (
    BASE,
    EMBEDDED,
    LAYOUTS,
    NETWORKS,
    PAPER,
    PAPER_IMAGES,
    PRESETS,
    PROPOSED,
)

log = logging.getLogger("deepfake")


def main(argv=None):
    config = read_config(PRESETS, argv, prog=f"python reproductions/{PAPER}/run.py", description=__doc__)
    from common.data.datasets import merge
    from common.runs import folder as runs
    from common.splits.protocols import choose_protocols
    from common.training import distribution
    from reproductions import experiment
    from results import compare

    if PROPOSED in config.models and BASE not in config.models:
        raise UserError(f"--models {PROPOSED}: the SVM stands on the features of {BASE}; add {BASE}")
    weights = read_weights(config.weights, [name for name in NETWORKS if name in config.models])
    datasets = experiment.load_data(config, LAYOUTS, EMBEDDED)
    trained = choose_training_sets(config, datasets)
    images = merge(datasets, config.near_duplicates)
    protocols = choose_protocols(images[images["dataset"].isin(trained)], config.protocol)
    if config.epochs == 0 and not weights:
        raise UserError("--epochs 0 trains nothing: give --weights mesoinception4=FILE or meso4=FILE")
    splits = {
        (protocol, seed): experiment.split_seen(images, trained, config, protocol, seed)
        for protocol in protocols
        for seed in config.seeds
    }
    fewest = min((split.images["split"] == "train").sum() for split in splits.values())
    if config.epochs and fewest < config.batch_size:
        raise UserError(f"--batch-size {config.batch_size}: the training split has only {fewest} images")
    strategy = distribution.set_up(config.strategy, config.precision, config.deterministic)
    distribution.check_batch(config.batch_size, strategy)
    fingerprints = {data.name: data.fingerprint for data in datasets}
    fingerprints |= {f"weights of {name}": sha256(file) for name, file in weights.items()}
    run = runs.open_run(PAPER, config, fingerprints, distribution.describe_devices())
    if missing := sorted(set(LAYOUTS) - {data.role for data in datasets}):
        log.info("data sets that the paper has and this run has not: %s", ", ".join(missing))

    from common.data.pipeline import damage_named
    from reproductions.mesoinception_svm.figures import draw_figures

    config.results.mkdir(parents=True, exist_ok=True)
    faces = experiment.prepared_faces([data for data in datasets if data.name in trained])
    outcomes = []
    for (protocol, seed), split in splits.items():
        suffix = f"-{protocol}-seed{seed}" if outcomes else ""  # the first keeps the models' plain names
        with damage_named():
            outcomes.append(train_and_test(split.images, config, run, strategy, weights, faces, protocol, seed, suffix))
    experiment.write_tables(outcomes, run)
    for outcome, split in zip(outcomes, splits.values(), strict=True):
        publish(outcome, split.remarks, config, run, datasets, trained)
    draw_figures(outcomes[0], trained, run, config.activation_steps)
    run.finish()
    compare.show([PAPER], config.results, run.name)
    print(f"rows: {config.results / PAPER}.csv; figures: {run.folder / 'figures'}")
    print(f"score a picture: python -m common.predict {run.folder} PICTURE")


def choose_training_sets(config, datasets):
    """The names of the data sets to train on (Sec. 4.1.2 merges them); the others are unseen, and only tested."""
    names = {data.role: data.name for data in datasets}
    default = ("combined",) if "combined" in names else tuple(names) if config.data else ("deepfake",)
    roles = config.train_on or default
    if missing := [role for role in roles if role not in names]:
        raise UserError(f"--train-on {' '.join(missing)}: expected some of {', '.join(names)}")
    return tuple(names[role] for role in roles)


def train_and_test(images, config, run, strategy, weights, faces, protocol, seed, suffix):
    """Train the networks and fit the SVM; score validation and test once with each."""
    from common.data.pipeline import Images
    from common.detectors import store as detectors
    from common.evaluation.predictions import prediction_table
    from reproductions.experiment import Outcome
    from reproductions.mesoinception_svm import train

    outcome = Outcome(protocol, seed, images)
    held_out = images[images["split"] != "train"]
    batches = Images(held_out, train.preprocessing(config)).evaluation_batches(config.batch_size)
    for name in (name for name in config.models if name != PROPOSED):
        if config.epochs == 0 and name not in weights:
            log.info("%s: skipped, --epochs 0 and no --weights %s=FILE", name, name)
            continue
        state = run.path("checkpoints", name + suffix)
        network, history, outcome.notes[name] = train.train_network(
            name, config, strategy, images, weights.get(name), state, seed
        )
        if history is not None:
            outcome.histories[name] = history
        found = {name: train.as_detector(name, network, config, suffix, faces)}
        if name == BASE and PROPOSED in config.models:
            if (images["split"] == "train").any():
                found[PROPOSED], fitted = train.fit_proposed(found[name], config, images, seed, suffix)
                outcome.notes[PROPOSED] = [*outcome.notes[name], fitted]
            else:
                log.info("%s: skipped, no training images to fit the SVM on", PROPOSED)
        for model, detector in found.items():
            detectors.save(detector, run.folder / "models")
            scores = detector.score(batches, len(held_out))
            outcome.predictions.append(prediction_table(held_out, scores, model, protocol, seed))
    return outcome


def publish(outcome, remarks, config, run, datasets, trained):
    """Our rows beside the published ones, into RESULTS/mesoinception_svm.csv."""
    from reproductions import experiment
    from reproductions.mesoinception_svm.rows import result_rows, summary

    notes = [*experiment.changed_flags(config, PRESETS), *remarks]
    images = sum(len(data.images) for data in datasets if data.name in trained)
    if images < 0.99 * PAPER_IMAGES and config.data:  # a few unreadable files are not another data set
        notes.append(f"partial data: {images} of the paper's {PAPER_IMAGES} images")
    predictions = pd.concat(outcome.predictions)
    rows = result_rows(predictions, {data.role: data.name for data in datasets}, trained, outcome.seed)
    print(f"\nprotocol {outcome.protocol}, seed {outcome.seed}", *summary(rows), sep="\n  ", flush=True)
    experiment.publish(PAPER, outcome, rows, notes, config, PRESETS, run)


if __name__ == "__main__":
    from common.cli import GOES_ON, run_main

    run_main(main, GOES_ON)
