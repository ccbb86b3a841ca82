"""What the audit says about the five papers, about planted tables, and about wrong files."""

import csv
import re
import subprocess
import sys
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import UserError
from results.audit.__main__ import main
from results.audit.check import AUDIT_COLUMNS, audit_paper, audit_table
from results.audit.verdicts import CONTRADICTION, HOLDS, NO_SINGLE, RANGE, READING, ROUNDING, UNIQUE
from results.tables import known_papers, published_folder, read_published

METRICS = ("accuracy", "precision", "recall", "f1", "kappa", "balanced_accuracy", "specificity")


@pytest.fixture(scope="module")
def found():
    """{paper: its findings}."""
    return {paper: audit_paper(paper) for paper in known_papers()}


def says(findings, verdict, *patterns):
    """Is there a finding of this verdict whose words, headline and detail, match all patterns?"""
    texts = [f"{one.finding} {one.detail}" for one in findings if one.verdict == verdict]
    return any(all(re.search(pattern, text) for pattern in patterns) for text in texts)


@pytest.mark.parametrize(
    ("paper", "verdict", "patterns"),
    [
        ("siamese_triplet", CONTRADICTION, ["Proposed Model: accuracy 94.8% and kappa 96.9%", "is 0.8950 to 0.8967"]),
        ("siamese_triplet", CONTRADICTION, ["ResNet50 in Table 2 and", r"accuracy \(Table 2\) is 0.9916", "0.9882"]),
        ("siamese_triplet", CONTRADICTION, ["equation 10", "1.0084 > 1"]),
        ("siamese_triplet", CONTRADICTION, ["VGG19 in Tables 2 and 3", "94.98% ≠ 94.90%"]),
        ("siamese_triplet", CONTRADICTION, ["beats Loss2, read as Case II", "54.75% <= 64.46%"]),
        ("siamese_triplet", ROUNDING, ["VGG19", "kappa 89.9% was cut, or a tie"]),
        ("siamese_triplet", HOLDS, ["read as Case I"]),
        ("dcgan_inception_resnet", CONTRADICTION, ["TP 29419 and FN 32", "FN .* exchanged", "0.9989, recall 0.9973"]),
        ("dcgan_inception_resnet", CONTRADICTION, ["ten epochs fit into one session, K80", "980 > 720"]),
        ("facenet_embeddings", RANGE, ["n = 24, 48, 72", "equal classes", "TP 12, FP 3, FN 0, TN 9", "0.6900 to"]),
        ("facenet_embeddings", RANGE, ["There auc 0.95138 was cut, not rounded"]),
        ("facenet_embeddings", CONTRADICTION, ["53% ≠ 50%"]),
        ("cffn_resnet", UNIQUE, ["TP 3751, FP 250, FN 171, TN 730", "0.8506", "kappa 0.7232", "0.8001", "0.2551"]),
        ("cffn_resnet", UNIQUE, ["0.9141 is 117 / 128", "0.8527 to 0.9513"]),
        ("cffn_resnet", UNIQUE, ["0.9375 is 120 / 128"]),
        ("cffn_resnet", CONTRADICTION, ["on one batch: precision 0.937516, recall 0.956400 and f1 0.946864 cannot"]),
        ("cffn_resnet", READING, ["exchanged", "4001 fake, 901 real"]),
        ("mesoinception_svm", CONTRADICTION, ["Table 5", "accuracy 0.9", "accuracy is 0.7801 to 0.7912"]),
        ("mesoinception_svm", CONTRADICTION, ["Table 3 / Training", "14010 ≠ 14020"]),
        ("mesoinception_svm", CONTRADICTION, ["19509 ≠ 19457"]),
        ("mesoinception_svm", CONTRADICTION, ["7148 ≠ 7104"]),
        ("mesoinception_svm", ROUNDING, ["96.25% is no rounded share of 7104"]),
        ("mesoinception_svm", UNIQUE, ["1872 / 1945"]),
        ("mesoinception_svm", CONTRADICTION, ["hard labels", "67.57 and balanced accuracy 78.46"]),
        ("mesoinception_svm", CONTRADICTION, ["CelebDF in the introduction and in the conclusion"]),
        ("mesoinception_svm", CONTRADICTION, ["better with SVM, Face2Face accuracy"]),
        ("mesoinception_svm", HOLDS, ["conclusion's combined performance is the mean"]),
    ],
)  # fmt: skip
def test_what_does_not_add_up_is_found(found, paper, verdict, patterns):
    assert says(found[paper], verdict, *patterns)


def test_rows_that_add_up_are_not_accused(found):
    for row in ("VGG16", "InceptionV3", "Xception", "ResNet50"):
        (one,) = [finding for finding in found["siamese_triplet"] if f"Case I's test set: {row}:" in finding.finding]
        assert one.verdict == RANGE
    whole = [one for one in found["mesoinception_svm"] if one.table == "Table 4" and not one.row]
    assert {one.verdict for one in whole} - {READING} == {RANGE}


