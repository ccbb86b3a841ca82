"""A sixth paper is one more folder: a real, tiny one is added to a copy of the suite, and every command finds it.

No existing file is edited for it. Its method is logistic regression on 8 x 8 grey pixels; its table is invented.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from common.cli import RESUME_HINT

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow  # runs of the real command
PACKAGES = ("common", "data_prep", "reproductions", "results")
PAPER = "grey_pixels"
CONFIG = '''\
"""Every hyperparameter of the paper, its value for each preset, and where it comes from."""

from dataclasses import dataclass
from typing import Annotated

from common.runs.options import RunOptions
from common.runs.rules import Above, AtLeast

PAPER, MODEL = "grey_pixels", "logistic_regression"
LAYOUTS = {"faces": "folders"}  # the legal NAMEs of --data, and the data_prep layout of each
EMBEDDED = {"faces": ("swap", 1.0)}  # NAME -> (family, share of --synthetic-images)


@dataclass(frozen=True)
class Config(RunOptions):
    """The flags of this paper; the defaults are the paper's."""

    image_size: Annotated[int, AtLeast(1)] = 8
    """Height and width of the grey input in pixels. Sec. 2."""
    split: Annotated[tuple[float, float, float], Above(0)] = (0.6, 0.2, 0.2)
    """Shares of training, validation and test. Not stated; we chose."""
    synthetic_images: Annotated[int, AtLeast(1)] = 200
    """Images per class of the embedded data. We chose."""


PRESETS = {"paper": Config(), "quick": Config(preset="quick"), "smoke": Config(preset="smoke", synthetic_images=40)}
'''
RUN = '''\
"""Logistic regression on grey pixels: the smallest paper. 1 minutes on 2 CPU cores; expected: Table 1, accuracy 0.6."""

import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression

from common.cli import RESUME_HINT, run_main
from common.data.datasets import merge
from common.evaluation.evaluate import evaluate
from common.labels import FAKE, to_numbers
from common.runs.options import read_config
from common.tensorflow_import import import_tensorflow
from reproductions.grey_pixels.config import EMBEDDED, LAYOUTS, MODEL, PAPER, PRESETS
from reproductions.inputs import RunData, load_data
from reproductions.splitting import draw_splits
from reproductions.rows import as_table, result_row


def main(argv=None):
    config = read_config(PRESETS, argv, prog=f"python reproductions/{PAPER}/run.py", description=__doc__)
    datasets = load_data(config, LAYOUTS, EMBEDDED)
    names = tuple(dataset.name for dataset in datasets)
    images = merge(datasets, config.near_duplicates)
    data = RunData(datasets, names, draw_splits(images, names, config))

    import_tensorflow()
    from reproductions.session import Session

    session = Session(PAPER, PRESETS, config, {}, data)
    for split in session.splits():
        session.record(split, MODEL, split.images, fit_and_score(split.images, config.image_size, split.seed))
    session.publish(lambda split: result_rows(split.table(), "+".join(names)))
    session.finish()


def fit_and_score(images, size, seed):
    """Return P(fake) of each image, float64 (n,), by a logistic regression on the pixels of the training split."""
    pixels = np.stack([np.asarray(Image.open(file).convert("L").resize((size, size))) for file in images["file"]])
    pixels, train = pixels.reshape(len(pixels), -1) / 255, images["split"] == "train"
    model = LogisticRegression(random_state=seed, max_iter=1000).fit(pixels[train], to_numbers(images["label"][train]))
    return model.predict_proba(pixels)[:, FAKE]


def result_rows(predictions, dataset):
    """Return Table 1's accuracy, and every metric as an extra row, of the test split."""
    values = evaluate(predictions[predictions["split"] == "test"])
    keys = [("Table 1", "ours", "accuracy"), *(("extra", MODEL, metric) for metric in values)]
    return as_table([result_row(key, MODEL, values[key[2]], dataset) for key in keys])


if __name__ == "__main__":
    run_main(main, RESUME_HINT)
