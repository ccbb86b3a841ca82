"""DCGAN + Inception-ResNet-v2: "GAN generated Deepfake face detection implementing Transfer learning".

Sarkar, Bhattacharya (National College of Ireland). A DCGAN (Radford et al. 2016, doi:10.48550/arXiv.1511.06434) learns
celebrities' faces and makes fakes; Inception-ResNet-v2 learns to tell them from the real ones.

    python reproductions/dcgan_inception_resnet/run.py                    embedded data, 7 to 9 minutes on 2 CPU cores
    python reproductions/dcgan_inception_resnet/run.py --data celeb=DIR   the paper: about 4 GPU hours, estimated

NAMEs of --data: celeb, the real faces, which are trained on, stylegan, pggan, and other for anything else.

Expected with the paper's data: accuracy 0.998 (Figure 10) under `resubstitution`, which scores the images that were
trained on; what is left of it on unseen ones is the row of `heldout`.
"""

from collections import defaultdict
from dataclasses import replace

from common.cli import RESUME_HINT, run_main
from common.runs.options import read_config, read_weights
from common.tensorflow_import import import_tensorflow
from reproductions.dcgan_inception_resnet.config import DISCRIMINATOR, GENERATOR, PAPER, PAPER_IMAGES, PRESETS, PROPOSED
from reproductions.dcgan_inception_resnet.data import (
    GeneratedData,
    add_foreign_fakes,
    choose_protocols,
    foreign_fakes,
    load_real_images,
    required_batches,
    split_remarks,
)
from reproductions.inputs import partial_data


def main(argv=None):
    config = read_config(PRESETS, argv, prog=f"python reproductions/{PAPER}/run.py", description=__doc__)
    weights = read_weights(config.weights, (GENERATOR, DISCRIMINATOR, *config.models))
    config = config if config.epochs else replace(config, gan_epochs=0)
    protocols = choose_protocols(config, weights)
    data = None if config.generate else load_real_images(config, protocols)

    import_tensorflow()
    from reproductions.dcgan_inception_resnet import fakes, figures, gan_training, method, rows, text_rows
    from reproductions.session import Session

    if data is None:
        return fakes.generate_images(config, weights[GENERATOR])
    reals, foreign = data.splits[0].images, foreign_fakes(data.datasets)
    compression = fakes.fake_compression(reals, config.match_jpeg)
    imagenet, feature_weights = method.find_imagenet(config, weights)
    session = Session(PAPER, PRESETS, config, weights, data, required_batches(config, data.splits))
    generated: dict[int, GeneratedData] = {}
    extra: dict[tuple[str, int], list[dict]] = defaultdict(list)
    for splits in session.splits_by_seed():  # one training of each network, which all protocols measure
        first, seed = splits[0], splits[0].seed
        stage1 = generated[seed] = method.make_fakes(session, config, first, compression)  # Sec. III-B
        images = add_foreign_fakes(stage1.images, foreign)
        for split in splits:
            split.parts, split.remarks = {"": images}, [*split_remarks(images), *stage1.notes]
        detectors = {}
        for name in session.models(config.models):  # stage 2, Sec. III-C
            training, file = session.training(name, first), weights.get(name)
            detectors[name], history, notes = method.train_detector(name, config, images, file, imagenet, training)
            method.score_detector(session, splits, detectors[name], history, notes)
        if stage1.losses is not None:
            first.histories["dcgan"] = gan_training.losses_by_epoch(stage1.losses)
        dataset = images["dataset"].iloc[0]
        extra[first.protocol, seed] += text_rows.training_rows(first.histories, stage1.losses, dataset, session.devices)
        if PROPOSED in detectors:
            extra[first.protocol, seed] += rows.size_rows(detectors[PROPOSED].network, dataset)
        if "heldout" in protocols and stage1.groups:
            detector = next(iter(detectors.values()))
            quality = method.measure_fake_quality(config, images, stage1.groups, feature_weights, detector, seed)
            extra["heldout", seed] += rows.quality_rows(*quality, dataset)
    published = session.publish(
        lambda split: rows.all_rows(split, generated[split.seed].groups, extra[split.protocol, split.seed]),
        partial_data(config, len(reals), PAPER_IMAGES, "real images"),
        rows.test_sets,
    )
    for seed in config.seeds:
        tables = {
            split.protocol: table for split, table in zip(data.splits, published, strict=True) if split.seed == seed
        }
        session.summarize(f"seed {seed}", rows.summary(tables))
    shown = [split for split in data.splits if split.seed == config.seeds[0]]
    figures.draw_figures(shown, generated[config.seeds[0]], session.run)
    session.finish()


if __name__ == "__main__":
    run_main(main, RESUME_HINT)
