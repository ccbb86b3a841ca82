"""The flags that every paper's command line has; a paper's Config adds its hyperparameters to them."""

import dataclasses
import hashlib
import importlib.util
import json
import os
import sys
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from common.cli import parse
from common.errors import UserError
from common.files import read_json, sha256
from common.runs.rules import AtLeast, AtMost, Distinct, Role

Names = Annotated[tuple[str, ...], Distinct()]


@dataclass(frozen=True)
class RunOptions:
    """Flags of every paper. A paper's Config inherits them and adds its own, each with its source."""

    preset: Annotated[Literal["smoke", "quick", "paper"], Role.SUBJECT] = "paper"
    """smoke: seconds, for tests; quick: minutes on 2 CPU cores; paper: the published settings. Without --data the
    default is quick, with --data it is paper."""
    data: Annotated[Names, Role.SUBJECT] = ()
    """Prepared folders as NAME=DIR (each with a manifest.csv); none: the embedded synthetic data."""
    runs: Annotated[Path, Role.OUTPUT] = Path("runs")
    """Where run folders are created: RUNS/<paper>/<run>/."""
    results: Annotated[Path, Role.OUTPUT] = Path("results")
    """The folder of <paper>.csv."""
    seeds: Annotated[tuple[int, ...], Role.SUBJECT, Distinct(1), AtLeast(0)] = (0,)
    """Seeds of splits, initial weights, order and augmentation; everything is repeated for each."""
    protocol: Annotated[Names, Role.SUBJECT] = ()
    """How images are split into train, validation and test; none: every protocol that the data allow."""
    near_duplicates: Annotated[int | None, AtLeast(0), AtMost(63)] = None
    """Keep images on one side if their perceptual hashes differ in at most this many of 64 bits, e.g. 4; none compares
    bytes alone."""
    resume: Annotated[Path | None, Role.OUTPUT] = None
    """A run folder to resume; its own config.json is used. (The same command resumes a killed run by itself.)"""
    strategy: Annotated[Literal["auto", "none", "mirrored", "multiworker"], Role.SUBJECT] = "auto"
    """tf.distribute: auto is mirrored with several GPUs, otherwise none; multiworker trains on the machines that
    TF_CONFIG or SLURM names."""
    worker_minutes: Annotated[float, Role.OUTPUT, AtLeast(0)] = 10.0
    """Minutes that --strategy multiworker waits at its start for the other machines."""
    epochs: Annotated[int, AtLeast(0)] = 10
    """Passes over the training split; 0 trains nothing and evaluates --weights as they are."""
    weights: Names = ()
    """MODEL=FILE: start a network from a weight file."""
    imagenet_weights: Annotated[str, Role.WEIGHTS] = "imagenet"
    """imagenet (downloaded), none, or a folder of weight files; only for networks that the paper pre-trains."""
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = "auto"
    """Arithmetic of the layers; auto is float32, the papers' own."""
    jit: Annotated[Literal["auto", "on", "off"], Role.SUBJECT] = "auto"
    """XLA compilation; auto leaves the choice to Keras."""
    limit: Annotated[int | None, AtLeast(1)] = None
    """Use at most this many images per class of each data set, chosen by hash."""
    deterministic: Annotated[bool, Role.SUBJECT] = False
    """Bit-identical results at the same seed and thread count; slower, on a CPU without oneDNN's kernels."""
    checkpoint_minutes: Annotated[float, Role.OUTPUT, AtLeast(0)] = 10.0
    """Minutes between checkpoints within an epoch; 0 writes one after each step. Each epoch ends with one. A killed run
    resumes from its last checkpoint."""
    memory_share: Annotated[float, Role.OUTPUT, AtLeast(0), AtMost(1)] = 0.25
    """Share of the machine's memory for decoded images. Those beyond it are in a file in the cache folder, which takes
    up to half of the free disk and is gone when the run ends."""
    tensorboard: Annotated[bool, Role.OUTPUT] = False
    """Write TensorBoard logs into the run folder (needs the extra [tensorboard])."""
    debug: Annotated[bool, Role.OUTPUT] = False
    """Show the traceback of an error."""


