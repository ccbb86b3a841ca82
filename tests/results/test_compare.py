import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from common.errors import UserError
from common.evaluation.intervals import wilson
from common.splits.protocols import PROTOCOLS
from results import rendering
from results.compare import COLUMNS, compare, main, printed_slack, write_comparison
from results.headlines import headlines
from results.paired import compare_runs
from results.tables import known_papers, read_published, upsert
from results.verdicts import holm, protocols_of, read_protocols, verdict_without_test

PAPER, DCGAN = "mesoinception_svm", "dcgan_inception_resnet"


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


def wilson_row(value, n, **changes):
    low, high = wilson(value * n, n)
    return row(value=value, ci_low=low, ci_high=high, n=n, clusters=n, **changes)


RECALL = {"table": "Table 4", "row": "class 0", "metric": "recall", "protocol": "official"}  # 0.85 of 2845


def verdict_of_recall(tmp_path, value, *, n=20_000, sd=0.001, seeds=5, **changes):
    """The verdict on the recall of Table 4, measured by seeds that differ by sd on n fakes."""
    offsets = np.linspace(-1, 1, seeds) if seeds > 1 else [0.0]
    scale = sd / np.std(offsets, ddof=1) if seeds > 1 else 0.0
    rows = [wilson_row(value + scale * step, n, seed=seed, **RECALL | changes) for seed, step in enumerate(offsets)]
    upsert(rows, tmp_path / f"{PAPER}.csv")
    table = compare([PAPER], tmp_path)
    (result,) = table.loc[table["value"].notna(), "verdict"]
    return result


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
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
        ({}, "inconclusive: one seed; the paper's n is unknown"),
    ],
)
def test_what_is_not_tested(tmp_path, changes, expected):
    assert verdict_of(tmp_path, **changes) == expected


@pytest.mark.parametrize(
    ("value", "changes", "expected"),
    [
        # theirs is 0.85 of 2845 and two decimals: 0.0131 and 0.005 alone, so little is left of a margin of 0.02
        (0.85, {"n": 200_000}, "reproduced"),
        (0.85, {"n": 2000}, "inconclusive: it takes n = "),
        (0.85, {"sd": 0.01}, "inconclusive: no n decides, if the seeds differ by a deviation of 0.010"),
        (0.85, {"seeds": 1}, "inconclusive: one seed"),
        (0.80, {}, "worse"),
        (0.90, {}, "better"),
        (0.80, {"sd": 0.03}, "inconclusive: "),
        (0.80, {"seeds": 1}, "inconclusive: one seed"),
        (0.70, {"n": 10}, "inconclusive: it takes n = "),
    ],
)
def test_verdicts(tmp_path, value, changes, expected):
    assert verdict_of_recall(tmp_path, value, **changes).startswith(expected)


def test_the_margin_decides(tmp_path):
    """The interval of the difference is 0.05 +- 0.03."""
    verdict_of_recall(tmp_path, 0.80)
    for margin, expected in ((0.02, "worse"), (0.1, "reproduced")):
        table = compare([PAPER], tmp_path, margin=margin)
        (found,) = table[table["value"].notna()].itertuples()
        assert (found.verdict, found.margin) == (expected, margin)
        assert (-margin <= found.difference_low and found.difference_high <= margin) == (expected == "reproduced")


@pytest.mark.parametrize(("value", "expected"), [(0.05, "worse"), (0.001, "better")])
def test_lower_is_better_for_errors(tmp_path, value, expected):
    """Equation 12: a false alarm rate of 0.0119."""
    paper = "siamese_triplet"
    about = {"paper": paper, "table": "Eq. 12", "row": "ResNet50", "metric": "false_alarm_rate", "protocol": "paper"}
    rows = [wilson_row(value + step, 10_000, seed=seed, **about) for seed, step in enumerate((0, 1e-4, 2e-4))]
    upsert(rows, tmp_path / f"{paper}.csv")
    assert compare([paper], tmp_path, margin=0.005).query("value.notna()")["verdict"].tolist() == [expected]


