import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from common.errors import UserError
from common.splits.protocols import PROTOCOLS
from results import rendering
from results.compare import COLUMNS, compare, main, printed_slack, write_and_print_comparison
from results.paired import compare_runs
from results.tables import known_papers, read_published, upsert
from results.verdicts import protocols_of, read_protocols, verdict

PAPER = "mesoinception_svm"


def row(**changes):
    values = {
        "paper": PAPER, "table": "Table 6", "row": "Mesonet", "metric": "auc", "value": 0.8, "ci_low": 0.79,
        "ci_high": 0.81, "n": 7104, "dataset": "deepfake", "protocol": "frame", "preset": "paper", "seed": 0,
        "run": "paper-1", "commit": "abc", "note": "",
    }  # fmt: skip
    return values | changes


def slack(paper):
    """{(table, row, metric): how far what is printed may lie below and above its value}."""
    published = read_published(paper)
    names = zip(published["table"], published["row"], published["metric"], strict=True)
    return dict(zip(names, zip(*printed_slack(published), strict=True), strict=True))


def verdict_of(tmp_path, *seeds, **changes):
    """The verdict on one row of ours, or on several seeds' values +- 0.01; Table 6 prints AUC 82.20 and accuracy 64.16
    for Mesonet."""
    rows = [{"seed": seed, "value": x, "ci_low": x - 0.01, "ci_high": x + 0.01} for seed, x in enumerate(seeds)] or [{}]
    upsert([row(**changes | values) for values in rows], tmp_path / f"{PAPER}.csv")
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
        ({"dataset": "celebdf+synthetic-swap"}, "not comparable: synthetic data"),
        ({"note": "partial data: no dfdc", "value": 0.822}, "not comparable: partial data"),
        ({"note": "epoch 3; no ImageNet weights", "value": 0.822}, "not comparable: no ImageNet weights"),
        ({"note": "not FaceNet: spectrum stands in", "value": 0.822}, "not comparable: not FaceNet"),
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
    exact = {"table": "Table 4", "row": "class 0", "metric": "recall", "protocol": "official"}
    exact |= {"ci_low": np.nan, "ci_high": np.nan}
    for value, expected in ((0.831, "lower"), (0.832, "reproduced"), (0.867, "reproduced"), (0.869, "higher")):
        assert verdict_of(tmp_path, value=value, **exact) == expected, value


def test_the_difference_has_the_sampling_error_of_both(tmp_path):
    """The published recall may be 0.0136 too low, ours 0.02 too high: together hypot = 0.0242, and 0.005 of rounding.

    So values up to 0.85 + 0.0292 are no difference, though neither interval alone reaches so far.
    """
    both = {"table": "Table 4", "row": "class 0", "metric": "recall", "protocol": "official"}
    for value, expected in ((0.878, "reproduced"), (0.881, "higher")):
        assert verdict_of(tmp_path, value=value, ci_low=value - 0.02, ci_high=value + 0.02, **both) == expected


def test_another_protocol_than_the_papers_is_no_reproduction(tmp_path):
    """Table 4 is on MesoNet's own test set, Table 6 on an unknown one; epochs are a setting."""
    table_4 = {"table": "Table 4", "row": "accuracy", "metric": "accuracy", "value": 0.9}
    expected = "not comparable: protocol frame, the paper's is official"
    assert verdict_of(tmp_path, **table_4) == expected
    assert verdict_of(tmp_path / "official", **table_4, protocol="official") == "reproduced"
    assert verdict_of(tmp_path / "6", protocol="video", value=0.822) == "reproduced"
    upsert(
        [
            row(paper="facenet_embeddings", table="Table III", row="XceptionNet", protocol=protocol, **numbers)
            for protocol in ("frame", "video", "identity")
            for numbers in ({"metric": "epochs", "value": 10, "n": None}, {"metric": "accuracy", "value": 0.5})
        ],
        tmp_path / "facenet_embeddings.csv",
    )
    table = compare(["facenet_embeddings"], tmp_path)
    found = table[table["value"].notna()].set_index(["metric", "protocol"])["verdict"]
    assert len(found) == 6 and (found["epochs"] == "as published").all()
    assert (found["accuracy"].drop("identity") == "reproduced").all()
    assert found["accuracy", "identity"] == "not comparable: protocol identity, the paper's is frame or video"


def test_the_papers_protocols_are_protocols_and_stand_at_their_numbers():
    for paper in known_papers():
        published = read_published(paper)
        for (table, name), protocols in read_protocols(paper).items():
            assert set(protocols) <= {*PROTOCOLS, "paper", "heldout"}, paper
            assert table in {"", *published["table"]}
            assert name in {"", *published.loc[published["table"] == table, "row"]}
    assert protocols_of(read_protocols("mesoinception_svm"), "text", "first model") == ("frame",)
    assert protocols_of(read_protocols("mesoinception_svm"), "text", "next best model") == ()
    assert protocols_of(read_protocols("siamese_triplet"), "Table 3", "anything") == ("paper",)


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        # Published 0.822. Mean and standard deviation by hand.
        ((0.80, 0.80, 0.80), "lower"),  # sd 0: as of one seed
        ((0.79, 0.80, 0.81), "lower"),  # sd 0.01, 0.80 + 0.02 = 0.820
        ((0.788, 0.80, 0.812), "reproduced"),  # sd 0.012, 0.80 + 0.024 = 0.824
        ((0.822, 0.70), "reproduced"),  # sd 0.0863, 0.761 + 0.173
        ((0.80, 0.822, 0.844, 0.822), "reproduced"),
        ((0.86, 0.87, 0.88), "higher"),
    ],
)
def test_the_verdict_of_several_seeds(tmp_path, seeds, expected):
    assert verdict_of(tmp_path, *seeds) == expected


