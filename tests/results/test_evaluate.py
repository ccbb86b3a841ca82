"""The command itself, on files as other people write them."""

import re
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn import metrics as sklearn_metrics

from common.errors import UserError
from results.evaluate import main


def scored(n=300, seed=0):
    random = np.random.default_rng(seed)
    fake = random.random(n) < 0.7
    return pd.DataFrame(
        {
            "video_name": [f"clip{index:04d}" for index in range(n)],
            "true_label": np.where(fake, "FAKE", "Real"),
            "confidence": 1 / (1 + np.exp(-random.normal(size=n) - fake)),
            "num_frames": 10,
        }
    )


def run(capsys, table, path, *flags):
    """Run the command on `table`; what it prints, and {metric: the words of its line} for its last table."""
    table.to_csv(path, index=False)
    assert main([str(path), *flags]) == 0
    text = capsys.readouterr().out
    return text, {line.split()[0]: line.split()[1:] for line in text.splitlines() if line and line[0] != "("}


def test_a_foreign_file_gives_scikit_learns_figures(capsys, tmp_path):
    table = scored()
    text, lines = run(capsys, table, tmp_path / "scores.csv")
    fake, score = table["true_label"] == "FAKE", table["confidence"]
    false_positive, true_positive, _ = sklearn_metrics.roc_curve(fake, score)
    expected = {
        "auc": sklearn_metrics.roc_auc_score(fake, score),
        "average_precision": sklearn_metrics.average_precision_score(fake, score),
        "eer": brentq(lambda rate: 1 - rate - interp1d(false_positive, true_positive)(rate), 0, 1),
        "accuracy": sklearn_metrics.accuracy_score(fake, score >= 0.5),
        "f1": sklearn_metrics.f1_score(fake, score >= 0.5),
    }
    assert {name: lines[name][0] for name in expected} == {name: f"{value:.6f}" for name, value in expected.items()}
    tn, fp, fn, tp = sklearn_metrics.confusion_matrix(fake, score >= 0.5).ravel()
    assert [int(lines[name][0]) for name in ("tp", "fp", "tn", "fn")] == [tp, fp, tn, fn]
    assert "label = true_label, score = confidence, video = video_name" in text
    assert f"300 rows, {fake.sum()} fake, {300 - fake.sum()} real" in text


def test_both_directions_of_labels_and_scores(capsys, tmp_path):
    table = scored()
    _, plain = run(capsys, table, tmp_path / "a.csv")
    fake = table["true_label"] == "FAKE"
    table["true_label"] = (~fake).astype(int)
    table["confidence"] = 1 - table["confidence"]
    text, turned = run(capsys, table, tmp_path / "b.csv", "--fake-is", "0", "--score-of", "real")
    assert {name: turned[name][0] for name in ("auc", "recall", "tp", "brier")} == {
        name: plain[name][0] for name in ("auc", "recall", "tp", "brier")
    }
    assert "label 0 is fake, 1 is real" in text and "score is 1 - confidence" in text
    text, _ = run(capsys, table, tmp_path / "b.csv", "--fake-is", "0")
    assert "the AUC is below 0.5" in text


def test_logits_have_no_calls_without_a_threshold(capsys, tmp_path):
    table = scored().assign(confidence=lambda rows: np.log(rows["confidence"] / (1 - rows["confidence"])))
    text, lines = run(capsys, table, tmp_path / "a.csv")
    assert "are not probabilities" in text and "accuracy" not in lines and "brier" not in lines
    _, called = run(capsys, table, tmp_path / "a.csv", "--threshold", "0")
    assert called["auc"] == lines["auc"]
    assert called["accuracy"][0] == run(capsys, scored(), tmp_path / "b.csv")[1]["accuracy"][0]
    assert called["brier"][0] == "nan"


def test_each_model_and_split_has_its_own_table(capsys, tmp_path):
    table = scored().rename(columns={"video_name": "path"})
    table = pd.concat([table.assign(model="a", split="test"), table.assign(model="b", split="test", confidence=0.5)])
    text, _ = run(capsys, table, tmp_path / "a.csv")
    assert "model a, split test: 300 rows" in text and "model b, split test: 300 rows" in text


