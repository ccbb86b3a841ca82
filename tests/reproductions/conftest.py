"""What the tests of the papers share: the real command, run in a folder of its own on tiny embedded data."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.warm_python import WarmPython


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """The folder of the embedded data."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def warm_python():
    """Runs command lines with TensorFlow imported before; see warm_python.py."""
    warm = WarmPython()
    yield warm
    warm.close()


@pytest.fixture(scope="session")
def command(cache, warm_python):
    """A function that runs a command line of the suite in `folder` and returns its CompletedProcess.

    With fresh=True, and for options of the interpreter, it starts a new interpreter.
    """

    def run(folder, *words, expect=0, fresh=False, **variables):
        words = [str(word) for word in words]
        environment = os.environ | {"DEEPFAKE_REPRODUCTIONS_CACHE": str(cache)} | variables
        if fresh or not hasattr(os, "fork") or words[0].startswith("-") and words[0] != "-m":
            done = subprocess.run(
                [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=400
            )
        else:
            done = warm_python.run(words, folder, environment, timeout=400)
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def assert_drawn():
    """A function that checks the PNG files of a folder: each has a size, a background, and drawn content."""

    def check(folder):
        files = sorted(folder.glob("*.png"))
        assert files
        for file in files:
            pixels = np.asarray(Image.open(file).convert("L"), int)
            assert min(pixels.shape) >= 100, file
            drawn = (pixels < 230).mean()
            assert 0.005 < drawn < 0.995 and len(np.unique(pixels)) > 20, f"{file} is blank"

    return check


@pytest.fixture(scope="module")
def run_folder(smoke):
    """The folder of the only run of `smoke`, a module's own (folder, what the command printed)."""
    (path,) = smoke[0].glob("runs/*/*")
    return path


@pytest.fixture(scope="session")
def read_rows():
    """A function that reads the rows of the one paper that was run in a folder; value and n are numbers."""

    def read(folder):
        (paper,) = {path.parent.name for path in folder.glob("runs/*/*")}
        rows = pd.read_csv(folder / "results" / f"{paper}.csv", keep_default_na=False)
        return rows.assign(value=pd.to_numeric(rows["value"]), n=pd.to_numeric(rows["n"]))

    return read


@pytest.fixture(scope="module")
def rows(smoke, read_rows):
    return read_rows(smoke[0])


@pytest.fixture
def refused(tmp_path, command):
    """A function that runs a command line and expects exit code 2, a last line with `message`, and no run folder."""

    def check(message, *words):
        done = command(tmp_path, *words, expect=2)
        assert message in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
        assert not (tmp_path / "runs").exists()

    return check
