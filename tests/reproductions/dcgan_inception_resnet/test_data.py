"""Who sees which real image, and which fakes of other generators are tested."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from common.errors import UserError
from reproductions.dcgan_inception_resnet import data
from reproductions.dcgan_inception_resnet.config import PRESETS


def reals(count, persons=None):
    identity = [str(number % persons) for number in range(count)] if persons else ""
    table = {"path": [f"{number}.png" for number in range(count)], "label": "real", "source": "celeba"}
    table |= {"video": "", "identity": identity, "original": "", "frame": "", "split": "", "dataset": "celeb"}
    return pd.DataFrame(table).assign(sha256=[f"{number:064d}" for number in range(count)])


def settings(**values):
    return SimpleNamespace(**{"epochs": 1, "detector_images": 100, "held_out": 0.2, "validation": 0.1} | values)


def test_reals_are_split_in_the_stated_numbers():
    counts = data.split_real_images(reals(300), settings(), 0)["split"].value_counts()
    assert counts.to_dict() == {"train": 90, "val": 10, "test": 20, "gan": 180}
    fewer = data.split_real_images(reals(60), settings(), 0)["split"].value_counts()
    assert fewer.to_dict() == {"train": 45, "val": 5, "test": 10}
    assert data.split_real_images(reals(60), settings(epochs=0), 0)["split"].unique().tolist() == ["test"]
    first, again, other = (data.split_real_images(reals(300), settings(), seed)["split"] for seed in (0, 0, 1))
    assert (first == again).all() and (first != other).any()


def test_of_more_reals_than_the_papers_a_part_is_drawn_by_the_bytes_alone():
    """All of CelebA is twice the paper's cut: the GAN would train on twice the images without a word."""
    table = reals(300)
    table["sha256"] = [f"{number * 7 % 300:064d}" for number in range(300)]
    drawn = data.draw_reals(table, 100)
    assert set(drawn["sha256"]) == {f"{number:064d}" for number in range(100)}
    assert drawn["path"].astype(str).tolist() == sorted(drawn["path"], key=lambda path: int(path[:-4]))
    shuffled = data.draw_reals(table.sample(frac=1, random_state=0), 100)
    assert set(shuffled["path"]) == set(drawn["path"])
    assert data.draw_reals(table, 300).equals(table)


def test_no_person_is_held_out_and_trained_on():
    split = data.split_real_images(reals(400, persons=40), settings(), 0)
    people = {name: set(rows["identity"]) for name, rows in split.groupby("split")}
    assert not people["test"] & (people["train"] | people["val"] | people["gan"])
    no_fakes = reals(1).iloc[:0]
    assert len(data.add_foreign_fakes(split, no_fakes)) == 400
    mixed = split.copy()
    mixed.loc[mixed.index[mixed["split"] == "gan"][0], "identity"] = next(iter(people["test"]))
    with pytest.raises(UserError, match="forbids identity"):
        data.add_foreign_fakes(mixed, no_fakes)


def test_other_generators_give_as_many_fakes_as_there_are_held_out_reals():
    """Of 30 fakes of each of two generators 20 are taken, none of which is an image of the run."""
    images = data.split_real_images(reals(300), settings(), 0)
    fakes = pd.concat([reals(60).assign(label="fake", dataset=name).iloc[30:] for name in ("a", "b")])
    fakes["sha256"] = [f"{number:064x}" for number in range(2000, 2060)]

    def added(images):
        together = data.add_foreign_fakes(images, fakes)
        return together[together["label"] == "fake"]

    assert added(images)["dataset"].value_counts().to_dict() == {"a": 20, "b": 20}
    fakes.iloc[:15, fakes.columns.get_loc("sha256")] = images["sha256"].head(15).to_list()
    chosen = added(images)
    assert chosen["dataset"].value_counts().to_dict() == {"a": 15, "b": 20} and set(chosen["split"]) == {"test"}
    assert len(added(images.iloc[:0])) == 60


def test_generated_images_that_repeat_each_other_are_counted(tmp_path):
    """A generator that makes one picture: its fakes of training and test are near-duplicates, the reals are not."""
    random, table = np.random.default_rng(0), reals(6).assign(split=["gan", "train", "test"] * 2)
    fakes = reals(2).assign(label="fake", dataset="dcgan", path=["a.png", "b.png"], split=["train", "test"])
    fake = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    table = pd.concat([table.assign(near_duplicates=range(6)), fakes], ignore_index=True)
    for path, label in zip(table["path"], table["label"], strict=True):
        pixels = fake if label == "fake" else random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((64, 64)).save(tmp_path / path)
    table["file"] = [str(tmp_path / path) for path in table["path"]]
    assert data.split_remarks(table) == ["1 of 1 groups of near-duplicates in several splits"]
    assert data.split_remarks(table[:6]) == ["no near-duplicates"]


def test_groups_are_named_by_what_made_the_fakes():
    images = pd.DataFrame({"dataset": ["celeb", "dcgan", "pggan"], "label": ["real", "fake", "fake"]})
    assert data.fake_groups(images, {"DCGAN": "dcgan"}) == {"DCGAN": "dcgan", "other fakes (pggan)": "pggan"}
    assert data.fake_groups(images.head(1), {}) == {}


def test_too_few_reals_are_reported():
    with pytest.raises(UserError, match="2 real images are too few for --validation"):
        data.split_real_images(reals(2), settings(), 0)
    with pytest.raises(UserError, match="give --data celeb=DIR"):
        data.split_real_images(reals(2).iloc[:0], settings(), 0)


def test_a_dcgan_on_several_machines_is_refused_in_one_line(tmp_path):
    """Its detectors train on several, from the weights of a generator."""
    config = replace(PRESETS["smoke"], strategy="multiworker")
    for refused in (config, replace(config, gan_epochs=0, generate=3)):
        with pytest.raises(UserError, match="the DCGAN trains and generates on one machine.*--gan-epochs 0") as error:
            data.choose_protocols(refused, {})
        assert "\n" not in str(error.value)
    weights = {"generator": tmp_path / "generator.keras"}
    assert data.choose_protocols(replace(config, gan_epochs=0), weights) == data.choose_protocols(PRESETS["smoke"], {})