def test_video_level_shows_beside_frames(capsys, tmp_path):
    table = scored().assign(video_name=lambda rows: rows["true_label"] + "/" + rows["video_name"].str[:6])
    text, _ = run(capsys, table, tmp_path / "a.csv")
    assert "\n300 rows\n" in text and "\n6 videos\n" in text
    assert text.count("clusters: videos") == 2
    text, _ = run(capsys, table, tmp_path / "a.csv", "--level", "video")
    assert "\n300 rows\n" not in text


def test_the_threshold_of_validation_is_carried_to_the_file(capsys, tmp_path):
    """Scores are a tenth of what they should be: at 0.5 all is real, at validation's threshold as before."""
    small = scored().assign(confidence=lambda rows: rows["confidence"] / 10)
    small.to_csv(tmp_path / "val.csv", index=False)
    text, _ = run(capsys, small, tmp_path / "a.csv", "--validation", str(tmp_path / "val.csv"))
    at_half, carried = text.split("\nat ")
    assert "threshold with the best balanced accuracy on the 300 of validation" in carried
    threshold, fake = float(carried.split(",")[0]), small["true_label"] == "FAKE"
    expected = sklearn_metrics.balanced_accuracy_score(fake, small["confidence"] >= threshold)
    assert f"balanced_accuracy  {expected:.6f}" in carried and expected > 0.6
    assert "no better than calling everything fake" in at_half


def test_groups_are_broken_down_and_the_worst_is_named(capsys, tmp_path):
    table = scored().assign(method=lambda rows: np.where(rows.index % 2 == 0, "easy", "hard"))
    fake = table["true_label"] == "FAKE"
    table.loc[(table["method"] == "easy") & fake, "confidence"] = 0.99
    text, _ = run(capsys, table, tmp_path / "a.csv", "--by", "method")
    assert "worst method: hard, AUC" in text
    manifest = table[["video_name", "method"]].rename(columns={"video_name": "path", "method": "kind"})
    manifest.to_csv(tmp_path / "manifest.csv", index=False)
    flags = ("--by", "kind", "--manifest", str(tmp_path))
    text, _ = run(capsys, table.rename(columns={"video_name": "path"}), tmp_path / "b.csv", *flags)
    assert "worst kind: hard, AUC" in text


def test_files_give_a_shortcut_baseline_and_groups(capsys, tmp_path):
    """Fakes are JPEG files of another quality: the shortcut detector is right where the scores are noise."""
    table = scored(60).assign(path=lambda rows: rows["video_name"] + ".jpg", confidence=0.7)
    pixels = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 3), dtype=np.uint8)
    for place, row in enumerate(table.itertuples()):
        Image.fromarray(pixels[place]).save(tmp_path / row.path, quality=90 if row.true_label == "FAKE" else 60)
    flags = ("--images", str(tmp_path), "--by", "compression", "--figures", str(tmp_path / "figures"))
    text, lines = run(capsys, table, tmp_path / "a.csv", *flags)
    assert "60 of 60 files found" in text and "cross-fitted on this file in 5 folds of clusters" in text
    assert lines["shortcut_accuracy"][0] == "1.000000" and "no better than the shortcut detector" in text
    assert "JPEG quality 50 to 74" in text and (tmp_path / "figures" / "reliability.png").stat().st_size > 1000
    (tmp_path / table["path"][0]).unlink()
    text, _ = run(capsys, table, tmp_path / "a.csv", "--images", str(tmp_path))
    assert "59 of 60 files found" in text and "\nthe 59 rows whose file was found" in text


def test_no_rows_and_one_class_say_why(capsys, tmp_path):
    text, lines = run(capsys, scored()[:0], tmp_path / "a.csv")
    assert lines["auc"] == ["nan", "0", "0", "no", "images"]
    one = scored().assign(true_label="fake")
    text, lines = run(capsys, one, tmp_path / "a.csv")
    assert lines["auc"][0] == "nan" and "no real images" in text


