"""The page: what the tables, runs and READMEs contain, given to the template."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from results.audit.check import audit_paper
from results.audit.findings import Finding
from results.audit.verdicts import CONTRADICTION, HOLDS, NO_SINGLE, READING, ROUNDING
from results.compare import OWN, compare
from results.formatting import format_number, sd_text
from results.headlines import headlines
from results.rendering import KINDS, UNMEASURED, claim_counts, count_claims
from results.report.cards import Card, read_card
from results.report.cross_page import HEIGHT, WIDTH, curves, matrices, read_scores
from results.report.rows import AXIS_WIDTH, MARGIN, VERDICTS, page_rows
from results.report.run_figures import NewestRun, newest_runs
from results.tables import known_papers
from results.verdicts import MARGIN as MARGIN_OF_VERDICTS

HERE = Path(__file__).parent
ABBREVIATIONS = {
    "auc": "AUC", "f1": "F1", "eer": "EER", "tp": "TP", "fp": "FP", "tn": "TN", "fn": "FN",
    "tpr_at_fpr_0.01": "TPR at FPR 1 %", "tpr_at_fpr_0.001": "TPR at FPR 0.1 %",
}  # fmt: skip
OTHER = ""  # any verdict of the audit that is not listed
FINDING_ORDER = (CONTRADICTION, NO_SINGLE, ROUNDING, OTHER, READING, HOLDS)


@dataclass(frozen=True)
class Paper:
    """What the page says about one paper.

    Args:
        name: its name.
        card: its README.
        rows, notes: what `page_rows` returned.
        measured: whether any of the numbers was measured by a user's run; these papers come first.
        claims: the number of its independent claims.
        counts: {verdict: number of claims}.
        findings: what the audit finds, contradictions first.
        run: its newest run; None if there is none.
    """

    name: str
    card: Card
    rows: list[SimpleNamespace]
    notes: list[str]
    measured: bool
    claims: int
    counts: dict[str, int]
    findings: list[Finding]
    run: NewestRun | None


def build_page(
    results: str | Path, runs: str | Path, margin: float = MARGIN_OF_VERDICTS, reference: str | Path | None = None
) -> str:
    """Build the report.

    Args:
        results: folder of <paper>.csv, cross.csv, robustness.csv.
        runs: folder of the runs, which need not exist.
        margin: within which a number counts as reproduced, as a share.
        reference: folder of further rows, to show beside those of the runs; None: none.

    Returns:
        HTML text. The same files give the same text.

    Raises:
        UserError: if the results folder does not exist, or a table cannot be read.
    """
    comparison = compare((), results, None, margin, reference)
    papers = known_papers()
    newest = newest_runs(papers, runs)
    cross, robustness = (read_scores(Path(results) / f"{name}.csv") for name in ("cross", "robustness"))
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "number": number,
        "deviation": deviation,
        "signed": signed,
        "count_text": count_text,
        "sort_value": sort_value,
        "metric": metric_text,
    }
    return environment.get_template("page.html.jinja").render(
        papers=sorted(
            (_paper(name, comparison, newest[name]) for name in papers), key=lambda paper: not paper.measured
        ),
        own_runs=_own_runs(comparison),
        headlines=sorted(
            page_rows(headlines(comparison))[0], key=lambda row: (row.origin != OWN, row.kind in UNMEASURED)
        ),
        matrices=matrices(cross),
        curves=curves(robustness),
        results=results,
        runs=runs,
        verdicts=VERDICTS,
        kinds=KINDS,
        origins={"": "", "run": "your runs", "reference": "reference"},
        margin=f"{100 * margin:.3g}",
        contradiction=CONTRADICTION,
        holds=HOLDS,
        axis={"bar": AXIS_WIDTH, "margin": MARGIN, "width": WIDTH, "height": HEIGHT},
        style=Markup((HERE / "style.css").read_text(encoding="utf-8")),
        script=Markup((HERE / "page.js").read_text(encoding="utf-8")),
    )


def number(value: float, metric: str = "", whole: bool = False) -> str:
    """A number as results.compare prints it, with separators of thousands; empty if it is missing.

    Args:
        value, metric: as for `format_number`.
        whole: whether it has no decimals, as the mean of several whole numbers.
    """
    text = "" if pd.isna(value) else f"{value:.0f}" if whole else format_number(value, metric)
    return f"{Decimal(text):,}" if text else ""


def deviation(sd: float, seeds: int, whole: bool = False) -> str:
    """A standard deviation over seeds, of whole numbers without decimals unless it would be 0; empty if missing."""
    return sd_text(sd, seeds, (0 if sd >= 0.5 else 1) if whole else 4)


def signed(value: float, whole: bool = False) -> str:
    """A difference with its sign and a true minus, without decimals if it is one of whole numbers; empty if missing."""
    if pd.isna(value):
        return ""
    size = f"{abs(value):,.0f}" if whole or abs(value) >= 10 or float(value).is_integer() else f"{abs(value):.4f}"
    return {-1: "−", 0: "", 1: "+"}[np.sign(value)] + size


def count_text(value: float) -> str:
    """A count with separators of thousands; empty if it is missing."""
    return "" if pd.isna(value) else f"{int(value):,}"


def sort_value(value: float) -> str:
    """A number with all its digits, to sort by; empty if it is missing."""
    return "" if pd.isna(value) else repr(float(value))


def metric_text(name: str) -> str:
    """A metric's name for reading."""
    return ABBREVIATIONS.get(name, name.replace("_", " "))


def _own_runs(comparison):
    """The runs of the user that have rows, with what they ran on."""
    own = comparison[comparison["origin"].eq(OWN) & comparison["value"].notna()]
    own = own.assign(run=own["run"].str.split()).explode("run")  # a mean over seeds is of several runs
    return [
        SimpleNamespace(
            paper=paper, run=run, preset=preset,
            protocols=list(dict.fromkeys(rows["protocol"])), datasets=list(dict.fromkeys(rows["dataset"])),
        )
        for (paper, run, preset), rows in own.groupby(["paper", "run", "preset"], sort=False)
    ]  # fmt: skip


def _paper(name, comparison, run):
    rows, notes = page_rows(comparison[comparison["paper"] == name])
    findings = sorted(audit_paper(name), key=_finding_rank)
    own = comparison[comparison["paper"] == name]
    measured = any(row.origin == OWN for row in rows)
    return Paper(name, read_card(name), rows, notes, measured, count_claims(own), claim_counts(own), findings, run)


def _finding_rank(finding):
    return FINDING_ORDER.index(finding.verdict if finding.verdict in FINDING_ORDER else OTHER)
