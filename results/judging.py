"""From rows of the comparison to claims, and from claims to verdicts: which numbers are tested, and as what."""

from math import isinf, nan

import pandas as pd

from common.evaluation.cluster_intervals import LEAST
from common.evaluation.intervals import wilson
from results.claims import free_rates
from results.differences import Difference, Measured, Published, effective_n
from results.seeds import count_seeds
from results.verdicts import PART_OF_CLAIM, Rate, holm, joint_p_value, verdict, verdict_without_test

CONDITIONS = ["claim", "dataset", "protocol", "preset", "commit", "origin"]  # of one measurement of one claim
JOINT_TEST = "joint test"  # the metric of the row that has the verdict of a claim of several numbers
INCOMPLETE = "inconclusive: a count is judged as a share of its class, of which the rest was not measured"
RATES_OF_COUNTS = (("recall", "tp", "fn"), ("false_alarm_rate", "fp", "tn"))


def judge(table: pd.DataFrame) -> pd.DataFrame:
    """Give every row of one paper its verdict.

    Args:
        table: the rows, with the attributes that `verdict_without_test` needs, CONDITIONS, margin, published_n, sd,
            seeds, clusters, test_low and test_high, and `number`, equal in rows of one number that is printed twice.

    Returns:
        The rows with the columns difference_low, difference_high and verdict. A claim of several numbers that were
        measured alike has one more row, after its last one, with the metric `joint test`; the verdict is there. Holm's
        correction is over the claims of one origin, so that no row that is shipped changes a user's verdict.
    """
    table = table.assign(verdict=[verdict_without_test(row) for row in table.itertuples()])
    tested = table[table["verdict"] == ""]
    bounds = {row.Index: _rate(row).difference.interval() for row in tested.itertuples() if row.kind != "count"}
    table["difference_low"], table["difference_high"] = (
        [bounds.get(index, (nan, nan))[end] for index in table.index] for end in (0, 1)
    )
    added = []
    for rows, of_claim, found in (line for _, own in tested.groupby("origin", sort=False) for line in _verdicts(own)):
        if len(rows) == 1:
            table.loc[rows.index, "verdict"] = found
            continue
        table.loc[rows.index, "verdict"] = f"{PART_OF_CLAIM}: {rows['claim'].iloc[0]}"
        added.append(_joint_row(table.loc[rows.index], of_claim, found))
    if added:
        table = pd.concat([table, pd.DataFrame(added)]).sort_index(kind="stable")
    return table.reset_index(drop=True)


def with_verdicts_of_claims(comparison: pd.DataFrame) -> pd.DataFrame:
    """Give numbers that are part of a claim the verdict of the claim, to show some of them without its row.

    Args:
        comparison: what `results.compare.compare` returned, of any papers.
    """
    keys = ["paper", *CONDITIONS]
    claims = comparison[comparison["metric"] == JOINT_TEST].set_index(keys)["verdict"].to_dict()
    parts = comparison["verdict"].str.startswith(PART_OF_CLAIM)
    names = comparison[keys].itertuples(index=False, name=None)
    found = [
        claims.get(name, old) if part else old
        for name, part, old in zip(names, parts, comparison["verdict"], strict=True)
    ]
    return comparison.assign(verdict=found)


def _verdicts(tested):
    """Yield each claim of one family of tests: its rows, the rates it is tested by, and its verdict."""
    claims = [rows for _, rows in tested.groupby(CONDITIONS, sort=False, dropna=False)]
    rates = [_rates(rows) for rows in claims]
    p_values = holm([joint_p_value(of_claim) if of_claim else 1.0 for of_claim in rates])
    for rows, of_claim, p_value in zip(claims, rates, p_values, strict=True):
        found = verdict(of_claim, p_value, len(claims)) if of_claim else INCOMPLETE
        if found == "reproduced" and (others := _outside(rows)):
            found = f"inconclusive: the paper's numbers contradict each other, {', '.join(others)} is beyond the margin"
        yield rows, of_claim, found


