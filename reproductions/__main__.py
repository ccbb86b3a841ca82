"""Run every paper with its default preset on the embedded data, then compare all results with the published ones.

    python -m reproductions [flags that every run.py takes, e.g. --preset smoke --seeds 0 1 2]

A paper is a folder with a run.py. The quickest come first, by the minutes that their docstrings name. If one fails, the
others still run, and the exit code is 1. After a failure or Ctrl-C the same command runs the papers that are left, and
resumes the one that it was in. Once all are finished and compared, it starts again with the first.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from common.cli import EXIT_INTERRUPTED, RESUME_HINT, run_main
from common.errors import UserError
from common.files import read_json, write_json
from common.progress import format_duration
from common.runs.options import digest
from reproductions.durations import measured_duration

GRACE_SECONDS = 10  # how long an interrupted run may take to stop


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`, or that of this process, and return the exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if {"-h", "--help"} & set(argv):
        print(__doc__)
        return 0
    folders = _output_folders(argv)
    finished = FinishedPapers(folders.runs, argv)
    if finished.names:
        print(f"resuming with the papers that are left; to start again, delete {finished.path}", file=sys.stderr)
    started, failed, papers = time.monotonic(), [], paper_folders()
    for number, paper in enumerate(papers, 1):
        skipped = paper.name in finished.names
        status = "finished before" if skipped else f"{format_duration(time.monotonic() - started)} so far"
        print(f"[{number}/{len(papers)}] {paper.name}, {status}", file=sys.stderr, flush=True)
        if skipped:
            continue
        if _run(paper / "run.py", *argv):
            failed.append(paper.name)
        else:
            finished.add(paper.name)
    report_failed = _compare_and_report(folders)
    duration = format_duration(time.monotonic() - started)
    print(f"{len(papers) - len(failed)} of {len(papers)} papers in {duration}", file=sys.stderr)
    if failed:
        print(f"failed: {', '.join(failed)}; the same command runs these again", file=sys.stderr)
    if failed or report_failed:
        return 1
    finished.forget()
    return 0


def paper_folders() -> list[Path]:
    """Return the papers' folders, the quickest first; those that name no minutes come last, in alphabetical order."""
    folders = (path.parent for path in Path(__file__).parent.glob("*/run.py"))
    return sorted(folders, key=lambda folder: (_minutes(folder), folder))


class FinishedPapers:
    """Which papers a command has finished, in a file in its folder of runs; deleted when it has finished all.

    Args:
        runs: the folder of --runs.
        argv: the command line, which names the file.
    """

    def __init__(self, runs: str, argv: Sequence[str]):
        self.path = Path(runs) / f".all-{digest(argv)[:8]}.json"
        self.names: list[str] = read_json(self.path) if self.path.exists() else []

    def add(self, paper: str) -> None:
        """Add a paper, and write the file."""
        self.names.append(paper)
        write_json(self.names, self.path)

    def forget(self) -> None:
        """Delete the file, so that the same command runs all papers again."""
        self.path.unlink(missing_ok=True)


def _output_folders(argv):
    """Return --runs and --results; UserError for a flag that cannot be meant for all papers."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--results", default="results")
    parser.add_argument("--resume")
    folders, _ = parser.parse_known_args(argv)
    if folders.resume:
        raise UserError(
            "--resume names the run of one paper: give it to its run.py; the same command resumes by itself"
        )
    return folders


def _minutes(paper):
    duration = measured_duration(paper)
    return int(duration[1]) if duration else float("inf")


def _compare_and_report(folders):
    """Compare all results with the published ones and write the page; return whether one of the two failed."""
    results = ("--results", folders.results)
    if _run("-m", "results.compare", *results):
        return True
    return bool(_run("-m", "results.report", *results, "--runs", folders.runs))


def _run(*words):
    """Run Python with `words` and return its exit code.

    On Ctrl-C the child gets SIGINT too: wait for it, then exit with its code. It has printed the message.
    """
    process = subprocess.Popen([sys.executable, *map(str, words)])
    try:
        code = process.wait()
    except KeyboardInterrupt:
        try:
            code = process.wait(GRACE_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            code = None
        if code != EXIT_INTERRUPTED:
            raise
    if code == EXIT_INTERRUPTED:
        sys.exit(EXIT_INTERRUPTED)
    return code


if __name__ == "__main__":
    run_main(main, RESUME_HINT)
