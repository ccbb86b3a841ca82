"""What the tests of the papers share: the real command, run in a folder of its own on tiny embedded data."""

import os
import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """The folder of the embedded data."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def command(cache):
    """A function that runs a command line of the suite in `folder` and returns its CompletedProcess."""

    def run(folder, *words, expect=0):
        environment = os.environ | {"DEEPFAKE_REPRODUCTIONS_CACHE": str(cache)}
        done = subprocess.run(
            [sys.executable, *map(str, words)], cwd=folder, env=environment, capture_output=True, text=True, timeout=400
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    return run