def _joint_row(rows, rates, found):
    """The row of a claim of several numbers: named by what they share, numbered as the last of them."""
    last = rows.iloc[-1]
    row = last.copy()
    row["metric"], row["kind"], row["verdict"] = JOINT_TEST, "metric", found
    row["row"] = last["row"] if rows["row"].nunique() == 1 else "all numbers"
    row["table"] = rows["table"].iloc[0] if rows["table"].nunique() == 1 else last["table"]
    for name in ("published", "value", "difference", "sd", "ci_low", "ci_high", "difference_low", "difference_high"):
        row[name] = nan
    row["n"], row["margin"] = rows["n"].max(), min(rows["margin"])
    row["published_note"] = ""
    row["note"] = "tested by " + ", ".join(_rate_text(rate, named=rows["row"].nunique() > 1) for rate in rates)
    return row


def _outside(rows):
    """The numbers of a claim whose difference is surely beyond the margin, though the rates it is tested by are not."""
    rates = [_rate(row) for row in rows.itertuples() if row.kind != "count"]
    return [f"{rate.row} {rate.metric}" for rate in rates if rate.difference.beyond(rate.margin)]


def _rate_text(rate, named):
    low, high = rate.difference.interval()
    ends = "" if pd.isna(low) else f" [{low:+.4f}, {high:+.4f}]"
    return f"{rate.row + ' ' if named else ''}{rate.metric} {rate.difference.value:+.4f}{ends}"


def _rates(rows):
    """What the claim of these rows is tested by; empty if its counts have no shares."""
    distinct = rows.drop_duplicates("number")
    by_name = {(row.row, row.metric): row for row in reversed(list(distinct.itertuples()))}
    shares = {name: _rate(row) for name, row in by_name.items() if row.kind != "count"}
    for row in dict.fromkeys(row for row, _ in by_name):
        for metric, called, other in RATES_OF_COUNTS:
            pair = by_name.get((row, called)), by_name.get((row, other))
            if all(pair) and (row, metric) not in shares and _have_images(pair):
                shares[row, metric] = _rate_of_counts(metric, *pair, by_name.get((row, "accuracy")))
    return [shares[name] for name in free_rates(list(shares))]


def _have_images(pair):
    """Whether two cells of a matrix are of a class that ours and the paper's test set have."""
    return sum(cell.value for cell in pair) > 0 and sum(cell.published for cell in pair) > 0


def _rate(row):
    ours = Measured(
        row.value, row.test_low, row.test_high, _whole(row.n), _whole(row.clusters), row.sd, count_seeds(row.seeds)
    )
    theirs = Published(row.published, row.below, row.above, _whole(row.published_n))
    return Rate(row.row, row.metric, Difference(ours, theirs, LEAST.get(row.metric, 0.0)), row.margin)


def _rate_of_counts(metric, called, other, accuracy):
    """The share of a class that is called fake, from two cells of a matrix; its error is that of as many images."""
    size, published_size = called.value + other.value, called.published + other.published
    value, clusters, n = called.value / size, _whole(called.clusters), _whole(called.n)
    alone = clusters / n if clusters and n else 1.0
    if accuracy is not None and not pd.isna(accuracy.test_low):
        alone = effective_n(accuracy.value, accuracy.test_low, accuracy.test_high) / accuracy.n
    low, high = wilson(value * size * alone, size * alone)
    seeds = count_seeds(called.seeds)
    ours = Measured(value, low, high, round(size), round(clusters * size / n) if n else 0, called.sd / size, seeds)
    theirs = Published(called.published / published_size, 0.0, 0.0, round(published_size))
    return Rate(called.row, metric, Difference(ours, theirs), called.margin)


def _whole(number):
    return 0 if pd.isna(number) or isinf(number) else int(number)
