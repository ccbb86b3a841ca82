import pandas as pd
import pytest

from common.networks import backbones
from reproductions.experiment import imagenet_start, split_seen


class Config:
    epochs, split, preset, imagenet_weights = 1, (0.5, 0.25, 0.25), "quick", "imagenet"


class PaperConfig(Config):
    preset = "paper"


def images(**columns):
    count = len(columns["dataset"])
    empty = {name: [""] * count for name in ("video", "original", "identity", "split")}
    rows = {"path": [f"{place}.png" for place in range(count)], "sha256": [f"{place:064d}" for place in range(count)]}
    rows |= {"label": ["fake", "real"] * (count // 2), "source": ["x"] * count}
    return pd.DataFrame(rows | empty | columns)


@pytest.mark.parametrize("column", ["sha256", "near"])
def test_unseen_copies_of_trained_images_are_left_out_and_said(column):
    table = images(dataset=["seen"] * 16 + ["unseen"] * 4)
    table["near"] = range(len(table))
    table.loc[17, column] = table.loc[3, column]
    split = split_seen(table, ("seen",), Config, "frame", seed=0)
    assert set(split.images.index) == set(range(20)) - {17}
    assert (split.images.loc[[16, 18, 19], "split"] == "test").all()
    assert split.remarks == ("1 unseen images left out, they are copies of images trained on",)


def test_only_the_paper_preset_stops_without_imagenet_weights(monkeypatch, tmp_path):
    def unavailable(name, published):
        raise backbones.WeightsUnavailable("no way to the server")

    monkeypatch.setattr(backbones, "_downloaded", unavailable)
    assert imagenet_start("resnet50", Config, "rival") == ("none", ["no ImageNet weights"])
    with pytest.raises(backbones.WeightsUnavailable):
        imagenet_start("resnet50", PaperConfig, "rival")
    monkeypatch.setattr(backbones, "_downloaded", lambda name, published: tmp_path)
    assert imagenet_start("resnet50", PaperConfig, "rival") == ("imagenet", [])
