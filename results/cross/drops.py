"""How much AUC a detector loses on data that it was not trained on, against the test split of its own data.

A detector is its own control: for each seed, its AUC on other data is compared with its AUC at home. Both test sets are
independent of each other, so that the interval follows from those of both (Zou and Donner 2008, doi:10.1002/sim.3095).
The mean of several seeds, paired by seed, adds what the seeds differ by.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import hypot, isnan, nan
from pathlib import Path

import numpy as np
import pandas as pd

from common.data.text_tables import as_decimals, read_text_table
from common.errors import UserError
from common.evaluation.evaluate import Value, evaluate, has_videos
from common.evaluation.intervals import nested_interval
from common.evaluation.predictions import add_origins
from results.cross.runs import TrainedDetector
from results.cross.table import row_key, row_keys
from results.formatting import text_table
from results.tables import upsert

DROPS = "cross_drops.csv"
COLUMNS = (
    *("paper", "run", "model", "trained_on", "dataset", "protocol", "seeds", "level", "metric"),
    *("home", "other", "value", "ci_low", "ci_high", "n", "note"),
)
KEY = ("paper", "run", "model", "dataset", "protocol", "seeds", "level", "metric")
METRIC = "auc_drop"


def write_drops(detectors: Iterable[TrainedDetector], table: pd.DataFrame, results: Path) -> list[str]:
    """Write the drops of detectors into cross_drops.csv.

    Args:
        detectors: of the command.
        table: cross.csv.
        results: the folder of the tables.

    Returns:
        Lines of text of the drops by image; none if no detector was tested on other data.
    """
    rows = [row for detector in detectors for row in detector_drops(detector, table)]
    rows += mean_drops(rows)
    if not rows:
        return []
    upsert([{name: row[name] for name in COLUMNS} for row in rows], results / DROPS, COLUMNS, KEY)
    lines = [("detector", "on", "seeds", "home", "there", "drop", "95 % interval", "")]
    for row in rows:
        if row["level"] == "frame":
            interval = "" if isnan(row["ci_low"]) else f"{row['ci_low']:+.3f} to {row['ci_high']:+.3f}"
            numbers = [f"{row[name]:.3f}" for name in ("home", "other", "value")]
            names = (f"{row['paper']} {row['run']} {row['model']} {row['protocol']}", row["dataset"], row["seeds"])
            lines.append((*names, *numbers, interval, row["note"]))
    return ["loss of AUC against the test split of the detector's own data", *text_table(lines, left=2)]


def detector_drops(detector: TrainedDetector, table: pd.DataFrame) -> list[dict]:
    """Return the drops of one detector, of one seed, on every other data set that cross.csv has.

    Args:
        detector: of a run.
        table: cross.csv.
    """
    names = {
        "paper": detector.run.paper, "run": detector.run.name, "model": detector.model,
        "protocol": detector.protocol, "seed": detector.seed,
    }  # fmt: skip
    own = table[row_keys(table, list(names)).eq(row_key(names.values())) & table["metric"].eq("auc")]
    rows = []
    for level, tests in own.groupby("level", sort=False):
        at_home = [test.dataset in test.trained_on.split("+") for test in tests.itertuples()]
        alone = len(detector.trained_on) == 1 and sum(at_home) == 1  # of several home sets, cross.csv may have some
        home = _value(tests[at_home].iloc[0]) if alone else home_auc(detector, str(level))
        for test in tests[np.logical_not(at_home)].itertuples():
            there = _value(test._asdict())
            if isnan(home.value) or isnan(there.value):
                continue
            drop = difference(home, there)
            rows.append(
                {name: names[name] for name in ("paper", "run", "model", "protocol")}
                | {
                    "seeds": detector.seed, "trained_on": test.trained_on, "dataset": test.dataset, "level": level,
                    "metric": METRIC, "home": home.value, "other": there.value, "value": drop.value,
                    "ci_low": drop.low, "ci_high": drop.high, "n": there.n, "note": drop.reason,
                }
            )  # fmt: skip
    return rows


def home_auc(detector: TrainedDetector, level: str) -> Value:
    """Return a detector's AUC on the test split of the data that it was trained on, from the run's predictions.

    Args:
        detector: of a run.
        level: frame or video.
    """
    unknown = Value(nan, nan, nan, 0, "the run has no predictions")
    path = detector.run.folder / "predictions.csv"
    if not path.is_file():
        return unknown
    table = read_text_table(path)
    if not {"dataset", "split", "label", "score", "path", "model", "seed", "protocol"} <= set(table):
        return unknown
    chosen = table["dataset"].isin(detector.trained_on) & table["split"].eq("test") & table["model"].eq(detector.model)
    chosen &= table["seed"].eq(detector.seed) & table["protocol"].isin(detector.protocol.split("+"))
    tested = table[chosen].assign(score=lambda rows: as_decimals(rows["score"]))
    if tested.empty or tested["protocol"].nunique() > 1 or (level == "video" and not has_videos(tested)):
        return unknown
    try:
        return evaluate(add_origins(tested, path.parent), level=level, probability=False)["auc"]
    except UserError as error:  # a video with both labels
        return replace(unknown, reason=str(error))


def mean_drops(rows: Sequence[dict]) -> list[dict]:
    """Return the mean over seeds of drops of several seeds, with the nested interval.

    Args:
        rows: of `detector_drops`.
    """
    if not rows:
        return []
    found = []
    by = [name for name in KEY if name != "seeds"]
    for _, part in pd.DataFrame(rows).groupby(by, sort=False):
        if len(part) < 2:
            continue
        drops = part["value"].to_numpy()
        means = {name: float(part[name].mean()) for name in ("home", "other", "value")}
        ends = (part[end].mean(skipna=False) for end in ("ci_low", "ci_high"))
        low, high = nested_interval(means["value"], *ends, drops.std(ddof=1), len(drops))
        found.append(
            part.iloc[0].to_dict() | means | {
                "seeds": " ".join(part["seeds"]), "n": int(part["n"].min()),
                "ci_low": low, "ci_high": high,
                "note": f"mean of {len(part)} seeds, sd {drops.std(ddof=1):.4f}",
            }
        )  # fmt: skip
    return found


def difference(home: Value, other: Value) -> Value:
    """Return home - other of two independent test sets, with its interval if both have one."""
    middle = home.value - other.value
    if isnan(home.low) or isnan(other.low):
        side = "home" if isnan(home.low) else "other"
        return Value(middle, nan, nan, other.n, f"no interval: the {side} AUC has none")
    low = middle - hypot(home.value - home.low, other.high - other.value)
    return Value(middle, low, middle + hypot(home.high - home.value, other.value - other.low), other.n)


def _value(row):
    """A Value of a row of cross.csv."""
    return Value(row["value"], row["ci_low"], row["ci_high"], row["n"])
