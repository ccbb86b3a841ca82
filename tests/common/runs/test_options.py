"""Flags: presets, rules, what departs from a preset, and how a run's own config is used again."""

import dataclasses
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import pytest

from common.errors import UserError
from common.files import write_json
from common.runs.options import (
    Names,
    RunOptions,
    as_flag,
    changed_flags,
    computed_values,
    from_json,
    overridden,
    preset_name,
    read_config,
    read_weights,
    to_json,
)
from common.runs.rules import Above, AtLeast, AtMost, Distinct, Role


@dataclass(frozen=True)
class Config(RunOptions):
    margin: Annotated[float, AtLeast(0)] = 0.4
    """A hyperparameter that can be 0."""
    shares: Annotated[tuple[float, float], Above(0)] = (0.9, 0.1)
    """A hyperparameter with two values."""
    kernels: Annotated[tuple[int, ...], Distinct(1), AtLeast(1)] = (3, 5)
    """A hyperparameter with any number of values."""
    squared: bool = True
    """A hyperparameter that is a switch."""
    penalty: Annotated[float | None, AtLeast(0), AtMost(1)] = 0.5
    """A hyperparameter that can be None."""
    embedder: Annotated[str, Role.WEIGHTS] = "published"
    """Where pre-trained weights come from."""


PRESETS = {
    "paper": Config(),
    "quick": Config(preset="quick", epochs=2),
    "smoke": Config(preset="smoke", epochs=1),
}


def read(*argv):
    return read_config(PRESETS, argv)


def test_the_default_preset_depends_on_data():
    assert read().preset == "quick"
    assert read("--data", "a=/x", "b=/y").data == ("a=/x", "b=/y")
    assert read("--data", "a=/x").preset == "paper"
    assert read("--data=a=/x", "--preset=smoke").epochs == 1


def test_a_flag_that_is_given_twice_is_refused():
    with pytest.raises(UserError, match="--data is given 2 times"):
        read("--data", "a=/x", "--data", "b=/y")


@pytest.mark.parametrize("argv", [["--preset", "fast"], ["--nonsense"], ["--epochs", "many"]])
def test_an_unknown_flag_exits_with_2(argv, capsys):
    with pytest.raises(SystemExit) as stopped:
        read(*argv)
    assert stopped.value.code == 2
    assert argv[-1].lstrip("-") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--seeds", "1", "1"], "--seeds: expected each value once, at least 1 of them, got 1 1"),
        (["--seeds", "-3"], "--seeds: expected a number of at least 0, got -3"),
        (["--seeds"], "--seeds: expected each value once, at least 1 of them, got "),
        (["--epochs", "-1"], "--epochs: expected a number of at least 0, got -1"),
        (["--limit", "0"], "--limit: expected a number of at least 1, got 0"),
        (["--margin", "-1"], "--margin: expected a number of at least 0, got -1"),
        (["--margin", "nan"], "--margin: expected a number of at least 0, got nan"),
        (["--penalty", "2"], "--penalty: expected a number of at most 1, got 2"),
        (["--protocol", "frame", "frame"], "--protocol: expected each value once, got frame frame"),
        (["--shares", "0", "-1"], "--shares: expected a number above 0, got 0"),
        (["--kernels"], "--kernels: expected each value once, at least 1 of them, got "),
        (["--near-duplicates", "-1"], "--near-duplicates: expected a number of at least 0, got -1"),
        (["--near-duplicates", "64"], "--near-duplicates: expected a number of at most 63, got 64"),
    ],
)
def test_a_value_that_breaks_its_rule_is_refused(argv, message):
    with pytest.raises(UserError) as error:
        read(*argv)
    assert str(error.value).startswith(message)


def test_zero_is_a_value_unless_the_fields_rule_excludes_it():
    config = read("--margin", "0", "--penalty", "0", "--near-duplicates", "0", "--epochs", "0", "--seeds", "0")
    assert (config.margin, config.penalty, config.near_duplicates, config.epochs) == (0, 0, 0, 0)
    assert read("--penalty", "None").penalty is None


def test_a_hyperparameter_changes_the_presets_name_and_an_output_path_does_not():
    same = read("--runs", "elsewhere", "--seeds", "5", "--debug")
    assert preset_name(same, PRESETS) == "quick"
    other = read("--margin", "0.5")
    assert overridden(other, PRESETS["quick"]) == {"margin": 0.5}
    assert preset_name(other, PRESETS).startswith("quick+")
    assert preset_name(other, PRESETS) != preset_name(replace(other, margin=0.6), PRESETS)


@pytest.mark.parametrize(
    ("argv", "flags"),
    [
        (["--no-squared"], ["--no-squared"]),
        (["--margin", "0"], ["--margin 0.0"]),
        (["--kernels", "3", "--shares", "0.5", "0.5"], ["--shares 0.5 0.5", "--kernels 3"]),
        (["--penalty", "None"], ["--penalty None"]),
        (["--preset", "smoke", "--near-duplicates", "4"], ["--near-duplicates 4"]),
    ],
)
def test_changed_flags_can_be_typed(argv, flags):
    """The notes of a row name them, and the same command must come out of them."""
    config = read(*argv)
    assert changed_flags(config, PRESETS) == flags
    words = [word for flag in flags for word in flag.split()]
    assert read("--preset", config.preset, *words) == config


