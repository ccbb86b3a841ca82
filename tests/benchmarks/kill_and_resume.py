"""Kill the papers' smoke runs by SIGKILL at random moments, resume them, and compare with the uninterrupted run.

    python tests/benchmarks/kill_and_resume.py [PAPER ...] [--kills 3] [--seed 0] [-- FLAG ...]

Each paper is run twice from beginning to end, and once with kills, all with --deterministic; FLAGs are the run's own.
Prints what differs in weights, classifiers and tables, if anything, and ends with exit code 1 if something does.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.stored_runs import differences  # noqa: E402

PAPERS = sorted(path.parent.name for path in ROOT.glob("reproductions/*/run.py"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("papers", nargs="*", default=PAPERS)
    parser.add_argument("--kills", type=int, default=3, help="times that the run is killed")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    words = sys.argv[1:]
    place = words.index("--") if "--" in words else len(words)
    options, flags = parser.parse_args(words[:place]), words[place + 1 :]
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        differing = [compare(paper, Path(folder) / paper, options.kills, flags) for paper in options.papers]
    sys.exit(any(differing))


def compare(paper, folder, kills, flags):
    """Return whether the second run or the killed one differs from the first."""
    folder.mkdir()
    started = time.monotonic()
    first = run(paper, folder, "first", flags)
    seconds = time.monotonic() - started
    second = run(paper, folder, "second", flags)
    killed = None
    for moment in [random.uniform(0.3, 0.95) * seconds for _ in range(kills)]:
        killed = killed or run(paper, folder, "killed", [*flags, "--checkpoint-minutes", "0"], moment)
        states = [path.name for path in (folder / "killed").glob("*/*/checkpoints/**/epoch-*") if path.is_dir()]
        print(f"  {paper}: killed after {moment:.0f} s, checkpoints {' '.join(sorted(states))}", flush=True)
    killed = killed or run(paper, folder, "killed", [*flags, "--checkpoint-minutes", "0"])
    found = {name: differences(first, other) for name, other in (("second", second), ("killed", killed))}
    for name, files in found.items():
        print(f"{paper}: {name} run: {files or 'bit-identical'}", flush=True)
    return any(found.values())


def run(paper, folder, runs, flags, seconds=None):
    """Run the command to its end and return the run's folder, or kill it after some seconds and return None."""
    command = [
        *(sys.executable, ROOT / "reproductions" / paper / "run.py", "--preset", "smoke", "--deterministic"),
        *("--runs", runs, "--results", f"{runs}-results", *flags),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with open(folder / f"{runs}.log", "a") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None
    if code:
        sys.exit(f"{' '.join(map(str, command))}: exit code {code}\n{(folder / f'{runs}.log').read_text()[-3000:]}")
    (path,) = (folder / runs / paper).iterdir()
    return path


if __name__ == "__main__":
    main()
