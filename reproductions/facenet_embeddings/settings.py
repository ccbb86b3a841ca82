"""Rows of settings and sizes: what was trained with which numbers, on how many videos of how many persons."""

from collections.abc import Mapping

import pandas as pd

from reproductions.facenet_embeddings.config import FIRST, LSTM, PROPOSED, SECOND, XCEPTION, XCEPTION_EMBEDDER, Config
from reproductions.facenet_embeddings.trials import settings_used, training_set
from reproductions.inputs import RunData
from reproductions.rows import as_table, number_row
from reproductions.splitting import Split

TABLE_1 = {"trial1": "trial 1", "trial2": "trial 2", "trial3": "trial 3"}
TABLE_3 = {"trial2": "XceptionNet", LSTM: "LSTM + frames", "xception_30k": "XceptionNet, v1 + v2"}
BOTH = "FaceNet + metric learning"  # Table III, row 4
UNPUBLISHED = ("validation_share",)  # of a single training; the text has it of phase I


def setting_rows(split: Split, config: Config, roles: Mapping[str, str]) -> pd.DataFrame:
    """Return the settings of all that was trained on a split, as rows of Tables I and III and of the text.

    Args:
        split: with a note for each model that was trained or scored.
        config: the run's config.
        roles: {NAME of --data: name of the data set}.
    """
    if not config.epochs:
        return as_table([])
    trials = [trial for trial in (LSTM, *XCEPTION) if trial in split.notes]
    trained = trials + ([PROPOSED] if PROPOSED in split.notes and config.embedder != XCEPTION_EMBEDDER else [])
    rows = []
    for model in trained:
        used, dataset = settings_used(model, split, config, roles), training_set(model, roles)
        rows += [number_row(key, used[key[2]], dataset, model=model) for key in setting_keys(model, used)]
    if trials:
        share = settings_used(trials[-1], split, config, roles)["validation_share"]
        dataset = training_set(trials[-1], roles)
        rows.append(number_row(("text", "Phase I", "validation_share"), share, dataset, model=trials[-1]))
    return as_table(rows)


def setting_keys(model: str, settings: Mapping[str, float]) -> list[tuple[str, str, str]]:
    """Return the published keys of a training's settings.

    Args:
        model: a trial, or PROPOSED for the base network's training.
        settings: {metric: number}.
    """
    keys = []
    for table, names in (("Table I", TABLE_1), ("Table III", TABLE_3 | {PROPOSED: BOTH})):
        if model in names:
            unpublished = {*UNPUBLISHED, *(("frames",) if table == "Table I" or model in (LSTM, PROPOSED) else ())}
            keys += [(table, names[model], metric) for metric in set(settings) - unpublished]
    if model == PROPOSED:
        keys += [("text", "Phase II", metric) for metric in ("batch_size", "epochs", "learning_rate")]
    return sorted(keys)


def size_rows(data: RunData) -> pd.DataFrame:
    """Return the numbers of videos and persons in the data sets, under the keys of Sec. III.

    Args:
        data: the data sets.
    """
    rows = []
    for dataset in data.datasets:
        images = dataset.images[dataset.images["video"] != ""]
        videos = images.drop_duplicates("video")["label"].value_counts()
        persons = images["identity"].str.split(";").explode().str.strip()
        sizes = {
            FIRST: {("Celeb-DF", "videos"): videos.sum(), ("Celeb-DF", "identities"): persons[persons != ""].nunique()},
            SECOND: {
                ("Celeb-DF-v2", "reals"): videos.get("real", 0), ("Celeb-DF-v2", "fakes"): videos.get("fake", 0),
            },
        }[dataset.role]  # fmt: skip
        rows += [number_row(("text", *key), number, dataset.name) for key, number in sizes.items() if number]
    return as_table(rows)