'''
CARD = """\
# grey_pixels

<!-- results: grey_pixels; rows=*; metrics=accuracy auc; preset=smoke -->
<!-- /results -->
"""
PUBLISHED = (
    "table,row,metric,value,printed,n,note,kind\n"
    "Table 1,ours,accuracy,0.6,60 %,100,,metric\nTable 1,ours,recall,0.6,60 %,100,,metric\n"
    "Table 1,ours,auc,0.65,0.65,,,metric\n"
)


def add_paper(root, name=PAPER, run=RUN):
    """Write the folder of a paper and its published table: everything that a paper needs."""
    folder = root / "reproductions" / name
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "config.py").write_text(CONFIG.replace(PAPER, name))
    (folder / "run.py").write_text(run.replace(PAPER, name))
    (folder / "README.md").write_text(CARD.replace(PAPER, name))
    (root / "results" / "published" / f"{name}.csv").write_text(PUBLISHED)


def copy_suite(root, *left_out):
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__", "report.html", *left_out)
        )


def environment(root, cache):
    return os.environ | {"DEEPFAKE_REPRODUCTIONS_CACHE": str(cache), "PYTHONPATH": str(root)}


@pytest.fixture(scope="module")
def suite(tmp_path_factory, command):
    """(root of a copy of the suite with the sixth paper, a function that runs a command line in it)."""
    root = tmp_path_factory.mktemp("suite")
    copy_suite(root)
    add_paper(root)

    def run(*words, expect=0):
        return command(root, *words, expect=expect, PYTHONPATH=str(root))

    run.first = run(f"reproductions/{PAPER}/run.py", "--preset", "smoke", "--seeds", "0", "1")
    return root, run


def test_its_run_py_is_short():
    assert RUN.count("\n") < 60


def test_it_writes_what_every_run_writes(suite):
    root, run = suite
    (folder,) = (root / "runs" / PAPER).iterdir()
    for name in ("config.json", "environment.json", "splits.csv", "predictions.csv", "log.txt"):
        assert (folder / name).is_file(), name
    rows = pd.read_csv(root / "results" / f"{PAPER}.csv")
    assert set(rows["seed"]) == {0, 1} and set(rows["preset"]) == {"smoke"} and set(rows["run"]) == {folder.name}
    predictions = pd.read_csv(folder / "predictions.csv")
    test = predictions[(predictions["split"] == "test") & (predictions["seed"] == 1)]
    accuracy = ((test["score"] >= 0.5) == (test["label"] == "fake")).mean()
    ours = rows[(rows["table"] == "Table 1") & (rows["seed"] == 1) & (rows["protocol"] == test["protocol"].iloc[0])]
    assert ours["value"].item() == pytest.approx(accuracy) and ours["n"].item() == len(test)


def test_it_is_compared_with_its_published_table(suite):
    _, run = suite
    assert "grey_pixels: published against reproduced" in run.first.stdout
    output = run("-m", "results.compare", PAPER).stdout
    (line,) = [line for line in output.splitlines() if " accuracy " in line]
    assert line.split()[:3] == ["ours", "accuracy", "0.6000"] and "2 seeds" in line
    assert "not comparable: synthetic data; preset smoke" in output and "not run: Table 1 (2)" in output
    run("-m", "results.compare", PAPER, "--fail-on", "not-comparable", expect=1)


def test_it_is_found_beside_the_others(suite):
    _, run = suite
    code = "from reproductions.__main__ import paper_folders; print(*(paper.name for paper in paper_folders()))"
    names = run("-c", code).stdout.split()
    assert sorted(names) == sorted([path.parent.name for path in ROOT.glob("reproductions/*/run.py")] + [PAPER])
    assert names[0] == PAPER, "it names the fewest minutes"


def test_its_readme_is_written_from_its_results(suite):
    root, run = suite
    card = root / "reproductions" / PAPER / "README.md"
    shutil.copy(root / "results" / f"{PAPER}.csv", root / "results" / "reference")
    assert f"stale: reproductions/{PAPER}/README.md" in run("-m", "results.readme", "--check", expect=1).stdout
    run("-m", "results.readme")
    rows = pd.read_csv(root / "results" / f"{PAPER}.csv")
    auc = rows[(rows["table"] == "extra") & (rows["metric"] == "auc")]["value"]
    assert f"| {auc.mean():.3f} [" in card.read_text() and f"(sd {auc.std(ddof=1):.3f})" in card.read_text()
    run("-m", "results.readme", "--check")


def test_it_is_audited_and_its_flags_are_explained(suite):
    root, run = suite
    run("-m", "results.audit", PAPER)
    assert set(pd.read_csv(root / "results" / "audit.csv")["paper"]) == {PAPER}
    assert "--image-size" in run(f"reproductions/{PAPER}/run.py", "--help").stdout


def test_the_page_has_its_card_and_its_numbers(suite):
    root, run = suite
    run("-m", "results.report")
    page = (root / "results" / "report.html").read_text(encoding="utf-8")
    section = page.partition(f'<section id="{PAPER}"')[2].partition("</section>")[0]
    rows = pd.read_csv(root / "results" / f"{PAPER}.csv")
    ours = rows.loc[rows["table"] == "Table 1", "value"].mean()
    assert f"{ours:.4f}" in section and "not comparable" in section and "synthetic data; preset smoke" in section


def test_predict_refuses_a_run_without_a_network(suite):
    root, run = suite
    (folder,) = (root / "runs" / PAPER).iterdir()
    done = run("-m", "common.predict", folder, root / "reproductions", expect=2)
    assert "expected a run folder with trained models" in done.stderr and "Traceback" not in done.stderr


WAITS = """
    import time
    from pathlib import Path

    def wait():
        if Path("wait").exists():
            Path("waiting").touch()
            time.sleep(100)

    run_main(lambda: wait() or main(), RESUME_HINT)
"""


def names_of_runs(root):
    return {path.name: sorted(run.name[-2:] for run in path.iterdir()) for path in (root / "runs").glob("*[!.json]")}


def test_all_papers_are_run_and_an_interrupted_command_resumes(tmp_path, cache):
    """Two papers, of which `second` takes longer: Ctrl-C during it. test_all_papers.py has failures."""
    copy_suite(tmp_path, *(path.parent.name for path in ROOT.glob("reproductions/*/run.py")))
    add_paper(tmp_path, "zeroth")
    add_paper(
        tmp_path,
        "second",
        RUN.replace("1 minutes", "2 to 3 minutes").replace("\n    run_main(main, RESUME_HINT)\n", WAITS),
    )
    words = [sys.executable, "-m", "reproductions", "--preset", "smoke", "--runs=runs", "--results", "found"]
    options = {"cwd": tmp_path, "env": environment(tmp_path, cache), "text": True}

    (tmp_path / "wait").touch()
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, **options,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background shell has it ignored
    )  # fmt: skip
    for _ in range(600):
        if (tmp_path / "waiting").exists():
            break
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, messages = process.communicate(timeout=30)
    assert process.returncode == 130 and messages.count(RESUME_HINT) == 1, messages
    assert "[1/2] zeroth, 0 s so far" in messages and "[2/2] second, " in messages and "Traceback" not in messages
    assert names_of_runs(tmp_path) == {"zeroth": ["-1"]}

    (tmp_path / "wait").unlink()
    done = subprocess.run(words, capture_output=True, timeout=300, **options)
    assert done.returncode == 0 and "[1/2] zeroth, finished before" in done.stderr, done.stderr
    assert names_of_runs(tmp_path) == {"zeroth": ["-1"], "second": ["-1"]}
    assert "second: published against reproduced" in done.stdout and "found/report.html" in done.stdout
    assert (tmp_path / "found" / "report.html").is_file() and "2 of 2 papers in" in done.stderr
