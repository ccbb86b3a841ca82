"""Every trained detector on every data set: its AUC on data that it was not trained on, and on perturbed images.

    python -m results.cross runs/PAPER/A runs/PAPER/B --data celebdf=DIR faces=DIR
    python -m results.cross runs/PAPER/A --data celebdf=DIR --robustness

A detector is never tested on images that it was trained on. Of its own data, only the test split is used; of other
data, all images but copies of its training images and, in another version of its own data (Celeb-DF v1 and v2), those
that show a video that it was trained on, or a person if its protocol keeps persons on one side. `note` counts what was
left out.

Writes AUC, balanced accuracy and EER by image and by video into results/cross.csv, a heat map of the AUC into
results/figures/cross.png, and how much AUC each detector loses against the test split of its own data, paired by seed,
into results/cross_drops.csv. --robustness also writes robustness.csv and robustness.png, with images that are
compressed, blurred, scaled, noisy, or re-encoded as by a social network (common/data/perturbations.py). What the tables
already have, of the same images, is not scored again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import tyro

from common.cli import RESUME_HINT, parse, run_main
from common.data.datasets import DataSet, read_data
from common.errors import UserError
from common.evaluation.figures import save_figure
from results.cross.drops import write_drops
from results.cross.measure import CROSS, ROBUSTNESS, measure
from results.cross.plots import matrix_figure, robustness_figure
from results.cross.runs import TrainedDetector, TrainedRun
from results.cross.table import TEST, read_table, row_key, row_keys
from results.formatting import format_decimals, text_table


@dataclass(frozen=True)
class CrossOptions:
    """Every trained detector on every data set."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders: RUNS/<paper>/<run>."""
    data: tuple[str, ...]
    """Prepared folders as NAME=DIR, with any NAME. If data that a run was trained on were prepared again, they must
    have the NAME that the run knows: without it they are taken for unseen data."""
    model: tuple[str, ...] = ()
    """Models to score, e.g. meso4, or meso4-video-seed1 for one of several. None: each run's proposed model, under
    every protocol and seed."""
    robustness: bool = False
    """Score perturbed images too."""
    again: bool = False
    """Score again what is in the tables already."""
    results: Path = Path("results")
    """Folder of the tables and of figures/."""
    debug: bool = False
    """Show the traceback of an error."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parse(CrossOptions, argv, prog="python -m results.cross", description=__doc__)
    datasets = read_datasets(options.data)
    detectors = find_detectors(options.runs, options.model, datasets)
    reported: set[str] = set()
    for detector in detectors:
        for data in datasets:
            measure(detector, data, options.results, options.robustness, options.again, reported)
    draw_and_print(options.results, options.robustness, detectors, datasets)


def read_datasets(pairs: Sequence[str]) -> list[DataSet]:
    """Read the prepared folders of --data, NAME=DIR with any NAME.

    Raises:
        UserError: if a pair or a folder is wrong.
    """
    for pair in pairs:
        if not all(pair.partition("=")):
            raise UserError(f"--data: expected NAME=DIR, got {pair!r}")
    if not pairs:
        raise UserError("--data: expected at least one prepared folder as NAME=DIR")
    return read_data(pairs, {pair.partition("=")[0]: "folders" for pair in pairs})


def find_detectors(
    folders: Sequence[Path], models: Sequence[str], datasets: Sequence[DataSet]
) -> list[TrainedDetector]:
    """Find the detectors of all runs.

    Args:
        folders: the run folders.
        models: names of models; none: the proposed ones.
        datasets: the data sets of the command.

    Raises:
        UserError: if a folder is not a finished run, two runs have the same name, or no run has a model.
    """
    runs = [TrainedRun(folder, datasets) for folder in dict.fromkeys(folder.resolve() for folder in folders)]
    names = [f"{run.paper}/{run.name}" for run in runs]
    if not runs:
        raise UserError("expected at least one run folder: RUNS/<paper>/<run>")
    if len(set(names)) < len(names):
        raise UserError(f"two runs with one name would share their rows ({', '.join(sorted(names))}): rename a folder")
    detectors = [detector for run in runs for detector in run.detectors(models)]
    found = {name for detector in detectors for name in (detector.model, detector.description.name)}
    if unknown := [name for name in models if name not in found]:
        known = sorted({detector.model for run in runs for detector in run.all_detectors})
        raise UserError(f"--model: no run has {', '.join(unknown)}; they have {', '.join(known)}")
    return detectors


def draw_and_print(
    results: Path, robustness: bool, detectors: Sequence[TrainedDetector], datasets: Sequence[DataSet]
) -> None:
    """Draw the complete tables, and print the AUC of these detectors on these data sets, and what they lose there.

    Args:
        results: folder of the tables and of figures/.
        robustness: whether to draw robustness.csv too.
        detectors: the rows of the printed table.
        datasets: its columns.
    """
    table = read_table(results / CROSS)
    drawn = [save_figure(matrix_figure(table), results / "figures" / "cross.png")]
    if robustness:
        figure = robustness_figure(read_table(results / ROBUSTNESS))
        drawn.append(save_figure(figure, results / "figures" / "robustness.png"))
    lines = [("detector", *(data.name for data in datasets))]
    rows = table[table["metric"].eq("auc") & table["level"].eq("frame")]
    auc = pd.Series(rows["value"].to_numpy(), row_keys(rows, TEST))
    for detector in detectors:
        keys = (detector.run.paper, detector.run.name, detector.model, detector.protocol, detector.seed)
        cells = [format_decimals(auc[row_key((*keys, data.name))]) or "-" for data in datasets]
        lines.append((" ".join((*keys[:4], f"seed {detector.seed}")), *cells))
    print("ROC AUC by image", *text_table(lines), sep="\n")
    if drops := write_drops(detectors, table, results):
        print("", *drops, sep="\n")
    print(f"rows: {results / CROSS}; figures: {', '.join(map(str, drawn))}")


if __name__ == "__main__":
    run_main(main, RESUME_HINT)
