"""What a referee asks of every run: a shortcut detector, where a model fails, its threshold carried to unseen data."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from math import isnan

import pandas as pd

from common.data.file_features import file_features
from common.detectors.description import Description, descriptions
from common.evaluation.baselines import SHORTCUT
from common.evaluation.breakdown import FILE_GROUPS, breakdown, file_groups, worst_sentences
from common.evaluation.evaluate import evaluate, has_videos, is_fake
from common.evaluation.figures import reliability_figure
from common.evaluation.operating_points import choose_threshold
from common.evaluation.shortcut import shortcut_scores
from common.files import write_json
from common.runs.folder import Run
from reproductions.rows import as_table, result_row, unseen_note
from reproductions.splitting import Split

log = logging.getLogger("deepfake")

IMAGE = ["dataset", "path"]
GROUPS = ("source", *FILE_GROUPS)
CARRIED = ("accuracy", "balanced_accuracy", "recall", "specificity")
CARRIED_SUFFIX = "_at_validation_threshold"


def measure_baselines(splits: Sequence[Split], run: Run) -> dict[tuple[str, str, int], float]:
    """Give every split its shortcut detector, and write shortcut.csv, breakdown.csv, figures/reliability.png and the
    detectors' thresholds into the run's folder.

    Args:
        splits: with their predictions.
        run: the run's folder.

    Returns:
        The thresholds, of `store_thresholds`.
    """
    features = read_features(splits)
    for split in splits:
        add_shortcut(split, features)
    tables = [
        split.shortcut.assign(protocol=split.protocol, seed=split.seed)
        for split in splits
        if split.shortcut is not None
    ]
    if tables:
        run.write_csv(pd.concat(tables), "shortcut.csv")
    break_down(splits, features, run)
    draw_reliability(splits[0], run)
    return store_thresholds(splits, run)


def read_features(splits: Iterable[Split]) -> pd.DataFrame:
    """Read the features of all files of a run, once.

    Args:
        splits: of the run.

    Returns:
        Features of `common.data.file_features.file_features`, indexed by file: what a run generates has the same
        dataset and path under every seed.
    """
    files = pd.concat([part["file"] for split in splits for part in split.parts.values()]).drop_duplicates()
    return file_features(files.to_list()).set_axis(pd.Index(files), axis=0)


def add_shortcut(split: Split, features: pd.DataFrame) -> None:
    """Score what a split's models have scored by a shortcut detector, fitted on the files of the split's training.

    Without training images of both classes there is none. Of several parts each has its own; an image that several
    parts test gets the mean.

    Args:
        split: with its predictions.
        features: of `read_features`.
    """
    found = []
    for images in split.parts.values():
        rows = features.loc[images["file"]]
        train = (images["split"] == "train").to_numpy()
        scores = shortcut_scores(rows[train], is_fake(images)[train], rows, split.seed)
        if scores is not None:
            found.append(images[[*IMAGE, "split"]].assign(**{SHORTCUT: scores}))
    if found:
        split.shortcut = pd.concat(found).groupby([*IMAGE, "split"], as_index=False)[SHORTCUT].mean()


def store_thresholds(splits: Iterable[Split], run: Run) -> dict[tuple[str, str, int], float]:
    """Choose the threshold of each stored detector on its validation images, and store it with the detector.

    A detector of a split that trains the model several times (folds) keeps its own, since validation scores of several
    networks are in one table.

    Args:
        splits: with their predictions.
        run: the folder of the detectors.

    Returns:
        {(model, protocol, seed): threshold} of those that were chosen.
    """
    tables = {(split.protocol, split.seed): split for split in splits}
    chosen = {}
    for name, description in descriptions(run.folder).items():
        split = tables.get((description.protocol, description.seed))
        validation = None if split is None else _validation(split, description)
        if validation is None or len(set(validation["label"])) < 2:
            continue
        threshold = choose_threshold(is_fake(validation), validation["score"].to_numpy(float), description.threshold)
        chosen[description.model, description.protocol, description.seed] = threshold
        document = asdict(replace(description, threshold=threshold))
        write_json(document, run.folder / "models" / f"{name}.json")
    return chosen


def carried_rows(split: Split, thresholds: dict[tuple[str, str, int], float]) -> pd.DataFrame:
    """Return rows of the test images at the threshold that was chosen on validation, beside what 0.5 gives.

    Args:
        split: with its predictions.
        thresholds: of `store_thresholds`.
    """
    rows = []
    test = split.table()
    test = test[test["split"] == "test"]
    trained = trained_datasets(split)
    for (model, dataset), images in test.groupby(["model", "dataset"], sort=False):
        threshold = thresholds.get((model, split.protocol, split.seed))
        if threshold is None:
            continue
        for level in ("frame", "video") if has_several_frames(images) else ("frame",):
            at_half, carried = (
                evaluate(images, level=level, threshold=value, probability=False) for value in (0.5, threshold)
            )
            for metric in CARRIED:
                if not isnan(carried[metric].value):
                    key = ("extra", f"{model}, {level} level", metric + CARRIED_SUFFIX)
                    note = f"called fake from {threshold:.4g}, chosen on validation"
                    beside = f"from 0.5 it is {at_half[metric].value:.4f}"
                    rows.append(
                        result_row(key, model, carried[metric], dataset, note, beside, unseen_note(dataset, trained))
                    )
    return as_table(rows)


def draw_reliability(split: Split, run: Run) -> None:
    """Draw the calibration of the models whose score is a probability, on the test images of the data trained on.

    Where nothing was trained, it is drawn on all test images.

    Args:
        split: with its predictions.
        run: the folder to draw into.
    """
    margins = {each.model for each in descriptions(run.folder).values() if each.head == "margin"}
    test = split.table()
    test = test[(test["split"] == "test") & ~test["model"].isin(margins)]
    if trained := trained_datasets(split):
        test = test[test["dataset"].isin(trained)]
    if len(test):
        names = "+".join(dict.fromkeys(test["dataset"]))
        title = f"Calibration on test images of {names}, protocol {split.protocol}, seed {split.seed}"
        reliability_figure(test, run.path("figures", "reliability.png"), title)


def trained_datasets(split: Split) -> list[str]:
    """Return the names of the data sets that a split has training images of."""
    images = pd.concat(split.parts.values())
    return list(dict.fromkeys(images.loc[images["split"] == "train", "dataset"]))


def has_several_frames(images: pd.DataFrame) -> bool:
    """Return whether some video has several images."""
    return has_videos(images) and bool(images[images["video"] != ""].duplicated(["dataset", "video"]).any())


def break_down(splits: Sequence[Split], features: pd.DataFrame, run: Run) -> None:
    """Write breakdown.csv: the test images of each model and data set by source, compression and image size.

    The worst groups of the first split are logged.

    Args:
        splits: with their predictions.
        features: of `read_features`.
        run: the folder to write into.
    """
    groups, tables = file_groups(features), []
    for split in splits:
        files = pd.concat([part[[*IMAGE, "file"]] for part in split.parts.values()]).drop_duplicates(IMAGE)
        test = split.table()
        test = test[test["split"] == "test"]
        test = test.merge(files, how="left", on=IMAGE).join(groups, on="file")
        for model, images in test.groupby("model", sort=False):
            found = breakdown(images, GROUPS)
            tables.append(found.assign(model=model, protocol=split.protocol, seed=split.seed))
            for sentence in worst_sentences(found) if split is splits[0] else ():
                log.debug("%s, protocol %s, seed %d: %s", model, split.protocol, split.seed, sentence)
    table = pd.concat(tables) if tables else pd.DataFrame()
    keys = ["model", "protocol", "seed"]
    run.write_csv(table.reindex(columns=[*keys, *(column for column in table if column not in keys)]), "breakdown.csv")


def _validation(split: Split, description: Description) -> pd.DataFrame | None:
    """The validation predictions of a stored detector; None if another network's could be among them."""
    if len(split.parts) > 1 and description.part not in split.parts:
        return None
    table = split.table()
    return table[(table["model"] == description.model) & (table["split"] == "val")]
