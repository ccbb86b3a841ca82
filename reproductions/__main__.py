"""Run every paper with its default preset on the embedded data, then print all results beside the published ones.

    python -m reproductions [flags that every run.py takes, e.g. --preset smoke --seeds 0 1 2]

A paper is a folder with a run.py. One that fails does not stop the others; the exit code is then 1.
"""

import subprocess
import sys
from pathlib import Path

from common.cli import run_main


def papers():
    """The papers' folders, in alphabetical order."""
    return sorted(path.parent for path in Path(__file__).parent.glob("*/run.py"))


def main(argv=None):
    argv = sys.argv[1:] if argv is None else list(argv)
    if {"-h", "--help"} & set(argv):
        print(__doc__)
        return 0
    failed = []
    for place, paper in enumerate(papers(), 1):
        print(f"[{place}/{len(papers())}] {paper.name}", file=sys.stderr, flush=True)
        if subprocess.run([sys.executable, paper / "run.py", *argv]).returncode:
            failed.append(paper.name)
    folder = _value_of("--results", argv)
    subprocess.run([sys.executable, "-m", "results.compare", *(["--results", folder] if folder else [])])
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _value_of(flag, argv):
    return next((value for word, value in zip(argv, argv[1:], strict=False) if word == flag), None)


if __name__ == "__main__":
    run_main(main)