def matrix_rows(tp=29418, fn=33, fp=80, tn=29469, n=59_000):
    """Three seeds of Figure 10, which prints tp 29419, fp 81, fn 32, tn 29468."""
    about = {"paper": DCGAN, "table": "Figure 10", "row": "Inception-ResNet-v2", "protocol": "resubstitution"}
    rows = []
    for seed, step in enumerate((-1, 0, 1)):
        cells = {"tp": tp + step, "fn": fn - step, "fp": fp, "tn": tn}
        nothing = {"ci_low": None, "ci_high": None}
        rows += [row(**about | nothing, metric=name, value=cell, n=n, seed=seed) for name, cell in cells.items()]
        rows.append(wilson_row((cells["tp"] + tn) / n, n, seed=seed, metric="accuracy", **about))
    return rows


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({}, "reproduced"),
        ({"tp": 28500, "fn": 951}, "worse"),
        ({"fp": 0, "tn": 29549}, "reproduced"),  # 0.3 points of false alarms
        ({"tp": 29400, "fn": 51, "fp": 0, "tn": 0, "n": 29_451}, "reproduced"),  # no real images: tested by the recall
        ({"tp": 29451 // 100, "fn": 2, "fp": 1, "tn": 295, "n": 592}, "inconclusive"),
    ],
)
def test_a_matrix_is_one_claim(tmp_path, cells, expected):
    """Its cells are judged as the shares that they are, together; one image more or less is nothing."""
    upsert(matrix_rows(**cells), tmp_path / f"{DCGAN}.csv")
    table = compare([DCGAN], tmp_path).query("dataset == 'deepfake'").set_index("metric")
    assert table.loc["joint test", "verdict"].partition(":")[0] == expected
    parts = table.drop("joint test")
    assert len(parts) == 5 and set(parts["verdict"]) == {"part of a claim: Figure 10 / Inception-ResNet-v2"}
    assert "tested by recall " in table.loc["joint test", "note"]
    assert ("false_alarm_rate" in table.loc["joint test", "note"]) == (table.loc["tn", "value"] > 0)
    upsert(matrix_rows(**cells)[:1], tmp_path / "half" / f"{DCGAN}.csv")
    (half,) = compare([DCGAN], tmp_path / "half").query("value.notna()")["verdict"]
    assert half.startswith("inconclusive: a count is judged as a share of its class")


def test_numbers_that_contradict_each_other_in_print_are_not_reproduced(tmp_path):
    """Table 5 prints recalls of 0.80 and 0.77, which make an accuracy of 0.782, and prints an accuracy of 0.9."""
    about = {"table": "Table 5", "protocol": "official"}
    numbers = (("class 0", "recall", 0.80), ("class 1", "recall", 0.77), ("accuracy", "accuracy", 0.782))
    for seed, step in enumerate((-1e-4, 0, 1e-4)):
        rows = [wilson_row(value + step, 10**6, seed=seed, row=name, metric=metric, **about)
                for name, metric, value in numbers]  # fmt: skip
        upsert(rows[:2], tmp_path / "rates" / f"{PAPER}.csv")
        upsert(rows, tmp_path / "all" / f"{PAPER}.csv")
    found = {
        name: compare([PAPER], tmp_path / name, margin=0.03).query("metric == 'joint test'")["verdict"].item()
        for name in ("rates", "all")
    }
    assert found["rates"] == "reproduced"
    assert found["all"].startswith("inconclusive: the paper's numbers contradict each other, accuracy acc")


def test_a_number_alone_shows_the_verdict_of_its_matrix(tmp_path):
    upsert(matrix_rows(), tmp_path / f"{DCGAN}.csv")
    found = headlines(compare([DCGAN], tmp_path)).set_index("metric")["verdict"]
    assert found.to_dict() == {"accuracy": "reproduced"}


