import io
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from common.errors import UserError
from results.compare import COLUMNS, _rounding, compare, compare_runs, main, print_comparison, verdict
from results.tables import known_papers, read_published, upsert

PAPER = "mesoinception_svm"


def row(**changes):
    values = {
        "paper": PAPER, "table": "Table 6", "row": "Mesonet", "metric": "auc", "value": 0.8, "ci_low": 0.79,
        "ci_high": 0.81, "n": 7104, "dataset": "deepfake", "protocol": "frame", "preset": "paper", "seed": 0,
        "run": "paper-1", "commit": "abc", "note": "",
    }  # fmt: skip
    return values | changes


def verdict_of(tmp_path, **changes):
    """The verdict on one row of ours; Table 6 prints AUC 82.20 and accuracy 64.16 for Mesonet."""
    upsert([row(**changes)], tmp_path / f"{PAPER}.csv")
    table = compare([PAPER], tmp_path)
    (result,) = table.loc[table["value"].notna() | table["dataset"].ne(""), "verdict"]
    return result


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "lower"),
        ({"value": 0.815, "ci_low": 0.805, "ci_high": 0.825}, "reproduced"),
        ({"value": 0.84, "ci_low": 0.83, "ci_high": 0.85}, "higher"),
        ({"value": 0.82204, "ci_low": np.nan, "ci_high": np.nan}, "reproduced"),  # within the rounding of 82.20 %
        ({"value": 0.8222, "ci_low": np.nan, "ci_high": np.nan}, "higher"),
        ({"dataset": "synthetic-swap"}, "not comparable: synthetic data"),
        ({"note": "partial data: no dfdc", "value": 0.822}, "not comparable: partial data"),
        ({"preset": "quick"}, "not comparable: preset quick"),
        ({"preset": "paper+1a2b3c"}, "not comparable: preset paper+1a2b3c"),
        ({"dataset": "synthetic", "preset": "quick"}, "not comparable: synthetic data; preset quick"),
        ({"value": np.nan}, "not comparable: no value"),
        ({"row": "Mesonet 5"}, "not published"),
    ],
)
def test_verdicts(tmp_path, changes, expected):
    assert verdict_of(tmp_path, **changes) == expected


def test_a_published_proportion_has_sampling_error_of_its_own(tmp_path):
    """Table 4: recall 0.85 of 2845, Wilson 0.8364 to 0.8627, and 0.005 of rounding at either end: 0.8314 to 0.8677."""
    exact = {"table": "Table 4", "row": "class 0", "metric": "recall", "ci_low": np.nan, "ci_high": np.nan}
    for value, expected in ((0.831, "lower"), (0.832, "reproduced"), (0.867, "reproduced"), (0.869, "higher")):
        assert verdict_of(tmp_path, value=value, **exact) == expected, value


def test_a_cell_counts_as_printed_to_its_tables_finest():
    """0.9 in a table of two decimals is 0.90 +- 0.005; so is `around 90%` in the text, but `96.25%` is +- 0.00005."""
    published = read_published(PAPER)
    rounding = _rounding(published).groupby([published["table"], published["row"], published["metric"]]).first()
    assert rounding["Table 4", "class 1", "precision"] == pytest.approx(0.005)
    assert rounding["Table 4", "class 1", "support"] == 0.5
    assert rounding["Table 6", "Mesonet", "auc"] == pytest.approx(0.00005)
    assert rounding["text", "section 4.3: both networks", "accuracy"] == pytest.approx(0.005)
    assert rounding["text", "first model", "accuracy"] == pytest.approx(0.00005)


def test_synthetic_data_never_reproduce():
    """Whatever the numbers: equal to the published value, or at any distance."""
    for value in np.linspace(0, 1, 21):
        one = SimpleNamespace(
            published=0.8, published_n=pd.NA, rounding=0.05, value=value, delta=value - 0.8, ci_low=0.0, ci_high=1.0,
            n=100, metric="auc", ours=True, dataset="synthetic_faces", note="", preset="paper",
        )  # fmt: skip
        assert verdict(one) == "not comparable: synthetic data"


def test_every_published_number_is_there_once_when_nothing_has_run(tmp_path):
    table = compare([], tmp_path)
    assert tuple(table) == COLUMNS and set(table["paper"]) == set(known_papers())
    assert (table["verdict"] == "not run").all()
    assert len(table) == sum(len(read_published(paper)) for paper in known_papers())


def test_each_data_set_and_seed_has_its_row_and_extra_has_none(tmp_path):
    upsert([row(), row(seed=1), row(dataset="synthetic"), row(table="extra", row="ours")], tmp_path / f"{PAPER}.csv")
    table = compare([PAPER], tmp_path)
    ran = table[table["verdict"] != "not run"]
    assert len(ran) == 3 and (ran["published"] == 0.822).all()
    assert ran["delta"].tolist() == pytest.approx([-0.022] * 3)
    assert len(table) == len(read_published(PAPER)) - 1 + 3 and "ours" not in set(table["row"])


