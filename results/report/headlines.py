"""The numbers that a reader looks for first, which are listed in headlines.csv."""

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


def headlines(comparison: pd.DataFrame, results_folder: str | Path) -> pd.DataFrame:
    """Select the rows of headlines.csv.

    Args:
        comparison: what `results.compare.compare` returned.
        results_folder: folder of <paper>.csv.

    Returns:
        Rows with the columns of the comparison. If a paper prints a confusion matrix instead of its accuracy, the row
        has the matrix's accuracy.
    """
    parts = []
    for line in pd.read_csv(Path(__file__).parent / "headlines.csv", dtype=str).itertuples():
        key = [line.table, line.row, line.metric]
        number = comparison["paper"].eq(line.paper) & comparison[["table", "row", "metric"]].eq(key).all(axis=1)
        matrix = (line.paper, line.table, line.row)
        parts.append(comparison[number] if number.any() else _accuracy_of_matrix(*matrix, results_folder))
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def _accuracy_of_matrix(paper, table, row, results_folder):
    """One row for each data set, protocol and preset that the matrix was measured on; one without a value if none."""
    published = read_published(paper)
    printed = _accuracy(published[published["table"].eq(table) & published["row"].eq(row)])
    ours = read_results(Path(results_folder) / f"{paper}.csv")
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
    rows["verdict"] = [verdict(matrix) for matrix in rows.itertuples()]
    return rows[list(COLUMNS)]


def _accuracy(counts):
    """value, ci_low, ci_high (Wilson's) and n of the rows of four counts."""
    tp, fp, tn, fn = counts.set_index("metric")["value"][list(COUNTS)]
    n = int(tp + fp + tn + fn)
    low, high = wilson(int(tp + tn), n)
    return {"value": float(from_counts(tp, fp, tn, fn)["accuracy"]), "ci_low": low, "ci_high": high, "n": n}