def test_a_cell_counts_as_printed_to_its_tables_finest():
    """0.9 in a table of two decimals is 0.90 +- 0.005, `around 90%` in the text +- 0.01, but `96.25%` +- 0.00005."""
    numbers = slack(PAPER)
    assert numbers["Table 4", "class 1", "precision"] == pytest.approx((0.005, 0.005))
    assert numbers["Table 4", "class 1", "support"] == (0.5, 0.5)
    assert numbers["Table 6", "Mesonet", "auc"] == pytest.approx((0.00005, 0.00005))
    assert numbers["text", "section 4.3: both networks", "accuracy"] == pytest.approx((0.01, 0.01))
    assert numbers["text", "first model", "accuracy"] == pytest.approx((0.00005, 0.00005))
    assert numbers["text", "conclusion: Deepfake", "accuracy"] == (0, np.inf)  # more than 67%
    sizes = slack("cffn_resnet")
    assert sizes["text", "validation set", "images"] == (1000, 1000)  # around 5K
    assert sizes["text", "training set", "images"] == (1000, 1000)  # approximately 100K
    assert slack("siamese_triplet")["text", "VGG16 and VGG19", "epochs"] == (np.inf, 0)  # less than 35


@pytest.mark.parametrize(
    ("printed", "value", "expected"),
    [
        (("training set", "images", "cffn_resnet"), 99_700, "reproduced"),
        (("training set", "images", "cffn_resnet"), 98_000, "lower"),
        (("validation set", "images", "cffn_resnet"), 4902, "reproduced"),
        (("conclusion: Deepfake", "accuracy", PAPER), 0.75, "reproduced"),
        (("conclusion: Deepfake", "accuracy", PAPER), 0.66, "lower"),
        (("VGG16 and VGG19", "epochs", "siamese_triplet"), 20, "reproduced"),
        (("VGG16 and VGG19", "epochs", "siamese_triplet"), 36, "higher"),
    ],
)
def test_hedged_numbers_are_compared_as_they_are_meant(tmp_path, printed, value, expected):
    name, metric, paper = printed
    ours = row(paper=paper, table="text", row=name, metric=metric, value=value, protocol="")
    n = None if metric in ("epochs", "images") else 1_000_000  # a count is over no images
    upsert([ours | {"ci_low": None, "ci_high": None, "n": n}], tmp_path / f"{paper}.csv")
    table = compare([paper], tmp_path)
    found = table[table["row"].eq(name) & table["metric"].eq(metric)]
    assert list(found["verdict"]) == [expected]


def test_synthetic_data_never_reproduce():
    """Whatever the numbers: equal to the published value, or at any distance."""
    for value in np.linspace(0, 1, 21):
        one = SimpleNamespace(
            published=0.8, published_n=pd.NA, below=0.05, above=0.05, protocols=(), value=value, sd=np.nan, ci_low=0.0,
            ci_high=1.0, n=100, metric="auc", ours=True, dataset="synthetic_faces", protocol="frame", note="",
            preset="paper", kind="metric",
        )  # fmt: skip
        assert verdict(one) == "not comparable: synthetic data"


def test_every_published_number_is_there_once_when_nothing_has_run(tmp_path):
    table = compare([], tmp_path)
    assert tuple(table) == COLUMNS and set(table["paper"]) == set(known_papers())
    assert set(table["verdict"]) == {"not run", "as published"}
    settings = [len(read_published(paper).query("kind == 'setting'")) for paper in known_papers()]
    assert (table["verdict"] == "as published").sum() == sum(settings) > 50
    assert len(table) == sum(len(read_published(paper)) for paper in known_papers())


def test_each_data_set_has_its_row_over_its_seeds_and_extra_has_none(tmp_path):
    upsert([row(), row(seed=1), row(dataset="synthetic"), row(table="extra", row="ours")], tmp_path / f"{PAPER}.csv")
    table = compare([PAPER], tmp_path)
    ran = table[table["value"].notna()]
    assert len(ran) == 2 and (ran["published"] == 0.822).all()
    assert ran["delta"].tolist() == pytest.approx([-0.022] * 2)
    assert ran["seeds"].tolist() == ["0 1", "0"] and ran["seed"].fillna(-1).tolist() == [-1, 0]
    assert len(table) == len(read_published(PAPER)) - 1 + 2 and "ours" not in set(table["row"])


