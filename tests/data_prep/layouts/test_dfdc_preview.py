"""The DFDC Preview: dataset.json names label, set, target and swapped person of each video."""

import json

import cv2
import numpy as np
import pytest

from common.data.manifest import read_manifest
from common.errors import UserError
from data_prep.__main__ import main
from data_prep.layouts.item import Item
from data_prep.layouts.published_counts import compare_with_published
from data_prep.layouts.registry import find
from data_prep.verify import verify

ORIGINAL = "original_videos/1003254/1003254_A_001.mp4"
SWAP_A = "method_A/1003254/1003254_A/1255229_1003254_A_001.mp4"
SWAP_B = "method_B/1260311/1260311_C/1255229_1260311_C_001.mp4"
OTHER = "original_videos/643049/643049_A_001.mp4"


def real(person, part="train"):
    return {"label": "real", "target_id": person, "swapped_id": None, "set": part, "augmentations": []}


def fake(target, swapped, part="train"):
    return {"label": "fake", "target_id": target, "swapped_id": swapped, "set": part, "augmentations": []}


ROWS = {
    ORIGINAL: real(1003254),
    OTHER: real(643049, "test"),
    SWAP_A: fake(1003254, 1255229),
    SWAP_B: fake("1260311", "1255229", "test"),  # its original was not downloaded
}


@pytest.fixture
def preview(tree):
    return tree(*ROWS, texts={"dataset.json": json.dumps(ROWS)})


def test_label_set_persons_method_and_original_of_each_video(preview):
    assert find("dfdc", preview) == [
        Item(SWAP_A, "fake", "method_A", SWAP_A[:-4], "1003254;1255229", ORIGINAL[:-4], split="train"),
        Item(SWAP_B, "fake", "method_B", SWAP_B[:-4], "1260311;1255229", split="test"),
        Item(ORIGINAL, "real", "original_videos", ORIGINAL[:-4], "1003254", split="train"),
        Item(OTHER, "real", "original_videos", OTHER[:-4], "643049", split="test"),
    ]


def test_the_folder_around_it_may_be_given_as_well(preview):
    inside = find("dfdc", preview)
    (preview / "dfdc_preview_set").mkdir()
    for name in ("dataset.json", "method_A", "method_B", "original_videos"):
        (preview / name).rename(preview / "dfdc_preview_set" / name)
    outside = find("dfdc", preview)
    assert [item.path for item in outside] == [f"dfdc_preview_set/{item.path}" for item in inside]
    assert outside[0].original == f"dfdc_preview_set/{inside[0].original}"


def test_what_cannot_be_used_is_named(preview, tree):
    (preview / SWAP_B).unlink()
    tree("method_A/unlisted.mp4", "method_A/a.mp4", "method_B/b.mp4")
    rows = ROWS | {"method_A/a.mp4": {"label": "maybe"}, "method_B/b.mp4": {"label": "fake", "target_id": 7}}
    rows["../x.mp4"] = real(1)
    (preview / "dataset.json").write_text(json.dumps(rows))
    assert {item.path: item.problem for item in find("dfdc", preview) if item.problem} == {
        SWAP_B: "missing: listed in dataset.json",
        "method_A/unlisted.mp4": "not listed: dataset.json",
        "method_A/a.mp4": "unknown label: maybe in dataset.json",
        "method_B/b.mp4": "unknown person: target_id or swapped_id in dataset.json",
        "../x.mp4": "leaves SRC: listed in dataset.json",
    }


def test_a_damaged_list_is_refused(preview):
    (preview / "dataset.json").write_text('{"method_A/a.mp4": ')
    with pytest.raises(UserError, match="dataset.json is damaged, it is not JSON"):
        find("dfdc", preview)


def test_its_published_counts_are_its_own(preview):
    assert compare_with_published("dfdc", find("dfdc", preview)) == [
        "real: 2 of 1131 videos (1129 missing)",
        "fake: 2 of 4113 videos (4111 missing)",
    ]


def test_small_videos_in_its_tree_become_a_data_set(tmp_path, monkeypatch):
    """Real mp4 files, prepared by the command: frames with label, split, persons, method and original."""
    for number, path in enumerate(ROWS):
        (tmp_path / "raw" / path).parent.mkdir(parents=True, exist_ok=True)
        writer = cv2.VideoWriter(str(tmp_path / "raw" / path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (64, 48))
        for frame in range(6):
            writer.write(np.full((48, 64, 3), 40 * number + 5 * frame, np.uint8))
        writer.release()
    (tmp_path / "raw" / "dataset.json").write_text(json.dumps(ROWS))
    words = ["--frames-per-video", "3", "--workers", "1"]
    assert main(["dfdc", str(tmp_path / "raw"), str(tmp_path / "dst"), *words]) == 0
    assert verify(tmp_path / "dst") == []
    frames = read_manifest(tmp_path / "dst")
    assert len(frames) == 12
    clips = frames.drop_duplicates("video").set_index("video")
    assert dict(clips["label"]) == {path[:-4]: row["label"] for path, row in ROWS.items()}
    assert dict(clips["split"]) == {path[:-4]: row["set"] for path, row in ROWS.items()}
    assert clips.loc[SWAP_A[:-4], ["identity", "source", "original"]].tolist() == [
        "1003254;1255229", "method_A", ORIGINAL[:-4],
    ]  # fmt: skip