def test_the_hidden_matrix_prints_table_1_of_cffn():
    """By hand, from the counts that the solver finds."""
    tp, fp, fn, tn = 3751, 250, 171, 730
    published = read_published("cffn_resnet").set_index(["table", "row", "metric"])["printed"]
    row = published.sort_index().loc["Table 1", "final model"]
    assert f"{(tp + tn) / 4902:.4f}" == row["accuracy"] and f"{tp / (tp + fp):.6f}" == row["precision"]
    assert f"{tp / (tp + fn):.6f}" == row["recall"] and f"{2 * tp / (2 * tp + fp + fn):.6f}" == row["f1"]


NOTED = sorted(path.stem.removesuffix("_notes") for path in published_folder().glob("*_notes.csv"))


@pytest.mark.parametrize("paper", NOTED)
def test_notes_have_a_source_and_are_marked(found, paper):
    with open(published_folder() / f"{paper}_notes.csv", newline="") as file:
        notes = list(csv.DictReader(file))
    assert notes and all(note["source"] and note["detail"] and note["finding"] for note in notes)
    shown = [one for one in found[paper] if one.verdict == READING]
    assert [one.finding for one in shown] == [note["finding"] for note in notes]
    assert all("Source: " in one.detail for one in shown)


def shown(share, digits, rounding):
    with localcontext(prec=60):
        return str((Decimal(share.numerator) / share.denominator).quantize(Decimal(1).scaleb(-digits), rounding))


def shares(tp, fp, fn, tn):
    n, fakes, reals = tp + fp + fn + tn, tp + fn, fp + tn
    chance = Fraction((tp + fp) * fakes + (fn + tn) * reals, n * n)
    accuracy, recall, specificity = Fraction(tp + tn, n), Fraction(tp, fakes), Fraction(tn, reals)
    return dict(
        accuracy=accuracy, precision=Fraction(tp, tp + fp), recall=recall, f1=Fraction(2 * tp, 2 * tp + fp + fn),
        kappa=(accuracy - chance) / (1 - chance), balanced_accuracy=(recall + specificity) / 2, specificity=specificity,
    )  # fmt: skip


counts = st.tuples(st.integers(1, 4000), st.integers(0, 4000), st.integers(0, 4000), st.integers(1, 4000))


def write(path, rows, columns=("table", "row", "metric", "printed", "n")):
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return path


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counts, st.lists(st.sampled_from(METRICS), min_size=2, max_size=6, unique=True), st.integers(2, 5), st.booleans()
)
def test_a_true_table_raises_nothing(tmp_path, matrix, metrics, digits, even):
    tp, fp, fn, tn = matrix
    rounding = ROUND_HALF_EVEN if even else ROUND_HALF_UP
    exact = shares(*matrix)
    rows = [("t", "r", metric, shown(exact[metric], digits, rounding), "") for metric in metrics]
    sizes = [("t", "r", "fakes", tp + fn, ""), ("t", "r", "reals", fp + tn, "")]
    findings, unchecked = audit_table(write(tmp_path / "true.csv", rows + sizes))
    assert [one.verdict in (UNIQUE, RANGE) for one in findings] == [True] and not unchecked


@pytest.mark.slow
@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(counts, st.sampled_from(("accuracy", "balanced_accuracy")), st.integers(2, 40), st.sampled_from((-1, 1)))
def test_a_false_number_is_found_and_named(tmp_path, matrix, wrong, steps, sign):
    """Recall and specificity to four digits fix the accuracies to a step; a number further off is of no one matrix."""
    tp, fp, fn, tn = matrix
    exact = shares(*matrix)
    false = exact[wrong] + sign * Fraction(steps, 1000)
    if not 0 < false < 1:
        false = exact[wrong] - sign * Fraction(steps, 1000)
    rows = [
        ("t", "r", metric, shown(exact[metric], 4, ROUND_HALF_UP), "")
        for metric in ("recall", "specificity", "precision")
    ]
    rows += [("t", "r", wrong, shown(false, 4, ROUND_HALF_UP), ""), ("t", "r", "fakes", tp + fn, "")]
    (one,), _ = audit_table(write(tmp_path / "false.csv", [*rows, ("t", "r", "reals", fp + tn, "")]))
    if wrong == "balanced_accuracy":  # the mean of recall and specificity in every fold; accuracy is not
        assert one.verdict == CONTRADICTION
    assert one.verdict in (CONTRADICTION, NO_SINGLE) and wrong.replace("_", " ") in one.finding


