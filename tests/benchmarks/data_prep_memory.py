"""Memory of data_prep: its peak over 20,000 pictures against that over 2,000, and the seconds of a second run.

    python -m tests.benchmarks.data_prep_memory [--few 2000] [--many 20000] [--workers 2]

The pictures are tiny and each run is a process of its own, so that what grows is what data_prep keeps of each. Printed
are the peak of the command's own resident memory, the largest of its workers', and the sum at one moment of all of
them, looked at 20 times a second; the ratios should be at most 1.10.
"""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from common.cli import parse, run_main
from tests.benchmarks.table import Row, TableOptions, publish


@dataclass(frozen=True)
class Options(TableOptions):
    """Flags of the benchmark."""

    few: int = 2000
    many: int = 20000
    workers: int = 2
    size: int = 8
    """Pixels of the prepared pictures."""


def main(argv=None):
    options = parse(Options, argv, description=__doc__)
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in (options.few, options.many):
            source = write_images(Path(folder) / f"raw-{number}", number)
            for run in ("first", "second"):
                seconds, peaks[run, number] = measure(source, Path(folder) / f"out-{number}", options)
                words = ", ".join(f"{name} {mebibytes:.1f} MiB" for name, mebibytes in peaks[run, number].items())
                print(f"{number:6d} pictures, {run:6s} run: {seconds:6.1f} s, peak {words}", flush=True)
    rows = [
        Row(f"peak memory of data_prep, {run} run, {options.few:,} and {options.many:,} pictures",
            peaks[run, options.many]["together"], f"itself with {options.few:,}", peaks[run, options.few]["together"],
            "MiB")
        for run in ("first", "second")
    ]  # fmt: skip
    publish([*rows, Row(f"data_prep, second run on {options.many:,} pictures", seconds, unit="s")], options.table)


def write_images(folder, number):
    """Tiny pictures of two classes, all different."""
    pixels = np.zeros((8, 8, 3), dtype=np.uint8)
    for label in ("real", "fake"):
        (folder / label).mkdir(parents=True)
    for index in range(number):
        pixels[0, 0] = index % 256, index // 256 % 256, index // 65536
        Image.fromarray(pixels).save(folder / ("real", "fake")[index % 2] / f"{index:06d}.png")
    return folder


def measure(source, target, options):
    """Seconds and {what: peak in MiB} of one run of the command."""
    flags = ["--size", str(options.size), "--workers", str(options.workers)]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "data_prep", "folders", source, target, *flags], stdout=subprocess.DEVNULL
    )
    own, workers, together = 0, 0, 0
    while process.poll() is None:
        family = [(number, *memory(number)) for number in (process.pid, *children(process.pid))]
        own = max([own] + [peak for number, _, peak in family if number == process.pid])
        workers = max([workers] + [peak for number, _, peak in family if number != process.pid])
        together = max(together, sum(now for _, now, _ in family))
        time.sleep(0.05)
    if process.returncode:
        sys.exit(f"data_prep ended with {process.returncode}")
    found = {"command": own, "worker": workers, "together": together}
    return time.perf_counter() - began, {name: kibibytes / 1024 for name, kibibytes in found.items() if kibibytes}


def children(process):
    try:
        return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def memory(process):
    """Resident memory in KiB, now and at its peak; zeros of a process that is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0, 0
    values = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if "kB" in rest}
    return values.get("VmRSS", 0), values.get("VmHWM", 0)


if __name__ == "__main__":
    run_main(main)
