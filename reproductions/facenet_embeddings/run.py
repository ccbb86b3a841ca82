"""FaceNet embeddings with metric learning: "Deep Fake Detection using Metric Learning".

Ayyappan, Singh, Datta (NC State University). Phase I trains Xception, alone and under an LSTM, on faces of videos.
Phase II takes FaceNet's 512 numbers of a face, trains a small network on them by semi-hard triplets (Schroff et al.
2015, doi:10.1109/CVPR.2015.7298682), and classifies its output by SGD and a random forest.

    python reproductions/facenet_embeddings/run.py                      embedded videos, 3 to 4 minutes on 2 CPU cores
    python reproductions/facenet_embeddings/run.py --data celebdf=DIR  the paper: a GPU hour a protocol, estimated

NAMEs of --data: celebdf (Celeb-DF), celebdf_v2. Expected with the paper's data and FaceNet's weights: accuracy 0.875 of
24 videos (Table II), under the protocol `frame`, which puts frames of one video on both sides; beside it `video` and
`identity`, which do not.
"""

import logging

import pandas as pd

from common.conditions import PARTIAL_DATA
from common.errors import UserError
from common.files import sha256
from common.runs.options import read_config, read_weights
from reproductions.facenet_embeddings.config import (
    BASE,
    FIRST,
    LAYOUTS,
    LSTM,
    PAPER,
    PAPER_FRAMES,
    PRESETS,
    PROPOSED,
    TRIALS,
    XCEPTION,
)

log = logging.getLogger("deepfake")


def main(argv=None):
    config = read_config(PRESETS, argv, prog=f"python reproductions/{PAPER}/run.py", description=__doc__)
    weights = read_weights(config.weights, (BASE, "xception"))
    if not config.epochs and BASE not in weights and not ("xception" in weights and set(config.phase1) & set(XCEPTION)):
        raise UserError(f"--epochs 0 trains nothing: give --weights {BASE}=FILE, or xception=FILE")
    from common.data.datasets import merge
    from common.runs import folder as runs
    from common.training import distribution
    from reproductions import experiment
    from reproductions.facenet_embeddings.splitting import parts_of, protocols_of
    from results import compare

    datasets = load_data(config)
    images = merge(datasets, config.near_duplicates)
    splits = {
        (protocol, seed): parts_of(images, protocol, config, seed)
        for seed in config.seeds
        for protocol in protocols_of(images, config)
    }
    needed = set(config.phase1) & set(TRIALS) and config.epochs and "xception" not in weights
    imagenet = experiment.imagenet_start("xception", config, "Xception") if needed else ("none", [])
    strategy = distribution.set_up(config.strategy, config.precision, config.deterministic)
    from reproductions.facenet_embeddings.embeddings import embed, find_embedder, make_embedder

    for batch_size in (config.batch_size, config.phase1_batch_size):
        distribution.check_batch(batch_size, strategy)
    chosen, file = find_embedder(config)
    embedder = make_embedder(chosen, file, config.image_size)
    fingerprints = {each.name: each.fingerprint for each in datasets}
    fingerprints |= {f"weights of {name}": sha256(path) for name, path in weights.items()}
    run = runs.open_run(PAPER, config, fingerprints | {"embedder": embedder.identity}, distribution.describe_devices())

    from common.data.pipeline import explain_damaged_images
    from reproductions.facenet_embeddings.stages import Setting, both_phases

    config.results.mkdir(parents=True, exist_ok=True)
    with explain_damaged_images():
        embeddings = pd.Series(list(embed(images, embedder, config.image_size, config.embedding_batch)), images.index)
        roles = {data.role: data.name for data in datasets}
        faces = experiment.prepared_faces(datasets)
        setting = Setting(config, run, strategy, weights, imagenet, embedder, embeddings, roles, faces)
        outcomes = []
        for key, (parts, remarks) in splits.items():
            outcomes.append((both_phases(setting, *key, parts, first=not outcomes), remarks))
    experiment.write_tables([outcome for outcome, _ in outcomes], run)
    publish(setting, outcomes)
    run.finish()
    compare.write_and_print_comparison([PAPER], config.results, run.name)
    print(f"rows: {config.results / PAPER}.csv; figures: {run.folder / 'figures'}")
    print(f"score a picture or a video: python -m common.predict {run.folder} FILE")


def load_data(config):
    """The data sets of --data, or the embedded videos in their place."""
    from common.data.datasets import open_dataset, read_data
    from data_prep.embedded import embedded_videos

    if config.data:
        return read_data(config.data, LAYOUTS, config.limit)
    folder = embedded_videos(config.synthetic_videos, config.synthetic_frames, size=160, margin=40)
    return [open_dataset(FIRST, folder, limit=config.limit)]


def publish(setting, outcomes):
    """Our rows beside the published ones, into RESULTS/facenet_embeddings.csv; the protocols side by side."""
    from reproductions import experiment
    from reproductions.facenet_embeddings import rows
    from reproductions.facenet_embeddings.stages import settings_used

    config, by_seed = setting.config, {}
    for outcome, remarks in outcomes:
        datasets = {model: setting.dataset_of(model) for table in outcome.predictions for model in table["model"]}
        found = [rows.result_rows(pd.concat(outcome.predictions), datasets, outcome.seed)]
        by_seed.setdefault(outcome.seed, {})[outcome.protocol] = found[0]
        for model in (PROPOSED, LSTM, *XCEPTION):
            if model in outcome.notes and config.epochs:
                values = settings_used(model, outcome, setting)
                found.append(rows.setting_rows(model, values, setting.dataset_of(model)))
        found = pd.concat([table for table in found if len(table)], ignore_index=True)
        notes = [*(flag.strip() for flag in experiment.changed_flags(config, PRESETS)), *remarks]
        number = len(setting.embeddings)
        if config.data and number < 0.99 * PAPER_FRAMES:  # a few frames without a face are not another data set
            notes.append(f"{PARTIAL_DATA}: {number} of the {PAPER_FRAMES} frames of the authors' code")
        experiment.publish(PAPER, outcome, found, notes, config, PRESETS, setting.run)
    for seed, tables in by_seed.items():
        print(f"\nseed {seed}", *rows.summary(tables), sep="\n  ", flush=True)


if __name__ == "__main__":
    from common.cli import RESUME_HINT, run_main

    run_main(main, RESUME_HINT)
