"""The vocabulary of conditions: what is a part of a note, and what is a drawn data set."""

import pytest

from common import conditions


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ("synthetic-swap", True),
        ("synthetic", True),
        ("celebdf+synthetic-swap", True),
        ("synthetic-swap+celebdf", True),
        ("celebdf against synthetic-swap", True),
        ("celebdf", False),
        ("celebdf+dfdc", False),
        ("not-synthetic", False),
        ("", False),
    ],
)
def test_a_data_set_is_synthetic_if_one_of_its_names_begins_so(dataset, expected):
    assert conditions.is_synthetic(dataset) == expected


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("partial data", True),
        ("partial data: 60 of the 30114 frames", True),
        ("epoch 3; partial data (seed 1)", True),
        ("width 0.25; partial data: no dfdc; no ImageNet weights", True),
        ("no partial data", False),
        ("partial dataset", False),
        ("", False),
    ],
)
def test_a_condition_is_a_part_of_a_note(note, expected):
    assert conditions.has_condition(note, "partial data") == expected


def test_the_words_in_results_files_do_not_change():
    """Rows of earlier runs hold these words: with others, their verdicts would change."""
    assert (*conditions.DATA_CONDITIONS, *conditions.WEIGHT_CONDITIONS, *conditions.DEVICE_CONDITIONS) == (
        "partial data",
        "other data",
        "no ImageNet weights",
        "not FaceNet",
        "another device",
    )