def test_a_setting_is_as_published_unless_ours_is_another(tmp_path):
    """mesoinception_svm prints a split of 70:20:10."""
    about = {"table": "text", "metric": "share", "ci_low": None, "ci_high": None}
    shares = [row(**about, row="split: training", value=0.7), row(**about, row="split: validation", value=0.25)]
    upsert(shares, tmp_path / f"{PAPER}.csv")
    table = compare([PAPER], tmp_path)
    verdicts = table[table["metric"] == "share"].set_index("row")["verdict"].to_dict()
    assert verdicts == {
        "split: training": "as published",
        "split: validation": "not comparable: set to 0.25",
        "split: test": "as published",
    }
    counts = "\n".join(rendering.text(table)).splitlines()[-3:]
    assert not any("as published" in line for line in counts if ";" in line)


def test_a_run_shows_its_own_numbers_alone(tmp_path, capsys):
    upsert([row(), row(seed=1, value=0.9, run="paper-2")], tmp_path / f"{PAPER}.csv")
    shown = write_and_print_comparison([PAPER], tmp_path, run="paper-2")
    assert shown["value"].dropna().tolist() == [0.9]
    written = pd.read_csv(tmp_path / "comparison.csv")
    assert written["value"].dropna().tolist() == pytest.approx([0.85])


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_printed_table(tmp_path):
    upsert([row(note="no aligned faces"), row(row="Mesoinception4", value=0.9)], tmp_path / f"{PAPER}.csv")
    upsert([row(dataset="synthetic", preset="quick", note="short " * 40)], tmp_path / f"{PAPER}.csv")
    upsert(
        [row(dataset="celebdf", seed=seed, value=0.79 + seed / 100, note=f"epoch {seed}") for seed in (0, 1, 2)],
        tmp_path / f"{PAPER}.csv",
    )
    text = "\n".join(rendering.text(compare([PAPER], tmp_path)))
    assert max(map(len, text.splitlines())) <= 140
    assert "Table 6: deepfake, protocol frame, preset paper\n" in text
    assert "Table 6: synthetic, protocol frame, preset quick (not comparable: synthetic data; preset quick)\n" in text
    assert "note (Mesonet): no aligned faces" in text and "epoch 1 (seed 1); epoch 2 (seed 2)" in text
    assert "not run: Table 1 (9), Table 2 (9), Table 3 (9), Table 4 (18), Table 5 (10), Table 6 (4)" in text
    block = text.split("Table 6: deepfake")[1].split("Table 6: ")[0]
    (line,) = (line for line in block.splitlines() if "lower" in line and "Mesonet" in line)
    assert " ".join(line.split()) == "Mesonet auc 0.8220 0.8000 0.7900 to 0.8100 -0.0220 7104 0 lower"
    (line,) = (line for line in text.splitlines() if "3 seeds" in line)
    assert "0.8000 +- 0.0100" in line and line.split()[-1] == "lower"


def test_the_markdown_has_every_number_in_a_table_a_table(tmp_path):
    upsert([row(seed=seed, value=0.79 + seed / 100, note="a | b") for seed in (0, 1, 2)], tmp_path / f"{PAPER}.csv")
    upsert([row(table="Table 5", row="class 0", metric="support", value=2000.0)], tmp_path / f"{PAPER}.csv")
    table = compare([PAPER], tmp_path)
    lines = list(rendering.markdown(table))
    tables = {line.removeprefix("### "): place for place, line in enumerate(lines) if line.startswith("### ")}
    assert list(tables) == list(dict.fromkeys(table["table"]))
    body = [line for line in lines if line.startswith("|") and not line.startswith(("| row", "| ---"))]
    assert len(body) == len(table) and {len(cells(line)) for line in lines if line.startswith("|")} == {12}
    below = lines[tables["Table 6"] :]
    assert cells(below[2])[:4] == ["row", "metric", "published", "ours"] and set(below[3]) <= set("|-: ")
    (line,) = (line for line in below if "0.8220" in line)
    assert cells(line) == [
        *("Mesonet", "auc", "0.8220", "0.8000 ± 0.0100", "0.7900 to 0.8100", "-0.0220", "7104", "0 1 2"),
        *("deepfake", "frame", "paper", "lower"),
    ]
    assert "| 2845 | 2000 | 0.7900 to 0.8100 | -845 |" in "\n".join(lines)


def test_the_command_writes_all_papers_and_fails_on_request(tmp_path, capsys):
    upsert([row()], tmp_path / f"{PAPER}.csv")
    assert main([PAPER, "--results", str(tmp_path)]) == 0
    written = pd.read_csv(tmp_path / "comparison.csv")
    assert tuple(written) == COLUMNS and set(written["paper"]) == set(known_papers())
    page = (tmp_path / "comparison.md").read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if line.startswith("## ")] == [f"## {name}" for name in known_papers()]
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
    write_and_print_comparison(["dcgan_inception_resnet"], tmp_path)
    shown = capsys.readouterr().out
    assert "not run: Figure 3 (11)" in shown and "ours" not in shown
