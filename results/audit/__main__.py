"""Can the published numbers be true together?

    python -m results.audit                             # all papers
    python -m results.audit cffn_resnet
    python -m results.audit --table FILE.csv            # a table of your own

Every group of numbers from one test is compared with all confusion matrices under every rounding rule. What fits none
is compared with averages over classes (macro, weighted, micro) and means over folds, seeds or data sets. Only what no
reading fits is a contradiction. Sums, and numbers that a paper prints twice, are compared too. Findings that come from
reading a text are marked.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from common.cli import parse, run_main
from common.errors import UserError
from results.audit.check import audit_paper, audit_table, write_findings
from results.audit.findings import Finding
from results.audit.verdicts import CONTRADICTION, HOLDS, NO_SINGLE, RANGE, READING, ROUNDING, UNIQUE
from results.tables import known_papers

WIDTH = 110
HEADINGS = {  # heading: the verdicts under it, in the order of the report
    "cannot be true together": (CONTRADICTION,),
    "of no single confusion matrix, but averages over classes, folds or seeds can print them": (NO_SINGLE,),
    "true of one matrix only if numbers were cut, or rounded by different rules": (ROUNDING,),
    "what the numbers say": (UNIQUE, RANGE),
    "holds": (HOLDS,),
    "from reading text or code, not from arithmetic": (READING,),
}


@dataclass(frozen=True)
class AuditOptions:
    """Can the published numbers be true together?"""

    papers: tyro.conf.Positional[tuple[str, ...]] = ()
    """Which papers to audit; none: all."""
    table: Path | None = None
    """Audit this CSV file instead: a line for each number (row, metric, printed, and optionally table and n), or a line
    for each model and a column for each metric (accuracy, PPV, TPR, F1 (%), support, ...)."""
    results: Path = Path("results")
    """Folder into which audit.csv is written."""
    debug: bool = False
    """Show the traceback of an error."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parse(AuditOptions, argv, prog="python -m results.audit", description=__doc__)
    if options.table:
        if options.papers:
            raise UserError("--table audits a table of your own: leave out the papers")
        findings, unchecked = audit_table(options.table)
    else:
        unchecked = []
        findings = [finding for paper in options.papers or known_papers() for finding in audit_paper(paper)]
    path = write_findings(findings, options.results)
    print_report(findings)
    for line in unchecked:
        print(line)
    print(f"written: {path}")


def print_report(findings: Sequence[Finding]) -> None:
    """Print the findings by paper and verdict, contradictions first."""
    for paper in dict.fromkeys(finding.paper for finding in findings):
        print(f"{paper}\n")
        for heading, verdicts in HEADINGS.items():
            chosen = [finding for finding in findings if finding.paper == paper and finding.verdict in verdicts]
            if not chosen:
                continue
            print(f"  {heading} ({len(chosen)})")
            for finding in chosen:
                print(_wrapped(f"- {finding.finding}", 4, 6))
                if finding.verdict != HOLDS:
                    print(_wrapped(finding.detail, 6, 6))
            print()


def _wrapped(text, first_indent, indent):
    return textwrap.fill(
        text, WIDTH, initial_indent=" " * first_indent, subsequent_indent=" " * indent, break_on_hyphens=False
    )


if __name__ == "__main__":
    run_main(main)
