"""One self-contained page of all results, to open in a browser.

    python -m results.report                     # writes results/report.html
    python -m results.report --results X         # writes X/report.html

For each paper: what it proposes, published against reproduced, what the audit finds, the figures of its newest run, and
the commands that make them. For all papers: every detector on every data set, and on perturbed images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.cli import parse, run_main
from common.files import write_bytes
from results.report.page import build_page
from results.tables import reference_folder
from results.verdicts import MARGIN


@dataclass(frozen=True)
class ReportOptions:
    """One self-contained page of all results."""

    results: Path = Path("results")
    """Folder of <paper>.csv, cross.csv and robustness.csv."""
    runs: Path = Path("runs")
    """Folder of the runs, RUNS/<paper>/<run>, for their figures."""
    margin: float = MARGIN
    """Within which a number counts as reproduced, as a share: 0.02 is 2 points."""
    reference: bool = True
    """The rows that the repository ships are shown beside yours, unless --no-reference is given."""
    output: Path | None = None
    """The page to write; None: report.html in the folder of the results."""
    debug: bool = False
    """Show the traceback of an error."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parse(ReportOptions, argv, prog="python -m results.report", description=__doc__)
    reference = reference_folder() if options.reference else None
    page = build_page(options.results, options.runs, options.margin, reference)
    output = options.output or options.results / "report.html"
    data = page.encode(errors="backslashreplace")  # a file name need not be UTF-8
    write_bytes(data, output)
    print(f"written: {output} ({len(data) / 1e6:.1f} MB)")


if __name__ == "__main__":
    run_main(main)
