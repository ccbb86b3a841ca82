"""What the command prints after a preparation."""

import shlex
from pathlib import Path

import pandas as pd

from common.data.manifest import PREPARATION
from common.data.text_tables import read_text_table
from common.files import read_json
from data_prep.preparation.output_files import SKIPPED, describe_reasons
from data_prep.verify import contradicting_labels


def summary(images: pd.DataFrame, dst: Path, seconds: float) -> str:
    """Describe a prepared folder: counts, what was skipped and why, and what to do next.

    Args:
        images: its manifest.
        dst: the folder.
        seconds: how long the preparation took.
    """
    labels = images["label"].value_counts()
    counts = ", ".join(f"{number} {label}" for label, number in labels.items())
    lines = [f"prepared {len(images)} images in {seconds:.1f} s: {counts}"]
    if one_class := len(labels) == 1:
        lines.append(
            f"only {labels.index[0]} images: a detector can be evaluated on them, but not trained on them alone"
        )
    skipped = read_text_table(dst / SKIPPED)
    if len(skipped):
        lines.append(f"skipped: {describe_reasons(skipped)} (see {dst / SKIPPED})")
    lines += [f"found: {remark}" for remark in read_json(dst / PREPARATION)["found"]]
    rows = contradicting_labels(images, "sha256")
    if len(rows):
        examples = " and ".join(f"{row.path} ({row.label})" for row in rows.head(2).itertuples())
        lines.append(f"WARNING: images labelled both real and fake: {len(rows) // 2}, e.g. {examples}")
    if not one_class:
        data = shlex.quote(f"NAME={dst}")
        lines.append(f"next: python reproductions/<paper>/run.py --data {data}   (NAMEs: that command's --help)")
    return "\n".join(lines)
