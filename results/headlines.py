"""The numbers that a reader looks for first, which are listed in headlines.csv."""

from pathlib import Path

import pandas as pd

from results.compare import NUMBER
from results.judging import with_verdicts_of_claims


def headlines(comparison: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of headlines.csv.

    Args:
        comparison: what `results.compare.compare` returned.

    Returns:
        Rows with the columns of the comparison, in the order of headlines.csv. A number of a confusion matrix has the
        verdict of the matrix.
    """
    comparison, parts = with_verdicts_of_claims(comparison), []
    for line in pd.read_csv(Path(__file__).parent / "headlines.csv", dtype=str).itertuples():
        key = [line.table, line.row, line.metric]
        parts.append(comparison[comparison["paper"].eq(line.paper) & comparison[NUMBER].eq(key).all(axis=1)])
    found = [part for part in parts if len(part)]
    return pd.concat(found, ignore_index=True) if found else comparison.iloc[:0]