def test_better_and_worse_hold_among_all_claims_of_a_paper(tmp_path):
    """Alone the recall is worse; beside twenty claims that agree it is not."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    paper = "siamese_triplet"
    about = {"paper": paper, "table": "Table 3", "metric": "accuracy", "protocol": "paper"}

    def rows(name, value):
        return [wilson_row(value + 0.002 * seed, 2000, seed=seed, row=name, **about) for seed in range(4)]

    upsert(rows("Proposed Model, Case II", 0.514), tmp_path / f"{paper}.csv")
    assert compare([paper], tmp_path).query("value.notna()")["verdict"].tolist() == ["worse"]
    others = {"VGG16": 0.1667, "VGG19": 0.1781, "ResNet50": 0.0427, "InceptionV3": 0.0245, "Xception": 0.0581}
    for name, value in others.items():
        upsert(rows(f"{name}, Case II", value), tmp_path / f"{paper}.csv")
    table = compare([paper], tmp_path)
    found = table[table["row"].eq("Proposed Model, Case II") & table["value"].notna()]["verdict"].item()
    assert found.startswith("inconclusive: no difference that holds among 6 tests; it takes ")
    assert "Holm's correction over 6 tests" in "\n".join(rendering.text(table))


def test_sizes_are_the_papers_or_other_ones(tmp_path):
    about = {"table": "Table 4", "row": "class 0", "metric": "support", "ci_low": None, "ci_high": None}
    for value, expected in ((2845, "as published"), (2844, "not comparable: ours is 2844")):
        upsert([row(**about, value=value, protocol="official")], tmp_path / f"{PAPER}.csv")
        assert compare([PAPER], tmp_path).query("value.notna()")["verdict"].tolist() == [expected]


def test_another_protocol_than_the_papers_is_no_reproduction(tmp_path):
    """Table 4 is on MesoNet's own test set, Table 6 on an unknown one; epochs are a setting."""
    table_4 = {"table": "Table 4", "row": "accuracy", "metric": "accuracy", "value": 0.9}
    expected = "not comparable: protocol frame, the paper's is official"
    assert verdict_of(tmp_path, **table_4) == expected
    assert verdict_of(tmp_path / "official", **table_4, protocol="official").startswith("inconclusive: one seed")
    found = verdict_of(tmp_path / "6", protocol="video", value=0.822)
    assert found == "inconclusive: one seed; the paper's n is unknown"
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
    assert (found["accuracy"].drop("identity") == "inconclusive: one seed; the paper's n is unknown").all()
    assert found["accuracy", "identity"] == "not comparable: protocol identity, the paper's is frame or video"


def test_the_papers_protocols_are_protocols_and_stand_at_their_numbers():
    for paper in known_papers():
        published = read_published(paper)
        for (table, name), protocols in read_protocols(paper).items():
            assert set(protocols) <= {*PROTOCOLS, "paper", "resubstitution", "heldout"}, paper
            assert table in {"", *published["table"]}
            assert name in {"", *published.loc[published["table"] == table, "row"]}
    assert protocols_of(read_protocols("mesoinception_svm"), "text", "first model") == ("frame",)
    assert protocols_of(read_protocols("mesoinception_svm"), "text", "next best model") == ()
    assert protocols_of(read_protocols("siamese_triplet"), "Table 3", "anything") == ("paper",)


def test_a_cell_counts_as_printed_to_its_tables_finest():
    """0.9 in a table of two decimals is 0.90 +- 0.005, `around 90%` in the text +- 0.01, but `96.25%` +- 0.00005."""
    numbers = slack(PAPER)
    assert numbers["Table 4", "class 1", "precision"] == pytest.approx((0.005, 0.005))
    assert numbers["Table 4", "accuracy", "accuracy"] == pytest.approx((0.005, 0.005))  # printed 0.9
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
        (("training set", "images", "cffn_resnet"), 99_700, "as published"),
        (("training set", "images", "cffn_resnet"), 98_000, "not comparable: ours is 98000"),
        (("validation set", "images", "cffn_resnet"), 4902, "as published"),
        (("pretrained networks, Case I", "accuracy", "siamese_triplet"), 0.95, "reproduced"),  # over 90 %
        (("pretrained networks, Case I", "accuracy", "siamese_triplet"), 0.80, "worse"),
        (("VGG16 and VGG19", "epochs", "siamese_triplet"), 20, "as published"),
        (("VGG16 and VGG19", "epochs", "siamese_triplet"), 36, "not comparable: ours is 36"),
    ],
)
def test_hedged_numbers_are_compared_as_they_are_meant(tmp_path, printed, value, expected):
    name, metric, paper = printed
    about = {"paper": paper, "table": "text", "row": name, "metric": metric, "protocol": "paper"}
    if metric in ("epochs", "images"):  # over no images
        rows = [row(**about, value=value) | {"ci_low": None, "ci_high": None, "n": None}]
    else:
        rows = [wilson_row(value + seed / 1000, 20_000, seed=seed, **about) for seed in (0, 1, 2)]
    upsert(rows, tmp_path / f"{paper}.csv")
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
        assert verdict_without_test(one) == "not comparable: synthetic data"


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
    assert ran["difference"].tolist() == pytest.approx([-0.022] * 2)
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
    assert not any("as published" in line for line in list(rendering.text(table))[-5:])


