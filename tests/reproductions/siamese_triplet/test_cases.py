"""Which images Case I and Case II are trained and tested on: a hundredth of Table 1, on tables without files."""

import numpy as np
import pandas as pd
import pytest

from common.errors import UserError
from reproductions.siamese_triplet import cases
from reproductions.siamese_triplet.cases import choose_images, choose_protocols, split_cases
from reproductions.siamese_triplet.config import COUNTS, FURTHER, UNSEEN_IMAGES, Config

ROLES = {"ffhq": "ffhq", "stylegan": "stylegan", "pggan": "pggan", "celeba": "celeba"}
TRAINED = ("ffhq", "stylegan")
LABELS = {"ffhq": "real", "stylegan": "fake", "pggan": "fake", "celeba": "real"}


@pytest.fixture(autouse=True)
def a_hundredth(monkeypatch):
    """Table 1 divided by 100, so that drawing takes no time; test_settings pins the numbers themselves."""

    def small(numbers):
        if isinstance(numbers, dict):
            return {name: small(number) for name, number in numbers.items()}
        return numbers // 100

    for name, numbers in (("COUNTS", COUNTS), ("FURTHER", FURTHER), ("UNSEEN_IMAGES", UNSEEN_IMAGES)):
        monkeypatch.setattr(cases, name, small(numbers))


def table(**sizes):
    """The given number of images of each data set, each with its own bytes."""
    names = np.repeat(list(sizes), list(sizes.values()))
    empty = dict.fromkeys(("source", "video", "identity", "original", "frame", "split"), "")
    paths = np.concatenate([np.arange(size) for size in sizes.values()]).astype(str)
    images = pd.DataFrame({"path": paths, "label": [LABELS[name] for name in names], "dataset": names} | empty)
    return images.assign(sha256=images["dataset"] + images["path"])


def split(config=Config(), **sizes):  # noqa: B008
    return split_cases(choose_images(table(**sizes), ROLES), TRAINED, config, "paper", 0)


def counts(images, name):
    """(train and validation, test) of a data set."""
    number = images.loc[images["dataset"] == name, "split"].value_counts()
    return number.get("train", 0) + number.get("val", 0), number.get("test", 0)


def test_with_the_papers_own_numbers_both_cases_are_those_of_table_1():
    """400 / 400 / 400: nothing is thrown away, nothing is partial; no real image is left for our form of Case II."""
    found = split(ffhq=400, stylegan=400, pggan=400)
    first, second = found.parts["case1"], found.parts["case2"]
    assert counts(first, "ffhq") == counts(first, "stylegan") == (300, 100)
    assert counts(second, "ffhq") == counts(second, "stylegan") == (400, 0)
    assert counts(second, "pggan") == (0, 400)
    assert found.notes == {"case1": [], "case2": ["0 of 100 further real images are left to test on"]}


def test_real_images_beyond_the_papers_are_tested_on_up_to_the_number_of_case_one():
    assert counts(split(ffhq=430, stylegan=400).parts["case2"], "ffhq") == (400, 30)
    found = split(ffhq=700, stylegan=410)
    assert counts(found.parts["case2"], "ffhq") == (400, 100) and found.notes["case2"] == []


def test_a_few_faces_that_are_not_found_make_no_other_data_set():
    """One percent is missing: the numbers shrink by it, and nothing is called partial."""
    found = split(ffhq=500, stylegan=397)
    assert counts(found.parts["case2"], "stylegan") == (397, 0)
    assert counts(found.parts["case2"], "ffhq") == (397, 100)
    assert not any("partial data" in notes for notes in found.notes.values())


def test_partial_data_is_noted_for_the_case_that_lacks_images():
    """390 of 400 are too few for both cases; 400 fakes without further reals are enough for both."""
    assert all("partial data" in notes for notes in split(ffhq=390, stylegan=500).notes.values())
    notes = split(ffhq=400, stylegan=400).notes
    assert not any("partial data" in each for each in notes.values())


def test_with_far_fewer_images_the_further_real_ones_shrink_with_the_others():
    found = split(ffhq=100, stylegan=100)
    assert counts(found.parts["case2"], "ffhq") == (80, 20)
    assert counts(found.parts["case2"], "stylegan") == (80, 0)
    assert "partial data" in found.notes["case2"]


def test_case_two_can_be_run_alone():
    found = split(Config(cases=("case2",)), ffhq=90, stylegan=90)
    assert list(found.parts) == ["case2"] and list(found.notes) == ["case2"]
    assert choose_protocols(table(ffhq=9, stylegan=9), Config(cases=("case2",))) == ["paper"]
    with pytest.raises(UserError, match="--cases case2 .* expected --protocol paper"):
        choose_protocols(table(ffhq=9, stylegan=9), Config(cases=("case2",), protocol=("frame",)))
    assert list(split(Config(cases=("case2", "case1")), ffhq=90, stylegan=90).parts) == ["case1", "case2"]


def test_the_second_source_of_real_images_is_as_large_as_the_fakes_that_it_is_tested_against():
    chosen = choose_images(table(pggan=300, celeba=900), ROLES)["dataset"].value_counts()
    assert chosen.to_dict() == {"pggan": 300, "celeba": 300}
    many = choose_images(table(pggan=450, celeba=500), ROLES)["dataset"].value_counts()
    assert many.to_dict() == {"pggan": 400, "celeba": 400}
    assert len(choose_images(table(celeba=1900), ROLES)) == 100, "as many as the fakes of Case I"
