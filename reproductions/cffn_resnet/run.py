"""CFFN: "DeepFake Image Detection", a two-phase common fake feature network on DFDC.

Salpekar (Stanford CS230), after Hsu, Zhuang, Lee 2020 (doi:10.3390/app10010370). Two towers of residual units first
learn, by a triplet loss, encodings in which real and fake frames are far apart; then the whole network learns to
classify.

    python reproductions/cffn_resnet/run.py                    embedded data, 5 to 7 minutes on 2 CPU cores
    python reproductions/cffn_resnet/run.py --data dfdc=DIR    the paper: about 3 GPU hours a model, estimated

NAMEs of --data: dfdc, which is trained on, celebdf, faceforensics, and other for anything else.

Expected with the paper's data: accuracy 0.9141 (Table 1), where calling everything fake scores 0.8001, under the
protocol `video`: the author's code keeps the frames of a video together.
"""

import pandas as pd

from common.cli import RESUME_HINT, run_main
from common.data.datasets import merge
from common.runs.options import read_config, read_weights
from common.tensorflow_import import import_tensorflow
from reproductions.cffn_resnet.config import (
    EMBEDDED,
    LAYOUTS,
    PAPER,
    PAPER_FAKE_SHARE,
    PAPER_IMAGES,
    PRESETS,
    PROPOSED,
    TRAINED,
    config_of,
)
from reproductions.cffn_resnet.sampling import scored_images, training_images
from reproductions.inputs import Batch, RunData, load_data, other_data, require_classes, require_weights
from reproductions.splitting import draw_splits


def main(argv=None):
    config = read_config(PRESETS, argv, prog=f"python reproductions/{PAPER}/run.py", description=__doc__)
    weights = read_weights(config.weights, config.models)
    require_weights(config, weights, config.models)
    datasets = load_data(config, LAYOUTS, EMBEDDED, config.synthetic_frames, faces="haar", size=config.image_size)
    trained = tuple(dataset.name for dataset in datasets if dataset.role == TRAINED)
    images = merge(datasets, config.near_duplicates)
    remedy = f"--data {TRAINED}=DIR with both; the other data sets are only tested"
    require_classes(images[images["dataset"].isin(trained)], config, remedy)
    data = RunData(datasets, trained, draw_splits(images, trained, config))
    batches = [training_batch(name, config, data) for name in config.models] if config.epochs else []

    import_tensorflow()
    from reproductions.cffn_resnet import figures, method, rows, sizes
    from reproductions.session import Session

    session = Session(PAPER, PRESETS, config, weights, data, batches)
    data.log_missing(LAYOUTS)
    steps, units = [], {}
    for split in session.splits():
        for name in session.models(config.models):
            model_config, training = config_of(name, config), session.training(name, split)
            detector, history, step_values, notes = method.train_model(
                name, model_config, split.images, weights.get(name), training
            )
            session.save(split, detector)
            units |= sizes.count_units(detector.network, model_config) if name == PROPOSED else {}
            scored = scored_images(split.images, model_config, split.seed)
            scores = session.score(detector, scored, model_config.batch_size)
            session.record(split, name, scored, scores, history, notes)
            if step_values is not None:
                steps.append(step_values.assign(model=name, protocol=split.protocol, seed=split.seed))
    if steps:
        session.run.write_csv(pd.concat(steps), "steps.csv")
    labels = images.loc[images["dataset"].isin(trained), "label"]
    remarks = other_data(config, labels, PAPER_IMAGES, PAPER_FAKE_SHARE, share=0.95)
    published = session.publish(lambda split: rows.all_rows(split, data, config, units), remarks)
    for split, table in zip(data.splits, published, strict=True):
        session.summarize(f"protocol {split.protocol}, seed {split.seed}", rows.summary(table))
    figures.draw_figures(data.splits[0], trained, steps, config, session.run)
    session.finish()


def training_batch(name, config, data):
    """Return the batch that a model trains with, and the fewest training images that any split has for it."""
    model_config = config_of(name, config)
    fewest = min(len(training_images(split.images, model_config, split.seed)) for split in data.splits)
    return Batch(
        "--batch-size", model_config.batch_size, fewest, f"the training set of {name}", model_config.fake_share
    )


if __name__ == "__main__":
    run_main(main, RESUME_HINT)
