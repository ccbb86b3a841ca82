"""What every paper's run does around its own method: data, splits, the tables it leaves, the rows it publishes."""

import logging
from dataclasses import dataclass, field

import pandas as pd

from common.conditions import NO_IMAGENET_WEIGHTS
from common.data.datasets import open_dataset, read_data
from common.errors import UserError
from common.runs.options import overridden, preset_name
from common.splits.leaks import check_splits
from common.splits.protocols import split_images
from data_prep.embedded import embedded_images
from results.tables import upsert

log = logging.getLogger("deepfake")


@dataclass
class Outcome:
    """What one protocol and one seed gave."""

    protocol: str
    seed: int
    images: pd.DataFrame  # all images, with the column split
    predictions: list = field(default_factory=list)  # one table a model, of validation and test
    histories: dict = field(default_factory=dict)  # {network: table}
    notes: dict = field(default_factory=dict)  # {model: what a reader of its numbers must know}


@dataclass(frozen=True)
class Split:
    """Images with the column split, train, val or test; remarks: what was left out, for the rows' notes."""

    images: pd.DataFrame
    remarks: tuple = ()


def load_data(config, layouts, families, faces="none", size=None, jpeg=None, frames=1):
    """The data sets of --data, or the embedded ones in their place.

    layouts: {legal NAME: its data_prep layout}; families: {NAME: (family, share of --synthetic-images)}; faces, size,
    jpeg: flags of data_prep for the embedded ones; frames: images of a clip, above 1 they are clips.
    """
    if config.data:
        return read_data(config.data, layouts, config.limit)
    return [
        open_dataset(
            role, embedded_images(family, count, faces=faces, size=size, jpeg=jpeg, frames=frames), limit=config.limit
        )
        for role, (family, share) in families.items()
        if (count := max(10, round(share * config.synthetic_images / frames)))
    ]


def draw_protocol(images, protocol, seed, fractions):
    """Splits by split_images, '' for what the protocol drops, and a remark on that."""
    splits = split_images(images, protocol, seed, fractions)
    dropped = (splits == "").sum()
    return splits, f"{dropped} of {len(images)} images dropped, they show persons of two sides" if dropped else ""


def split_seen(images, trained, config, protocol, seed, draw=draw_protocol):
    """The Split of a run: what is trained on by `draw`, the unseen data sets as test.

    draw: images, protocol, seed, --split -> (splits, '' for an image that is not drawn; a remark or ''). An unseen data
    set's copies of images that are trained on, and their near-duplicates with that flag, are left out. With --epochs 0,
    data that cannot be split (one class, a handful of pictures) are all test.
    """
    remarks = []
    seen = images["dataset"].isin(trained)
    copies = ~seen & images["sha256"].isin(images.loc[seen & (images["sha256"] != ""), "sha256"])
    if "near" in images:
        copies |= ~seen & images["near"].isin(images.loc[seen, "near"])
    if copies.any():
        remarks.append(f"{copies.sum()} unseen images left out, they are copies of images trained on")
        images, seen = images[~copies], seen[~copies]
    splits = pd.Series("test", index=images.index)
    try:
        splits[seen], remark = draw(images[seen], protocol, seed, config.split)
        remarks += [remark] if remark else []
    except UserError as error:
        if config.epochs:
            raise
        log.warning("everything is test: %s", error)
    images, splits = images[splits != ""], splits[splits != ""]
    for remark in remarks:
        log.warning("protocol %s, seed %d: %s", protocol, seed, remark)
    check_splits(images, splits, protocol)
    return Split(images.assign(split=splits), tuple(remarks))


def imagenet_start(backbone, config, model):
    """(What a network of common.networks.backbones starts from, notes on that); looked for before anything is trained.

    Where the weights cannot be downloaded the preset paper stops, the others go on without, and say so of `model`.
    """
    from common.networks.weights import WeightsUnavailable, find_weights

    chosen = config.imagenet_weights
    try:
        find_weights(backbone, chosen)
    except WeightsUnavailable as error:
        if config.preset == "paper":
            raise
        log.warning("%s starts from random weights: %s", model, error)
        chosen = "none"
    return chosen, [NO_IMAGENET_WEIGHTS] if chosen == "none" else []


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
    # case: some papers split once for each of several
    columns = ["dataset", "path", "sha256", "label", "split", "case"]
    splits = [
        each.images[[name for name in columns if name in each.images]].assign(protocol=each.protocol, seed=each.seed)
        for each in outcomes
    ]
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


def result_row(key, model, value, dataset, *notes):
    """A row of the results, without what `publish` adds. key: (table, row, metric); value: a Value."""
    return {
        **dict(zip(("table", "row", "metric"), key, strict=True)),
        "model": model,
        "value": value.value,
        "ci_low": value.low,
        "ci_high": value.high,
        "n": value.n,
        "dataset": dataset,
        "note": "; ".join(filter(None, (*notes, value.reason))),
    }


def changed_flags(config, presets):
    """What the run changed in its preset, as notes for its rows."""
    changed = overridden(config, presets[config.preset])
    return [f"--{name.replace('_', '-')} {_words(value)}" for name, value in changed.items() if name != "weights"]


def publish(paper, outcome, rows, notes, config, presets, run):
    """Put an outcome's rows, with the column model, into RESULTS/<paper>.csv, each with its notes and `notes`."""
    lines = [
        "; ".join(filter(None, [note, *outcome.notes[model], *notes]))
        for note, model in zip(rows["note"], rows.pop("model"), strict=True)
    ]
    upsert(
        rows.assign(
            paper=paper, protocol=outcome.protocol, preset=preset_name(config, presets), seed=outcome.seed,
            run=run.name, commit=run.commit, note=lines,
        ),
        config.results / f"{paper}.csv",
    )  # fmt: skip


def _words(value):
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