def test_a_run_shows_its_own_numbers_alone(tmp_path, capsys):
    upsert([row(), row(seed=1, value=0.9, run="paper-2")], tmp_path / f"{PAPER}.csv")
    shown = write_comparison([PAPER], tmp_path, run="paper-2")
    assert capsys.readouterr().out == "" and shown["value"].dropna().tolist() == [0.9]
    written = pd.read_csv(tmp_path / "comparison.csv")
    assert written["value"].dropna().tolist() == pytest.approx([0.85])


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_printed_table(tmp_path):
    upsert([row(note="no aligned faces"), row(row="Mesoinception4", value=0.9)], tmp_path / f"{PAPER}.csv")
    upsert([row(dataset="synthetic", preset="quick", note="short " * 40)], tmp_path / f"{PAPER}.csv")
    seeds = [wilson_row(0.79 + seed / 1000, 7104, seed=seed, note=f"epoch {seed}", **RECALL) for seed in (0, 1, 2)]
    upsert(seeds, tmp_path / f"{PAPER}.csv")
    text = "\n".join(rendering.text(compare([PAPER], tmp_path)))
    assert max(map(len, text.splitlines())) <= 150
    assert "Table 6: deepfake, protocol frame, preset paper; your runs, commit abc\n" in text
    assert "Table 6: synthetic, protocol frame, preset quick; your runs, commit abc\n  not comparable: s" in text
    assert "note (Mesonet): no aligned faces" in text and "epoch 1 (seed 1); epoch 2 (seed 2)" in text
    assert "not run: Table 1 (9), Table 2 (9), Table 3 (9), Table 4 (17), Table 5 (10), Table 6 (4)" in text
    block = text.split("Table 6: deepfake")[1].split("Table 6: ")[0]
    (line,) = (line for line in block.splitlines() if "Mesonet " in line and "0.8220" in line)
    assert " ".join(line.split()) == "Mesonet auc 0.8220 0.8000 [0.7900, 0.8100] -0.0220 7104 inconclusive"
    assert "inconclusive (Mesonet auc, Mesoinception4 auc): one seed; the paper's n is unknown" in block
    (line,) = (line for line in text.splitlines() if "3 seeds" in line)
    assert re.search(
        r"0\.7910 \[0\.78\d+, 0\.80\d+\] \(sd 0\.0010 over 3 seeds\)  -0\.0590 \[-0\.0\d+, -0\.0\d+\] .* worse$", line
    )
    assert "Independent claims: 23; 1 worse, 2 inconclusive, 1 not comparable, 20 not run." in text
    assert "Margin: 2 points (0.03 for half of a claimed gain); `better` and `worse` hold after Holm's" in text


