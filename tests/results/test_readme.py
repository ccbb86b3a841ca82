"""The generated tables of the READMEs: their numbers, and blocks with the mistakes that a writer makes."""

import configparser
import re
import subprocess
import sys

import pytest

from common.errors import UserError
from results.queries import read_query, select_rows
from results.readme import BLOCK, ROOT, main, refresh
from results.seeds import aggregate_seeds
from results.tables import known_papers, read_results, reference_folder, upsert

PAPER = "cffn_resnet"
FRAMES = f"<!-- results: {PAPER}; dataset=synthetic-swap; rows=cffn, frame level; metrics=accuracy auc -->"


def row(metric="accuracy", value=0.8, **changes):
    return {
        "paper": PAPER, "table": "extra", "row": "cffn, frame level", "metric": metric, "value": value,
        "ci_low": value - 0.1, "ci_high": value + 0.05, "n": 100, "dataset": "synthetic-swap", "protocol": "video",
        "preset": "quick", "seed": 0, "run": "quick-1", "commit": "abc", "note": "width 0.25",
    } | changes  # fmt: skip


@pytest.fixture
def root(tmp_path):
    """A repository with two READMEs and three rows of results."""
    upsert([row(), row("auc", 0.9), row(row="cffn, video level", n=20)], tmp_path / f"{PAPER}.csv")
    (tmp_path / "README.md").write_text("# Top\n")
    (tmp_path / "reproductions" / PAPER).mkdir(parents=True)
    return tmp_path


def written(root, block, *rows):
    """The lines of the table and the line below, after a block is put between two paragraphs of a README."""
    upsert([*rows], root / f"{PAPER}.csv") if rows else None
    path = root / "reproductions" / PAPER / "README.md"
    path.write_text(f"before\n\n{block}\nold\n<!-- /results -->\n\nafter\n")
    assert refresh(root, root) == [path] and refresh(root, root, check=True) == []
    text = path.read_text()
    assert text.startswith(f"before\n\n{block}\n\n|") and text.endswith("\n\n<!-- /results -->\n\nafter\n")
    lines = text.removeprefix(f"before\n\n{block}\n\n").partition("\n\n<!--")[0].splitlines()
    return [line for line in lines if line.startswith("|")], lines[-1]


def test_one_seed_has_its_interval(root):
    table, below = written(root, FRAMES)
    assert table == [
        "|  | accuracy | AUC |",
        "| --- | ---: | ---: |",
        "| cffn, frame level | 0.800 [0.700, 0.850] | 0.900 [0.800, 0.950] |",
    ]
    assert below == (
        "Data set synthetic-swap; protocol video; preset quick; seed 0 [95 % interval]; n = 100; width 0.25."
    )


def test_several_seeds_have_their_deviation(root):
    """0.8, 0.9, 0.7: sd 0.1, interval 0.1 down, 0.05 up and 4.3027 * 0.1 / sqrt 3 of trainings; AUC of seed 0 alone."""
    table, below = written(root, FRAMES, row(seed=1, value=0.9, note="epoch 3"), row(seed=2, value=0.7, n=90))
    assert table[2:] == ["| cffn, frame level | 0.800 [0.532, 1.000] (sd 0.100) | 0.900 [0.800, 0.950] |"]
    assert "mean [95 % interval] (standard deviation over the seeds 0 1 2), or over those that have a value" in below
    assert "n = 90 to 100" in below and "epoch" not in below
    table, below = written(root, FRAMES, row("auc", seed=1), row("auc", seed=2))
    assert below.startswith("Data set synthetic-swap; protocol video; preset quick; mean [95 % interval] (standard dev")
    assert "have a value" not in below


def test_seeds_of_two_versions_of_the_code_are_two_lines(root):
    table, _ = written(root, FRAMES.replace(" auc", ""), row(seed=1, value=0.9, commit="def"))
    assert table[0] == "|  | commit | accuracy |" and len(table) == 4
    assert table[2].startswith("| cffn, frame level | abc | 0.800 [") and "| def | 0.900 [" in table[3]


def test_what_differs_among_the_rows_is_a_column(root):
    more = [row(protocol=protocol, row=name, value=0.6) for protocol in ("frame", "video") for name in ("b", "a")]
    counts = row("tp", 41.0, row="a", protocol="frame", ci_low=None, ci_high=None, note="no ImageNet weights")
    table, below = written(root, f"<!-- results: {PAPER}; rows=b | a;\n   metrics=accuracy tp -->", *more, counts)
    assert table[0] == "|  | protocol | accuracy | tp |"
    assert [[cell.strip() for cell in line.split("|")[1:3]] for line in table[2:]] == [
        ["b", "frame"], ["b", "video"], ["a", "frame"], ["a", "video"],
    ]  # fmt: skip
    assert table[4].endswith("| 41 |") and table[5].endswith("|  |")
    assert "protocol" not in below and below.endswith("; no ImageNet weights: a.")


