from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from common.data.datasets import DataSet, merge, read_data
from common.errors import UserError

LAYOUTS = {"deepfake": "mesonet", "dfdc": "dfdc"}


def test_pairs_become_one_table(tmp_path, make_prepared):
    one, two = make_prepared(tmp_path / "one", 3), make_prepared(tmp_path / "two", 2, seed=1)
    datasets = read_data((f"deepfake={one}", f"dfdc={two}"), LAYOUTS)
    images = merge(datasets)
    assert images["dataset"].value_counts().to_dict() == {"deepfake": 6, "dfdc": 4}
    assert images.index.is_unique
    assert all(file.startswith(str(tmp_path)) for file in images["file"])
    assert datasets[0].fingerprint != datasets[1].fingerprint


def test_near_duplicates_of_two_data_sets_get_one_number(tmp_path, make_prepared):
    """The same pictures twice, once resized: both copies of a picture get the same number."""
    one, two = (make_prepared(tmp_path / name, 3) for name in ("one", "two"))
    for path in two.rglob("*.png"):
        image = Image.open(path)
        image.resize((image.width * 2, image.height * 2), Image.Resampling.BICUBIC).save(path)
    images = merge(read_data((f"deepfake={one}", f"dfdc={two}"), LAYOUTS), near_duplicates=10)
    first, second = (images[images["dataset"] == name].set_index("path")["near"] for name in ("deepfake", "dfdc"))
    assert (first == second).all()
    assert "near" not in merge(read_data((f"deepfake={one}",), LAYOUTS))


def test_data_sets_of_one_publisher_share_the_names_of_videos_and_persons():
    def scope(name, layout):
        return DataSet("role", name, Path(), pd.DataFrame(), {"layout": layout}).scope

    assert scope("celebdf", "celebdf") == scope("celebdf_v2", "celebdf") == "celebdf"
    assert scope("one", "folders") == "one" and scope("two", "mesonet") == "two"
    assert scope("synthetic-swap", "celebdf") == "synthetic-swap"


def test_drawn_images_are_called_synthetic_whatever_their_role(tmp_path, make_prepared):
    (data,) = read_data((f"dfdc={make_prepared(tmp_path / 'd', 2, synthetic='swap')}",), LAYOUTS)
    assert (data.role, data.name, data.is_synthetic) == ("dfdc", "synthetic-swap", True)


def test_a_limit_keeps_the_same_images_of_each_class(tmp_path, make_prepared):
    folder = make_prepared(tmp_path / "d", 9)
    four = read_data((f"dfdc={folder}",), LAYOUTS, limit=4)[0].images
    two = read_data((f"dfdc={folder}",), LAYOUTS, limit=2)[0].images
    assert four["label"].value_counts().to_dict() == {"fake": 4, "real": 4}
    assert set(two["path"]) <= set(four["path"])


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (("celeba=/x",), "deepfake, dfdc"),
        (("deepfake",), "NAME=DIR"),
        (("deepfake=",), "NAME=DIR"),
        (("dfdc=/no/such/place",), "no such folder"),
    ],
)
def test_a_wrong_pair_is_refused(pairs, words):
    with pytest.raises(UserError, match=words):
        read_data(pairs, LAYOUTS)


def test_the_error_about_a_raw_folder_shows_the_command_that_prepares_it(tmp_path, make_prepared):
    (tmp_path / "raw" / "df").mkdir(parents=True)
    with pytest.raises(UserError, match="python -m data_prep mesonet .*raw .*raw-prepared"):
        read_data((f"deepfake={tmp_path / 'raw'}",), LAYOUTS)


def test_an_unfinished_preparation_is_not_called_raw(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / ".progress-1-of-2.jsonl").write_text('{"layout": "dfdc", "flags": {}}\n')
    with pytest.raises(UserError, match="unfinished: run the data_prep command that started it again") as caught:
        read_data((f"dfdc={tmp_path / 'd'}",), LAYOUTS)
    assert "raw" not in str(caught.value)


def test_one_drawn_family_under_two_names_is_refused(tmp_path, make_prepared):
    one, two = (make_prepared(tmp_path / name, 2, synthetic="swap") for name in "ab")
    with pytest.raises(UserError, match="give one"):
        read_data((f"deepfake={one}", f"dfdc={two}"), LAYOUTS)


def test_a_name_given_twice_is_refused(tmp_path, make_prepared):
    folder = make_prepared(tmp_path / "d", 2)
    with pytest.raises(UserError, match="twice"):
        read_data((f"dfdc={folder}", f"dfdc={folder}"), LAYOUTS)
