"""Real and fake images that were prepared differently are named before a run trains on them."""

from pathlib import Path

import pandas as pd

from common.data.datasets import DataSet
from reproductions.class_preparation import class_differences, warn_of_differences

HAAR = {"faces": "haar", "size": 128, "margin": 0, "jpeg": None}


def dataset(name, sizes, flags=HAAR):
    """A data set with the classes that `sizes` names, {label: width of its raw images or None}."""
    images = pd.DataFrame({"label": list(sizes)})
    source = {label: {"height": size, "width": size} for label, size in sizes.items() if size}
    return DataSet(name, name, Path(name), images, {"flags": flags, "source_size": source} if flags else {})


def test_classes_that_were_prepared_alike_are_not_mentioned():
    both = dataset("a", {"fake": 256, "real": 250})
    assert class_differences([both]) == []
    assert class_differences([dataset("a", {"fake": 128}), dataset("b", {"real": 128})]) == []
    other = dataset("b", {"fake": 1024, "real": 1024}, HAAR | {"size": 64})
    assert class_differences([both, other]) == [], "a data set of both classes does not give away the class"
    assert class_differences([dataset("a", {"fake": 64})]) == [], "one class"


def test_other_flags_and_other_sizes_are_named(caplog):
    fakes, reals = dataset("pggan", {"fake": 1024}), dataset("ffhq", {"real": 128}, HAAR | {"jpeg": 95})
    flags, sizes = class_differences([fakes, reals])
    assert "pggan (fake) --faces haar --size 128, ffhq (real) --faces haar --size 128 --jpeg 95" in flags
    assert "pggan (fake) 1024 x 1024 px, ffhq (real) 128 x 128 px" in sizes and "--rescale" in sizes
    warn_of_differences([fakes, reals])
    assert caplog.text.count("THE CLASSES WERE PREPARED DIFFERENTLY") == 2


def test_a_class_in_the_size_of_the_other_and_a_second_size_is_named():
    assert class_differences([dataset("a", {"fake": 128, "real": 128}), dataset("b", {"fake": 1024})])


def test_rescaled_images_of_other_sizes_have_another_remedy():
    rescaled = HAAR | {"rescale": 128}
    (difference,) = class_differences([dataset("a", {"fake": 1024}, rescaled), dataset("b", {"real": 128}, rescaled)])
    assert "--rescale 128 brings them to one size, but not by the filter" in difference


def test_what_prep_json_does_not_say_is_not_compared():
    assert class_differences([dataset("a", {"fake": 1024}), dataset("b", {"real": None})]) == []
    assert class_differences([dataset("a", {"fake": 64}), dataset("b", {"real": 1024}, flags=None)]) == []
