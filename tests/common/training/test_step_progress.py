"""How long a training will take, by a clock that each step moves."""

import types

import keras
import numpy as np
import pytest

from common.progress import ProgressBar
from common.training import step_progress
from common.training.progress import Progress
from common.training.step_progress import PredictionProgress, StepProgress


@pytest.fixture
def epoch(monkeypatch):
    """epoch(seconds of each step, progress) -> what was logged; the first step has traced, and takes 100 s."""

    def run(seconds, progress):
        now, told = [0.0], []
        monkeypatch.setattr(step_progress.time, "monotonic", lambda: now[0])
        monkeypatch.setattr(step_progress.log, "info", lambda text, *values: told.append(text % values))
        callback = StepProgress(progress, epochs=10, steps=60)
        callback.set_model(types.SimpleNamespace(name="meso4"))
        callback.on_epoch_begin(len(progress.history))
        for batch in range(60):
            callback.on_train_batch_begin(batch)
            now[0] += seconds if batch else 100
        callback.on_epoch_end(len(progress.history))
        return told

    return run


def test_the_duration_is_that_of_the_steps_after_the_first(epoch):
    """Steps of 2 s: three of them take 6 s, so 600 take 1200 s."""
    assert epoch(2.0, Progress()) == [
        "meso4: at most 10 epochs of 60 steps, about 20 min 0 s without validation, by the first 3 steps"
    ]


def test_scoring_shows_its_steps(monkeypatch):
    """Of a real network: 5 batches of 2 images."""
    bars = []

    class Bar(ProgressBar):
        def __init__(self, *about, **options):
            super().__init__(*about, **options)
            bars.append(self)

    monkeypatch.setattr(step_progress, "ProgressBar", Bar)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)], name="tiny")
    network.predict(np.zeros((10, 3), np.float32), batch_size=2, verbose=0, callbacks=[PredictionProgress()])
    (bar,) = bars
    assert (bar.subject, bar.done, bar.total) == ("tiny, scoring", 5, 5)


def test_an_epoch_that_is_over_at_once_needs_no_estimate(epoch):
    assert epoch(0.01, Progress()) == []


def test_only_the_first_epoch_tells(epoch):
    assert epoch(2.0, Progress(history=[{"epoch": 1, "seconds": 3.0}])) == []
