"""Which interval a metric gets: what is known of it whatever the data, against evaluate's own."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.evaluation.evaluate import evaluate
from common.evaluation.intervals import narrower, widest, wilson

ONE_ERROR = ("accuracy", "f1", "f1_real", "macro_precision", "macro_f1", "weighted_precision", "weighted_f1", "kappa")


def pairs(number, missed_score):
    """One real and one fake image of each of `number` persons, all right but the fake of the third."""
    fake = np.arange(2 * number) % 2 == 1
    scores = np.where(fake, 0.9, 0.1) + np.random.default_rng(0).uniform(-0.05, 0.05, 2 * number)
    scores[5] = missed_score
    return pd.DataFrame(
        {
            "path": [f"{place}.png" for place in range(2 * number)],
            "dataset": "drawn",
            "label": np.where(fake, "fake", "real"),
            "identity": [f"person-{place // 2}" for place in range(2 * number)],
            "video": "",
            "score": scores,
        }
    )


@pytest.mark.parametrize("name", [*ONE_ERROR, "auc", "average_precision", "eer", "brier"])
def test_one_error_among_16_persons_leaves_no_interval_of_half_the_scale(name):
    """Student's t of one degree of freedom gave the AUC of 0.97 an interval from 0.41."""
    found = evaluate(pairs(16, 0.1))[name]
    scale = 2 if name == "kappa" else 1
    assert found.low < found.value < found.high and found.high - found.low < 0.3 * scale, found


def test_the_auc_of_one_error_is_wilsons_of_as_many_images_as_persons():
    found = evaluate(pairs(16, 0.1))["auc"]
    assert (found.low, found.high) == pytest.approx(wilson(16 * found.value, 16))


def test_the_widest_interval_is_of_the_smaller_class_by_its_effective_clusters():
    """Clusters of 1, 1 and 2 images are worth 16 / 6 images; two of 5 and 5 are worth two."""
    three, two = np.repeat([0, 1, 2], [1, 1, 2]), np.repeat([0, 1], 5)
    assert widest(0.7, three) == wilson(0.7 * 16 / 6, 16 / 6)
    assert widest(0.7, three, two) == widest(0.7, two) == wilson(1.4, 2)


def test_the_narrower_of_two_is_the_first_if_the_second_has_no_ends():
    assert narrower((0.1, 0.9), (0.2, 0.8)) == (0.2, 0.8) == narrower((0.2, 0.8), (0.1, 0.9))
    assert narrower((0.1, 0.9), (np.nan, np.nan)) == (0.1, 0.9)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 12), st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
def test_an_interval_holds_its_value_and_lies_within_the_metrics_range(persons, seed, skill):
    random = np.random.default_rng(seed)
    table = pairs(persons * 2, 0.5)
    table["identity"] = [f"person-{place}" for place in random.integers(persons, size=len(table))]
    table["score"] = np.clip(random.random(len(table)) + skill * ((table["label"] == "fake") - 0.5), 0, 1)
    for name, found in evaluate(table).items():
        if not found.reason and np.isfinite(found.low):
            least = -1 if name == "kappa" else 0
            assert least <= found.low <= found.value <= found.high, (name, found)


@pytest.mark.parametrize("persons", [6, 16, 40])
def test_an_error_opens_no_interval_less_than_a_perfect_ranking_has(persons):
    """One fake just below the highest real: values near 1, whose variance nearly vanishes."""
    frames = pd.concat([pairs(persons, 0.5)] * 5, ignore_index=True)
    frames["path"] = [f"{place}.png" for place in range(len(frames))]
    perfect = evaluate(frames)
    highest_real = frames.loc[frames["label"] == "real", "score"].max()
    frames.loc[5, "score"] = highest_real - 1e-6
    near = evaluate(frames)
    for name in ("auc", "average_precision"):
        assert perfect[name].value == 1.0 > near[name].value > 0.97
        assert near[name].low <= perfect[name].low and near[name].high >= near[name].value
    assert near["eer"].high >= perfect["eer"].high > 0
    frames["score"] = 1 - frames["score"]
    worst = evaluate(frames)
    assert worst["auc"].high >= 1 - perfect["auc"].low > worst["auc"].value
