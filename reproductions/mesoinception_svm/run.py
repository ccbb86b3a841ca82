"""MesoInception-4 + SVM: "What AI Has Broken Can Be Fixed By AI As Well" (Vemana, Quidwai, Shyamsukha).

After MesoNet (Afchar et al., WIFS 2018, doi:10.1109/WIFS.2018.8630761): a small network looks for the mesoscopic traces
of a swapped face; the paper replaces its last unit by an RBF SVM on the 16 fully connected features.

    python reproductions/mesoinception_svm/run.py                       embedded data, 6 to 9 minutes on 2 CPU cores
    python reproductions/mesoinception_svm/run.py --data deepfake=DIR   the paper: hours on 2 cores, minutes on a GPU

NAMEs of --data: deepfake and face2face (MesoNet's faces), celebdf, dfdc, combined (anything else); all are trained on.

Expected on MesoNet's face set: accuracy 0.90 (Table 4, MesoInception-4), and 0.78 with the SVM (Table 5 prints 0.9, but
its own recalls give 0.782).
"""

import logging

from common.cli import RESUME_HINT, run_main
from common.data.datasets import merge
from common.errors import UserError
from common.runs.options import read_config, read_weights
from common.tensorflow_import import import_tensorflow
from reproductions.inputs import Batch, RunData, load_data, partial_data, require_classes, require_weights
from reproductions.mesoinception_svm.config import (
    BASE,
    EMBEDDED,
    LAYOUTS,
    PAPER,
    PAPER_IMAGES,
    PRESETS,
    PROPOSED,
    batch_flag_of,
    batch_size_of,
)
from reproductions.splitting import draw_splits

log = logging.getLogger("deepfake")


def main(argv=None):
    config = read_config(PRESETS, argv, prog=f"python reproductions/{PAPER}/run.py", description=__doc__)
    networks = [name for name in config.models if name != PROPOSED]
    weights = read_weights(config.weights, networks)
    require_weights(config, weights, networks)
    if PROPOSED in config.models and BASE not in config.models:
        raise UserError(f"--models {PROPOSED}: the SVM is fitted on the features of {BASE}; add {BASE}")
    datasets = load_data(config, LAYOUTS, EMBEDDED)
    trained = choose_training_sets(config, datasets)
    images = merge(datasets, config.near_duplicates)
    require_classes(images[images["dataset"].isin(trained)], config, "data of both classes")
    data = RunData(datasets, trained, draw_splits(images, trained, config))
    fewest = min(split.count("train") for split in data.splits)
    batches = [
        Batch(batch_flag_of(name), batch_size_of(name, config), fewest, name, config.fake_share) for name in networks
    ]

    import_tensorflow()
    from reproductions.mesoinception_svm import figures, method, rows
    from reproductions.session import Session

    session = Session(PAPER, PRESETS, config, weights, data, batches if config.epochs else ())
    data.log_missing(LAYOUTS)
    for split in session.splits():
        for name in session.models(networks):
            training = session.training(name, split)
            detector, history, notes = method.train_network(name, config, split.images, weights.get(name), training)
            session.add(split, detector, history, notes)
            if name == BASE and PROPOSED in config.models and can_fit(split):  # Sec. 3: the SVM on its features
                svm, fitted = method.fit_proposed(detector, config, split.images, split.seed)
                session.add(split, svm, None, [*notes, fitted])
    published = session.publish(
        lambda split: rows.all_rows(split, data),
        partial_data(config, data.training_images(), PAPER_IMAGES),
    )
    for split, table in zip(data.splits, published, strict=True):
        session.summarize(f"protocol {split.protocol}, seed {split.seed}", rows.summary(table))
    figures.draw_figures(data.splits[0], trained, session.run, config)
    session.finish()


def choose_training_sets(config, datasets):
    """Return the names of the data sets to train on (Sec. 4.1.2 merges them); the others are only tested."""
    names = {data.role: data.name for data in datasets}
    default = ("combined",) if "combined" in names else tuple(names) if config.data else ("deepfake",)
    roles = config.train_on or default
    if missing := [role for role in roles if role not in names]:
        raise UserError(f"--train-on {' '.join(missing)}: expected some of {', '.join(names)}")
    return tuple(names[role] for role in roles)


def can_fit(split):
    """Return whether the training images have both classes, which the SVM needs."""
    images = split.images
    if set(images.loc[images["split"] == "train", "label"]) == {"fake", "real"}:
        return True
    log.info("%s: skipped, no training images of both classes to fit the SVM on", PROPOSED)
    return False


if __name__ == "__main__":
    run_main(main, RESUME_HINT)