Config = TypeVar("Config", bound=RunOptions)


def read_config(
    presets: Mapping[str, Config], argv: Sequence[str] | None = None, *, prog: str | None = None,
    description: str | None = None,
) -> Config:  # fmt: skip
    """Read a paper's command line: the preset's values, then the flags, or a resumed run's own config.json.

    Args:
        presets: {"smoke": Config, "quick": Config, "paper": Config}.
        argv: the words of the command line; None: those of this process.
        prog: the command as --help prints it.
        description: the text at the top of --help.

    Returns:
        A Config whose values obey the rules of their fields.

    Raises:
        UserError: if a value breaks a rule, or --resume does not name an unfinished run.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    chosen = _value_of("--preset", argv) or ("paper" if _value_of("--data", argv) else "quick")
    default = presets.get(chosen, presets["quick"])  # an unknown preset: tyro names the legal ones
    config = parse(type(default), argv, prog=prog, description=description, default=default)
    config = check_rules(config) if config.resume is None else _resumed(config, presets[chosen], argv)
    if config.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise UserError('--tensorboard needs TensorBoard: pip install -e ".[tensorboard]"')
    if config.deterministic:  # read when TensorFlow is imported: oneDNN's sums depend on a tensor's place in memory
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
        if os.environ.get("KERAS_BACKEND") == "jax":
            os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_deterministic_ops=true".strip()
    return config


def read_weights(pairs: Iterable[str], models: Sequence[str]) -> dict[str, Path]:
    """Return `MODEL=FILE` pairs, e.g. --weights, as {model: path}.

    Raises:
        UserError: if a model is unknown or repeated, or a file is missing.
    """
    files: dict[str, Path] = {}
    for pair in pairs:
        model, _, file = pair.partition("=")
        if model not in models or model in files:
            raise UserError(f"--weights: expected MODEL=FILE, each MODEL once, of {', '.join(models)}; got {pair!r}")
        files[model] = Path(file).expanduser()
        if not files[model].is_file():
            raise UserError(f"--weights {model}: no such file: {file}")
    return files


def overridden(config: RunOptions, preset: RunOptions) -> dict[str, Any]:
    """Return the hyperparameters in which `config` departs from its `preset`, as {field: value}.

    A weight file is named by its SHA-256, so that the same file under two paths is one value. The place of pre-trained
    weights is not a departure: a folder of ImageNet's holds the published files or is refused, and rows note a FaceNet
    file that is not the published one.
    """
    changed = {}
    for name, value in _changed(config, preset).items():
        if _has(type(config), name, Role.WEIGHTS) and "none" not in (value, getattr(preset, name)):
            continue
        changed[name] = _fingerprints(value) if name == "weights" else value
    return changed


def preset_name(config: RunOptions, presets: Mapping[str, RunOptions]) -> str:
    """Return `quick`, or `quick+<hash>` if a value of the preset was overridden."""
    changed = overridden(config, presets[config.preset])
    return config.preset + (f"+{digest(changed)[:6]}" if changed else "")


def changed_flags(config: RunOptions, presets: Mapping[str, RunOptions]) -> list[str]:
    """Return the overridden values of a preset as flags that can be typed, without --weights."""
    changed = overridden(config, presets[config.preset])
    return [as_flag(name, value) for name, value in changed.items() if name != "weights"]


def as_flag(name: str, value: Any) -> str:
    """Return a field's value as the flag that sets it, e.g. `--no-squared` or `--kernels 3 5`."""
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    words = value if isinstance(value, tuple) else (value,)
    return " ".join([f"--{flag}", *map(str, words)])


