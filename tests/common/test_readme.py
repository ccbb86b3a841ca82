"""The examples in common/README.md run as they are printed, and its table lists every room."""

import re
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import pytest

import common
from common.data.pipeline import Preprocessing
from common.detectors.description import Description
from common.detectors.store import Detector, save

FOLDER = Path(common.__file__).parent
TEXT = (FOLDER / "README.md").read_text(encoding="utf-8")
SCORING, TRAINING = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_example_of_a_detector(tmp_path, monkeypatch):
    image = keras.Input((16, 16, 3))
    output = keras.layers.Dense(1, activation="sigmoid")(keras.layers.GlobalAveragePooling2D()(image))
    description = Description("tiny", asdict(Preprocessing(16)), proposed=True).placed("", has_classifier=False)
    (tmp_path / "runs/mesoinception_svm/RUN/models").mkdir(parents=True)
    save(Detector(description, keras.Model(image, output)), tmp_path / "runs/mesoinception_svm/RUN/models")
    monkeypatch.chdir(tmp_path)
    variables: dict = {}
    exec(SCORING, variables)
    assert variables["images"].shape == (4, 16, 16, 3)
    assert ((variables["scores"] > 0) & (variables["scores"] < 1)).all() and variables["scores"].shape == (4,)
    assert set(variables["verdicts"]) <= {"fake", "real"}


@pytest.mark.slow
def test_the_example_of_a_loss():
    variables: dict = {}
    exec(TRAINING, variables)
    assert np.isfinite(variables["history"].history["loss"]).all()
    assert variables["model"].optimizer.iterations == 8, "two epochs of 64 images in batches of 16"


def test_every_room_is_in_the_table():
    rooms = {path.parent.name for path in FOLDER.glob("*/__init__.py")}
    assert {name for name in re.findall(r"^\| `(\w+)/` \|", TEXT, re.MULTILINE)} == rooms
