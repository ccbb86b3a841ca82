"""Every trained detector on every data set: what is left of its AUC where it was not trained, and on worn pictures.

    python -m results.cross runs/PAPER/A runs/PAPER/B --data celebdf=DIR faces=DIR
    python -m results.cross runs/PAPER/A --data celebdf=DIR --robustness

A detector is never tested on what it was trained on: of its own data only the test split counts, of others all but
copies of its training images, and `note` counts what was left out. results/cross.csv has AUC, balanced accuracy and
EER by image and by video, results/figures/cross.png shows the AUC; --robustness adds robustness.csv and robustness.png,
with images compressed, blurred, scaled, noisy, or re-encoded by a social network (common/data/perturbations.py).
What the tables already hold, of the same images, is not scored again.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tyro

from common.cli import RESUME_HINT, parse, run_main
from common.data.datasets import read_data
from common.errors import UserError
from common.evaluation.evaluate import Value, evaluate, has_videos
from results.cross.figures import DETECTOR, draw_matrix, draw_robustness
from results.cross.runs import TrainedRun
from results.cross.scores import PLAIN, score
from results.tables import decimals, read_results, text_table, upsert

TEST = [*DETECTOR, "dataset"]
KEY = [*TEST, "perturbation", "strength", "level", "metric"]
COLUMNS = (
    *("paper", "run", "model", "trained_on", "dataset", "protocol", "seed", "perturbation", "strength"),
    *("level", "metric", "value", "ci_low", "ci_high", "n", "note"),
)
METRICS = ("auc", "balanced_accuracy", "eer")


@dataclass(frozen=True)
class Options:
    """Every trained detector on every data set."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders: RUNS/<paper>/<run>."""
    data: tuple[str, ...]
    """Prepared folders as NAME=DIR, any NAME. Data that a run was trained on, if prepared anew, must have the NAME that
    they had there: nothing else tells them from unseen data."""
    model: tuple[str, ...] = ()
    """Models to score, e.g. meso4, or meso4-video-seed1 for one of several. None: each run's proposed one, under every
    protocol and seed."""
    robustness: bool = False
    """Score perturbed images too."""
    again: bool = False
    """Score again what is in the tables already."""
    results: Path = Path("results")
    """Folder of the tables and of figures/."""
    debug: bool = False
    """Show the traceback of an error."""


def main(argv=None):
    options = parse(Options, argv, prog="python -m results.cross", description=__doc__)
    datasets = read_datasets(options.data)
    detectors = find_detectors(options.runs, options.model, datasets)
    named = set()  # unreadable images that were named
    for detector in detectors:
        for data in datasets:
            cross(detector, data, options, named)
    show(options, detectors, datasets)


def read_datasets(pairs):
    """The prepared folders of --data; any NAME will do."""
    for pair in pairs:
        if not all(pair.partition("=")):
            raise UserError(f"--data: expected NAME=DIR, got {pair!r}")
    if not pairs:
        raise UserError("--data: expected at least one prepared folder as NAME=DIR")
    return read_data(pairs, {pair.partition("=")[0]: "folders" for pair in pairs})


def find_detectors(folders, models, datasets):
    """The detectors of all runs; UserError for two runs of one name, or a model that no run has."""
    runs = [TrainedRun(folder, datasets) for folder in dict.fromkeys(folder.resolve() for folder in folders)]
    names = [f"{run.paper}/{run.name}" for run in runs]
    if not runs:
        raise UserError("expected at least one run folder: RUNS/<paper>/<run>")
    if len(set(names)) < len(names):
        raise UserError(f"two runs of one name would share their rows ({', '.join(sorted(names))}): rename a folder")
    detectors = [detector for run in runs for detector in run.detectors(models)]
    found = {name for each in detectors for name in (each.model, each.description.name)}
    if unknown := [name for name in models if name not in found]:
        known = sorted({each.model for run in runs for each in run.all_detectors})
        raise UserError(f"--model: no run has {', '.join(unknown)}; they have {', '.join(known)}")
    return detectors


