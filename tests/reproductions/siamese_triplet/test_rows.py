"""Every published number that is no setting gets a row from a complete run, for which made-up predictions stand."""

import numpy as np
import pandas as pd
import pytest

from reproductions.siamese_triplet.config import SECOND_CASE, SIAMESE, TRANSFER
from reproductions.siamese_triplet.rows import all_rows
from reproductions.splitting import Split
from results.tables import read_published

ROLES = {"ffhq": "ffhq", "stylegan": "stylegan", "pggan": "pggan", "celeba": "celeba"}
TRAINED = ("ffhq", "stylegan")
CASES = {
    "case1": [("ffhq", "real", "test"), ("stylegan", "fake", "test"), ("pggan", "fake", "test")],
    "case2": [("ffhq", "real", "test"), ("pggan", "fake", "test"), ("celeba", "real", "test")],
}


def images(parts):
    rows = [
        {"dataset": dataset, "label": label, "split": split, "path": f"{dataset}/{split}{number}.png", "video": ""}
        for dataset, label, split in parts
        for number in range(6)
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def rows():
    """Of both cases with all four data sets; predictions and histories of all models of each."""
    random = np.random.default_rng(0)
    training = [("ffhq", "real", "train"), ("stylegan", "fake", "train")]
    split = Split("paper", 0, {case: images(training + tested) for case, tested in CASES.items()})
    for case, suffix in (("case1", ""), ("case2", SECOND_CASE)):
        for model in (*SIAMESE, *TRANSFER):
            tested = images(CASES[case])
            split.predictions.append(tested.assign(model=model + suffix, score=random.uniform(size=len(tested))))
            epochs = pd.DataFrame({"epoch": [1, 2], "val_loss": [2, 1], "val_accuracy": [0.5, 0.6], "seconds": [9, 9]})
            split.histories[model + suffix] = epochs
    return all_rows(split, ROLES, TRAINED, ["CPU"])


def test_after_a_complete_run_no_published_number_but_the_settings_is_not_run(rows):
    published = read_published("siamese_triplet")
    keys = set(
        published.loc[published["kind"] != "setting", ["table", "row", "metric"]].itertuples(index=False, name=None)
    )
    assert keys <= set(rows[["table", "row", "metric"]].itertuples(index=False, name=None))
    assert not rows.duplicated(["table", "row", "metric", "dataset"]).any()
    values = rows.set_index(["table", "row", "metric"])["value"]
    assert values["Table 1", "Case I: total", "total"] == 24 and values["Table 1", "Case II: total", "total"] == 18


def test_rows_name_the_model_of_their_case_so_that_they_get_its_notes(rows):
    second = rows["row"].str.contains("Case II") & (rows["table"] != "Table 1")
    first = rows["row"].str.endswith(", Case I")
    assert rows.loc[second, "model"].str.endswith(SECOND_CASE).all()
    assert not rows.loc[first, "model"].str.endswith(SECOND_CASE).any()
