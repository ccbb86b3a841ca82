"""Commands that lack what they expect: room on the disk, the right to write, a home, a reader of what they print."""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.commands import RUN
from tests.faults.kills import Reference
from tests.faults.processes import TRACEBACK, Command, begin, run
from tests.faults.table import Row

PAGE = 4096
PRINTING = (
    *("-m results.audit", "-m results.compare --results reference", "-m results.evaluate {inputs}/predictions.csv"),
    *("-m results.readme --check", "-m results.report --results reference --output report.html"),
    *("-m data_prep --help", "-m data_prep folders {inputs}/pictures new", "-m data_prep verify {inputs}/prepared"),
    *("-m common.predict --help", "-m common.export --help", "-m results.cross --help", "-m reproductions --help"),
    f"{RUN} --help",
)


def full_disk(reference: Reference, times: int, seed: int) -> Row:
    """Run a command on a disk of a random size that is too small for it; then enlarge the disk, and run it again.

    Where nothing may be mounted, a limit on the size of a file takes the place of the small disk.
    """
    command = reference.command
    sizes = [path.stat().st_size for path in reference.folder.rglob("*") if path.is_file()]
    draw = random.Random(f"{seed} disk {command.name}")
    small_disks = _can_mount(reference.new_folder())
    row = Row("full disk" if small_disks else "limit on the size of a file", command.name)
    for _ in range(times):
        folder = reference.new_folder()
        if small_disks:
            _mount("-t", "tmpfs", "-o", "size=1g", "tmpfs", folder)
        try:
            begin(command, folder)
            limit = int(draw.uniform(0.02, 0.98) * (max(sizes) if not small_disks else sum(sizes)))
            if small_disks:
                used = sum(path.stat().st_size // PAGE + 1 for path in folder.rglob("*")) * PAGE
                _mount("-o", f"remount,size={used + limit // PAGE * PAGE + PAGE}", folder)
                ended = run(command, folder)
                _mount("-o", "remount,size=1g", folder)
            else:
                ended = run(command, folder, file_size=limit)
            if ended.code:
                reference.stopped(row, folder, ended)
                reference.count_exit(row, ended, (2,))
            reference.settle(row, folder)
        finally:
            if small_disks:
                subprocess.run(["umount", folder], check=True)
            shutil.rmtree(folder)
    row.note = "" if row.times else "no size was too small"
    return row


def read_only_folder(reference: Reference) -> Row:
    """Run a command in a folder where nothing may be written, and again where it may."""
    command, row = reference.command, Row("read-only folder", reference.command.name)
    folder = begin(command, reference.new_folder())
    with _read_only(folder / "out") as works:
        if not works:
            row.note = "skipped: root writes everywhere, and nothing may be mounted here"
            return row
        ended = run(command, folder)
        reference.stopped(row, folder, ended)
        reference.count_exit(row, ended, (2,))
        row.note = ended.errors.strip().splitlines()[-1][:80].replace(str(folder), "FOLDER") if ended.errors else ""
    reference.settle(row, folder)
    shutil.rmtree(folder)
    return row


def no_home(reference: Reference) -> Row:
    """Run a command without HOME, and with one that is not there."""
    row = Row("no HOME", reference.command.name)
    for home in ("", "/nonexistent"):
        folder = begin(reference.command, reference.new_folder())
        row.times += 1
        reference.settle(row, folder, HOME=home, XDG_CACHE_HOME="", MPLCONFIGDIR="")
        shutil.rmtree(folder)
    return row


def closed_output(inputs: Path, work: Path) -> Iterator[Row]:
    """Let the reader of what a command prints close it after the first line, or before it."""
    for line in PRINTING:
        words = line.format(inputs=inputs).split()
        row = Row(
            "closed output (`| head`)", " ".join(word for word in words if word != "-m" and not word.startswith("/"))
        )
        for lines in (1, 0):
            folder = begin(Command("", tuple(words)), work / f"pipe-{len(list(work.iterdir()))}")
            _copy_rows(folder / "out" / "reference")
            code, errors = _read_lines(words, folder / "out", lines)
            row.times += 1
            row.tracebacks += errors.count(TRACEBACK) + errors.count("Exception ignored")
            row.wrong_exits += code not in (0, -signal.SIGPIPE)
            if code or errors.count("Exception"):
                print(f"  {row.command}: exit code {code}\n{errors[-800:]}", flush=True)
        yield row


def _read_lines(words, folder, number):
    """Read some lines of a command's output, close it; return its exit code and what it printed as errors."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": ""}
    process = subprocess.Popen(
        [sys.executable, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    for _ in range(number):
        process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    return process.wait(), errors


def _copy_rows(folder):
    folder.mkdir()
    for file in (Path(__file__).parents[2] / "results" / "reference").glob("*.csv"):
        shutil.copy(file, folder)


@contextmanager
def _read_only(folder):
    """Whether nothing can be written into `folder` while the block runs; for root a mount is needed."""
    if os.geteuid():
        folder.chmod(0o555)
        yield True
        folder.chmod(0o755)
    elif _can_mount(folder):
        _mount("--bind", folder, folder)
        _mount("-o", "remount,bind,ro", folder)
        try:
            yield True
        finally:
            subprocess.run(["umount", folder], check=True)
    else:
        yield False


def _can_mount(folder):
    if os.geteuid() or not shutil.which("mount"):
        return False
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", folder], capture_output=True).returncode:
        return False
    subprocess.run(["umount", folder], check=True)
    return True


def _mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True)
