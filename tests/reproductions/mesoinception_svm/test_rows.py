import pandas as pd
import pytest

from reproductions.mesoinception_svm.rows import result_rows


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
