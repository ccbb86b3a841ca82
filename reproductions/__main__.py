"""Run every paper with its default preset on the embedded data, then hold all results against the published ones.

    python -m reproductions [flags that every run.py takes, e.g. --preset smoke --seeds 0 1 2]

A paper is a folder with a run.py; the quickest come first, by the minutes that their docstrings name. One that fails
does not stop the others; the exit code is then 1. Stopped or failed, the same command goes on with what is left, in
the middle of a paper too; once all have come to their end and are compared, it starts anew.
"""

import argparse
import ast
import re
import subprocess
import sys
import time
from pathlib import Path

from common.cli import EXIT_INTERRUPTED, RESUME_HINT, run_main
from common.errors import UserError
from common.files import read_json, write_json
from common.runs.options import digest

MINUTES = re.compile(r"(\d+) (?:to \d+ )?minutes on 2 CPU cores")
TO_STOP = 10  # seconds for a run that is asked to stop


def main(argv=None):
    argv = sys.argv[1:] if argv is None else list(argv)
    if {"-h", "--help"} & set(argv):
        print(__doc__)
        return 0
    folders = _folders(argv)
    done = Done(folders.runs, argv)
    if done.papers:
        print(f"going on with what is left; to start anew, delete {done.path}", file=sys.stderr)
    began, failed, every = time.monotonic(), [], papers()
    for place, paper in enumerate(every, 1):
        before = paper.name in done.papers
        told = "finished before" if before else f"{_duration(time.monotonic() - began)} so far"
        print(f"[{place}/{len(every)}] {paper.name}, {told}", file=sys.stderr, flush=True)
        if before:
            continue
        if _run(paper / "run.py", *argv):
            failed.append(paper.name)
        else:
            done.add(paper.name)
    page = Path(folders.results) / "report.html"
    unsaid = _run("-m", "results.compare", "--results", folders.results) or _run(
        *("-m", "results.report", "--results", folders.results, "--runs", folders.runs, "--output", page)
    )
    finished = len(every) - len(failed)
    print(f"{finished} of {len(every)} papers in {_duration(time.monotonic() - began)}", file=sys.stderr)
    if failed:
        print(f"failed: {', '.join(failed)}; the same command runs these again", file=sys.stderr)
    if failed or unsaid:
        return 1
    done.forget()
    return 0


def papers():
    """The papers' folders, the quickest first; those that name no minutes come last, in alphabetical order."""
    folders = (path.parent for path in Path(__file__).parent.glob("*/run.py"))
    return sorted(folders, key=lambda folder: (_cost(folder), folder))


class Done:
    """Which papers the command `argv` has finished, in a file in its folder of runs until it has finished all."""

    def __init__(self, runs, argv):
        self.path = Path(runs) / f".all-{digest(argv)[:8]}.json"
        self.papers = read_json(self.path) if self.path.exists() else []

    def add(self, paper):
        self.papers.append(paper)
        write_json(self.papers, self.path)

    def forget(self):
        self.path.unlink(missing_ok=True)


def _folders(argv):
    """The folders of --runs and --results; UserError for a flag that cannot be meant for all papers."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--results", default="results")
    parser.add_argument("--resume")
    found, _ = parser.parse_known_args(argv)
    if found.resume:
        raise UserError(
            "--resume names the run of one paper: give it to its run.py; the same command resumes by itself"
        )
    return found


def _cost(paper):
    found = MINUTES.search(ast.get_docstring(ast.parse((paper / "run.py").read_text(encoding="utf-8"))) or "")
    return int(found[1]) if found else float("inf")


def _run(*words):
    """Run Python and return its exit code; what it hears of Ctrl-C as well ends both, with its message."""
    process = subprocess.Popen([sys.executable, *map(str, words)])
    try:
        code = process.wait()
    except KeyboardInterrupt:
        try:
            code = process.wait(TO_STOP)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            code = None
        if code != EXIT_INTERRUPTED:
            raise
    if code == EXIT_INTERRUPTED:
        sys.exit(EXIT_INTERRUPTED)
    return code


def _duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


if __name__ == "__main__":
    run_main(main, RESUME_HINT)
