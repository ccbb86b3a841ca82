"""Which ImageNet weights a run looks up, before anything is trained."""

from dataclasses import replace
from pathlib import Path

import pytest

from common.errors import UserError
from reproductions.dcgan_inception_resnet import method
from reproductions.dcgan_inception_resnet.config import PRESETS

SMOKE = replace(PRESETS["smoke"], imagenet_weights="imagenet")
EVALUATION = replace(SMOKE, epochs=0, gan_epochs=0)


@pytest.fixture
def looked_up(monkeypatch):
    """The networks whose weights were looked up, in order; all are available."""
    names = []

    def resolve(backbone, config):
        names.append(backbone)
        return "folder", []

    monkeypatch.setattr(method, "resolve_imagenet_weights", resolve)
    monkeypatch.setattr(method, "find_weights", lambda network, choice: names.append(network))
    return names


@pytest.mark.parametrize(
    ("config", "weights", "networks"),
    [
        (SMOKE, (), ["inceptionresnetv2", "inceptionv3"]),
        (replace(SMOKE, models=("stand_in",)), (), ["inceptionv3"]),
        (SMOKE, ("inception_resnet_v2",), ["inceptionv3"]),
        (EVALUATION, ("stand_in", "generator"), ["inceptionv3"]),
        (EVALUATION, ("stand_in",), []),  # no generated images, whose quality could be measured
    ],
)
def test_only_the_weights_that_a_run_needs_are_looked_up(looked_up, config, weights, networks):
    initial, feature_weights = method.find_imagenet(config, {name: Path("file") for name in weights})
    assert looked_up == networks
    expected = "folder" if "inceptionresnetv2" in networks else "none"
    assert initial == (expected, []) and feature_weights == ("folder" if expected == "folder" else "imagenet")


def test_a_detector_measures_the_fakes_without_inceptions_weights(looked_up, monkeypatch):
    def unavailable(network, choice):
        raise UserError("no way to the server")

    monkeypatch.setattr(method, "find_weights", unavailable)
    assert method.find_imagenet(SMOKE, {}) == (("folder", []), "none")