def computed_values(config: RunOptions) -> dict[str, Any]:
    """Return the values that can change what a run computes, in JSON's types."""
    return {name: value for name, value in to_json(config).items() if not _has(type(config), name, Role.OUTPUT)}


def digest(value: Any) -> str:
    """Return 64 hexadecimal digits, equal for equal values of JSON's types in any order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def to_json(config: RunOptions) -> dict[str, Any]:
    """Return a Config as a dictionary of JSON's types, in the order of its fields."""
    return {name: _plain(value) for name, value in dataclasses.asdict(config).items()}


def from_json(kind: type[Config], values: Mapping[str, Any]) -> Config:
    """Return the Config of class `kind` that `to_json` wrote.

    Raises:
        UserError: if the fields differ.
    """
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(values) ^ set(hints))
    if unknown:
        raise UserError(
            f"that run was made by another version of the suite (fields that differ: {', '.join(unknown)}); "
            "start a new run"
        )
    return kind(**{name: _typed(value, hints[name]) for name, value in values.items()})


def check_rules(config: Config) -> Config:
    """Return `config` if each value obeys the rules of its field.

    Raises:
        UserError: naming the flag, the rule and the value.
    """
    for name in _fields(type(config)):
        value, flag = getattr(config, name), "--" + name.replace("_", "-")
        for rule in _metadata(type(config), name):
            if value is not None and not isinstance(rule, Role) and not rule.allows(value):
                got = " ".join(map(str, value)) if isinstance(value, tuple) else value
                raise UserError(f"{flag}: expected {rule.expected}, got {got}")
    return config


def _fields(kind: type[RunOptions]) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _metadata(kind: type[RunOptions], name: str) -> list[Any]:
    """Return the rules and roles of a field."""
    hint = typing.get_type_hints(kind, include_extras=True)[name]
    return [each for each in getattr(hint, "__metadata__", ()) if isinstance(each, Role) or hasattr(each, "allows")]


def _has(kind: type[RunOptions], name: str, *roles: Role) -> bool:
    return any(role in _metadata(kind, name) for role in roles)


def _changed(config: RunOptions, preset: RunOptions) -> dict[str, Any]:
    values = {name: getattr(config, name) for name in _fields(type(config))}
    return {
        name: value
        for name, value in values.items()
        if value != getattr(preset, name) and not _has(type(config), name, Role.OUTPUT, Role.SUBJECT)
    }


def _fingerprints(pairs: Iterable[str]) -> tuple[str, ...]:
    """Return MODEL=FILE pairs with the file's SHA-256 instead of its path."""
    split = [pair.partition("=") for pair in pairs]
    return tuple(sorted(f"{model}={sha256(Path(file).expanduser())}" for model, _, file in split))


def _resumed(config: Config, preset: Config, argv: Sequence[str]) -> Config:
    changed = _changed(config, preset) | {k: v for k in ("data", "protocol") if (v := getattr(config, k))}
    if changed:
        raise UserError(
            f"--resume uses the run's own config.json; drop --{', --'.join(name.replace('_', '-') for name in changed)}"
        )
    assert config.resume is not None
    path = config.resume / "config.json"
    if not path.is_file():
        raise UserError(f"--resume: expected a run folder with a config.json, got {config.resume}")
    started = from_json(type(config), read_json(path))
    own = ("resume", "checkpoint_minutes", "worker_minutes", "memory_share", "tensorboard", "debug")
    given = {name: getattr(config, name) for name in own}
    if _value_of("--results", argv) is not None:
        given["results"] = config.results
    return dataclasses.replace(started, **given)  # type: ignore[arg-type]


def _value_of(flag: str, argv: Sequence[str]) -> str | None:
    for place, word in enumerate(argv):
        if word == flag and place + 1 < len(argv):
            return argv[place + 1]
        if word.startswith(flag + "="):
            return word[len(flag) + 1 :]
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _typed(value: Any, hint: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return Path(value) if isinstance(value, str) and Path in kinds else value
