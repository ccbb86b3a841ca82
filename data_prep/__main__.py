"""Prepare a raw data set for training: check, crop and copy its images and frames, listed in DST/manifest.csv.

Layouts:
{layouts}

Stopped or extended, the same command does only what is missing. `python -m data_prep verify DST` checks a prepared
folder.
"""

import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
import tyro

from common.cli import GOES_ON, parse, run_main
from common.data.manifest import PREPARATION
from common.files import read_json
from data_prep.layouts import LAYOUTS
from data_prep.preparation.tables import SKIPPED, in_words
from data_prep.prepare import PrepareOptions, prepare
from data_prep.verify import contradictions, report

PROGRAM = "python -m data_prep"


@dataclass(frozen=True, kw_only=True)
class Arguments(PrepareOptions):
    """`python -m data_prep`."""

    layout: tyro.conf.Positional[Literal[tuple(LAYOUTS)]]
    """How the raw data lie on disk."""
    src: tyro.conf.Positional[str]
    """Folder of the raw data; for the layout synthetic FAMILY:COUNT:SEED, e.g. swap:500:0."""
    dst: tyro.conf.Positional[Path]
    """New folder for the prepared data, outside of SRC."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class VerifyArguments:
    """`python -m data_prep verify`."""

    dst: tyro.conf.Positional[Path]
    """A prepared folder."""
    debug: bool = False
    """Show the traceback of an error."""


def main(argv=None):
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv[:1] == ["verify"]:
        options = parse(VerifyArguments, argv[1:], prog=f"{PROGRAM} verify", description="Check a prepared folder.")
        return report(options.dst)
    layouts = "\n".join(f"  {name}: {words}" for name, words in LAYOUTS.items())
    arguments = parse(Arguments, argv, prog=PROGRAM, description=__doc__.format(layouts=layouts))
    start = time.monotonic()
    images = prepare(arguments.layout, arguments.src, arguments.dst, arguments)
    if images is None:
        print(
            f"share {arguments.shard} is done; the last of the others, or this command without --shard, ends the work"
        )
    else:
        print(summary(images, arguments.dst, time.monotonic() - start))


def summary(images, dst, seconds):
    """What a user wants to know after a preparation, as text: counts, what was skipped and why, what to do next."""
    labels = images["label"].value_counts()
    lines = [
        f"prepared {len(images)} images in {seconds:.1f} s: "
        + ", ".join(f"{labels[word]} {word}" for word in labels.index)
    ]
    if one_class := len(labels) == 1:
        lines.append(f"only {labels.index[0]} images: they can be evaluated on, but not trained on alone")
    skipped = pd.read_csv(dst / SKIPPED, dtype=str, keep_default_na=False)
    if len(skipped):
        lines.append(f"skipped: {in_words(skipped)} (see {dst / SKIPPED})")
    lines += [f"found: {words}" for words in read_json(dst / PREPARATION)["found"]]
    lines += _contradictions(images)
    if not one_class:
        data = shlex.quote(f"NAME={dst}")
        lines.append(f"next: python reproductions/<paper>/run.py --data {data}   (NAMEs: that command's --help)")
    return "\n".join(lines)


def _contradictions(images):
    rows = contradictions(images, "sha256")
    if rows.empty:
        return []
    words = " and ".join(f"{row.path} ({row.label})" for row in rows.head(2).itertuples())
    return [f"WARNING: pictures labelled both real and fake: {len(rows) // 2}, e.g. {words}"]


if __name__ == "__main__":
    run_main(main, GOES_ON)
