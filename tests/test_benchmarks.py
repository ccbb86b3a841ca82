"""The benchmarks start, take the flags that the table of all gives them, and the cheap ones give rows."""

import importlib
from pathlib import Path

import pandas as pd
import pytest

from common.cli import parse
from tests.benchmarks.__main__ import JOBS
from tests.benchmarks.table import COLUMNS, Row, publish

HELPERS = {"feed_rivals", "table", "torch_layers"}
NAMES = sorted({path.stem for path in (Path(__file__).parent / "benchmarks").glob("[a-z]*.py")} - HELPERS)


def module(name):
    return importlib.import_module(f"tests.benchmarks.{name}")


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as ended:
        module(name).main(["--help"])
    assert ended.value.code == 0 and "--" in capsys.readouterr().out


def test_the_jobs_of_the_table_can_be_typed(tmp_path):
    for name, commands in JOBS.items():
        for flags in commands:
            assert parse(module(name).Options, [*flags, "--table", str(tmp_path / "x.csv")]).table


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("evaluation", "--images 600 --videos 60 --resamples 2 --rounds 1"),
        ("audit", "--size 100 --totals 50"),
        ("svm_cost", "--sizes 200"),
    ],
)
def test_a_cheap_benchmark_gives_rows(name, flags, tmp_path):
    module(name).main([*flags.split(), "--table", str(tmp_path / "table.csv")])
    table = pd.read_csv(tmp_path / "table.csv")
    assert tuple(table) == COLUMNS and len(table) and (table["ours"] > 0).all()
    with_rival = table[table["rival"].notna()]
    assert (with_rival["ratio"] > 0).all() and "numpy" in table["versions"].iloc[0]


def test_a_row_takes_the_place_of_an_older_one(tmp_path):
    file = tmp_path / "table.csv"
    publish([Row("step", 10.0, "rival", 25.0), Row("feed", 300.0, "rival", 100.0, "images/s")], file)
    publish([Row("step", 20.0, "rival", 25.0), Row("start", 1.5, unit="s")], file)
    table = pd.read_csv(file, dtype=str, keep_default_na=False).set_index("job")
    assert table["ratio"].to_dict() == {"feed": "3", "step": "1.25", "start": ""}
