"""--videos-per-class and --fakes-per-real: how many videos are taken, and always the same ones."""

import hashlib
import json

import pytest

from common.errors import UserError
from data_prep.layouts.item import Item
from data_prep.options import PrepareOptions
from data_prep.preparation.selection import Selection
from data_prep.prepare import prepare

REALS, FAKES, FRAMES = 6, 9, 2


def item(label, video, frame, problem=""):
    return Item(f"{label}/{video}/{frame}.png", label, "any", f"{label}/{video}", problem=problem)


@pytest.fixture
def items():
    """Six real videos and nine fakes, two frames each, and a file that cannot be used."""
    found = [item("real", f"r{video}", frame) for video in range(REALS) for frame in range(FRAMES)]
    found += [item("fake", f"f{video}", frame) for video in range(FAKES) for frame in range(FRAMES)]
    return [*found, item("fake", "broken", 0, "empty file")]


def videos(items, label):
    return {item.video for item in items if item.label == label and not item.problem}


@pytest.mark.parametrize(
    ("selection", "real", "fake"),
    [
        (Selection(), 6, 9),
        (Selection(4), 4, 4),
        (Selection(7), 6, 7),  # there are only six real videos
        (Selection(fakes_per_real=1), 6, 6),
        (Selection(fakes_per_real=1.25), 6, 8),  # round(7.5) = 8
        (Selection(fakes_per_real=4), 6, 9),  # there are only nine fakes
        (Selection(4, 1.5), 4, 6),
        (Selection(2, 0.5), 2, 1),
    ],
)
def test_videos_are_taken_whole_and_as_many_as_asked_for(items, selection, real, fake):
    taken = selection.choose(items)
    assert (len(videos(taken, "real")), len(videos(taken, "fake"))) == (real, fake)
    assert sum(not item.problem for item in taken) == FRAMES * (real + fake)
    assert items[-1] in taken  # it is listed as skipped


def test_the_videos_with_the_smallest_hashes_are_taken_whatever_the_order_of_the_files(items):
    def smallest(label, count):
        return set(sorted(videos(items, label), key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:count])

    for order in (items, items[::-1]):
        taken = Selection(3, 2).choose(order)
        assert videos(taken, "real") == smallest("real", 3) and videos(taken, "fake") == smallest("fake", 6)
    more = [*items, item("real", "another", 0)]
    assert len(videos(Selection(3).choose(more), "real") - smallest("real", 3)) <= 1  # a new video moves one at most


@pytest.fixture
def clips(tmp_path, save_noise):
    """Folders of two frames: five real clips and seven fakes."""
    for number in range(5 + 7):
        label = "real" if number < 5 else "fake"
        for frame in range(2):
            save_noise(tmp_path / "raw" / label / f"clip{number}" / f"{frame}.png", 10 * number + frame)
    return tmp_path / "raw"


@pytest.mark.slow
def test_a_preparation_takes_the_same_videos_with_any_number_of_workers_and_says_so(clips, tmp_path):
    one, two = (
        prepare("folders", clips, tmp_path / str(workers), PrepareOptions(videos_per_class=3, workers=workers))
        for workers in (1, 2)
    )
    assert one.equals(two) and one.groupby("label")["video"].nunique().to_dict() == {"fake": 3, "real": 3}
    facts = json.loads((tmp_path / "1" / "prep.json").read_text())
    assert facts["flags"]["videos_per_class"] == 3 and facts["flags"]["fakes_per_real"] is None
    assert facts["found"] == ["6 of 12 videos are taken, by --videos-per-class or --fakes-per-real"]
    files = [clips / path for path in one["path"]]
    assert facts["raw_bytes"] == sum(file.stat().st_size for file in files)
    with pytest.raises(UserError, match="was started with --videos-per-class 3, not with --videos-per-class 4"):
        prepare("folders", clips, tmp_path / "1", PrepareOptions(videos_per_class=4, workers=1))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"videos_per_class": 0}, "--videos-per-class: expected at least 1, got 0"),
        ({"fakes_per_real": 0.0}, "--fakes-per-real: expected a number above 0, got 0"),
        ({"fakes_per_real": float("nan")}, "--fakes-per-real: expected a number above 0, got nan"),
    ],
)
def test_values_out_of_range_are_refused(clips, tmp_path, flags, message):
    with pytest.raises(UserError, match=message):
        prepare("folders", clips, tmp_path / "out", PrepareOptions(workers=1, **flags))
    assert not (tmp_path / "out").exists()


def test_flags_without_an_effect_are_refused(tmp_path, save_noise):
    for number in range(3):
        save_noise(tmp_path / "faces" / f"{number}.png", number)
    for flag, value in (("videos_per_class", 2), ("fakes_per_real", 2.0)):
        with pytest.raises(UserError, match=f"--{flag.replace('_', '-')} .*leave it out"):
            prepare("ffhq", tmp_path / "faces", tmp_path / "out", PrepareOptions(workers=1, **{flag: value}))