def test_the_printed_table(tmp_path):
    upsert(
        [row(), row(seed=1, value=0.9, ci_low=0.89, ci_high=0.91, note="no aligned faces")], tmp_path / f"{PAPER}.csv"
    )
    upsert([row(dataset="synthetic", preset="quick", note="short " * 40)], tmp_path / f"{PAPER}.csv")
    out = io.StringIO()
    print_comparison(compare([PAPER], tmp_path), out)
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 140
    assert "Table 6: deepfake, protocol frame, preset paper\n" in text
    assert "Table 6: synthetic, protocol frame, preset quick (not comparable: synthetic data; preset quick)\n" in text
    assert "note (Mesonet): no aligned faces" in text
    assert "not run: Table 1 (9), Table 2 (9), Table 3 (9), Table 4 (18), Table 5 (10), Table 6 (5)" in text
    (line,) = (line for line in text.splitlines() if "lower" in line and "Mesonet" in line)
    assert line.split() == [
        "Mesonet",
        "auc",
        "0.8220",
        "0.8000",
        "0.7900",
        "to",
        "0.8100",
        "-0.0220",
        "7104",
        "0",
        "lower",
    ]


def test_the_command_writes_all_papers_and_fails_on_request(tmp_path, capsys):
    upsert([row()], tmp_path / f"{PAPER}.csv")
    assert main([PAPER, "--results", str(tmp_path)]) == 0
    written = pd.read_csv(tmp_path / "comparison.csv")
    assert tuple(written) == COLUMNS and set(written["paper"]) == set(known_papers())
    assert main([PAPER, "--results", str(tmp_path), "--fail-on", "lower"]) == 1
    assert main([PAPER, "--results", str(tmp_path), "--fail-on", "higher", "not-comparable"]) == 0
    assert main([PAPER, "--results", str(tmp_path), "--fail-on", "not-run"]) == 1
    upsert([row(preset="quick")], tmp_path / f"{PAPER}.csv")
    assert main([PAPER, "--results", str(tmp_path), "--fail-on", "not-comparable"]) == 1


def test_unknown_papers_and_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match="unknown paper 'resnet'; known: "):
        main(["resnet", "--results", str(tmp_path)])
    with pytest.raises(UserError, match="no such folder"):
        main(["--results", str(tmp_path / "none")])
    assert not (tmp_path / "comparison.csv").exists()


def write_run(folder, scores, *, split="test", labels="ffrr", model="meso", seed=0, protocol="frame"):
    folder.mkdir(exist_ok=True)
    table = pd.DataFrame(
        {
            "path": [f"{index}.png" for index in range(len(scores))], "video": "", "identity": "", "source": "",
            "frame": "", "dataset": "d", "split": split, "label": [{"f": "fake", "r": "real"}[one] for one in labels],
            "score": scores, "model": model, "protocol": protocol, "seed": seed,
        }
    )  # fmt: skip
    path = folder / "predictions.csv"
    table.to_csv(path, mode="a", header=not path.exists(), index=False)
    return folder


def test_two_runs_are_compared_model_by_model(tmp_path, capsys):
    a = write_run(tmp_path / "a", [0.9, 0.8, 0.2, 0.1])
    write_run(a, [0.9, 0.8, 0.2, 0.1], model="svm")
    b = write_run(tmp_path / "b", [0.9, 0.1, 0.8, 0.1])
    table = compare_runs(a, b)
    assert table[["models", "n", "accuracy A", "accuracy B", "AUC A", "AUC B"]].values.tolist() == [
        ["meso", 4, 1.0, 0.5, 1.0, 0.625]
    ]
    assert table["only A"].tolist() == [2] and table["McNemar p"].tolist() == [0.5]
    assert compare_runs(a, b, ("svm", "meso"))["models"].tolist() == ["svm / meso"]
    assert main(["--runs", str(a), str(b)]) == 0
    assert "McNemar p" in capsys.readouterr().out


def test_runs_are_paired_by_protocol_and_seed_where_they_can_be(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    for seed in (0, 1):
        write_run(a, [0.9, 0.8, 0.2, 0.1], seed=seed)
    write_run(b, [0.9, 0.8, 0.2, 0.1], seed=1)
    assert compare_runs(a, b)["seed"].tolist() == ["1"]
    write_run(tmp_path / "c", [0.9, 0.8, 0.2, 0.1], seed=7)
    assert compare_runs(a, tmp_path / "c")["seed"].tolist() == ["0 / 7", "1 / 7"]


def test_runs_that_cannot_be_compared(tmp_path):
    a = write_run(tmp_path / "a", [0.9, 0.8, 0.2, 0.1])
    with pytest.raises(UserError, match="no test images with predictions of both"):
        compare_runs(a, write_run(tmp_path / "b", [0.9, 0.8, 0.2, 0.1], split="train"))
    with pytest.raises(UserError, match="labels of 1 of 4 shared images differ"):
        compare_runs(a, write_run(tmp_path / "c", [0.9, 0.8, 0.2, 0.1], labels="fffr"))
    with pytest.raises(UserError, match="expected a run folder with predictions.csv"):
        compare_runs(a, tmp_path)
    with pytest.raises(UserError, match="no test images"):
        compare_runs(a, a, ("meso", "other"))
    with pytest.raises(UserError, match="--models"):
        main(["--models", "x", "y"])


def test_the_command_line_starts_without_tensorflow():
    command = [sys.executable, "-X", "importtime", "-m", "results.compare", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True)
    assert shown.returncode == 0 and "--fail-on" in shown.stdout
    assert not {"tensorflow", "keras", "sklearn"} & {line.split("|")[-1].strip() for line in shown.stderr.splitlines()}


def test_a_paper_of_which_nothing_was_run_is_all_not_run(tmp_path, capsys):
    print_comparison(compare(["dcgan_inception_resnet"], tmp_path))
    shown = capsys.readouterr().out
    assert "not run: Figure 3 (11)" in shown and "ours" not in shown
