"""The page: what the tables, runs and READMEs hold, gathered and handed to the template."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from common.evaluation.metrics import COUNTS, METRICS
from results import rendering
from results.audit.check import audit_paper
from results.audit.findings import CONTRADICTION, HOLDS, READING, ROUNDING
from results.compare import compare
from results.report.cards import Card, read_card
from results.report.cross_page import HEIGHT, WIDTH, curves, matrices, read_scores
from results.report.figures import NewestRun, newest_runs
from results.report.headlines import headlines
from results.report.rows import BAR, MARGIN, VERDICTS, counts, page_rows
from results.tables import known_papers

HERE = Path(__file__).parent
SHARES = ("", *(metric for metric in METRICS if metric not in COUNTS))
ABBREVIATIONS = {"auc": "AUC", "f1": "F1", "eer": "EER", "tp": "TP", "fp": "FP", "tn": "TN", "fn": "FN"}
GRAVEST_FIRST = (CONTRADICTION, ROUNDING, "", READING, HOLDS)  # "": any other verdict of the audit


@dataclass(frozen=True)
class Paper:
    """What the page says about one paper. rows, notes: from page_rows; counts: by verdict; run: None without one."""

    name: str
    card: Card
    rows: list
    notes: list
    counts: dict
    findings: list
    run: NewestRun | None


def build_page(results, runs):
    """The whole report as HTML text; the same files give the same text.

    results: folder of <paper>.csv, cross.csv, robustness.csv; runs: folder of the runs, which need not exist. UserError
    for a missing results folder or an unreadable table.
    """
    compared = compare((), results)
    papers = known_papers()
    newest = newest_runs(papers, runs)
    cross, robustness = (read_scores(Path(results) / f"{name}.csv") for name in ("cross", "robustness"))
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "signed": signed, "whole": whole, "raw": raw, "metric": metric}
    return environment.get_template("page.html.jinja").render(
        papers=[_paper(name, compared, newest[name]) for name in papers],
        headlines=page_rows(headlines(compared, results))[0],
        matrices=matrices(cross),
        curves=curves(robustness),
        results=results,
        runs=runs,
        verdicts=VERDICTS,
        contradiction=CONTRADICTION,
        holds=HOLDS,
        axis={"bar": BAR, "margin": MARGIN, "width": WIDTH, "height": HEIGHT},
        style=Markup((HERE / "style.css").read_text(encoding="utf-8")),
        script=Markup((HERE / "page.js").read_text(encoding="utf-8")),
    )


def number(value, name="", sd=float("nan")):
    """A number as results.compare prints it, with separators of thousands; empty if missing.

    What is whole for every seed, and no metric of ours, is printed so: 3,074 parameters, not 3,074.0 +- 0.0.
    """
    if pd.notna(value) and name not in SHARES and float(value).is_integer() and not sd > 0:
        return f"{value:,.0f}"
    words = rendering.number(value, name, sd).split(" +- ")
    return " \u00b1 ".join(f"{Decimal(word):,}" for word in words if word)


def signed(value):
    """A difference with its sign, a true minus; empty if missing."""
    if pd.isna(value):
        return ""
    size = f"{abs(value):,.0f}" if abs(value) >= 10 or float(value).is_integer() else f"{abs(value):.4f}"
    return {-1: "\u2212", 0: "", 1: "+"}[np.sign(value)] + size


def whole(value):
    """A count with separators, empty if missing."""
    return "" if pd.isna(value) else f"{int(value):,}"


def raw(value):
    """A number in full, to sort by; empty if missing."""
    return "" if pd.isna(value) else repr(float(value))


def metric(name):
    """A metric's name for reading."""
    return ABBREVIATIONS.get(name, name.replace("_", " "))


def _paper(name, compared, run):
    rows, notes = page_rows(compared[compared["paper"] == name])
    findings = sorted(audit_paper(name), key=_gravity)
    return Paper(name, read_card(name), rows, notes, counts(rows), findings, run)


def _gravity(finding):
    return GRAVEST_FIRST.index(finding.verdict if finding.verdict in GRAVEST_FIRST else "")
