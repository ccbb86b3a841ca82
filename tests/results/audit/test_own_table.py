"""Tables as people write them: their names of columns, signs, commas, marks and gaps."""

import pytest

from common.errors import UserError
from results.audit.check import audit_table
from results.audit.names import parse_name
from results.audit.own_table import read_own_table


def read(folder, text, encoding="utf-8"):
    path = folder / "table.csv"
    path.write_bytes(text.encode(encoding))
    return read_own_table(path)


def printed(table):
    return {(row.row, row.metric): row.printed for row in table.rows.itertuples()}


@pytest.mark.parametrize(
    ("names", "metric"),
    [
        (("accuracy", "Acc.", "ACC (%)", "Test accuracy"), "accuracy"),
        (("Precision", "PPV", "prec.", "Positive predictive value", "Precision*"), "precision"),
        (("Recall", "TPR", "Sensitivity (%)", "true positive rate", "Recall\u2191", "Recall (fake)"), "recall"),
        (("specificity", "TNR", "Spec", "recall real"), "specificity"),
        (("FPR", "False alarm rate", "fall-out"), "false_alarm_rate"),
        (("FNR", "Miss rate"), "miss_rate"),
        (("F1", "F-score", "f1-score", "F-measure", "F1 score [%]", "\\textbf{F1}"), "f1"),
        (("MCC", "Matthews correlation coefficient"), "mcc"),
        (("kappa", "Cohen's kappa", "Cohen\u2019s \u03ba"), "kappa"),
        (("balanced accuracy", "Bal. Acc.", "macro recall"), "balanced_accuracy"),
        (("Macro-F1", "F1 (macro)"), "macro_f1"),
        (("Precision (real)", "NPV"), "precision_real"),
        (("support", "# test images", "N"), "n"),
        (("TP", "True positives"), "tp"),
    ],
)
def test_names_of_metrics(names, metric):
    assert {name: parse_name(name).metric for name in names} == dict.fromkeys(names, metric)


@pytest.mark.parametrize("name", ["AUC", "ROC-AUC", "EER (%)", "AP", "Average precision", "val acc", "Loss"])
def test_metrics_of_no_confusion_matrix_say_why(name):
    assert not parse_name(name).metric and parse_name(name).unused


@pytest.mark.parametrize(
    "name", ["FLOPs", "Params (M)", "Model", "F2", "TPR@1%", "Year", "images", "size", "p", "False positive"]
)
def test_other_names_are_unknown(name):
    assert not parse_name(name).metric and not parse_name(name).unused


def test_one_line_a_model(tmp_path):
    text = (
        "Model,ACC (%),Precision,Recall,F1-score,AUC,Params (M),support\nours,90,91.2*,88.9 [3],\u2013,0.97,23,1000\n"
    )
    table = read(tmp_path, text + "theirs,85.5,,80.25 \u00b1 0.4,82.0\u2020,0.9,,\n")
    assert printed(table) == {
        ("ours", "ACC (%)"): "90 %",
        ("ours", "Precision"): "91.2 % *",
        ("ours", "Recall"): "88.9 % [3]",
        ("ours", "support"): "1000",
        ("theirs", "ACC (%)"): "85.5 %",
        ("theirs", "Recall"): "80.25 % \u00b1 0.4",
        ("theirs", "F1-score"): "82.0 % \u2020",
    }
    said = "\n".join(table.unused)
    assert "AUC" in said and "Params (M)" in said and "blank: 3 of" in said


def test_semicolons_and_decimal_commas(tmp_path):
    table = read(tmp_path, "Modell;Accuracy;F1;Support\nA;94,8 %;0,948;7.104\n", "cp1252")
    assert printed(table) == {("A", "Accuracy"): "94,8 %", ("A", "F1"): "0,948", ("A", "Support"): "7104"}


def test_a_column_with_a_number_above_1_is_of_percentages(tmp_path):
    table = read(tmp_path, "m,acc,fpr\na,97.5,0.85\nb,96.0,1.2\n")
    assert printed(table)["a", "fpr"] == "0.85 %"


