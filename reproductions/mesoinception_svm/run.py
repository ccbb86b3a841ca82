"""MesoInception-4 + SVM: "What AI Has Broken Can Be Fixed By AI As Well" (Vemana, Quidwai, Shyamsukha).

After MesoNet (Afchar et al., WIFS 2018, doi:10.1109/WIFS.2018.8630761): a small network looks for the mesoscopic traces
of a swapped face; the paper replaces its last unit by an RBF SVM on the 16 fully connected features.

    python reproductions/mesoinception_svm/run.py                       embedded data, 3 to 5 minutes on 2 CPU cores
    python reproductions/mesoinception_svm/run.py --data deepfake=DIR   the paper: hours on 2 cores, minutes on a GPU

Expected on MesoNet's face set: accuracy 0.90 (Table 4, MesoInception-4), and 0.78 with the SVM (Table 5 prints 0.9, but
its own recalls give 0.782).
"""

import logging
from dataclasses import dataclass, field

import pandas as pd

from common.errors import UserError
from common.files import sha256
from common.options import overridden, preset_name, read_config, read_weights
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
    from common import distribution, runs
    from common.datasets import merge
    from common.splits import choose_protocols
    from results import compare

    if PROPOSED in config.models and BASE not in config.models:
        raise UserError(f"--models {PROPOSED}: the SVM stands on the features of {BASE}; add {BASE}")
    weights = read_weights(config.weights, NETWORKS)
    datasets = load_data(config)
    trained = choose_training_sets(config, datasets)
    images = merge(datasets)
    protocols = choose_protocols(images[images["dataset"].isin(trained)], config.protocol)
    if config.epochs == 0 and not set(weights) & set(config.models):
        raise UserError("--epochs 0 trains nothing: give --weights mesoinception4=FILE or meso4=FILE")
    tables = {
        (protocol, seed): split(images, trained, config, protocol, seed)
        for protocol in protocols
        for seed in config.seeds
    }
    fewest = min((table["split"] == "train").sum() for table in tables.values())
    if config.epochs and fewest < config.batch_size:
        raise UserError(f"--batch-size {config.batch_size}: the training split has only {fewest} images")
    strategy = distribution.set_up(config.strategy, config.precision, config.deterministic)
    distribution.check_batch(config.batch_size, strategy)
    fingerprints = {data.name: data.fingerprint for data in datasets}
    fingerprints |= {f"weights of {name}": sha256(file) for name, file in weights.items()}
    run = runs.open_run(PAPER, config, fingerprints, distribution.describe_devices())
    if missing := sorted(set(LAYOUTS) - {data.role for data in datasets}):
        log.info("data sets that the paper has and this run has not: %s", ", ".join(missing))

    from common.images import damage_named
    from reproductions.mesoinception_svm.figures import draw_figures

    config.results.mkdir(parents=True, exist_ok=True)
    faces = prepared_faces([data for data in datasets if data.name in trained])
    outcomes = []
    for (protocol, seed), table in tables.items():
        suffix = f"-{protocol}-seed{seed}" if outcomes else ""  # the first keeps the models' plain names
        with damage_named():
            outcomes.append(train_and_test(table, config, run, strategy, weights, faces, protocol, seed, suffix))
    write_tables(outcomes, run)
    publish(outcomes, config, run, datasets, trained)
    draw_figures(outcomes[0], trained, run, config.activation_steps)
    run.finish()
    compare.show([PAPER], config.results, run.name)
    print(f"rows: {config.results / PAPER}.csv; figures: {run.folder / 'figures'}")
    print(f"score a picture: python -m common.predict {run.folder} PICTURE")


@dataclass
class Outcome:
    """What one protocol and one seed gave."""

    protocol: str
    seed: int
    images: pd.DataFrame  # all images, with the column split
    predictions: list = field(default_factory=list)  # one table a model, of validation and test
    histories: dict = field(default_factory=dict)  # {network: table}
    notes: dict = field(default_factory=dict)  # {model: what a reader of its numbers must know}


def load_data(config):
    """The data sets of --data, or the embedded ones in their place."""
    from common.datasets import open_dataset, read_data
    from data_prep.embedded import embedded

    if config.data:
        return read_data(config.data, LAYOUTS, config.limit)
    return [
        open_dataset(role, embedded(family, max(10, round(share * config.synthetic_images))), limit=config.limit)
        for role, (family, share) in EMBEDDED.items()
    ]