def test_a_flag_is_written_as_it_is_typed():
    assert as_flag("squared", True) == "--squared" and as_flag("squared", False) == "--no-squared"
    assert as_flag("gan_beta_1", 0.5) == "--gan-beta-1 0.5" and as_flag("models", ("a", "b")) == "--models a b"


def test_deterministic_asks_jax_for_it_too(monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=x")
    read("--deterministic")
    assert os.environ["XLA_FLAGS"] == "--xla_dump_to=x"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    read("--deterministic")
    assert os.environ["XLA_FLAGS"] == "--xla_dump_to=x --xla_gpu_deterministic_ops=true"


def test_deterministic_turns_onednn_off_unless_the_user_sets_it(monkeypatch):
    """oneDNN's gradients of the same batch differ from process to process."""
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    read()
    assert "TF_ENABLE_ONEDNN_OPTS" not in os.environ
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    read("--deterministic")
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1"
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    read("--deterministic")
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "0"


@pytest.mark.parametrize("flag", ["--imagenet-weights", "--embedder"])
def test_the_place_of_pretrained_weights_changes_nothing_and_their_absence_does(flag):
    for place in ("/data/weights", "/scratch/weights"):
        assert preset_name(read(flag, place), PRESETS) == "quick"
    without = read(flag, "none")
    assert overridden(without, PRESETS["quick"]) == {flag[2:].replace("-", "_"): "none"}
    assert preset_name(without, PRESETS) != "quick"


def test_one_weight_file_under_two_paths_is_one_preset(tmp_path, monkeypatch):
    for name, content in (("first.keras", b"weights"), ("second.keras", b"weights"), ("other.keras", b"others")):
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    paths = ("first.keras", tmp_path / "second.keras", "./first.keras")
    names = {preset_name(read("--weights", f"cffn={path}"), PRESETS) for path in paths}
    assert len(names) == 1 and names.pop().startswith("quick+")
    first = preset_name(read("--weights", "cffn=first.keras"), PRESETS)
    assert preset_name(read("--weights", "cffn=other.keras"), PRESETS) != first
    assert preset_name(read("--weights", "meso4=first.keras"), PRESETS) != first
    assert changed_flags(read("--weights", "cffn=first.keras"), PRESETS) == [], "a note of its own names the file"


def test_read_weights_takes_each_known_model_once(tmp_path):
    file = tmp_path / "a.keras"
    file.touch()
    assert read_weights([f"a={file}"], ["a", "b"]) == {"a": file}
    for pairs in ([f"c={file}"], [f"a={file}", f"a={file}"], ["a"]):
        with pytest.raises(UserError, match=r"--weights.*(expected MODEL=FILE|no such file)"):
            read_weights(pairs, ["a", "b"])
    with pytest.raises(UserError, match="--weights a: no such file: /nowhere"):
        read_weights(["a=/nowhere"], ["a"])


def test_config_survives_json(tmp_path):
    config = read("--seeds", "0", "1", "--runs", str(tmp_path), "--shares", "0.5", "0.5")
    assert from_json(Config, to_json(config)) == config
    with pytest.raises(UserError, match="another version"):
        from_json(Config, to_json(config) | {"gone": 1})


def test_output_paths_are_not_computed_with():
    values = computed_values(read())
    assert {"margin", "data", "seeds", "embedder"} <= set(values)
    assert not {"runs", "results", "resume", "debug", "tensorboard"} & set(values)


@pytest.fixture
def started(tmp_path):
    """(a run folder, the config that it was started with)."""
    config = read("--margin", "0.7", "--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "rows"))
    run = tmp_path / "runs" / "paper" / "quick-1"
    write_json(to_json(config), run / "config.json")
    return run, config


def test_resume_uses_the_runs_own_config_and_refuses_other_values(started, tmp_path):
    run, config = started
    resumed = read("--resume", str(run))
    assert dataclasses.replace(resumed, resume=None) == config
    assert resumed.resume == Path(run)
    with pytest.raises(UserError, match="drop --margin"):
        read("--resume", str(run), "--margin", "0.8")
    with pytest.raises(UserError, match=r"config\.json"):
        read("--resume", str(tmp_path))


def test_resume_keeps_the_runs_results_folder_unless_another_is_given(started, tmp_path):
    run, _ = started
    assert read("--resume", str(run)).results == tmp_path / "rows"
    assert read("--resume", str(run), "--results", str(tmp_path / "new")).results == tmp_path / "new"
    assert read("--resume", str(run), f"--results={tmp_path / 'new'}").results == tmp_path / "new"
    assert read("--resume", str(run), "--debug").debug


def test_names_are_distinct():
    assert [rule for rule in Names.__metadata__] == [Distinct()]