def cross(detector, data, options, named):
    """Score one detector on one data set, and put its rows into the tables, unless they stand there."""
    selection = detector.run.select(detector, data)
    about = {
        "paper": detector.run.paper,
        "run": detector.run.name,
        "model": detector.model,
        "trained_on": selection.trained_on,
        "dataset": data.name,
        "protocol": detector.protocol,
        "seed": detector.seed,
    }
    wanted = {options.results / "cross.csv": [PLAIN]}
    if options.robustness:
        wanted[options.results / "robustness.csv"] = all_variants()
    if not options.again:
        wanted = {path: each for path, each in wanted.items() if not _stand(path, about, each, selection.note)}
    if not wanted:
        return
    variants = max(wanted.values(), key=len)  # the plain image is among them
    title = f"{detector.description.name} on {data.name}"
    if selection.images.empty:
        print(f"{detector.run.paper}: {title}: no image is left; {selection.note}", file=sys.stderr)
    images, note = selection.images, selection.note
    scores, unreadable = score(detector.run.folder, detector.description, images, variants, title)
    for file, reason in {images["file"].iloc[place]: unreadable[place] for place in sorted(unreadable)}.items():
        if file not in named:
            print(f"{file}: {reason}", file=sys.stderr)
            named.add(file)
    if unreadable:
        note += f"; {len(unreadable)} of {len(images)} images cannot be decoded"
    scores, images = np.delete(scores, list(unreadable), axis=0), images.drop(images.index[list(unreadable)])
    predictions = images.assign(split="test")  # whatever its split in the data set: one model, one set of images
    rows = {
        variant: [
            about | {"perturbation": variant[0], "strength": _written(variant[1])} | row
            for row in measured(predictions.assign(score=column), detector.description.threshold, note)
        ]
        for variant, column in zip(variants, scores.T, strict=True)
    }
    for path, each in wanted.items():
        upsert([row for variant in each for row in rows[variant]], path, COLUMNS, KEY, TEST)


def show(options, detectors, datasets):
    """Print the AUC of this command's detectors and draw the tables, all that stands in them."""
    folder = options.results / "figures"
    table = read_table(options.results / "cross.csv")
    drawn = [draw_matrix(table, folder / "cross.png")]
    if options.robustness:
        drawn.append(draw_robustness(read_table(options.results / "robustness.csv"), folder / "robustness.png"))
    lines = [("detector", *(data.name for data in datasets))]
    auc = table[table["metric"].eq("auc") & table["level"].eq("frame")]
    auc = pd.Series(auc["value"].to_numpy(), _keys(auc, TEST))
    for each in detectors:
        about = (each.run.paper, each.run.name, each.model, each.protocol, each.seed)
        cells = [decimals(auc[_key((*about, data.name))]) or "-" for data in datasets]
        lines.append((" ".join((*about[:4], f"seed {each.seed}")), *cells))
    print("ROC AUC by image", *text_table(lines), sep="\n")
    print(f"rows: {options.results / 'cross.csv'}; figures: {', '.join(map(str, drawn))}")


def all_variants():
    """The plain image, and every perturbation at every strength."""
    from common.data.perturbations import STRENGTHS

    return [PLAIN, *((name, strength) for name, strengths in STRENGTHS.items() for strength in strengths)]


def measured(predictions, threshold, note):
    """Rows of METRICS by image, and by video where there are videos, without the columns that say of what."""
    rows = []
    for level in ("frame", "video") if has_videos(predictions) else ("frame",):
        try:
            values = evaluate(predictions, level=level, threshold=threshold)
        except UserError as error:  # a video with both labels: its images have their rows all the same
            values = dict.fromkeys(METRICS, Value(np.nan, np.nan, np.nan, 0, str(error)))
        rows += [
            {
                "level": level,
                "metric": metric,
                "value": values[metric].value,
                "ci_low": values[metric].low,
                "ci_high": values[metric].high,
                "n": values[metric].n,
                "note": "; ".join(filter(None, (note, values[metric].reason))),
            }
            for metric in METRICS
        ]
    return rows


def read_table(path):
    """cross.csv or robustness.csv: a DataFrame with the columns COLUMNS, without rows if there is no such file."""
    return read_results(path, COLUMNS)


def _stand(path, about, variants, note):
    """Whether the table has rows of the same images for all variants."""
    table = read_table(path)
    table = table[_keys(table, list(about)).eq(_key(about.values()))]
    table = table[(table["note"] + "; ").str.startswith(note + "; ")]
    there = set(zip(table["perturbation"], table["strength"], strict=True))
    return all((name, _written(strength)) in there for name, strength in variants)


def _written(strength):
    return "" if strength is None else f"{strength:g}"


def _keys(table, columns):
    return pd.Series([_key(cells) for cells in table[columns].itertuples(index=False)], table.index, dtype=object)


def _key(cells):
    return "\n".join(map(str, cells))


if __name__ == "__main__":
    run_main(main, RESUME_HINT)
