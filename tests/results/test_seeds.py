"""Several seeds as one row, against the standard library's statistics and sums by hand."""

import statistics

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from common.errors import UserError
from results.seeds import aggregate_seeds, count_seeds
from results.tables import RESULT_COLUMNS, read_results, upsert


def row(seed, value, **changes):
    return {
        "paper": "p", "table": "Table 1", "row": "ours", "metric": "accuracy", "value": value, "ci_low": value - 0.1,
        "ci_high": value + 0.05, "n": 100, "dataset": "d", "protocol": "frame", "preset": "paper", "seed": seed,
        "run": f"paper-{seed}", "commit": "abc", "note": "one; two",
    } | changes  # fmt: skip


def summary(tmp_path, *rows):
    """Through the file, as everybody does: its types are what aggregate_seeds gets."""
    upsert(rows, tmp_path / "p.csv")
    return aggregate_seeds(read_results(tmp_path / "p.csv"))


def test_mean_deviation_and_mean_bounds(tmp_path):
    values = [0.81, 0.9, 0.84]
    table = summary(tmp_path, *(row(seed, value) for seed, value in zip((7, 0, 10), values, strict=True)))
    (one,) = table.itertuples()
    assert one.value == pytest.approx(statistics.mean(values)) and one.sd == pytest.approx(statistics.stdev(values))
    assert one.test_low == pytest.approx(0.85 - 0.1) and one.test_high == pytest.approx(0.85 + 0.05)
    assert (one.n, one.seeds, one.commit, one.note) == (100, "0 7 10", "abc", "one; two")
    assert one.run == "paper-0 paper-7 paper-10" and count_seeds(one.seeds) == 3
    assert set(table) == set(RESULT_COLUMNS) - {"seed"} | {"sd", "seeds", "test_low", "test_high"}


def test_the_interval_of_the_mean_is_nested(tmp_path):
    """Within one test set 0.1 down and 0.05 up; between 3 seeds t(2) sd / sqrt 3 = 4.3027 * 0.01 / 1.7321."""
    (one,) = summary(tmp_path, *(row(seed, value) for seed, value in enumerate((0.79, 0.80, 0.81)))).itertuples()
    training = stats.t.ppf(0.975, 2) * 0.01 / 3**0.5
    assert one.ci_low == pytest.approx(0.8 - (0.1**2 + training**2) ** 0.5)
    assert one.ci_high == pytest.approx(0.8 + (0.05**2 + training**2) ** 0.5)
    (one,) = summary(tmp_path / "wide", *(row(seed, value) for seed, value in enumerate((0.5, 0.9)))).itertuples()
    assert (one.ci_low, one.ci_high) == (0.0, 1.0)
    losses = (row(seed, value, metric="log_loss") for seed, value in enumerate((0.5, 0.9)))
    (one,) = summary(tmp_path / "loss", *losses).itertuples()
    assert one.ci_high == pytest.approx(0.7 + (0.05**2 + (stats.t.ppf(0.975, 1) * 0.4 / 2) ** 2) ** 0.5)


def test_seeds_of_two_versions_of_the_code_are_not_averaged(tmp_path):
    table = summary(tmp_path, row(0, 0.8), row(1, 0.9), row(2, 0.5, commit="def"))
    assert table[["commit", "seeds"]].values.tolist() == [["abc", "0 1"], ["def", "2"]]
    assert table["value"].tolist() == pytest.approx([0.85, 0.5])


def test_a_row_without_a_seed_is_refused_by_its_key(tmp_path):
    with pytest.raises(UserError, match="expected a number in each row, got none in 1, first p / Table 1 / ours / acc"):
        summary(tmp_path, row(0, 0.9), row(None, 0.8))


def test_one_seed_is_itself_without_a_deviation(tmp_path):
    (one,) = summary(tmp_path, row(3, 0.8)).itertuples()
    assert (one.value, one.ci_low, one.n, one.seeds, one.run) == (0.8, 0.8 - 0.1, 100, "3", "paper-3")
    assert np.isnan(one.sd)


@pytest.mark.parametrize("name", ["table", "row", "metric", "dataset", "protocol", "preset"])
def test_what_differs_in_more_than_its_seed_stays_apart(tmp_path, name):
    table = summary(tmp_path, row(0, 0.8), row(1, 0.9), row(0, 0.5, **{name: "other"}))
    assert sorted(table["seeds"]) == ["0", "0 1"] and sorted(table["value"]) == pytest.approx([0.5, 0.85])


def test_a_column_of_the_callers_own_tells_experiments_apart_too():
    rows = pd.DataFrame([row(0, 0.8, folder="a"), row(0, 0.9, folder="b")])
    assert aggregate_seeds(rows)[["folder", "value"]].values.tolist() == [["a", 0.8], ["b", 0.9]]


def test_what_seeds_do_not_share_is_said(tmp_path):
    (one,) = summary(
        tmp_path, row(0, 0.8, n=98, note="all; a"), row(1, 0.9, note="all; b"), row(2, 0.9, note="all; b; b")
    ).itertuples()
    assert one.note == "all; a (seed 0); b (seed 1 2); n is 98 to 100" and one.n == 98


def test_a_seed_without_a_value_is_left_out_and_named(tmp_path):
    nothing = {"ci_low": np.nan, "ci_high": np.nan}
    (one,) = summary(tmp_path, row(0, 0.8), row(1, np.nan, n=3, note="undefined", **nothing), row(2, 0.9)).itertuples()
    assert one.value == pytest.approx(0.85) and one.seeds == "0 2" and one.n == 100
    assert one.note == "one; two; no value with seed 1" and one.test_low == pytest.approx(0.75)
    (none,) = summary(tmp_path / "none", *(row(seed, np.nan, **nothing) for seed in (0, 1))).itertuples()
    assert np.isnan(none.value) and none.seeds == "0 1" and none.note == "one; two"


def test_an_interval_that_one_seed_lacks_is_not_averaged(tmp_path):
    (one,) = summary(tmp_path, row(0, 0.8), row(1, 0.9, ci_low=np.nan, ci_high=np.nan)).itertuples()
    assert np.isnan(one.ci_low) and np.isnan(one.ci_high) and one.value == pytest.approx(0.85)


def test_no_rows_give_no_rows(tmp_path):
    table = aggregate_seeds(read_results(tmp_path / "none.csv"))
    assert table.empty and {"sd", "seeds", "value"} <= set(table)
