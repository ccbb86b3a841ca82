"""The flags that every paper's command line has; a paper's Config adds its hyperparameters to them."""

import dataclasses
import hashlib
import importlib.util
import json
import os
import sys
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from common.cli import parse
from common.errors import UserError
from common.files import read_json

# Flags that say where things go or how they are shown: they do not change what a run computes.
WHERE = ("runs", "results", "resume", "tensorboard", "debug")
# Flags that say what a preset is applied to: they are not a departure from it.
PLACES = ("imagenet_weights", "facenet_weights")  # or `none`, which does change it
WHAT = ("preset", "data", "seeds", "protocol", "strategy", "jit", "deterministic")


@dataclass(frozen=True)
class RunOptions:
    """Flags of every paper. A paper's Config inherits them and adds its own, each with its source."""

    preset: Literal["smoke", "quick", "paper"] = "paper"
    """smoke: seconds, for tests; quick: minutes on 2 CPU cores; paper: the published settings. Without --data the
    default is quick, with --data it is paper."""
    data: tuple[str, ...] = ()
    """Prepared folders as NAME=DIR (each with a manifest.csv); none: the embedded synthetic data."""
    runs: Path = Path("runs")
    """Where run folders are made: RUNS/<paper>/<run>/."""
    results: Path = Path("results")
    """Where <paper>.csv is kept."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of splits, initial weights, order and augmentation; everything is repeated for each."""
    protocol: tuple[str, ...] = ()
    """How images are split into train, validation and test; none: every protocol that the data allow."""
    near_duplicates: int | None = None
    """Keep images on one side whose perceptual hashes differ in at most so many of 64 bits, e.g. 4; none compares bytes
    alone."""
    resume: Path | None = None
    """A run folder to go on with; its own config.json is used. (The same command resumes a killed run by itself.)"""
    strategy: Literal["auto", "none", "mirrored"] = "auto"
    """tf.distribute: auto is mirrored where there are several GPUs, none elsewhere."""
    epochs: int = 10
    """Passes over the training split; 0 trains nothing and evaluates --weights as they are."""
    weights: tuple[str, ...] = ()
    """MODEL=FILE: start a network from a weight file."""
    imagenet_weights: str = "imagenet"
    """imagenet (downloaded), none, or a folder of weight files; only for networks that the paper pre-trains."""
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = "auto"
    """Arithmetic of the layers; auto is float32, the papers' own."""
    jit: Literal["auto", "on", "off"] = "auto"
    """XLA compilation; auto leaves the choice to Keras."""
    limit: int | None = None
    """Use at most this many images per class of each data set, chosen by hash."""
    deterministic: bool = False
    """Bit-identical results at the same seed and thread count; slower, on a CPU without oneDNN's kernels."""
    tensorboard: bool = False
    """Write TensorBoard logs into the run folder (needs the extra [tensorboard])."""
    debug: bool = False
    """Show the traceback of an error."""