def test_a_true_report_and_its_false_twin(tmp_path):
    """scikit-learn's classification_report, and the same with one accuracy changed."""
    from sklearn.metrics import classification_report

    labels, called = [0] * 40 + [1] * 70, [0] * 31 + [1] * 9 + [1] * 60 + [0] * 10
    report = classification_report(labels, called, target_names=["fake", "real"], digits=3, output_dict=True)
    rows = [("Table 1", "accuracy", "accuracy", f"{report.pop('accuracy'):.3f}", "")]
    for name, line in report.items():
        rows += [("Table 1", name, key.replace("f1-score", "f1"), f"{number:.3f}", "") for key, number in line.items()]
    rows = [(*row[:3], str(int(float(row[3]))), "") if row[2] == "support" else row for row in rows]
    (one,), unchecked = audit_table(write(tmp_path / "report.csv", rows))
    assert one.verdict == UNIQUE and "TP 31, FP 10, FN 9, TN 60" in one.finding and not unchecked
    rows[0] = (*rows[0][:3], "0.845", "")
    (one,), _ = audit_table(write(tmp_path / "report.csv", rows))
    assert one.verdict == CONTRADICTION and "accuracy 0.845" in one.finding and "accuracy is 0.8273" in one.finding


def test_totals_are_added_up(tmp_path):
    rows = [("T", "train", "fake", 3), ("T", "train", "real", "1,004"), ("T", "train", "total", "1007")]
    rows += [("T", "test", "fake", 2), ("T", "total", "fake", 6), ("T", "total", "real", "1,004")]
    findings, _ = audit_table(write(tmp_path / "sizes.csv", rows, ("table", "row", "metric", "printed")))
    verdicts = {one.finding: one.verdict for one in findings}
    assert verdicts["T / train: fake + real"] == HOLDS
    assert verdicts["T / total / fake: train + test: 5 ≠ 6"] == CONTRADICTION


@pytest.mark.slow
def test_a_loose_table_of_many_images_stays_small(tmp_path):
    rows = [("a", "accuracy", "0.9", "20000"), ("a", "precision", "0.9", "20000")]
    (one,), _ = audit_table(write(tmp_path / "t.csv", rows, ("row", "metric", "printed", "n")))
    assert one.verdict == RANGE and "more than" in one.finding and "class sizes" in one.detail


def test_what_says_too_little_is_listed(tmp_path):
    rows = [("a", "accuracy", "0.9", ""), ("b", "accuracy", "0.91", "100"), ("b", "f1", "0.9", "100")]
    findings, unchecked = audit_table(write(tmp_path / "t.csv", rows, ("row", "metric", "printed", "n")))
    assert len(findings) == 1 and unchecked == ["not checked: table / a / accuracy"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("row,metric\na,accuracy\n", r"missing: printed"),
        ("row,metric,printed\n", "no rows"),
        ("row,metric,printed\na,accuracy,0.9\n", "nothing in it can be checked"),
        ("row,metric,printed\na,accuracy,0.9\na,accuracy,0.8\n", "a / accuracy twice"),
        ("row,metric,printed,n\na,accuracy,high,10\na,f1,0.8,10\n", r"\[table / a / accuracy\]: expected a printed"),
        ("row,metric,printed,n\na,accuracy,0.9,95\na,fakes,100,95\n", "at most n, got 100 of n = 95"),
        ("row,metric,printed,n\na,accuracy,0.9,many\n", "whole number in the column n"),
        ("row,metric,printed\n\"a", "not a readable CSV"),
    ],
)  # fmt: skip
def test_wrong_files_get_a_clear_line(tmp_path, text, message):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        audit_table(path)


def test_the_command_prints_and_writes_everything(tmp_path, capsys):
    main(["cffn_resnet", "dcgan_inception_resnet", "--results", str(tmp_path / "new")])
    printed = capsys.readouterr().out
    table = pd.read_csv(tmp_path / "new" / "audit.csv")
    assert tuple(table) == AUDIT_COLUMNS and set(table["paper"]) == {"cffn_resnet", "dcgan_inception_resnet"}
    flat = " ".join(printed.split())
    assert all(" ".join(one.split()) in flat for one in table["finding"])
    assert max(map(len, printed.splitlines())) <= 110 + len(str(tmp_path))
    with pytest.raises(UserError, match="leave out the papers"):
        main(["cffn_resnet", "--table", "x.csv"])


def test_the_command_says_one_line_and_exits_with_2(tmp_path):
    command = [sys.executable, "-m", "results.audit", "--table", str(tmp_path / "none.csv")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1 and "none.csv" in done.stderr


def test_the_findings_that_the_readme_shows_are_found(found):
    readme = (Path(__file__).parents[3] / "results" / "README.md").read_text()
    shown = re.findall(r"^    (\w+): (.+)$", readme.partition("true together?\n")[2], re.MULTILINE)
    assert len(shown) == 3
    for paper, text in shown:
        assert any(one.finding.endswith(text) for one in found[paper]), text


def test_it_starts_without_tensorflow():
    code = "import sys; import results.audit.__main__; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