def choose_training_sets(config, datasets):
    """The names of the data sets to train on (Sec. 4.1.2 merges them); the others are unseen, and only tested."""
    names = {data.role: data.name for data in datasets}
    default = ("combined",) if "combined" in names else tuple(names) if config.data else ("deepfake",)
    roles = config.train_on or default
    if missing := [role for role in roles if role not in names]:
        raise UserError(f"--train-on {' '.join(missing)}: expected some of {', '.join(names)}")
    return tuple(names[role] for role in roles)


def split(images, trained, config, protocol, seed):
    """All images with the column split: what is trained on by protocol, 70:20:10 (Sec. 4.1.1), the unseen as test.

    An unseen data set's copies of images that were trained on are left out. With --epochs 0, data that cannot be
    split (one class, a handful of pictures) are all test.
    """
    from common.splits import check_no_overlap, split_images

    seen = images["dataset"].isin(trained)
    copies = ~seen & images["sha256"].isin(images.loc[seen & (images["sha256"] != ""), "sha256"])
    if copies.any():
        log.warning("%d unseen images are copies of images trained on, and left out", copies.sum())
        images, seen = images[~copies], seen[~copies]
    splits = pd.Series("test", index=images.index)
    try:
        splits[seen] = split_images(images[seen], protocol, seed, config.split)
    except UserError as error:
        if config.epochs:
            raise
        log.warning("everything is test: %s", error)
    check_no_overlap(images, splits, protocol)
    return images.assign(split=splits)


def train_and_test(images, config, run, strategy, weights, faces, protocol, seed, suffix):
    """Train the networks and fit the SVM; score validation and test once with each."""
    from common import detectors
    from common.images import Images
    from common.predictions import prediction_table
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


def prepared_faces(datasets):
    """How data_prep found the faces, for predict to find them the same way; of data sets that differ, the first's."""
    keys = ("faces", "size", "margin", "min_confidence", "pick")
    chains = [{key: data.preparation.get("flags", {}).get(key) for key in keys} for data in datasets]
    if any(chain != chains[0] for chain in chains):
        log.info("the data sets were prepared with different face flags; predict uses those of %s", datasets[0].name)
    return chains[0]


def write_tables(outcomes, run):
    """predictions.csv, splits.csv and history.csv, over all protocols and seeds."""
    run.write_csv(pd.concat([table for each in outcomes for table in each.predictions]), "predictions.csv")
    columns = ["dataset", "path", "label", "split"]
    splits = [each.images[columns].assign(protocol=each.protocol, seed=each.seed) for each in outcomes]
    run.write_csv(pd.concat(splits), "splits.csv")
    histories = [
        history.assign(model=model, protocol=each.protocol, seed=each.seed)
        for each in outcomes
        for model, history in each.histories.items()
    ]
    if histories:
        history = pd.concat(histories)
        keys = ["model", "protocol", "seed"]
        run.write_csv(history[keys + [column for column in history if column not in keys]], "history.csv")


def publish(outcomes, config, run, datasets, trained):
    """Our rows beside the published ones, into RESULTS/mesoinception_svm.csv."""
    from reproductions.mesoinception_svm.rows import result_rows, summary
    from results.tables import upsert

    changed = overridden(config, PRESETS[config.preset])
    common = [f"--{name.replace('_', '-')} {_words(value)}" for name, value in changed.items() if name != "weights"]
    images = sum(len(data.images) for data in datasets if data.name in trained)
    if images < 0.99 * PAPER_IMAGES and config.data:  # a few unreadable files are not another data set
        common.append(f"partial data: {images} of the paper's {PAPER_IMAGES} images")
    for outcome in outcomes:
        predictions = pd.concat(outcome.predictions)
        rows = result_rows(predictions, {data.role: data.name for data in datasets}, trained, outcome.seed)
        notes = [
            "; ".join(filter(None, [note, *outcome.notes[model], *common]))
            for note, model in zip(rows["note"], rows.pop("model"), strict=True)
        ]
        print(f"\nprotocol {outcome.protocol}, seed {outcome.seed}", *summary(rows), sep="\n  ", flush=True)
        upsert(
            rows.assign(
                paper=PAPER, protocol=outcome.protocol, preset=preset_name(config, PRESETS), seed=outcome.seed,
                run=run.name, commit=run.commit, note=notes,
            ),
            config.results / f"{PAPER}.csv",
        )  # fmt: skip


def _words(value):
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


if __name__ == "__main__":
    from common.cli import GOES_ON, run_main

    run_main(main, GOES_ON)
