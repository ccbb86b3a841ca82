"""What a run prints when it ends: its headline numbers, how many claims got which verdict, and where everything is."""

import textwrap
from collections.abc import Sequence

import pandas as pd

from results.formatting import format_measured, format_number, text_table
from results.headlines import headlines
from results.judging import with_verdicts_of_claims
from results.rendering import UNMEASURED, WIDTH, claim_counts, count_claims
from results.seeds import count_seeds

MOST_LINES = 15
HEADING = ("  number", "published", "ours", "data, protocol, seeds", "verdict")


def closing_lines(comparison: pd.DataFrame, files: Sequence[str]) -> list[str]:
    """Return at most MOST_LINES lines about one run.

    Args:
        comparison: of one paper, what `results.compare.compare` returned for the run.
        files: lines that say where the output files are; at most 8, all of which are returned.

    Returns:
        The headline numbers of the paper that the run has measured, or, of a paper without, the first of its published
        numbers; why they are not comparable; the verdicts of all claims; the files.
    """
    measured = comparison[~comparison["verdict"].isin(UNMEASURED)]
    rows = headlines(measured)
    if rows.empty:
        rows = with_verdicts_of_claims(measured[measured["claim"] != ""])
    claims = textwrap.wrap(_claims(comparison), WIDTH, subsequent_indent="  ")
    reasons = textwrap.shorten(_reasons(rows), WIDTH, placeholder=" ...")
    room = MOST_LINES - len(files) - len(claims) - bool(reasons) - 2  # for the title and the heading
    shown = rows if len(rows) <= room else rows.head(room - 1)
    lines = [f"{comparison['paper'].iloc[0]}: published against reproduced"]
    lines += text_table([HEADING, *map(_cells, shown.itertuples())]) if len(shown) else []
    if more := len(rows) - len(shown):
        lines.append(f"  and {more} more of these")
    return [*lines, *filter(None, [reasons]), *claims, *files]


def _cells(row):
    name = f"  {row.table}, {row.row}" + ("" if row.metric == row.row else f": {row.metric}")
    ours = format_measured(row.value, row.metric, (row.ci_low, row.ci_high), row.sd, count_seeds(row.seeds))
    conditions = f"{row.dataset}, {row.protocol}, {row.seeds}"
    return name, format_number(row.published, row.metric), ours, conditions, row.verdict.partition(":")[0]


def _reasons(rows):
    """Each reason why a number is not comparable, once."""
    verdicts = [verdict.partition(": ") for verdict in rows["verdict"]]
    found = [part for kind, _, why in verdicts if kind == "not comparable" for part in why.split("; ")]
    return f"not comparable: {'; '.join(dict.fromkeys(found))}" if found else ""


def _claims(comparison):
    found = ", ".join(f"{count} {kind}" for kind, count in claim_counts(comparison).items() if count)
    number = count_claims(comparison)
    return f"{number} independent claim{'s' * (number != 1)}: {found or 'none was compared'}"
