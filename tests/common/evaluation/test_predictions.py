"""The table of predictions, and what is added to one that was read from a file."""

import pandas as pd
import pytest

from common.data.manifest import COLUMNS as MANIFEST_COLUMNS
from common.errors import UserError
from common.evaluation.predictions import COLUMNS, add_origins, prediction_table


def test_a_prediction_keeps_what_the_manifest_knows_of_its_image():
    images = pd.DataFrame({name: [f"{name} 1", f"{name} 2"] for name in MANIFEST_COLUMNS}, index=[7, 3])
    table = prediction_table(images.assign(dataset="drawn", split="test"), [0.25, 0.75], "model", "frame", 5)
    assert tuple(table) == (*COLUMNS, "original") and table.index.tolist() == [7, 3]
    assert table["score"].tolist() == [0.25, 0.75] and table["video"].tolist() == ["video 1", "video 2"]
    assert table["original"].tolist() == ["original 1", "original 2"]
    assert set(zip(table["model"], table["protocol"], table["seed"], strict=True)) == {("model", "frame", 5)}


@pytest.fixture
def predictions():
    return pd.DataFrame({"dataset": ["d", "d", "e"], "path": ["a", "b", "a"]}, index=[4, 2, 9])


@pytest.fixture
def splits(tmp_path):
    """A function that writes splits.csv, with each image under two seeds."""

    def write(**columns):
        table = pd.DataFrame({"dataset": ["d", "d"], "path": ["a", "b"], "split": "test"} | columns)
        pd.concat([table.assign(seed=seed) for seed in (0, 1)]).to_csv(tmp_path / "splits.csv", index=False)

    return write


def test_originals_are_those_of_the_splits_beside_predictions(predictions, splits, tmp_path):
    splits(original=["real.mp4", ""], scope="celebdf")
    found = add_origins(predictions, tmp_path)
    assert found.index.tolist() == [4, 2, 9]
    assert found["original"].tolist() == ["real.mp4", "", ""] and found["scope"].tolist() == ["celebdf", "celebdf", ""]
    splits(original=["real.mp4", ""])
    assert list(add_origins(predictions, tmp_path)) == ["dataset", "path", "original"]


def test_without_originals_of_these_images_predictions_stay(predictions, splits, tmp_path):
    assert add_origins(predictions, tmp_path) is predictions
    splits()  # of an earlier version
    assert add_origins(predictions, tmp_path) is predictions
    splits(original="x", dataset="another")
    assert add_origins(predictions, tmp_path) is predictions
    splits(original="x")
    own = predictions.assign(original="own")
    assert add_origins(own, tmp_path) is own and add_origins(predictions[["path"]], tmp_path).shape == (3, 1)
    (tmp_path / "splits.csv").write_text("a,b\n1,2,3,4\n")
    with pytest.raises(UserError, match="splits.csv: line 2 has 4 fields, the header 2"):
        add_origins(predictions, tmp_path)
