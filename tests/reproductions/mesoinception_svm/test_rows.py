import pandas as pd
import pytest

from reproductions.mesoinception_svm.rows import result_rows, size_rows
from results.tables import read_published


@pytest.mark.parametrize(("tested", "levels"), [("test", {"frame", "video"}), ("val", {"frame"})])
def test_the_video_level_is_there_if_the_test_split_has_frames_of_videos(tested, levels):
    """Pictures and two clips of two frames each in one data set; the clips come into one split."""
    pictures = [("", label, split) for label in ("real", "fake") for split in ("val", "test")] * 2
    clips = [(label, label, tested) for label in ("real", "fake") for _ in range(2)]
    predictions = pd.DataFrame(pictures + clips, columns=["video", "label", "split"])
    predictions["path"] = predictions.index.astype(str)
    predictions = predictions.assign(score=0.3, dataset="faces", model="meso4", protocol="video", seed=0)
    rows = result_rows(predictions, {"deepfake": "faces"}, ["faces"])
    extra = rows[rows["table"] == "extra"]["row"]
    assert set(extra) == {f"meso4, {level} level" for level in levels}


def table_of(counts, dataset="faces"):
    """A table of images from {(label, split): number}."""
    rows = [(dataset, *key) for key, number in counts.items() for _ in range(number)]
    return pd.DataFrame(rows, columns=["dataset", "label", "split"])


def test_tables_1_to_3_are_the_images_of_the_data_set_and_of_the_split():
    """Table 1 by the official split; Tables 2 and 3 by the run's: 3 + 2 fakes and 4 + 1 reals train, 1 + 2 test."""
    manifest = table_of({("fake", "train"): 5, ("fake", "test"): 1, ("real", "train"): 6, ("real", "test"): 1})
    drawn = {("fake", "train"): 3, ("fake", "val"): 2, ("fake", "test"): 1}
    drawn |= {("real", "train"): 4, ("real", "val"): 1, ("real", "test"): 2}
    unseen = table_of({("fake", "test"): 50}, "other")
    rows = size_rows(pd.concat([manifest, unseen]), pd.concat([table_of(drawn), unseen]), ["faces"])
    numbers = {key: list(part["value"]) for key, part in rows.groupby(["table", "row"])}
    assert numbers == {
        ("Table 1", "Training"): [5, 6, 11],
        ("Table 1", "Test"): [1, 1, 2],
        ("Table 1", "total"): [6, 7, 13],
        ("Table 2", "Training"): [5, 5, 10],
        ("Table 2", "Test"): [1, 2, 3],
        ("Table 2", "total"): [6, 7, 13],
        ("Table 3", "Training"): [3, 4, 7],
        ("Table 3", "Validation"): [2, 1, 3],
        ("Table 3", "total"): [5, 5, 10],
    }
    published = read_published("mesoinception_svm")
    keys = ["table", "row", "metric"]
    tables = published[published["table"].isin(["Table 1", "Table 2", "Table 3"])]
    assert set(map(tuple, rows[keys].values)) == set(map(tuple, tables[keys].values))


def test_without_training_there_are_no_sizes_of_a_split():
    everything = table_of({("fake", "test"): 2, ("real", "test"): 2})
    assert set(size_rows(everything.assign(split=""), everything, ["faces"])["table"]) == {"Table 1"}


def test_the_first_models_row_is_of_the_model_that_is_trained_as_section_4_3_says():
    predictions = pd.DataFrame({"label": ["fake", "real"] * 4, "score": [0.9, 0.1] * 4})
    predictions["path"] = predictions.index.astype(str)
    both = [predictions.assign(model=name) for name in ("mesoinception4", "mesoinception4_first")]
    predictions = pd.concat(both).assign(video="", split="test", dataset="faces", protocol="frame", seed=0)
    rows = result_rows(predictions, {"deepfake": "faces"}, ["faces"]).set_index(["table", "row", "metric"])
    assert rows.loc[("text", "first model", "accuracy"), "model"] == "mesoinception4_first"
    assert rows.loc[("Table 4", "accuracy", "accuracy"), "model"] == "mesoinception4"