def test_the_markdown_has_every_number_in_a_table_a_table(tmp_path):
    rows = [wilson_row(0.79 + seed / 1000, 7104, seed=seed, note="a | b", **RECALL) for seed in (0, 1, 2)]
    upsert(rows, tmp_path / f"{PAPER}.csv")
    upsert([row(table="Table 5", row="class 0", metric="support", value=2000.0)], tmp_path / f"{PAPER}.csv")
    table = compare([PAPER], tmp_path)
    lines = list(rendering.markdown(table))
    tables = {line.removeprefix("### "): place for place, line in enumerate(lines) if line.startswith("### ")}
    assert list(tables) == list(dict.fromkeys(table["table"]))
    body = [line for line in lines if line.startswith("|") and not line.startswith(("| row", "| ---"))]
    assert len(body) == len(table) and {len(cells(line)) for line in lines if line.startswith("|")} == {12}
    below = lines[tables["Table 4"] :]
    assert cells(below[2])[:4] == ["row", "metric", "published", "ours"] and set(below[3]) <= set("|-: ")
    (line,) = (line for line in below if "(sd " in line)
    found = cells(line)
    assert found[:3] == ["class 0", "recall", "0.8500"] and found[3].startswith("0.7910 [0.78")
    assert found[3].endswith("(sd 0.0010 over 3 seeds)") and found[4].startswith("-0.0590 [-0.0")
    assert found[5:] == ["7104", "0 1 2", "deepfake", "official", "paper", "run", "worse"]
    text = "\n".join(lines)
    assert "| 2845 | 2000 [0.7900, 0.8100] | -845 |" in text.replace("[1, 1]", "[0.7900, 0.8100]")
    assert "Independent claims: 23; 1 worse, 22 not run." in text and "Margin: 2 points" in text


@pytest.mark.slow
def test_the_command_writes_all_papers_and_fails_on_request(tmp_path, capsys):
    def ends(*words):
        return main([PAPER, "--results", str(tmp_path), "--no-reference", *words])

    upsert([wilson_row(0.79 + seed / 1000, 7104, seed=seed, **RECALL) for seed in (0, 1, 2)], tmp_path / f"{PAPER}.csv")
    assert ends() == 0
    written = pd.read_csv(tmp_path / "comparison.csv")
    assert tuple(written) == COLUMNS and set(written["paper"]) == set(known_papers())
    page = (tmp_path / "comparison.md").read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if line.startswith("## ")] == [f"## {name}" for name in known_papers()]
    assert ends("--fail-on", "worse") == 1 and ends("--fail-on", "better", "not-comparable") == 0
    assert ends("--fail-on", "not-run") == 1 and ends("--fail-on", "worse", "--margin", "0.2") == 0
    with pytest.raises(UserError, match="--margin 2: expected a share between 0 and 1"):
        ends("--margin", "2")
    upsert([row(preset="quick")], tmp_path / f"{PAPER}.csv")
    assert ends("--fail-on", "not-comparable") == 1


@pytest.mark.slow
def test_the_rows_of_the_repository_are_beside_those_of_a_user(tmp_path):
    """They fail nobody's check, and count once where a user's folder is theirs."""
    upsert([row(dataset="synthetic", preset="quick")], tmp_path / "shipped" / f"{PAPER}.csv")
    upsert([row()], tmp_path / "own" / f"{PAPER}.csv")
    table = compare([PAPER], tmp_path / "own", reference=tmp_path / "shipped").query("value.notna()")
    assert table[["origin", "dataset"]].values.tolist() == [["run", "deepfake"], ["reference", "synthetic"]]
    text = "\n".join(rendering.text(table))
    assert "your runs, commit abc" in text and "shipped with the repository, commit abc" in text
    assert len(compare([PAPER], tmp_path / "own", reference=tmp_path / "own").query("value.notna()")) == 1
    assert main([PAPER, "--results", str(tmp_path / "own"), "--fail-on", "not-comparable"]) == 0
    written = pd.read_csv(tmp_path / "own" / "comparison.csv")
    assert set(written["origin"].dropna()) == {"run", "reference"}


def test_unknown_papers_and_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match="unknown paper 'resnet'; known: "):
        main(["resnet", "--results", str(tmp_path)])
    with pytest.raises(UserError, match="no such folder"):
        main(["--results", str(tmp_path / "none")])
    assert not (tmp_path / "comparison.csv").exists()