def read_config(presets, argv=None, *, prog=None, description=None):
    """Read a paper's command line: the preset's values, then the flags, or a resumed run's own config.json.

    presets: {"smoke": Config, "quick": Config, "paper": Config}. Returns a Config.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    chosen = _value_of("--preset", argv) or ("paper" if _value_of("--data", argv) else "quick")
    default = presets.get(chosen, presets["quick"])  # an unknown preset: tyro names the legal ones
    config = parse(type(default), argv, prog=prog, description=description, default=default)
    config = _checked(config) if config.resume is None else _resumed(config, presets[chosen])
    if config.deterministic:  # heard when TensorFlow is imported: oneDNN's sums depend on where a tensor lies in memory
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    return config


def read_weights(pairs, models):
    """`MODEL=FILE` pairs, e.g. --weights, as {model: path}; UserError for an unknown model or a missing file."""
    files = {}
    for pair in pairs:
        model, _, file = pair.partition("=")
        if model not in models or model in files:
            raise UserError(f"--weights: expected MODEL=FILE, each MODEL once, of {', '.join(models)}; got {pair!r}")
        files[model] = Path(file).expanduser()
        if not files[model].is_file():
            raise UserError(f"--weights {model}: no such file: {file}")
    return files


def overridden(config, preset):
    """The values in which `config` departs from its `preset`, as {field: value}.

    Flags of place and subject are none, nor is the place of weights that are had without a download: a folder of
    ImageNet's holds the published files or is refused, of FaceNet's the rows say it if they are others.
    """
    return {
        name: value
        for name, value in _changed(config, preset).items()
        if name not in PLACES or "none" in (value, getattr(preset, name))
    }


def preset_name(config, presets):
    """`quick`, or `quick+<hash>` where a value of the preset was overridden."""
    changed = overridden(config, presets[config.preset])
    return config.preset + (f"+{digest(changed)[:6]}" if changed else "")


def digest(value):
    """A hash of 64 hexadecimal digits of anything JSON can hold, equal for equal values in any order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def to_json(config):
    """A Config as a dictionary that JSON can hold, in the order of its fields."""
    return {name: _plain(value) for name, value in dataclasses.asdict(config).items()}


def from_json(kind, values):
    """The Config of class `kind` that `to_json` wrote; UserError if its fields are other ones."""
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(values) ^ set(hints))
    if unknown:
        raise UserError(
            f"that run was made by another version of the suite (fields that differ: {', '.join(unknown)}); start anew"
        )
    return kind(**{name: _typed(value, hints[name]) for name, value in values.items()})


def _changed(config, preset):
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return {n: value for n, value in values.items() if n not in WHERE + WHAT and value != getattr(preset, n)}


def _checked(config):
    for field in dataclasses.fields(config):
        value, flag = getattr(config, field.name), "--" + field.name.replace("_", "-")
        if isinstance(value, tuple) and isinstance(next(iter(value), None), str) and len(set(value)) < len(value):
            raise UserError(f"{flag}: expected each value once, got {' '.join(value)}")
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        least = 0 if field.name.endswith("epochs") or field.name == "near_duplicates" else 1e-300
        if number and value < least:
            raise UserError(f"{flag}: expected a number {'of at least' if least == 0 else 'above'} 0, got {value}")
    if config.near_duplicates is not None and config.near_duplicates > 63:
        raise UserError(f"--near-duplicates: expected 0 to 63 of 64 bits, got {config.near_duplicates}")
    if not config.seeds or len(set(config.seeds)) < len(config.seeds):
        raise UserError(f"--seeds: expected one or more different numbers, got {list(config.seeds)}")
    if min(config.seeds) < 0:
        raise UserError(f"--seeds: expected no negative number, got {min(config.seeds)}")
    if config.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise UserError('--tensorboard needs TensorBoard: pip install -e ".[tensorboard]"')
    return config


def _resumed(config, preset):
    changed = _changed(config, preset) | {k: v for k in ("data", "protocol") if (v := getattr(config, k))}
    if changed:
        raise UserError(
            f"--resume uses the run's own config.json; drop --{', --'.join(name.replace('_', '-') for name in changed)}"
        )
    path = config.resume / "config.json"
    if not path.is_file():
        raise UserError(f"--resume: expected a run folder with a config.json, got {config.resume}")
    before = from_json(type(config), read_json(path))
    where = {name: getattr(config, name) for name in ("resume", "results", "tensorboard", "debug")}
    return dataclasses.replace(before, **where)


def _value_of(flag, argv):
    for place, word in enumerate(argv):
        if word == flag and place + 1 < len(argv):
            return argv[place + 1]
        if word.startswith(flag + "="):
            return word[len(flag) + 1 :]
    return None


def _plain(value):
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _typed(value, hint):
    if isinstance(value, list):
        return tuple(value)
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return Path(value) if isinstance(value, str) and Path in kinds else value
