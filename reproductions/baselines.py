"""What a referee asks of every run: a shortcut detector, where a model fails, its threshold carried to unseen data."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from math import isnan

import numpy as np
import pandas as pd

from common.data.file_features import file_features
from common.detectors.description import Description, descriptions
from common.evaluation.baselines import SHORTCUT
from common.evaluation.breakdown import FILE_GROUPS, breakdown, file_groups, worst_sentences
from common.evaluation.evaluate import evaluate, has_videos, is_fake, to_videos
from common.evaluation.figures import reliability_figure
from common.evaluation.metrics import from_counts
from common.evaluation.operating_points import choose_threshold
from common.evaluation.predictions import IMAGE, name_training_images
from common.evaluation.shortcut import shortcut_scores
from common.files import write_json
from common.runs.folder import Run
from reproductions.rows import as_table, result_row, unseen_note
from reproductions.splitting import Split

log = logging.getLogger("deepfake")

GROUPS = ("source", *FILE_GROUPS)
CARRIED = ("accuracy", "balanced_accuracy", "recall", "specificity")
CARRIED_SUFFIX = "_at_validation_threshold"

Scored = tuple[Split, pd.DataFrame]  # a split and its `table`
# The test images of one model -> {what the results call a test set: its images}.
TestSets = Callable[[pd.DataFrame], dict[str, pd.DataFrame]]


def sets_by_dataset(images: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return each data set by itself: the TestSets of a paper that reports one data set at a time."""
    return {str(name): part for name, part in images.groupby("dataset", sort=False)}


