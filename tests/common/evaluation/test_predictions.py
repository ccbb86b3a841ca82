"""The table of predictions."""

import pandas as pd

from common.data.manifest import COLUMNS as MANIFEST_COLUMNS
from common.evaluation.predictions import COLUMNS, prediction_table


def test_a_prediction_keeps_what_the_manifest_knows_of_its_image():
    images = pd.DataFrame({name: [f"{name} 1", f"{name} 2"] for name in MANIFEST_COLUMNS}, index=[7, 3])
    table = prediction_table(images.assign(dataset="drawn", split="test"), [0.25, 0.75], "model", "frame", 5)
    assert tuple(table) == COLUMNS and table.index.tolist() == [7, 3]
    assert table["score"].tolist() == [0.25, 0.75] and table["video"].tolist() == ["video 1", "video 2"]
    assert set(zip(table["model"], table["protocol"], table["seed"], strict=True)) == {("model", "frame", 5)}
