"""Which protocols a run uses: those that the manifest, the split and every seed allow."""

import pandas as pd
import pytest

from common.data.manifest import COLUMNS
from common.errors import UserError
from common.splits.protocols import PROTOCOLS, choose_protocols, protocol_unit, split_images


def manifest(rows):
    """A manifest from dicts; missing cells are empty, but each row has its own path and bytes."""
    table = pd.DataFrame(rows).reindex(columns=list(COLUMNS)).astype(object).fillna("")
    return table.assign(path=table.index.astype(str) + ".png", sha256="bytes of " + table.index.astype(str))


def clips(videos, frames, label, **more):
    """Rows of `videos` clips with `frames` images each."""
    return [{"label": label, "video": f"{label}{v}", **more} for v in range(videos) for _ in range(frames)]


def test_the_default_is_what_the_columns_allow():
    plain = manifest(clips(5, 1, "real", video="") + clips(5, 1, "fake", video=""))
    assert choose_protocols(plain) == ["frame"]
    named = plain.assign(video=list("vwxyz") + [""] * 5, original=[""] * 5 + list("vwxyz"))
    assert choose_protocols(named) == ["frame", "video"]
    assert choose_protocols(plain.assign(split=["train", "test"] * 5)) == ["frame", "official"]
    for split in (["train", ""], ["train", "val"], ["test", "test"]):
        assert choose_protocols(plain.assign(split=split * 5)) == ["frame"]


def test_rows_without_an_official_split_do_not_take_it_from_the_others(caplog):
    """As FaceForensics++ with the actors' videos, which its lists do not have."""
    listed = [
        row | {"split": split}
        for label in ("real", "fake")
        for split, videos in (("train", 6), ("val", 2), ("test", 2))
        for row in clips(videos, 2, label + split)
    ]
    actors = clips(3, 2, "real-actor") + clips(3, 2, "fake-actor")
    images = manifest([row | {"label": row["label"][:4]} for row in listed + actors])
    assert choose_protocols(images) == ["frame", "video", "official"]
    splits = split_images(images, "official")
    assert splits[: len(listed)].tolist() == [row["split"] for row in listed]
    assert set(splits[len(listed) :]) == {""}
    assert "official" in choose_protocols(images)


def test_choose_protocols():
    plain = manifest(clips(5, 1, "real", video="") + clips(5, 1, "fake", video=""))
    assert choose_protocols(plain) == ["frame"] == choose_protocols(plain, ("frame", "frame"))
    with pytest.raises(UserError, match="'video' is not possible with these data, only frame"):
        choose_protocols(plain, ("frame", "video"))
    with pytest.raises(UserError, match="'official' is not possible"):
        split_images(plain, "official")
    for training in (True, False):
        with pytest.raises(UserError, match="protocol 'offical' is unknown; one of frame, video, identity, official"):
            choose_protocols(plain, ("offical",), training=training)


def test_a_protocol_that_cannot_be_carried_out_is_no_default(caplog):
    """Two videos of a class cannot be on three sides."""
    images = manifest(clips(2, 5, "real") + clips(2, 5, "fake"))
    assert choose_protocols(images, (), (0, 1)) == ["frame"]
    assert "protocol video is left out, seed 0: too few groups" in caplog.text
    with pytest.raises(UserError, match="'video' is not possible with these data, seed 0: too few groups .* add data"):
        choose_protocols(images, ("video",), (0, 1))
    assert choose_protocols(images, ("video",), training=False) == ["video"]


def test_data_that_no_protocol_can_split_are_an_error_for_training_alone():
    single_class = manifest(clips(30, 1, "fake"))
    with pytest.raises(UserError, match="no protocol .*: frame, seed 0: .* got 0 with real .*; video, seed 0: .*"):
        choose_protocols(single_class)
    assert choose_protocols(single_class, training=False) == ["frame"]
    nothing = single_class[:0]
    assert choose_protocols(nothing, training=False) == ["frame"]
    assert choose_protocols(nothing, ("video",), training=False) == ["video"]
    for requested in ((), ("official",)):
        with pytest.raises(UserError, match="there are no images"):
            choose_protocols(nothing, requested)


def test_an_official_split_with_leaks_or_a_missing_class_is_no_default(caplog):
    images = manifest(clips(6, 1, "real", video="") + clips(6, 1, "fake", video=""))
    images = images.assign(split=["train", "val", "test"] * 4)
    assert choose_protocols(images) == ["frame", "official"] and not caplog.messages
    copied = images.assign(sha256=["copy", *images["sha256"][1:11], "copy"])
    assert choose_protocols(copied) == ["frame"]
    assert "protocol official is left out, seed 0: protocol 'official' forbids the same picture" in caplog.text
    one_class = images.assign(split=["train", "val", "train"] * 2 + ["val", "test", "test"] * 2)
    assert choose_protocols(one_class) == ["frame"]
    assert "protocol official is left out, its training split has no fake images" in caplog.text
    with pytest.raises(UserError, match="'official' is not possible with these data, its training split has no fake"):
        choose_protocols(one_class, ("official",))


def test_the_unit_of_every_protocol():
    assert [protocol_unit(name) for name in PROTOCOLS] == ["image", "video", "person", "video"]
    assert protocol_unit("paper") == "image" and protocol_unit("paper+heldout") == "person"
    assert protocol_unit("frame+official") == "video" == protocol_unit("a sixth paper's own")


def test_a_data_set_without_official_test_images_is_named(caplog):
    rows = [{"label": label, "split": split} for label in ("real", "fake") for split in ("train", "test")]
    images = manifest(rows * 4).assign(dataset=["one"] * 8 + ["two"] * 8)
    images.loc[images["dataset"] == "two", "split"] = "train"
    assert choose_protocols(images, ("frame",)) == ["frame"] and not caplog.messages
    choose_protocols(images, ("official",))
    (line,) = caplog.messages
    assert "two has no official test images" in line
