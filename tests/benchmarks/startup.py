"""How long it takes until something happens: --help, imports, the first training step, the first score.

    python -m tests.benchmarks.startup [--rounds 3]

Each is a process of its own. The first training step is that of mesoinception_svm on pictures that are prepared before;
the first score is that of the network it trains, of one picture.
"""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image, ImageFilter

from common.cli import parse, run_main
from tests.benchmarks.table import Row, TableOptions, publish

RUN = "reproductions/mesoinception_svm/run.py"


@dataclass(frozen=True)
class Options(TableOptions):
    """Flags of the benchmark."""

    images: int = 64
    """Pictures of each class that are trained on."""
    rounds: int = 3


def main(argv=None):
    options = parse(Options, argv, description=__doc__)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared = prepare(folder, options.images)
        training = [RUN, "--preset", "smoke", "--data", f"deepfake={prepared}", "--models", "mesoinception4"]
        training += ["--results", folder / "results"]
        jobs = {
            f"--help of {RUN}": lambda turn: whole([RUN, "--help"]),
            "--help of common.predict": lambda turn: whole(["-m", "common.predict", "--help"]),
            "import of common.losses": lambda turn: whole(["-c", "import common.losses"]),
            f"first training step of {RUN}": lambda turn: until_first_step(
                [*training, "--runs", folder / f"runs-{turn}"]
            ),
        }
        seconds = {job: median(measure(turn) for turn in range(options.rounds)) for job, measure in jobs.items()}
        whole([*training, "--runs", folder / "runs"])
        (run,) = (folder / "runs" / "mesoinception_svm").iterdir()
        picture = next(prepared.rglob("*.png"))
        score = ["-m", "common.predict", run, picture]
        seconds["common.predict on one picture"] = median(whole(score) for _ in range(options.rounds))
    publish((Row(job, value, unit="s") for job, value in seconds.items()), options.table)


def prepare(folder, images):
    """A prepared folder of blurred noise."""
    random = np.random.default_rng(0)
    for label in ("real", "fake"):
        (folder / "raw" / label).mkdir(parents=True)
        for number in range(images):
            noise = Image.fromarray(random.integers(0, 256, (64, 64, 3), dtype=np.uint8))
            noise.filter(ImageFilter.GaussianBlur(1)).save(folder / "raw" / label / f"{number}.png")
    whole(["-m", "data_prep", "folders", folder / "raw", folder / "prepared"])
    return folder / "prepared"


def whole(words):
    """Seconds of a Python command."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *map(str, words)], check=True, capture_output=True)
    return time.perf_counter() - began


def until_first_step(words):
    """Seconds until a training has taken its first step: with a checkpoint after each, until the first is there."""
    began = time.perf_counter()
    words = [*words, "--checkpoint-minutes", "0"]
    runs = Path(words[words.index("--runs") + 1])
    process = subprocess.Popen([sys.executable, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not any(path.is_file() for path in runs.glob("*/*/checkpoints/**/*")):
            if process.poll() is not None:
                sys.exit(f"the training ended with {process.returncode} before a step was seen")
            time.sleep(0.02)
        return time.perf_counter() - began
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    run_main(main)
