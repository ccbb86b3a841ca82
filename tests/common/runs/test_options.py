import dataclasses
import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from common.errors import UserError
from common.files import write_json
from common.runs.options import RunOptions, from_json, overridden, preset_name, read_config, to_json


@dataclass(frozen=True)
class Config(RunOptions):
    margin: float = 0.4
    """A hyperparameter."""
    shares: tuple[float, float] = (0.9, 0.1)


PRESETS = {
    "paper": Config(),
    "quick": replace(Config(), preset="quick", epochs=2),
    "smoke": replace(Config(), preset="smoke", epochs=1),
}


def test_the_default_preset_depends_on_data():
    assert read_config(PRESETS, []).preset == "quick"
    assert read_config(PRESETS, ["--data", "a=/x", "b=/y"]).data == ("a=/x", "b=/y")
    assert read_config(PRESETS, ["--data", "a=/x"]).preset == "paper"
    assert read_config(PRESETS, ["--data=a=/x", "--preset=smoke"]).epochs == 1


def test_a_flag_given_twice_is_refused():
    with pytest.raises(UserError, match="--data is given 2 times"):
        read_config(PRESETS, ["--data", "a=/x", "--data", "b=/y"])


@pytest.mark.parametrize("argv", [["--preset", "fast"], ["--nonsense"], ["--epochs", "many"]])
def test_a_wrong_flag_exits_with_2(argv, capsys):
    with pytest.raises(SystemExit) as stopped:
        read_config(PRESETS, argv)
    assert stopped.value.code == 2
    assert argv[-1].lstrip("-") in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [
        *(["--seeds", "1", "1"], ["--epochs", "-1"], ["--limit", "0"], ["--seeds", "-3"], ["--margin", "-1"]),
        *(["--protocol", "frame", "frame"], ["--shares", "0", "-1", "--margin", "0"]),
    ],
)
def test_a_senseless_value_is_refused(argv):
    with pytest.raises(UserError):
        read_config(PRESETS, argv)


def test_an_override_changes_the_presets_name_and_places_do_not():
    same = read_config(PRESETS, ["--runs", "elsewhere", "--seeds", "5", "--debug"])
    assert preset_name(same, PRESETS) == "quick"
    other = read_config(PRESETS, ["--margin", "0.5"])
    assert overridden(other, PRESETS["quick"]) == {"margin": 0.5}
    assert preset_name(other, PRESETS).startswith("quick+")
    assert preset_name(other, PRESETS) != preset_name(replace(other, margin=0.6), PRESETS)


def test_deterministic_leaves_out_onednn_unless_the_user_wants_it(monkeypatch):
    """Its convolutions' gradients of one batch differ from process to process."""
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    read_config(PRESETS, [])
    assert "TF_ENABLE_ONEDNN_OPTS" not in os.environ
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    read_config(PRESETS, ["--deterministic"])
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1"
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    read_config(PRESETS, ["--deterministic"])
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "0"


def test_where_checked_weights_lie_changes_nothing_and_going_without_does():
    for place in ("imagenet", "/data/weights", "/scratch/weights"):
        assert preset_name(read_config(PRESETS, ["--imagenet-weights", place]), PRESETS) == "quick"
    without = read_config(PRESETS, ["--imagenet-weights", "none"])
    assert overridden(without, PRESETS["quick"]) == {"imagenet_weights": "none"}


def test_config_survives_json(tmp_path):
    config = read_config(PRESETS, ["--seeds", "0", "1", "--runs", str(tmp_path), "--shares", "0.5", "0.5"])
    assert from_json(Config, to_json(config)) == config
    with pytest.raises(UserError, match="another version"):
        from_json(Config, to_json(config) | {"gone": 1})


def test_resume_takes_the_runs_own_config_and_no_other_values(tmp_path):
    before = read_config(PRESETS, ["--margin", "0.7", "--runs", str(tmp_path / "runs")])
    run = tmp_path / "runs" / "p" / "quick-1"
    write_json(to_json(before), run / "config.json")
    after = read_config(PRESETS, ["--resume", str(run)])
    assert dataclasses.replace(after, resume=None) == before
    assert after.resume == Path(run)
    with pytest.raises(UserError, match="drop --margin"):
        read_config(PRESETS, ["--resume", str(run), "--margin", "0.8"])
    with pytest.raises(UserError, match=r"config\.json"):
        read_config(PRESETS, ["--resume", str(tmp_path)])


def test_near_duplicates_are_a_number_of_64_bits():
    assert read_config(PRESETS, ["--near-duplicates", "0"]).near_duplicates == 0
    for wrong in ("-1", "64"):
        with pytest.raises(UserError, match="--near-duplicates: expected"):
            read_config(PRESETS, [f"--near-duplicates={wrong}"])
