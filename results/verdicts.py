"""The verdict on one of our numbers beside a published one.

Whether the two are measured in the same way comes first: data, preset, protocol, weights. Only then are they compared,
by the 95 % interval of their difference out of the interval of each (Newcombe 1998, DOI
10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I; Zou and Donner 2008, DOI 10.1002/sim.3095).

Of several seeds the mean is judged. The published number is that of one training on one test set, so ours may be off by
what a test set allows (the mean of the seeds' intervals) or by what a training does (2 standard deviations), whichever
is wider. They are not added up: a seed draws splits too, so the deviation holds sampling error already.
"""

import re
from math import hypot, isnan

import pandas as pd

from common.evaluation.intervals import wilson
from common.evaluation.metrics import PROPORTIONS
from results.tables import published_folder

DEVIATIONS = 2
PROTOCOL = re.compile(r"protocol (\w+(?: or \w+)*)")
NO_WEIGHTS, NO_FACENET = "no ImageNet weights", "not FaceNet"


def verdict(row):
    """`reproduced`, `higher`, `lower`, `not comparable: <why>`, `not run`, or `not published`.

    row: an object with the attributes published, published_n, below and above (how far what was printed so may lie
    from it), protocols (those that the paper's may be, empty: unknown), ours (whether we have the number), value, sd,
    ci_low, ci_high, n, metric, dataset, protocol, preset, note.
    """
    if pd.isna(row.published):
        return "not published"
    if not row.ours:
        return "not run"
    if reasons := [reason for reason, holds in _obstacles(row).items() if holds]:
        return "not comparable: " + "; ".join(reasons)
    down, up = _reach(row.value, row.ci_low, row.ci_high, row.sd)
    published_down, published_up = _published_reach(row)
    difference, tiny = row.value - row.published, 1e-12
    not_above = difference - hypot(down, published_up) <= row.above + tiny
    if not_above and difference + hypot(up, published_down) >= -row.below - tiny:
        return "reproduced"
    return "higher" if difference > 0 else "lower"


def read_protocols(paper):
    """{(table, row): protocols} by which a paper's numbers were measured; row, or both, '' for all there are.

    They are the findings `protocol A` or `protocol A or B` of results/published/<paper>_notes.csv, each with its
    source. Where a paper leaves it open there is none.
    """
    path = published_folder() / f"{paper}_notes.csv"
    if not path.is_file():
        return {}
    notes = pd.read_csv(path, dtype=str, keep_default_na=False)
    found = notes["finding"].str.extract(f"^{PROTOCOL.pattern}$", expand=False)
    named = zip(notes["table"], notes["row"], found, strict=True)
    return {(table, row): tuple(words.split(" or ")) for table, row, words in named if isinstance(words, str)}


def protocols_of(known, table, row):
    """What `read_protocols` found for one row: what is said of it, else of its table, else of the paper."""
    return known.get((table, row)) or known.get((table, "")) or known.get(("", ""), ())


def _obstacles(row):
    """{why the row is not comparable: whether that holds}. A number over no images, as an epoch, has no protocol."""
    foreign = row.protocols and row.protocol not in row.protocols and not pd.isna(row.n)
    return {
        "synthetic data": "synthetic" in row.dataset,  # also where only one of several, A+B, is
        "partial data": "partial data" in row.note,
        f"preset {row.preset}": row.preset != "paper",
        f"protocol {row.protocol}, the paper's is {' or '.join(row.protocols)}": foreign,
        NO_WEIGHTS: NO_WEIGHTS in row.note,
        NO_FACENET: NO_FACENET in row.note,
        "no value": pd.isna(row.value),
    }


def _reach(value, low, high, sd):
    """How far below and above its value a number may lie; 0 where nothing is known."""
    spread = 0.0 if isnan(sd) else DEVIATIONS * sd
    if isnan(low) or isnan(high):
        return spread, spread
    return max(value - low, spread), max(high - value, spread)


def _published_reach(row):
    """The same of the published value: Wilson's, of a proportion, at the paper's n, at ours where it states none."""
    n = row.n if pd.isna(row.published_n) else row.published_n
    if row.metric not in PROPORTIONS or pd.isna(n):
        return 0.0, 0.0
    return _reach(row.published, *wilson(round(row.published * n), n), float("nan"))
