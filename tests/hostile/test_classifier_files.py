"""Classifiers and summaries from strangers: .skops and .npz files."""

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from common.detectors.description import Description
from common.detectors.novelty import TrainingSummary
from common.detectors.store import Detector, load_classifier
from common.errors import UserError

FITTED = LogisticRegression().fit(np.eye(3)[[0, 1, 0, 1]], [0, 1, 0, 1])


class Payload:
    def __reduce__(self):
        return os.system, ("touch ran",)


def skops_with(change):
    """A .skops file whose schema was changed."""
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(FITTED))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members["schema.json"])
    members["schema.json"] = json.dumps(change(schema) or schema).encode()
    return zipped(members)


def zipped(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


HOSTILE = {
    "pickle": pickle.dumps(Payload()),
    "empty": b"",
    "half": skops.io.dumps(FITTED)[:-50],
    "a list": skops_with(lambda schema: [schema]),
    "a number": skops_with(lambda schema: 7),
    "os.system": skops_with(lambda schema: schema.update(__class__="system", __module__="os", __loader__="TypeNode")),
    "no loader": skops_with(lambda schema: schema.update(__loader__="NoSuchNode")),
    "content list": skops_with(lambda schema: schema.update(content=[1])),
    "protocol": skops_with(lambda schema: schema.update(protocol="new")),
    "deep schema": zipped({"schema.json": b"[" * 100_000}),
    "outside": zipped({"../outside": b"x", "schema.json": b"{}"}),
    "no classifier": skops.io.dumps({"a": 1}),
    "a scaler": skops.io.dumps(StandardScaler().fit(np.eye(3))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_classifier_is_a_users_error(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.skops").write_bytes(HOSTILE[name])
    with pytest.raises(UserError, match="x.skops") as caught:
        load_classifier(tmp_path / "x.skops")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.rglob("*")] == ["x.skops"]


@pytest.mark.parametrize("value", [np.nan, np.inf, 7.0, -0.1])
def test_a_score_that_is_no_probability_is_not_passed_on(value):
    detector = Detector(Description("red", {"size": 8}, name="red"), None)
    assert detector.score_outputs(np.array([[0.25], [1 + 1e-7]])).tolist() == [0.25, 1.0]
    with pytest.raises(UserError, match="scores of red are not in"):
        detector.score_outputs(np.array([[0.5], [value]]))


@pytest.mark.parametrize("features", [np.ones((2, 7)), np.full((2, 3), np.nan)])
def test_features_that_the_classifier_does_not_take_are_named(features):
    detector = Detector(Description("red", {"size": 8}, "margin", name="red"), None, FITTED)
    assert detector.score_outputs(np.zeros((2, 3))).shape == (2,)
    with pytest.raises(UserError, match="does not take its network's features"):
        detector.score_outputs(features)


def test_a_summary_whose_arrays_do_not_fit_is_damaged(tmp_path):
    names = [f"{part}_{name}" for part in ("features", "texture")
             for name in ("mean", "scale", "components", "centre", "precision", "limit")]  # fmt: skip
    np.savez(tmp_path / "x.npz", limit=np.array(1.0), **{name: np.zeros((2, 2)) for name in names})
    with pytest.raises(UserError, match="x.npz is missing or damaged"):
        TrainingSummary.load(tmp_path / "x.npz")
