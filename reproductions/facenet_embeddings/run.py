"""FaceNet embeddings with metric learning: "Deep Fake Detection using Metric Learning".

Ayyappan, Singh, Datta (NC State University). Phase I trains Xception, alone and under an LSTM, on faces of videos.
Phase II takes FaceNet's 512 numbers of a face, trains a small network on them by semi-hard triplets (Schroff et al.
2015, doi:10.1109/CVPR.2015.7298682), and classifies its output by SGD and a random forest.

    python reproductions/facenet_embeddings/run.py                      embedded videos, 3 to 4 minutes on 2 CPU cores
    python reproductions/facenet_embeddings/run.py --data celebdf=DIR  the paper: a GPU hour a protocol, estimated

NAMEs of --data: celebdf (Celeb-DF), celebdf_v2. Expected with the paper's data and FaceNet's weights: accuracy 0.875 of
24 videos (Table II), 12 + 12 that the protocol `frame` holds out whole; it puts frames of all others on both sides.
Beside it `video` and `identity`, which do not.
"""

from common.cli import RESUME_HINT, run_main
from common.data.datasets import merge, open_dataset, read_data
from common.runs.options import read_config, read_weights
from common.tensorflow_import import import_tensorflow
from data_prep.embedded import embedded_videos
from reproductions.facenet_embeddings.config import (
    BACKBONE,
    BASE,
    FIRST,
    LAYOUTS,
    PAPER,
    PAPER_FAKES,
    PAPER_FRAMES,
    PRESETS,
    SCOPE,
    XCEPTION,
    XCEPTION_EMBEDDER,
)
from reproductions.facenet_embeddings.folds import draw_splits
from reproductions.facenet_embeddings.trials import has_phase1, trial_batches
from reproductions.inputs import (
    Batch,
    RunData,
    other_data,
    require_classes,
    require_weights,
    resolve_imagenet_weights,
)


def main(argv=None):
    config = read_config(PRESETS, argv, prog=f"python reproductions/{PAPER}/run.py", description=__doc__)
    trials = [trial for trial in XCEPTION if trial in config.phase1]
    weights = read_weights(config.weights, (BASE, BACKBONE))
    require_weights(config, weights, (BASE, BACKBONE) if trials else (BASE,))
    datasets = load_data(config)
    images = merge(datasets, config.near_duplicates).assign(scope=SCOPE)
    require_classes(images, config, "data of both classes")
    data = RunData(datasets, tuple(images["dataset"].unique()), draw_splits(images, config))
    fewest = min(split.count("train") for split in data.splits)
    batches = [Batch("--batch-size", config.batch_size, fewest), *trial_batches(data.splits, config, data.roles)]
    pretrained = trials and config.epochs and BACKBONE not in weights
    imagenet = resolve_imagenet_weights("xception", config) if pretrained else ("none", [])

    import_tensorflow()
    from reproductions.facenet_embeddings import classifier_files, data_figures, figures, method, rows
    from reproductions.facenet_embeddings.embeddings import embed, find_embedder
    from reproductions.session import Session

    if BASE in weights and not config.epochs:
        classifier_files.require_classifiers(data.splits, weights[BASE])
    embedder = find_embedder(config)
    fingerprints = {"embedder": embedder.identity}
    session = Session(PAPER, PRESETS, config, weights, data, batches if config.epochs else (), fingerprints)
    data.log_missing(LAYOUTS)
    on_xception = config.embedder == XCEPTION_EMBEDDER
    embeddings = None if on_xception else embed(images, embedder, config.embedding_batch)
    for split in session.splits():
        for fold in split.parts:
            xceptions = {}
            if has_phase1(split, data.splits, config):  # Sec. VIII, phase I: Xception and the LSTM
                xceptions = method.run_phase1(session, config, split, fold, imagenet)
            own = method.xception_embedder(xceptions, embedder, data.roles) if on_xception else embedder
            for _ in session.models([BASE]):  # Sec. VIII, phase II: triplets on embeddings of faces
                method.run_phase2(session, config, split, fold, own, embeddings)
    remarks = other_data(config, images["label"], PAPER_FRAMES, PAPER_FAKES / PAPER_FRAMES, "frames")
    published = session.publish(lambda split: rows.all_rows(split, config, data), remarks, rows.test_sets(data.roles))
    tables = list(zip(data.splits, published, strict=True))
    for seed in config.seeds:
        protocols = {split.protocol: table for split, table in tables if split.seed == seed}
        session.summarize(f"seed {seed}", rows.summary(protocols))
    figures.draw_figures(session, embedder.name, embeddings)
    data_figures.draw_data_figures(data, session.run)
    session.finish()


def load_data(config):
    """Return the data sets of --data, or the embedded videos if there are none."""
    if config.data:
        return read_data(config.data, LAYOUTS, config.limit)
    folder = embedded_videos(config.synthetic_videos, config.synthetic_frames, size=160, margin=40)
    return [open_dataset(FIRST, folder, limit=config.limit)]


if __name__ == "__main__":
    run_main(main, RESUME_HINT)