@pytest.mark.parametrize(
    ("content", "flags", "message"),
    [
        ("", [], "not a readable CSV"),
        ("a,b\n1,2\n", [], "no column is known as the label; name it with --label; found: a, b"),
        ("path,label,b\n1,fake,2\n", [], "known as the score"),
        ("label,score\nfake,0.5\n", [], "name one with --video; found: label, score"),
        ("path,label,score\na,fake,0.5\n", ["--score", "p"], "has no column 'p'; found: path, label, score"),
        ("path,label,score\na,fake,0.5\nb,swap,0.5\n", [], "1 of 2 rows, first in row 3: label='swap'"),
        ("path,label,score\na,fake,0.5\nb,1,0.5\n", [], "1 of 2 rows, first in row 3: label='1'"),
        ("path,label,score\na,fake,0.5\nb,real,\n", [], "not a finite number in 1 of 2 rows, first in row 3"),
        ("path,label,score\na,fake,0.5\n", ["--level", "video"], "name it with --video"),
        ("video,label,score\na,fake,0.5\na,real,0.1\n", ["--level", "video"], "have both labels"),
        ("path,label,score\na,fake,0.5\n", ["--by", "method"], "has no column 'method'; found: path, label, score"),
        ("path,label,score\na,fake,0.5\n", ["--images", "/none"], "none of 1 paths leads to an image in it, first a"),
        ("path,label,score\na,fake,0.5\n", ["--by", "x", "--manifest", "/none"], "--manifest: no such file"),
        ("path,label,score\na,fake,5\n", ["--figures", "/none"], "only probabilities can be calibrated"),
    ],
)
def test_bad_files_are_refused(tmp_path, content, flags, message):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(UserError) as raised:
        main([str(tmp_path / "a.csv"), *flags])
    assert message in str(raised.value)


def test_the_command_line_starts_without_tensorflow_and_fails_in_one_line(tmp_path):
    command = [sys.executable, "-X", "importtime", "-m", "results.evaluate"]
    began = time.monotonic()
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True)
    assert shown.returncode == 0 and "--fake-is" in shown.stdout and time.monotonic() - began < 30
    assert not {"tensorflow", "keras", "sklearn"} & {line.split("|")[-1].strip() for line in shown.stderr.splitlines()}
    failed = subprocess.run([*command[:1], "-m", "results.evaluate", "none.csv"], capture_output=True, text=True)
    assert (failed.returncode, failed.stderr) == (2, "error: no such file: none.csv\n")


def test_a_table_that_r_wrote_is_read_without_its_row_names(capsys, tmp_path):
    """write.table(sep=","): the header has one field less. Scores 0.9 and 0.7 are fake, 0.2 and 0.6 real."""
    rows = "".join(f'"{n}","a/{n}.png",{score},"{label}"\n' for n, score, label in
                   ((1, 0.9, "fake"), (2, 0.2, "real"), (3, 0.7, "fake"), (4, 0.6, "real")))  # fmt: skip
    (tmp_path / "r.csv").write_text(f'"path","score","label"\n{rows}')
    main([str(tmp_path / "r.csv")])
    out = capsys.readouterr().out
    assert re.search(r"^accuracy +0\.750000", out, re.MULTILINE) and re.search(r"^auc +1\.000000", out, re.MULTILINE)
    (tmp_path / "r.csv").write_text(f'"path","score","label"\n{rows}a/5.png,0.3,real\n')
    with pytest.raises(UserError, match="line 2 has 4 fields, the header 3"):
        main([str(tmp_path / "r.csv")])


def test_rows_that_are_given_twice_count_once(capsys, tmp_path):
    rows = "".join(f"{n}.png,{'fake' if n % 2 else 'real'},{(n * 7 % 10) / 10}\n" for n in range(20))
    (tmp_path / "once.csv").write_text("path,label,score\n" + rows)
    (tmp_path / "twice.csv").write_text("path,label,score\n" + rows + rows)
    tables = []
    for name in ("once", "twice"):
        main([str(tmp_path / f"{name}.csv")])
        tables.append(capsys.readouterr().out)
    assert "20 repeated rows are counted once" in tables[1] and "repeated" not in tables[0]
    assert tables[0].partition("accuracy")[2] == tables[1].partition("accuracy")[2] != ""


