"""Prepare a raw data set for training: check, crop and copy its images and frames, listed in DST/manifest.csv.

Layouts:
{layouts}

If it was stopped, or if files were added, the same command does only what is missing. `python -m data_prep verify DST`
checks a prepared folder.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from common.cli import RESUME_HINT, parse, run_main
from data_prep.layouts.registry import LAYOUTS
from data_prep.options import PrepareOptions

PROGRAM = "python -m data_prep"


@dataclass(frozen=True, kw_only=True)
class Arguments(PrepareOptions):
    """`python -m data_prep`."""

    layout: tyro.conf.Positional[Literal[tuple(LAYOUTS)]]  # type: ignore[valid-type]
    """How the raw data are stored on disk."""
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


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv[:1] == ["verify"]:
        options = parse(VerifyArguments, argv[1:], prog=f"{PROGRAM} verify", description="Check a prepared folder.")
        return _verify(options)
    layouts = "\n".join(f"  {name}: {description}" for name, description in LAYOUTS.items())
    return _prepare(parse(Arguments, argv, prog=PROGRAM, description=__doc__.format(layouts=layouts)))


def _verify(options):
    from data_prep.verify import print_report

    return print_report(options.dst)


def _prepare(options):
    from data_prep.prepare import prepare  # late: --help does not wait for OpenCV and joblib
    from data_prep.summary import summary

    start = time.monotonic()
    images = prepare(options.layout, options.src, options.dst, options)
    if images is None:
        print(
            f"share {options.shard} is done; the last of the other shares, or this command without --shard, writes the "
            f"manifest"
        )
    else:
        print(summary(images, options.dst, time.monotonic() - start))
    return 0


if __name__ == "__main__":
    run_main(main, RESUME_HINT)
