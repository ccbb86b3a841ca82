"""What a run starts from: splits without copies, what is refused, and where initial weights come from."""

from dataclasses import dataclass, replace

import pandas as pd
import pytest

from common.conditions import has_condition
from common.errors import UserError
from common.networks import weights
from common.runs.options import RunOptions
from reproductions.inputs import (
    Batch,
    RunData,
    log_resolution,
    other_data,
    partial_data,
    require_classes,
    require_weights,
    resolve_imagenet_weights,
)
from reproductions.splitting import Split, draw_possible, draw_split
from tests.common.splits.manifests import swap_graph


@dataclass(frozen=True)
class Config(RunOptions):
    split: tuple[float, float, float] = (0.5, 0.25, 0.25)


QUICK = Config(preset="quick", epochs=1)
EVALUATION = Config(preset="quick", epochs=0)


def images(**columns):
    count = len(columns["dataset"])
    empty = {name: [""] * count for name in ("video", "original", "identity", "split")}
    rows = {"path": [f"{place}.png" for place in range(count)], "sha256": [f"{place:064d}" for place in range(count)]}
    rows |= {"label": ["fake", "real"] * (count // 2), "source": ["x"] * count}
    return pd.DataFrame(rows | empty | columns)


@pytest.mark.parametrize("column", ["sha256", "near"])
def test_unseen_copies_of_trained_images_are_left_out_and_noted(column):
    table = images(dataset=["seen"] * 16 + ["unseen"] * 4)
    table["near"] = range(len(table))
    table.loc[17, column] = table.loc[3, column]
    split = draw_split(table, ("seen",), QUICK, "frame", seed=0)
    assert set(split.images.index) == set(range(20)) - {17}
    assert (split.images.loc[[16, 18, 19], "split"] == "test").all()
    assert split.remarks == ["1 unseen images left out, they are copies of images trained on"]


def test_unseen_images_of_videos_that_are_trained_on_are_left_out_and_noted():
    """A second version of a data set has the same names in one scope, whatever their spelling."""
    table = images(dataset=["v1"] * 40 + ["v2"] * 4).assign(scope="celebdf")
    table["video"] = [f"v{number}" for number in range(44)]
    table.loc[40, "video"] = "./V3"
    split = draw_split(table, ("v1",), QUICK, "video", seed=0)
    assert set(split.images.index) == set(range(44)) - {40}
    assert split.remarks == [
        "1 unseen images left out, they show videos trained on", "video known for 100.0% of the images"
    ]  # fmt: skip
    assert 40 in draw_split(table.drop(columns="scope"), ("v1",), QUICK, "video", seed=0).images.index


def test_the_note_of_identity_has_the_persons_and_images_of_every_split():
    table = swap_graph(12, unnamed=0).assign(dataset="celebdf")
    split = draw_split(table.assign(near_duplicates=range(len(table))), ("celebdf",), QUICK, "identity", seed=0)
    dropped, known, composition, weak, near = split.remarks
    assert dropped == f"{len(table) - len(split.images)} of {len(table)} images dropped, they show persons of two sides"
    assert known == "person known for 100.0% of the images" and near == "no near-duplicates"
    for name, part in split.images.groupby("split"):
        persons = len(set(";".join(part["identity"]).split(";")))
        counts = part["label"].value_counts()
        assert f"{name} {persons} persons, {counts['fake']} fakes, {counts['real']} reals (" in composition
    assert composition.startswith("train") and "asked 25.0%" in composition and weak.startswith("test decides little: ")
    assert not any(";" in remark for remark in split.remarks), "parts of a note are separated by it"


def test_the_note_of_official_has_what_its_splits_share():
    table = images(dataset=["d"] * 12).assign(split=["train", "train", "val", "val", "test", "test"] * 2)
    table["video"] = [f"v{number}" for number in range(11)] + ["v0"]
    table["near_duplicates"] = [0, 1, 0, *range(3, 12)]
    split = draw_split(table, ("d",), QUICK, "official", seed=0)
    assert split.remarks == [
        "official splits share 1 of 11 videos", "1 of 1 groups of near-duplicates in several splits"
    ]  # fmt: skip


def test_the_note_of_official_counts_sides_of_the_data_that_are_trained_on_alone():
    """Of another data set everything is test, which is no side of the official split; its near-duplicates count."""
    table = images(dataset=["d"] * 12 + ["unseen"] * 4).assign(scope="s")
    table["split"] = ["train", "train", "val", "val", "test", "test"] * 2 + ["train"] * 4
    table["identity"] = [f"p{number}" for number in range(12)] + ["p0", "p1", "p20", "p21"]
    table["near_duplicates"] = [*range(15), 0]
    split = draw_split(table, ("d",), QUICK, "official", seed=0)
    assert split.remarks == [
        "official splits share 0 of 12 persons", "1 of 1 groups of near-duplicates in several splits"
    ]  # fmt: skip


def test_why_a_test_split_decides_little_is_a_warning(caplog):
    with caplog.at_level("INFO", "deepfake"):
        draw_split(swap_graph(12, unnamed=0).assign(dataset="d"), ("d",), QUICK, "identity", seed=0)
    levels = {record.levelname for record in caplog.records if "test decides little" in record.getMessage()}
    assert levels == {"WARNING"}


@pytest.mark.parametrize("label", ["fake", "real"])
def test_one_class_is_all_test_if_nothing_is_trained(label):
    table = images(dataset=["seen"] * 6).assign(label=label)
    assert set(draw_split(table, ("seen",), EVALUATION, "frame", seed=0).images["split"]) == {"test"}
    with pytest.raises(UserError, match="too few"):
        draw_split(table, ("seen",), QUICK, "frame", seed=0)
    require_classes(table, EVALUATION, "both")
    with pytest.raises(UserError, match=f"training needs real and fake images, got {label}: give both"):
        require_classes(table, QUICK, "both")


def test_a_run_that_trains_nothing_needs_weights():
    require_weights(QUICK, {}, ["a"])
    require_weights(EVALUATION, {"b": "file"}, ["a", "b"])
    with pytest.raises(UserError, match="give --weights a=FILE, or another of b"):
        require_weights(EVALUATION, {}, ["a", "b"])


def test_several_parts_are_named_in_the_column_case():
    parts = {name: images(dataset=["d"] * 4).assign(split=split) for name, split in (("one", "train"), ("two", "test"))}
    split = Split("frame", 0, parts)
    assert list(split.images["case"]) == ["one"] * 4 + ["two"] * 4
    assert split.count("train") == 0, "the smallest part counts"
    assert "case" not in Split("frame", 0, {"": parts["one"]}).images


def test_predictions_of_a_model_are_together_whatever_came_between():
    split = Split("frame", 0, {"": images(dataset=["d"] * 2)})
    split.predictions = [pd.DataFrame({"model": [name], "score": [place]}) for place, name in enumerate("bab")]
    assert list(split.table()["model"]) == ["b", "b", "a"] and list(split.table()["score"]) == [0, 2, 1]


def test_fewer_images_than_the_papers_are_noted_for_given_data_alone():
    given = Config(data=("a=b",))
    assert partial_data(given, 98, 100) == ["partial data: 98 of the paper's 100 images"]
    assert partial_data(given, 99, 100) == [] and partial_data(Config(), 1, 100) == []


@pytest.mark.parametrize(
    ("fakes", "reals", "expected"),
    [
        (54, 46, []),
        (56, 46, []),  # 102 images, 55 % fake
        (83, 17, ["other data: 100 frames, 83 % fake; the authors' 100, 54 %"]),
        (30, 70, ["other data: 100 frames, 30 % fake; the authors' 100, 54 %"]),
        (540, 460, ["other data: 1000 frames, 54 % fake; the authors' 100, 54 %"]),
        (27, 23, ["partial data: 50 of the paper's 100 frames"]),
        (
            1,
            1,
            ["partial data: 2 of the paper's 100 frames", "other data: 2 frames, 50 % fake; the authors' 100, 54 %"],
        ),
    ],
)
def test_other_numbers_and_shares_than_the_papers_are_noted_in_both_directions(fakes, reals, expected):
    labels = pd.Series(["fake"] * fakes + ["real"] * reals)
    assert other_data(Config(data=("a=b",)), labels, 100, 0.54, "frames") == expected
    assert other_data(Config(), labels, 100, 0.54, "frames") == []
    assert all(has_condition(note, "partial data") or has_condition(note, "other data") for note in expected)


def test_a_batch_that_the_images_do_not_fill_is_refused():
    Batch("--batch-size", 8, 8).check()
    with pytest.raises(UserError, match="--batch-size 9: the training split has only 8 images"):
        Batch("--batch-size", 9, 8).check()


def test_the_face_cropping_is_that_of_the_training_data():
    @dataclass
    class Data:
        name: str
        preparation: dict

    detectors = {"seen": "mtcnn", "unseen": "haar"}
    datasets = [Data(name, {"flags": {"faces": faces, "size": 160}}) for name, faces in detectors.items()]
    assert RunData(datasets, ("seen",), []).face_cropping()["faces"] == "mtcnn"
    assert RunData(datasets[1:], (), []).face_cropping() == {
        "faces": "haar", "rescale": None, "size": 160, "margin": None, "min_confidence": None, "pick": None,
    }  # fmt: skip


def test_a_run_stops_without_the_imagenet_weights_that_it_asks_for(monkeypatch, tmp_path):
    def unavailable(backbone, chosen):
        if chosen == "imagenet":
            raise weights.WeightsUnavailable("no way to the server")

    monkeypatch.setattr(weights, "find_weights", unavailable)
    none = replace(QUICK, imagenet_weights="none")
    assert resolve_imagenet_weights("resnet50", none) == ("none", ["no ImageNet weights"])
    for asking in (replace(QUICK, imagenet_weights="imagenet"), Config(preset="paper")):
        with pytest.raises(weights.WeightsUnavailable):
            resolve_imagenet_weights("resnet50", asking)
    monkeypatch.setattr(weights, "find_weights", lambda backbone, chosen: tmp_path)
    assert resolve_imagenet_weights("resnet50", Config(preset="paper")) == ("imagenet", [])


def test_the_differences_that_a_test_set_can_tell_are_said_beforehand(caplog):
    """(1.96 + 0.84) sqrt(0.9 * 0.1 / n): 140 images 7.1 points, 24 videos 17; of a protocol the smallest."""
    images = pd.DataFrame({"dataset": "d", "video": "", "split": ["test"] * 140 + ["train"] * 60})
    clips = images.assign(video=[f"{number // 6}.mp4" for number in range(200)])
    splits = [Split("frame", 0, {"": images}), Split("video", 0, {"": clips}), Split("video", 1, {"": clips[:-50]})]
    with caplog.at_level("INFO", logger="deepfake"):
        log_resolution(splits)
        log_resolution([Split("frame", 0, {"": images[140:]})])
    (line,) = caplog.messages
    assert line == (
        "this test set can tell differences of 7.1 points (frame: 140 images), 17 points (video: 24 videos) near an "
        "accuracy of 90 %"
    )


def test_a_protocol_that_some_seed_cannot_carry_out_is_left_out_unless_it_was_requested(caplog):
    def draw(protocol, seed):
        if (protocol, seed) == ("hard", 1):
            raise UserError("too few groups")
        return Split(protocol, seed, {})

    config = Config(seeds=(0, 1))
    drawn = draw_possible(["hard", "easy"], config, draw)
    assert [[(split.protocol, split.seed) for split in splits] for splits in drawn] == [[("easy", 0), ("easy", 1)]]
    for protocols, requested in ((["hard", "easy"], ("hard",)), (["hard"], ())):
        with pytest.raises(UserError, match="too few groups"):
            draw_possible(protocols, Config(seeds=(0, 1), protocol=requested), draw)


def test_the_images_of_each_split_and_class_are_said_beforehand(caplog):
    sides = [("seen", "train", "fake"), ("seen", "train", "real"), ("seen", "train", "real"), ("seen", "val", "real")]
    images = pd.DataFrame([*sides, ("other", "test", "fake")], columns=["dataset", "split", "label"])
    with caplog.at_level("INFO", logger="deepfake"):
        RunData(
            [], ("seen",), [Split("video", 3, {"": images}), Split("frame", 3, {"case1": images.head(1)})]
        ).log_images()
    assert caplog.messages == [
        "protocol video, seed 3: seen: train 1 fake and 2 real; val 1 real",
        "protocol video, seed 3: other: test 1 fake",
        "protocol frame, seed 3, case1: seen: train 1 fake",
    ]
