"""Groups of a small set by hand, with scikit-learn's AUC of each."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from common.evaluation.breakdown import breakdown, file_groups, worst_sentences


def predictions():
    random = np.random.default_rng(0)
    source = np.repeat(["camera", "Deepfakes", "NeuralTextures"], 40)
    fake = source != "camera"
    skill = np.select([source == "Deepfakes", source == "NeuralTextures"], [3.0, 0.3], 0.0)
    return pd.DataFrame(
        {
            "path": np.arange(120).astype(str),
            "label": np.where(fake, "fake", "real"),
            "source": source,
            "quality": np.tile([30, 90], 60),
            "width": np.arange(120),
            "score": 1 / (1 + np.exp(1 - skill - random.normal(size=120))),
        }
    )


def test_fakes_of_one_method_are_compared_with_all_reals():
    rows = predictions()
    table = breakdown(rows, ["source"]).set_index("group")
    for method in ("Deepfakes", "NeuralTextures"):
        part = rows[rows["source"].isin([method, "camera"])]
        assert table["auc"][method] == roc_auc_score(part["label"] == "fake", part["score"])
        assert table["recall"][method] == (rows.loc[rows["source"] == method, "score"] >= 0.5).mean()
        assert table["compared_with"][method] == "all real"
        assert (table["fakes"][method], table["reals"][method]) == (40, 40)
    assert table["compared_with"]["camera"] == "all fake" and table["fakes"]["camera"] == 80
    assert table["worst"].to_dict() == {"Deepfakes": False, "NeuralTextures": True, "camera": False}
    (sentence,) = worst_sentences(table.reset_index())
    assert sentence.startswith("worst source: NeuralTextures, AUC 0.")
    assert sentence.endswith(" against all reals, 40 fakes and 40 reals; the lowest of 3 groups")


def test_groups_of_both_classes_are_measured_by_themselves():
    rows = predictions()
    table = breakdown(rows, ["quality"]).set_index("group")
    part = rows[rows["quality"] == 30]
    assert table["auc"]["30"] == roc_auc_score(part["label"] == "fake", part["score"])
    assert table["compared_with"].tolist() == ["itself"] * 2 and table["reals"].tolist() == [20, 20]


def test_many_numbers_are_cut_into_quarters_and_a_single_value_is_no_group():
    rows = predictions().assign(alike="x")
    table = breakdown(rows, ["alike", "width"])
    assert set(table["by"]) == {"width"} and len(table) == 4
    assert table["fakes"].sum() >= 80 and breakdown(rows, ["alike"]).empty


def test_cells_without_a_value_are_in_no_group():
    rows = predictions()
    rows.loc[::2, "source"] = ""
    assert breakdown(rows, ["source"]).set_index("group")["fakes"]["Deepfakes"] == 20


def test_groups_of_fakes_alone_are_ranked_by_recall():
    rows = predictions()
    table = breakdown(rows[rows["label"] == "fake"], ["source"]).set_index("group")
    assert table["auc"].isna().all() and table["worst"]["NeuralTextures"]
    (sentence,) = worst_sentences(table.reset_index())
    assert sentence.startswith("worst source: NeuralTextures, recall ") and " against" not in sentence
    assert sentence.endswith("; the lowest of 2 groups")


def test_files_are_grouped_by_quality_and_size():
    features = pd.DataFrame(
        {
            "bytes": [1.0, 1, 1, np.nan],
            "jpeg_quality": [95, 60, np.nan, np.nan],
            "width": [64, 700, 300, np.nan],
            "height": [80, 600, 127, np.nan],
        }
    )
    groups = file_groups(features)
    assert groups["compression"].tolist() == ["JPEG quality 95 to 100", "JPEG quality 50 to 74", "not JPEG", ""]
    assert groups["image_size"].tolist() == ["64 to 127 px", "512 to 1023 px", "64 to 127 px", ""]