def write_run(folder, scores, *, split="test", labels="ffrr", model="meso", seed=0, protocol="frame", dataset="d"):
    folder.mkdir(exist_ok=True)
    table = pd.DataFrame(
        {
            "path": [f"{index}.png" for index in range(len(scores))], "video": "", "identity": "", "source": "",
            "frame": "", "dataset": dataset, "split": split, "score": scores, "model": model, "protocol": protocol,
            "label": [{"f": "fake", "r": "real"}[one] for one in labels], "seed": seed,
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


def test_runs_are_compared_on_one_data_set_after_another(tmp_path):
    """Two sets with both classes; then a set of fakes and one of real images, which are one test set."""
    a, b = tmp_path / "a", tmp_path / "b"
    for folder in (a, b):
        for name in ("seen", "unseen"):
            write_run(folder, [0.9, 0.8, 0.2, 0.1], dataset=name)
    write_run(a, [0.9], labels="f", dataset="only of a")
    assert compare_runs(a, b)[["data", "n"]].values.tolist() == [["seen", 4], ["unseen", 4]]
    c, d = (write_run(tmp_path / name, [0.9, 0.8], labels="ff", dataset="stylegan") for name in ("c", "d"))
    for folder in (c, d):
        write_run(folder, [0.2, 0.1], labels="rr", dataset="ffhq")
    assert compare_runs(c, d)[["data", "n"]].values.tolist() == [["stylegan+ffhq", 4]]


def test_runs_are_paired_by_protocol_and_seed_where_they_can_be(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    for seed in (0, 1):
        write_run(a, [0.9, 0.8, 0.2, 0.1], seed=seed)
    write_run(b, [0.9, 0.8, 0.2, 0.1], seed=1)
    assert compare_runs(a, b)["seed"].tolist() == ["1"]
    write_run(tmp_path / "c", [0.9, 0.8, 0.2, 0.1], seed=7)
    assert compare_runs(a, tmp_path / "c")["seed"].tolist() == ["0 / 7", "1 / 7"]


def test_several_paired_seeds_have_a_row_of_their_mean(tmp_path, capsys):
    """Of single images; the spread of the seeds widens the interval of the mean."""
    a, b = tmp_path / "a", tmp_path / "b"
    for seed, scores in enumerate(([0.9, 0.8, 0.2, 0.1], [0.9, 0.8, 0.6, 0.1], [0.9, 0.4, 0.2, 0.1])):
        write_run(a, scores, seed=seed)
        write_run(b, [0.9, 0.4, 0.6, 0.1], seed=seed)
    table = compare_runs(a, b)
    assert table["seed"].tolist() == ["0", "1", "2", "mean of 3"]
    mean = table.iloc[3]
    assert mean["accuracy A - B"] == pytest.approx((0.5 + 0.25 + 0.25) / 3)
    low, high = (float(end) for end in mean["of accuracy, 95 %"].split(" to "))
    ends = [[float(end) for end in cell.split(" to ")] for cell in table["of accuracy, 95 %"][:3]]
    assert high - low > np.mean([end[1] - end[0] for end in ends])
    assert np.isnan(mean["McNemar p"])
    assert main(["--runs", str(a), str(b)]) == 0
    assert "mean of 3" in capsys.readouterr().out


def test_frames_of_videos_have_intervals_but_no_p_value(tmp_path):
    for name in ("a", "b"):
        folder = write_run(tmp_path / name, [0.9, 0.8, 0.2, 0.1])
        rows = pd.read_csv(folder / "predictions.csv").assign(video=["v", "v", "w", "x"])
        rows.to_csv(folder / "predictions.csv", index=False)
    table = compare_runs(tmp_path / "a", tmp_path / "b").set_index("level")
    assert np.isnan(table["McNemar p"]["frame"]) and np.isnan(table["DeLong p"]["frame"])
    assert table["McNemar p"]["video"] == 1 and table["clusters"].tolist() == [3, 3]


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
    main(["dcgan_inception_resnet", "--results", str(tmp_path), "--no-reference"])
    shown = capsys.readouterr().out
    assert "not run: Figure 3 (11)" in shown and "ours" not in shown