@pytest.mark.parametrize(
    ("header", "first", "second"),
    [
        (",path,label,score", "{n},a/{n}.png,{label},0.{n}", "{m},a/{n}.png,{label},0.{n}"),  # pandas' to_csv
        ("path,label,score", "a/{n}.png,{label},0.{n}", "a/{n}.png,{upper},0.{n}000"),
        ("path,label,score", "a/{n}.png,{label},0.{n}", "./a/{n}.png,{label},0.{n}"),
        ("video,frame,label,score", "{label}.mp4,{n},{label},0.{n}", "{label}.mp4,{n},{label},0.{n}"),
    ],
)
def test_a_repeated_row_is_one_however_it_is_written(capsys, tmp_path, header, first, second):
    names = [
        {"n": n, "m": n + 8, "label": label, "upper": label.upper()} for n, label in enumerate(["fake", "real"] * 4)
    ]
    rows = [form.format(**name) for form in (first, second) for name in names]
    (tmp_path / "p.csv").write_text("\n".join([header, *rows]) + "\n")
    main([str(tmp_path / "p.csv")])
    shown = capsys.readouterr().out
    assert "8 rows, 4 fake, 4 real" in shown and "8 repeated rows are counted once" in shown


def test_rows_of_one_path_with_other_scores_are_one_draw(capsys, tmp_path):
    """Two scores of each picture, as of its mirror image: 20 rows of 10 pictures."""
    labels = ["fake", "real"] * 5
    pairs = [f"{n}.png,{label},0.{n}{k}" for k in (1, 2) for n, label in enumerate(labels)]
    (tmp_path / "p.csv").write_text("\n".join(["path,label,score", *pairs]) + "\n")
    main([str(tmp_path / "p.csv"), "--level", "frame"])
    shown = capsys.readouterr().out
    assert "10 paths are in several rows, which are taken as frames of one video each" in shown
    assert re.search(r"^accuracy +\S+ +\S+ to \S+ +20 +10\b", shown, re.MULTILINE)
    (tmp_path / "p.csv").write_text(
        "path,label,score\n1.png,fake,0.9\n1.png,real,0.2\n2.png,real,0.3\n2.png,fake,0.6\n"
    )
    main([str(tmp_path / "p.csv"), "--level", "frame"])
    assert "2 paths have both labels, e.g. 1.png: each row is taken as an image of its own" in capsys.readouterr().out


def test_a_file_without_commas_says_that_they_are_expected(tmp_path):
    (tmp_path / "p.csv").write_text("path;score;label\na.png;0.9;fake\n")
    with pytest.raises(UserError, match="expected a header with commas between the columns, got 'path;score;label'"):
        main([str(tmp_path / "p.csv")])


def test_frames_with_equal_scores_are_no_repeats(capsys, tmp_path):
    """100 frames of two videos; what tells them apart is a column that no metric needs."""
    rows = "".join(
        f"{name}.mp4,{frame},{label},1.0\n" for name, label in (("a", "fake"), ("b", "real")) for frame in range(50)
    )
    (tmp_path / "p.csv").write_text("filename,frame,label,score\n" + rows)
    main([str(tmp_path / "p.csv"), "--level", "frame"])
    shown = capsys.readouterr().out
    assert "100 rows, 50 fake, 50 real" in shown and "repeated" not in shown


def test_each_model_has_the_threshold_of_its_own_validation(capsys, tmp_path):
    """The scores of `small` are a tenth of those of `large`, on the same images."""
    random = np.random.default_rng(0)
    labels = random.permutation(["fake", "real"] * 60)
    large = np.clip(np.where(labels == "fake", 0.7, 0.3) + random.normal(0, 0.2, 120), 0.01, 0.99)
    table = pd.DataFrame({"path": [f"{n}.png" for n in range(120)], "label": labels})
    both = pd.concat([table.assign(model="large", score=large), table.assign(model="small", score=large / 10)])
    both.to_csv(tmp_path / "p.csv", index=False)
    main([str(tmp_path / "p.csv"), "--validation", str(tmp_path / "p.csv")])
    carried = [part.partition("balanced_accuracy")[2].split()[0] for part in capsys.readouterr().out.split("\nat ")[1:]]
    assert len(carried) == 2 and carried[0] == carried[1] and float(carried[0]) > 0.8
    both.query("model == 'large'").to_csv(tmp_path / "v.csv", index=False)
    with pytest.raises(UserError, match="--validation has no rows of model small"):
        main([str(tmp_path / "p.csv"), "--validation", str(tmp_path / "v.csv")])
    table.assign(score=large).to_csv(tmp_path / "one.csv", index=False)
    with pytest.raises(UserError, match="--validation has several values of model"):
        main([str(tmp_path / "one.csv"), "--validation", str(tmp_path / "p.csv")])
