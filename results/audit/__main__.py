"""Can the published numbers be true together?

    python -m results.audit                             # all papers
    python -m results.audit cffn_resnet
    python -m results.audit --table FILE.csv            # a table of your own: row,metric,printed[,table,n]

Every group of numbers about one test is held against all integer confusion matrices under every rounding rule; sums
and numbers that a paper prints twice are compared. Findings that rest on reading stand beside, marked so.
"""

import textwrap
from dataclasses import dataclass
from pathlib import Path

import tyro

from common.cli import parse, run_main
from common.errors import UserError
from results.audit.check import audit_paper, audit_table, write_findings
from results.audit.findings import CONTRADICTION, HOLDS, READING, ROUNDING
from results.tables import known_papers

WIDTH = 110
HEADINGS = {
    CONTRADICTION: "cannot be true together",
    ROUNDING: "true only if numbers were cut, or rounded by different rules",
    "rest": "what the numbers say",
    HOLDS: "holds",
    READING: "from reading text or code, not from arithmetic",
}


@dataclass(frozen=True)
class Options:
    """Can the published numbers be true together?"""

    papers: tyro.conf.Positional[tuple[str, ...]] = ()
    """Which papers to audit; none: all."""
    table: Path | None = None
    """Audit this CSV file instead: columns row, metric, printed, and if wanted table and n."""
    results: Path = Path("results")
    """Folder for audit.csv."""
    debug: bool = False
    """Show the traceback of an error."""


def main(argv=None):
    options = parse(Options, argv, prog="python -m results.audit", description=__doc__)
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


def print_report(findings):
    """Print the findings as text, by paper and verdict, the gravest first."""
    for paper in dict.fromkeys(finding.paper for finding in findings):
        print(f"{paper}\n")
        rest = [finding for finding in findings if finding.paper == paper]
        for verdict, heading in HEADINGS.items():
            chosen = [finding for finding in rest if finding.verdict == verdict or verdict == "rest" == _kind(finding)]
            if not chosen:
                continue
            print(f"  {heading} ({len(chosen)})")
            for finding in chosen:
                print(_wrapped(f"- {finding.finding}", 4, 6))
                if verdict != HOLDS:
                    print(_wrapped(finding.detail, 6, 6))
            print()


def _kind(finding):
    return "rest" if finding.verdict not in HEADINGS else finding.verdict


def _wrapped(text, first, then):
    return textwrap.fill(text, WIDTH, initial_indent=" " * first, subsequent_indent=" " * then, break_on_hyphens=False)


if __name__ == "__main__":
    run_main(main)
