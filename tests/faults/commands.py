"""The commands that are interrupted, and small inputs for them."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from tests.faults.processes import ROOT, Command

PICTURES, CLIPS, FRAMES, PREDICTIONS = 60, 6, 24, 8000  # of each class; of a clip
RUN = str(ROOT / "reproductions/mesoinception_svm/run.py")
PAPERS = sorted(path.parent.name for path in ROOT.glob("reproductions/*/run.py"))


def make_inputs(folder: Path) -> None:
    """Write pictures/, clips/, prepared/ and predictions.csv into a folder."""
    random = np.random.default_rng(0)
    for label in ("real", "fake"):
        (folder / "pictures" / label).mkdir(parents=True)
        (folder / "clips" / label).mkdir(parents=True)
        for number in range(PICTURES):
            _picture(random, label).save(folder / "pictures" / label / f"{number:03d}.png")
        for number in range(CLIPS):
            _write_clip(random, folder / "clips" / label / f"{number}.mp4")
    write_predictions(folder / "predictions.csv", PREDICTIONS)
    words = ["-m", "data_prep", "folders", folder / "pictures", folder / "prepared", "--workers", "1"]
    subprocess.run([sys.executable, *map(str, words)], cwd=ROOT, check=True, capture_output=True)


def write_predictions(file: Path, number: int) -> None:
    """Write scores of a number of frames of each class, four of a video."""
    random = np.random.default_rng(0)
    frames = np.arange(2 * number)
    label = np.where(frames < number, "fake", "real")
    score = np.clip(random.normal(np.where(label == "fake", 0.6, 0.4), 0.2), 0, 1)
    table = {"path": [f"{n}.png" for n in frames], "video": frames // 4, "label": label, "score": score.round(6)}
    pd.DataFrame(table).to_csv(file, index=False)


def cheap_commands(inputs: Path) -> list[Command]:
    """Return the commands of data_prep and of results, by what they write."""
    predictions = str(inputs / "predictions.csv")
    prepare = ("-m", "data_prep", "folders")
    return [
        Command("data_prep, images", (*prepare, str(inputs / "pictures"), "prepared", "--size", "96")),
        Command("data_prep, video frames", (*prepare, str(inputs / "clips"), "prepared", "--frames-per-video", "12")),
        Command("results.evaluate", ("-m", "results.evaluate", predictions, "--figures", "figures")),
        Command("results.compare", ("-m", "results.compare", "--results", "results"), set_up=_copy_reference),
        Command("results.audit", ("-m", "results.audit", "--results", "results"), set_up=_copy_reference),
        Command("results.report", ("-m", "results.report", "--results", "results"), set_up=_copy_reference),
        Command(
            "results.readme", ("-m", "results.readme"), set_up=_copy_suite,
            environment={"PYTHONPATH": "suite", "PYTHONDONTWRITEBYTECODE": "1"},
        ),
    ]  # fmt: skip


def training(inputs: Path, *flags: str) -> Command:
    """Return the training of MesoInception-4 on prepared pictures, with a checkpoint after each step."""
    words = (
        *(RUN, "--preset", "smoke", "--deterministic", "--models", "mesoinception4", "--data"),
        *(f"deepfake={inputs / 'prepared'}", "--checkpoint-minutes", "0", *flags),
    )
    return Command("training of mesoinception4", words)


def smoke_run(paper: str) -> Command:
    """Return a whole smoke run of a paper, all its models, on its drawn data."""
    words = (str(ROOT / "reproductions" / paper / "run.py"), "--preset", "smoke", "--deterministic")
    return Command(f"{paper}, whole smoke run", (*words, "--checkpoint-minutes", "0"))


def with_own_data(command: Command, inputs: Path) -> Command:
    """Return the command on a copy of the prepared pictures in its own folder, which can be changed."""
    words = tuple("deepfake=prepared" if word.startswith("deepfake=") else word for word in command.words)
    set_up: Callable[[Path], None] = lambda folder: shutil.copytree(inputs / "prepared", folder / "prepared")  # noqa: E731
    return replace(command, words=words, set_up=set_up)


def _picture(random, label):
    noise = Image.fromarray(random.integers(0, 256, (160, 160, 3), dtype=np.uint8))
    return noise.filter(ImageFilter.GaussianBlur(1.0 if label == "real" else 1.6))


def _write_clip(random, file):
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 10, (160, 160))
    base = cv2.GaussianBlur(random.integers(0, 256, (160, 184, 3), dtype=np.uint8), (7, 7), 0)
    for frame in range(FRAMES):
        writer.write(np.ascontiguousarray(base[:, frame : frame + 160]))
    writer.release()


def _copy_reference(folder):
    """The repository's own rows, as if a user's runs had measured them."""
    (folder / "results").mkdir()
    for file in (ROOT / "results" / "reference").glob("*.csv"):
        shutil.copy(file, folder / "results")


def _copy_suite(folder):
    """A copy of the suite whose READMEs have stale tables."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("common", "data_prep", "reproductions", "results"):
        shutil.copytree(ROOT / name, folder / "suite" / name, ignore=ignored)
    shutil.copy(ROOT / "README.md", folder / "suite")
    for file in (folder / "suite").rglob("README.md"):
        file.write_text(re.sub(r"\| 0\.", "| 1.", file.read_text("utf-8")), "utf-8")