def test_rates_below_1_beside_percentages_are_read_either_way(tmp_path):
    """TP 960, FP 5, FN 40, TN 995: accuracy 97.75 %, recall 96 %, false alarm rate 0.5 %, without a sign."""
    (tmp_path / "t.csv").write_text("m,acc,recall,fpr,fakes,reals\na,97.75,96.0,0.5,1000,1000\n")
    (one,), _ = audit_table(tmp_path / "t.csv")
    assert one.verdict == "one matrix" and "Read as percentages: false alarm rate 0.5" in one.detail


@pytest.mark.slow
def test_cells_that_are_no_numbers_are_named(tmp_path):
    (tmp_path / "t.csv").write_text("m,acc,prec,rec,f1,tp\na,0.9,0.9,0.9,high,93.4\n")
    findings, unused = audit_table(tmp_path / "t.csv")
    assert len(findings) == 1
    said = "\n".join(unused)
    assert "[table / a / f1]" in said and "'high'" in said and "[table / a / tp]" in said and "mean" in said


def test_numbers_in_brackets_are_named(tmp_path):
    table = read(tmp_path, "m,acc,f1\na,0.948 (0.012),0.95 [4]\n")
    assert len(table.unused) == 1 and "(0.012)" in table.unused[0]


def test_two_models_with_supports_are_no_report(tmp_path):
    (tmp_path / "t.csv").write_text("m,acc,recall,support\nResNet,0.91,0.90,100\nVGG,0.55,0.50,100\n")
    findings, _ = audit_table(tmp_path / "t.csv")
    assert [one.row for one in findings] == ["ResNet", "VGG"]


def test_a_report_of_scikit_learn(tmp_path):
    from sklearn.metrics import classification_report

    report = classification_report(
        [0] * 40 + [1] * 70, [0] * 31 + [1] * 9 + [1] * 60 + [0] * 10, target_names=["fake", "real"], digits=4
    )
    lines = ["class,precision,recall,f1-score,support"]
    for line in report.splitlines()[1:]:
        words = line.replace(" avg", "_avg").split()
        if words:
            values = words[1:] if len(words) == 5 else ["", "", *words[1:]]
            lines.append(",".join([words[0].replace("_", " "), *values]))
    (tmp_path / "t.csv").write_text("\n".join(lines))
    (one,), _ = audit_table(tmp_path / "t.csv")
    assert one.verdict == "one matrix" and "TP 31, FP 10, FN 9, TN 60" in one.finding


def test_rows_named_by_r_and_rows_named_twice(tmp_path):
    table = read(tmp_path, "acc,f1\n1,0.9,0.8\n2,0.7,0.6\n")
    assert len(table.rows) == 4
    table = read(tmp_path, "m,acc\na,0.9\na,0.8\n")
    assert list(table.rows["row"]) == ["a", "a (line 3)"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model,params\na,3\n", "a column for each metric, such as accuracy"),
        ("m,acc,f1\na,0,9,0,8\n", "expected 3 fields a line"),
        ("m,acc\na,\u2013\n", "nothing in it can be checked|no rows"),
    ],
)
def test_other_files_get_a_clear_line(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        audit_table(tmp_path / "t.csv")


@pytest.mark.parametrize("text", ["0.600 [0.5, 0.7]", "0.600 (0.566)", "0.600 ± 0.1 (n = 3, 4)"])
def test_what_is_not_used_is_shown_as_it_is_printed(tmp_path, text):
    (tmp_path / "t.csv").write_text(f'row,metric,printed\nours,recall,"{text}"\n', encoding="utf-8")
    (line,) = read_own_table(tmp_path / "t.csv").unused
    rest = text.removeprefix("0.600").replace("± 0.1", "").strip()
    assert line == f"not used: {rest!r} in [table / ours / recall] {text!r}, read as 0.6"
