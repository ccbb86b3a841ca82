"""Siamese network with triplet losses: "Exposing AI Generated Deepfake Images Using Siamese Network with Triplet Loss".

Kanwal, Tehsin, Saif, Computing and Informatics 41, 2022. A small network learns embeddings in which real and generated
faces lie apart, by a triplet loss; five ImageNet networks are its rivals. Case I tests on the generator that was
trained on (FFHQ and StyleGAN), Case II on one that was not (PGGAN).

    python reproductions/siamese_triplet/run.py                  embedded data, 25 to 30 minutes on 2 CPU cores
    python reproductions/siamese_triplet/run.py --data ffhq=DIR stylegan=DIR pggan=DIR   20 GPU hours, estimated

NAMEs of --data: ffhq and stylegan, which are trained on, pggan, celeba. stylegan may hold real images as well.

Expected with the paper's data: Case I accuracy 0.948, Case II 0.5475 of the fakes found (Table 3).
"""

import logging
from dataclasses import replace

from common.cli import RESUME_HINT, run_main
from common.data.datasets import merge
from common.runs.options import read_config, read_weights
from common.tensorflow_import import import_tensorflow
from reproductions.inputs import Batch, RunData, load_data, require_classes, require_weights, resolve_imagenet_weights
from reproductions.siamese_triplet.cases import choose_images, choose_protocols, split_cases
from reproductions.siamese_triplet.config import EMBEDDED, LAYOUTS, PAPER, PRESETS, SECOND_CASE, TRAINED, TRANSFER
from reproductions.splitting import draw_possible

log = logging.getLogger("deepfake")


def main(argv=None):
    config = read_config(PRESETS, argv, prog=f"python reproductions/{PAPER}/run.py", description=__doc__)
    weights = read_weights(config.weights, config.models)
    require_weights(config, weights, config.models)
    datasets = load_data(config, LAYOUTS, EMBEDDED, faces="haar", size=config.image_size)
    roles = {dataset.role: dataset.name for dataset in datasets}
    trained = tuple(roles[role] for role in TRAINED if role in roles)
    images = choose_images(merge(datasets, config.near_duplicates), roles)
    seen = images[images["dataset"].isin(trained)]
    require_classes(seen, config, "--data ffhq=DIR stylegan=DIR, or a stylegan=DIR that holds both")
    protocols = choose_protocols(seen, config)
    drawn = draw_possible(protocols, config, lambda name, seed: split_cases(images, trained, config, name, seed))
    splits = [split for splits_of_seeds in drawn for split in splits_of_seeds]
    data = RunData(datasets, trained, splits)
    batch = Batch("--batch-size", config.batch_size, min(split.count("train") for split in splits))
    imagenet = {name: find_imagenet(name, config, weights) for name in config.models}

    import_tensorflow()
    from reproductions.session import Session
    from reproductions.siamese_triplet import figures, method, rows

    session = Session(PAPER, PRESETS, config, weights, data, [batch] if config.epochs else ())
    data.log_missing(LAYOUTS)
    for split in session.splits():
        for case, part in split.parts.items():  # Sec. 5.1: each case trains its own models
            for name in session.models(config.models):
                model = name + (SECOND_CASE if case == "case2" else "")
                initial = method.InitialWeights(weights.get(name), *imagenet[name])
                training = session.training(model, split)
                detector, history, notes = method.train_model(name, config, part, initial, training)
                description = replace(detector.description, model=model)
                description = replace(description, proposed=description.proposed and case == next(iter(split.parts)))
                notes += split.notes.get(case, [])
                session.add(split, replace(detector, description=description), history, notes, part=case)
    published = session.publish(
        lambda split: rows.all_rows(split, roles, trained, session.devices),
        test_sets=lambda images: rows.test_sets(images, roles, trained),
    )
    for split, table in zip(splits, published, strict=True):
        session.summarize(f"protocol {split.protocol}, seed {split.seed}", rows.summary(table))
    figures.draw_figures(splits[0], roles, trained, config, session.run)
    session.finish()


def find_imagenet(name, config, weights):
    """Return (what the backbone of a model starts from, notes), before anything is trained."""
    backbone = name.removeprefix("siamese_")
    if backbone not in TRANSFER or name in weights or config.epochs == 0:
        return "none", ()
    return resolve_imagenet_weights(backbone, config)


if __name__ == "__main__":
    run_main(main, RESUME_HINT)