def measure_baselines(splits: Sequence[Split], run: Run, test_sets: TestSets = sets_by_dataset) -> list[pd.DataFrame]:
    """Give every split its shortcut detector, and write shortcut.csv, breakdown.csv, figures/reliability.png and the
    detectors' thresholds into the run's folder.

    Args:
        splits: with their predictions.
        run: the run's folder.
        test_sets: the test sets that the paper's rows are of.

    Returns:
        The rows of each split at the thresholds of validation, of `carried_rows`.
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
        run.write_csv(name_training_images(pd.concat(tables)), "shortcut.csv")
    scored = [(split, split.table()) for split in splits]
    break_down(scored, features, run, test_sets)
    if tested := first_tested(scored):
        draw_reliability(*tested, run)
    thresholds = store_thresholds(scored, run)
    return [carried_rows(split, table, thresholds, test_sets) for split, table in scored]


def first_tested(scored: Iterable[Scored]) -> Scored | None:
    """Return the first split with predictions of test images; None if there is none.

    The protocol `resubstitution` has none.
    """
    return next(((split, table) for split, table in scored if (table["split"] == "test").any()), None)


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


def store_thresholds(scored: Iterable[Scored], run: Run) -> dict[tuple[str, str, int], float]:
    """Choose the threshold of each stored detector on its validation images, and store it with the detector.

    A detector of a split that trains the model several times (folds) keeps its own, since validation scores of several
    networks are in one table.

    Args:
        scored: the splits and their predictions.
        run: the folder of the detectors.

    Returns:
        {(model, protocol, seed): threshold} of those that were chosen.
    """
    tables = {(split.protocol, split.seed): (split, table) for split, table in scored}
    chosen = {}
    for name, description in descriptions(run.folder).items():
        found = tables.get((description.protocol, description.seed))
        validation = None if found is None else _validation(*found, description)
        if validation is None or len(set(validation["label"])) < 2:
            continue
        threshold = choose_threshold(is_fake(validation), validation["score"].to_numpy(float), description.threshold)
        chosen[description.model, description.protocol, description.seed] = threshold
        document = asdict(replace(description, threshold=threshold))
        write_json(document, run.folder / "models" / f"{name}.json")
    return chosen


def carried_rows(
    split: Split, table: pd.DataFrame, thresholds: dict[tuple[str, str, int], float], test_sets: TestSets
) -> pd.DataFrame:
    """Return rows of the test images at the threshold that was chosen on validation, beside what 0.5 gives.

    Args:
        split: what was trained on.
        table: its predictions.
        thresholds: of `store_thresholds`.
        test_sets: the test sets that the paper's rows are of.
    """
    rows, trained = [], trained_datasets(split)
    for model, tested in table[table["split"] == "test"].groupby("model", sort=False):
        threshold = thresholds.get((model, split.protocol, split.seed))
        if threshold is None:
            continue
        note = f"called fake from {threshold:.4g}, chosen on validation"
        for name, images in test_sets(tested).items():
            for level in ("frame", "video") if has_several_frames(images) else ("frame",):
                carried = evaluate(images, level=level, threshold=threshold, probability=False)
                at_half = values_at(images if level == "frame" else to_videos(images), 0.5)
                for metric in CARRIED:
                    if not isnan(carried[metric].value):
                        key = ("extra", f"{model}, {level} level", metric + CARRIED_SUFFIX)
                        beside = f"from 0.5 it is {at_half[metric]:.4f}"
                        unseen = unseen_note(name, trained)
                        rows.append(result_row(key, model, carried[metric], name, note, beside, unseen))
    return as_table(rows)


def values_at(predictions: pd.DataFrame, threshold: float) -> dict[str, float]:
    """Return the metrics of what a threshold calls fake, without intervals: {metric: value}, NaN if undefined.

    Args:
        predictions: with the columns label and score.
        threshold: an image with score >= threshold is called fake.
    """
    fake, called = is_fake(predictions), (predictions["score"] >= threshold).to_numpy()
    counts = [np.count_nonzero(part) for part in (fake & called, ~fake & called, ~fake & ~called, fake & ~called)]
    return {name: float(value) for name, value in from_counts(*counts).items()}


def draw_reliability(split: Split, table: pd.DataFrame, run: Run) -> None:
    """Draw the calibration of the models whose score is a probability, on the test images of the data trained on.

    Where nothing was trained, it is drawn on all test images.

    Args:
        split: what was trained on.
        table: its predictions.
        run: the folder to draw into.
    """
    margins = {each.model for each in descriptions(run.folder).values() if each.head == "margin"}
    test = table[(table["split"] == "test") & ~table["model"].isin(margins)]
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


def break_down(scored: Sequence[Scored], features: pd.DataFrame, run: Run, test_sets: TestSets) -> None:
    """Write breakdown.csv: each model on each of the paper's test sets by source, compression and image size.

    The worst groups of the first split with test images are logged.

    Args:
        scored: the splits and their predictions.
        features: of `read_features`.
        run: the folder to write into.
        test_sets: the test sets that the paper's rows are of.
    """
    groups, rows, first = file_groups(features), [], first_tested(scored)
    for split, table in scored:
        files = pd.concat([part[[*IMAGE, "file"]] for part in split.parts.values()]).drop_duplicates(IMAGE)
        test = table[table["split"] == "test"].merge(files, how="left", on=IMAGE).join(groups, on="file")
        for model, tested in test.groupby("model", sort=False):
            for name, images in test_sets(tested).items():
                found = breakdown(images, GROUPS)
                keys = {"model": model, "dataset": name, "protocol": split.protocol, "seed": split.seed}
                rows.append(found.assign(**keys)[[*keys, *found]])
                for sentence in worst_sentences(found) if first and split is first[0] else ():
                    log.debug("%s on %s, protocol %s, seed %d: %s", *keys.values(), sentence)
    run.write_csv(pd.concat(rows) if rows else pd.DataFrame(columns=["model"]), "breakdown.csv")


def _validation(split: Split, table: pd.DataFrame, description: Description) -> pd.DataFrame | None:
    """The validation predictions of a stored detector; None if another network's could be among them."""
    if len(split.parts) > 1 and description.part not in split.parts:
        return None
    return table[(table["model"] == description.model) & (table["split"] == "val")]
