"""A raw data set that takes long enough to be interrupted, and the command as a process."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from common.data.manifest import NAME

TABLES = (NAME, "skipped.csv", "prep.json")


@pytest.fixture(scope="session")
def read_tables():
    """Return a function that returns the bytes of manifest.csv, skipped.csv and prep.json of a prepared folder."""
    return lambda dst: [(dst / name).read_bytes() for name in TABLES]


@pytest.fixture(scope="session")
def many(tmp_path_factory):
    """A raw folder with 300 images, three of which are text files; tests do not change it."""
    return _write_raw(tmp_path_factory.mktemp("data") / "many")


def _write_raw(folder):
    for number in range(300):
        path = folder / ("real", "fake")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    for number in range(3):
        (folder / "real" / f"{2 * number}.png").write_text("hello")
    return folder


@pytest.fixture
def start_command():
    """Return a function (src, dst, *flags) that starts the command in a group of its own, as Ctrl-C reaches it."""
    processes = []

    def start(src, dst, *flags):
        process = subprocess.Popen(
            [sys.executable, "-m", "data_prep", "folders", src, dst, *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background shell ignores it
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def journal_times():
    """Return a function (dst, name of a journal) that returns {raw path: modification times of its images}.

    A raw path with two lines is an error: it was processed twice.
    """

    def read(dst, name=".progress.jsonl"):
        if not (dst / name).is_file():
            return {}
        lines = [json.loads(line) for line in (dst / name).read_bytes().splitlines(True)[1:] if line.endswith(b"\n")]
        times = {line["path"]: [(dst / path).stat().st_mtime_ns for path, _ in line["images"]] for line in lines}
        assert len(times) == len(lines)
        return times

    return read