def test_patterns_choose_by_name(root):
    rows = aggregate_seeds(read_results(root / f"{PAPER}.csv"))
    chosen = select_rows(rows, read_query(f"{PAPER}; rows=cffn, video* | *frame level; metrics=accuracy"))
    assert chosen["row"].tolist() == ["cffn, video level", "cffn, frame level"]
    assert select_rows(rows, read_query(f"{PAPER}; metrics=accuracy; protocol=vid*"))["row"].nunique() == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("resnet; metrics=auc", "unknown paper 'resnet'; known: cffn_resnet, "),
        (f"{PAPER}; rows=cffn, frame level", "expected metrics="),
        (f"{PAPER}; metric=auc", "NAME of metrics, rows, table, dataset, protocol, preset; got 'metric=auc'"),
        (f"{PAPER}; metrics=", "got 'metrics='"),
        (f"{PAPER}; metrics=auc; protocol=frame", "no protocol 'frame'; there is: video"),
        (
            f"{PAPER}; metrics=auc; rows=cffn | cffn, frame level",
            "no row 'cffn'; there is: cffn, frame level | cffn, v",
        ),
        (f"{PAPER}; metrics=auc kappa", "no metric 'kappa'; there is: accuracy | auc"),
        (f"{PAPER}; metrics=auc; table=Table 1", "no table 'Table 1'; there is: extra"),
        ("siamese_triplet; metrics=auc", "make them: python reproductions/siamese_triplet/run.py --results "),
        (f"published\n{PAPER}; metrics=accuracy; table=Table 1; protocol=video", "it was not run"),
    ],
)
def test_a_query_that_selects_nothing_says_what_there_is(root, words, expected):
    path = root / "README.md"
    path.write_text(f"{FRAMES}\n<!-- /results -->\n<!-- results: {words} -->\n<!-- /results -->\n")
    before = path.read_text()
    with pytest.raises(UserError) as error:
        refresh(root, root)
    assert expected in str(error.value) and str(error.value).startswith("README.md: <!-- results: ")
    assert "\n" not in str(error.value) and path.read_text() == before


@pytest.mark.parametrize("text", [FRAMES, f"{FRAMES}\n{FRAMES}\n<!-- /results -->\n"])
def test_a_block_that_is_not_closed_is_refused(root, text):
    (root / "README.md").write_text(text + "\n")
    with pytest.raises(UserError, match="README.md: expected a line <!-- /results --> after each"):
        refresh(root, root)


def test_indented_examples_are_left_alone(root):
    text = f"How:\n\n    {FRAMES}\n    <!-- /results -->\n"
    (root / "README.md").write_text(text)
    assert refresh(root, root) == [] and (root / "README.md").read_text() == text


def test_published_numbers_are_beside_ours(root):
    """Table 1 prints 0.9141 and recall 0.956400; ours is on drawn data, so it reproduces nothing."""
    keys = {"table": "Table 1", "row": "final model"}
    upsert([row(**keys, seed=seed, value=0.8 + seed / 10) for seed in (0, 1)], root / f"{PAPER}.csv")
    upsert([row("recall", **keys), row("recall", **keys, preset="smoke")], root / f"{PAPER}.csv")
    (root / "README.md").write_text(
        f"<!-- results: published\n{PAPER}; table=Table 1; rows=final model; metrics=accuracy\n\n"
        f"{PAPER}; rows=final model; metrics=recall accuracy; preset=quick\n"
        "siamese_triplet; table=Table 2; rows=VGG16; metrics=auc -->\n<!-- /results -->\n"
    )
    assert refresh(root, root) == [root / "README.md"]
    lines = [line for line in (root / "README.md").read_text().splitlines() if line.startswith("| ")]
    why = "not comparable: synthetic data; preset quick"
    assert lines[2:] == [
        f"| {PAPER} | Table 1, final model: accuracy | 0.9141 | 0.850 [0.207, 1.000] (sd 0.071) | 100 | 0 1 "
        f"| synthetic-swap, video | {why} |",
        f"| {PAPER} | Table 1, final model | recall 0.9564, accuracy 0.9141 | recall 0.800 [0.700, 0.850], "
        f"accuracy 0.850 [0.207, 1.000] (sd 0.071) | 100 | 0 1; 0 | synthetic-swap, video | {why} |",
        "| siamese_triplet | Table 2, VGG16: AUC | 0.9870 |  |  |  |  | not run |",
    ]


def test_check_writes_nothing_and_names_what_is_stale(root, monkeypatch, capsys):
    from results import readme

    monkeypatch.setattr(readme, "ROOT", root)
    path = root / "reproductions" / PAPER / "README.md"
    path.write_text(f"{FRAMES}\n<!-- /results -->\n")
    before = path.read_bytes()
    assert main(["--check", "--results", str(root)]) == 1 and path.read_bytes() == before
    printed = capsys.readouterr()
    assert printed.out == f"stale: reproductions/{PAPER}/README.md\n"
    assert printed.err == "write them again: python -m results.readme\n"
    assert main(["--results", str(root)]) == 0 and path.read_bytes() != before
    assert main(["--check", "--results", str(root)]) == 0
    upsert([row(value=0.7)], root / f"{PAPER}.csv")
    assert main(["--check", "--results", str(root)]) == 1


def test_the_tables_of_this_repository_are_up_to_date():
    done = subprocess.run([sys.executable, "-m", "results.readme", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_paper_has_three_seeds_in_the_repository_and_a_table_of_them_in_its_readme():
    for paper in known_papers():
        rows = read_results(reference_folder() / f"{paper}.csv").query("preset == 'quick' and table == 'extra'")
        assert set(rows["seed"]) == {0, 1, 2} and rows["dataset"].str.contains("synthetic").all(), paper
        blocks = BLOCK.findall((ROOT / "reproductions" / paper / "README.md").read_text(encoding="utf-8"))
        assert any("preset=quick" in words for words, _ in blocks), paper
    words = [words for words, _ in BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))]
    assert all(paper in " ".join(words) for paper in known_papers())


def test_the_readme_names_the_versions_of_python_that_setup_cfg_allows():
    """And CI runs all of them."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    oldest, end = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", settings["options"]["python_requires"]).groups()
    versions = [f"3.{minor}" for minor in range(int(oldest), int(end))]
    sentence = f"You need Python {', '.join(versions[:-1])} or {versions[-1]}: TensorFlow has no release for 3.{end}."
    assert sentence in (ROOT / "README.md").read_text(encoding="utf-8")
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert "python: [" + ", ".join(f'"{version}"' for version in versions) + "]" in workflow
