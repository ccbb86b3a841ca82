"""All benchmarks, one after the other, into one CSV: a row for each job and rival.

    python -m tests.benchmarks --table results.csv [--only startup evaluation]

Each is a process of its own, and can be run by itself: `python -m tests.benchmarks.NAME --help`. The machine should do
nothing else. Rivals that are not installed are left out: pip install -e ".[bench]".
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from common.cli import parse, run_main
from common.errors import UserError

JOBS = {  # name: the command lines of its rows
    "startup": [[]],
    "predict_speed": [[]],
    "data_prep_speed": [[]],
    "data_prep_memory": [[]],
    "feed": [[], ["--memory", "1000", "100000"]],
    "network_step": [
        ["--networks", "mesoinception4", "meso4", "--plain"],
        ["--networks", "cffn", "--image-size", "112", "--width", "0.25", "--precision", "float32", "mixed_bfloat16"],
        ["--networks", "cffn", "--image-size", "112", "--batch", "8"],
        ["--networks", "siamese", "resnet50", "xception", "inceptionresnetv2", "--batch", "8"],
    ],
    "dcgan_step": [[], ["--jit"]],
    "triplet_losses": [["--batch", str(batch)] for batch in (128, 256, 1024)] + [["--memory"]],
    "evaluation": [[]],
    "audit": [[]],
    "svm_cost": [[]],
}


@dataclass(frozen=True)
class Options:
    """Flags of the command."""

    table: Path
    """The CSV; rows of the same job and rival are replaced."""
    only: tuple[str, ...] = ()
    """Names of benchmarks; none: all of them, but face_detection, which needs pictures."""


def main(argv=None):
    options = parse(Options, argv, prog="python -m tests.benchmarks", description=__doc__)
    if unknown := set(options.only) - set(JOBS):
        raise UserError(f"--only: expected names of {', '.join(JOBS)}; got {', '.join(sorted(unknown))}")
    failed = []
    for name in options.only or JOBS:
        for flags in JOBS[name]:
            words = [sys.executable, "-m", f"tests.benchmarks.{name}", *flags, "--table", str(options.table)]
            print(" ".join(["--", name, *flags]), flush=True)
            if subprocess.run(words).returncode:
                failed.append(" ".join([name, *flags]))
    if failed:
        raise UserError(f"failed: {'; '.join(failed)}; the reasons are above")


if __name__ == "__main__":
    run_main(main)
