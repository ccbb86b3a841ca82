"""The numbers that a reader looks for first, as headlines.csv names them."""

from pathlib import Path

import pandas as pd

from common.evaluation.intervals import wilson
from common.evaluation.metrics import COUNTS, from_counts
from results.compare import COLUMNS
from results.seeds import aggregate_seeds, count_seeds
from results.tables import read_published, read_results
from results.verdicts import protocols_of, read_protocols, verdict

TEST = ["dataset", "protocol", "preset", "seed", "run", "commit", "note"]  # equal in the four counts of one matrix
NOT_MEASURED = dict.fromkeys(TEST, "") | dict.fromkeys(("value", "ci_low", "ci_high", "n"))


def headlines(compared, results):
    """The rows of headlines.csv out of `compared`, what `compare` made of the folder `results`, with its columns.

    A paper that prints a confusion matrix in place of its accuracy has the matrix's accuracy there.
    """
    parts = []
    for paper, *key in pd.read_csv(Path(__file__).parent / "headlines.csv", dtype=str).itertuples(index=False):
        printed = compared[compared["paper"].eq(paper) & compared[["table", "row", "metric"]].eq(key).all(axis=1)]
        parts.append(_of_matrix(paper, *key[:2], results) if printed.empty else printed)
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def _of_matrix(paper, table, row, results):
    """One row for each data set, protocol and preset that the matrix was measured on; one without a value if none."""
    published = read_published(paper)
    printed = _accuracy(published[published["table"].eq(table) & published["row"].eq(row)])
    ours = read_results(Path(results) / f"{paper}.csv")
    ours = ours[ours["table"].eq(table) & ours["row"].eq(row) & ours["metric"].isin(COUNTS) & ours["value"].notna()]
    measured = [
        dict(zip(TEST, test, strict=True)) | _accuracy(cells)
        for test, cells in ours.groupby(TEST, sort=False)
        if len(cells) == len(COUNTS)
    ]
    rows = aggregate_seeds(pd.DataFrame(measured or [NOT_MEASURED])).assign(ours=bool(measured))
    rows["paper"], rows["table"], rows["row"], rows["metric"] = paper, table, row, "accuracy"
    rows["published"], rows["published_n"] = printed["value"], printed["n"]
    rows["below"] = rows["above"] = 0.0
    rows["protocols"] = [protocols_of(read_protocols(paper), table, row)] * len(rows)
    rows["delta"] = rows["value"] - rows["published"]
    rows["seed"] = rows["seeds"].where(rows["seeds"].map(count_seeds) == 1)
    rows["verdict"] = [verdict(one) for one in rows.itertuples()]
    return rows[list(COLUMNS)]


def _accuracy(counts):
    """value, ci_low, ci_high (Wilson's) and n of the rows of four counts."""
    tp, fp, tn, fn = counts.set_index("metric")["value"][list(COUNTS)]
    n = int(tp + fp + tn + fn)
    low, high = wilson(int(tp + tn), n)
    return {"value": float(from_counts(tp, fp, tn, fn)["accuracy"]), "ci_low": low, "ci_high": high, "n": n}
