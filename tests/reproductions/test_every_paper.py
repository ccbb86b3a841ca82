"""One contract for every paper: each folder of reproductions with a run.py passes the same tests by its real command.

test_sixth_paper.py adds one more paper to a copy of the suite.
"""

import ast
import dataclasses
import importlib
import importlib.util
import itertools
import os
import re
import signal
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.detectors.description import descriptions
from common.runs.options import RunOptions, as_flag, changed_flags, read_config
from common.runs.rules import Role

ROOT = Path(__file__).parents[2]
PAPERS = sorted(path.parent.name for path in ROOT.glob("reproductions/*/run.py"))
# The cheapest models of a paper, and what --weights calls the file of one of them.
CHEAPEST = {
    "cffn_resnet": ("--models", "cffn_no_triplet"),
    "dcgan_inception_resnet": ("--models", "stand_in"),
    "facenet_embeddings": ("--phase1",),
    "mesoinception_svm": ("--models", "mesoinception4", "mesoinception4_svm"),
    "siamese_triplet": ("--models", "siamese"),
}
WEIGHTS = {
    "cffn_resnet": "cffn_no_triplet",
    "dcgan_inception_resnet": "stand_in",
    "facenet_embeddings": "base_network",
    "mesoinception_svm": "mesoinception4",
    "siamese_triplet": "siamese",
}
PROTOCOLS = {"dcgan_inception_resnet": ("resubstitution", "heldout"), "siamese_triplet": ("paper", "video")}
# What a paper needs besides: the contract's data are few.
EXTRA = {"facenet_embeddings": ("--embedder", "spectrum"), "dcgan_inception_resnet": ("--detector-images", "24")}
SOURCE = re.compile(
    r"Sec\.|Table|Eq\.|eq\.|Figure|[Aa]uthors?'s? code|authors' (code|notebook)|[Nn]ot stated|[Ww]e chose|"
    r"Radford|changes no number|in the paper"
)
RESULT_COLUMNS = "paper,table,row,metric,value,ci_low,ci_high,n,clusters,dataset,protocol,preset,seed,run,commit,note"


def command_of(paper):
    return ROOT / "reproductions" / paper / "run.py"


def config_of(paper):
    return importlib.import_module(f"reproductions.{paper}.config")


def plain_hint(config, name):
    """The type of a field without its rules."""
    hint = typing.get_type_hints(type(config), include_extras=True)[name]
    return typing.get_args(hint)[0] if getattr(hint, "__metadata__", ()) else hint


def only(folder):
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module", params=PAPERS)
def paper(request):
    return request.param


@pytest.fixture(scope="module")
def folder(paper, tmp_path_factory):
    """The folder in which a paper's commands are run."""
    return tmp_path_factory.mktemp(paper)


@pytest.fixture(scope="module")
def data(paper, folder, make_prepared):
    """A function of a label, or None for both -> a prepared folder of clips of that class; all share their bytes."""

    def make(label=None):
        prepared = folder / f"data-{label}"
        if not prepared.exists():
            make_prepared(prepared, per_class=48, size=80, clips=True)
            if label:
                manifest = pd.read_csv(prepared / "manifest.csv", keep_default_na=False)
                manifest[manifest["label"] == label].to_csv(prepared / "manifest.csv", index=False)
        return prepared

    return make


@pytest.fixture(scope="module")
def role(paper):
    """The NAME of the data that a paper trains on, if one data set holds both classes."""
    return {"siamese_triplet": "stylegan"}.get(paper, next(iter(config_of(paper).LAYOUTS)))


@pytest.fixture(scope="module")
def protocols(paper):
    return PROTOCOLS.get(paper, ("frame", "video"))


@pytest.fixture(scope="module")
def words(paper, role, data):
    """A function of protocols and seeds -> the command, bit-identical from run to run."""

    def write(*protocols, seeds=("0", "1")):
        return [
            *(command_of(paper), "--preset", "smoke", "--deterministic", "--seeds", *seeds, "--protocol", *protocols),
            *("--data", f"{role}={data()}", *CHEAPEST[paper], *EXTRA.get(paper, ())),
        ]

    return write


@pytest.fixture(scope="module")
def finished(words, protocols, folder, command):
    """(the run's folder, its rows, what the command printed) of the uninterrupted command under two protocols."""
    done = command(folder, *words(*protocols), fresh=True)
    run = only(only(folder / "runs"))
    rows = pd.read_csv(folder / "results" / f"{run.parent.name}.csv", keep_default_na=False)
    return run, rows, done


def test_help_starts_without_tensorflow_and_names_the_papers_flags(paper, tmp_path, command):
    done = command(tmp_path, "-X", "importtime", command_of(paper), "--help")
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert not {"tensorflow", "keras", "sklearn"} & imported
    description = done.stdout.partition("--preset")[0]
    assert all(re.search(rf"\b{name}\b", description) for name in config_of(paper).LAYOUTS), "the NAMEs of --data"
    for field in dataclasses.fields(config_of(paper).Config):
        flag = field.name.replace("_", "-")
        assert f"--{flag}" in done.stdout or f"--no-{flag}" in done.stdout


def test_every_hyperparameter_has_a_source_and_every_number_a_rule(paper):
    config = config_of(paper).Config
    shared = {field.name for field in dataclasses.fields(RunOptions)}
    hints = typing.get_type_hints(config, include_extras=True)
    text = command_of(paper).with_name("config.py").read_text(encoding="utf-8")
    body = next(node for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and node.name == "Config").body
    docstrings = {
        field.target.id: line.value.value
        for field, line in zip(body, body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(line, ast.Expr)
    }
    for field in dataclasses.fields(config):
        value, hint = getattr(config, field.name, field.default), hints[field.name]
        rules = [rule for rule in getattr(hint, "__metadata__", ()) if not isinstance(rule, Role)]
        plain = typing.get_args(hint)[0] if getattr(hint, "__metadata__", ()) else hint
        kinds = typing.get_args(plain) or (plain,)
        if {int, float} & set(kinds) and not isinstance(value, bool):
            assert rules, f"{field.name} is a number without a rule"
        if field.name not in shared or field.name in docstrings:
            roles = [role for role in getattr(hint, "__metadata__", ()) if isinstance(role, Role)]
            source = " ".join(docstrings[field.name].split())
            assert roles or SOURCE.search(source), f"{field.name}: {source}"


def test_notes_name_flags_that_can_be_typed(paper):
    """Each hyperparameter with another value: the note's flag, typed, gives that value."""
    module = config_of(paper)
    preset = module.PRESETS["smoke"]
    for field in dataclasses.fields(preset):
        value = getattr(preset, field.name)
        if isinstance(value, bool):
            other = not value
        elif (
            isinstance(value, (int, float)) and typing.get_origin(plain_hint(preset, field.name)) is not typing.Literal
        ):
            other = value / 2 if isinstance(value, float) else value * 2 or 1  # a power of two stays one
        else:
            continue
        changed = dataclasses.replace(preset, **{field.name: other})
        if notes := changed_flags(changed, module.PRESETS):
            assert notes == [as_flag(field.name, other)]
            typed = read_config(module.PRESETS, ["--preset", "smoke", *notes[0].split()])
            assert getattr(typed, field.name) == other, notes


@pytest.mark.slow
def test_two_seeds_and_two_protocols_leave_a_complete_run(protocols, finished):
    run, rows, done = finished
    files = {path.name for path in run.iterdir()}
    assert files >= {"config.json", "environment.json", "splits.csv", "predictions.csv", "log.txt", "models"}
    assert "computing on" in (run / "log.txt").read_text()
    predictions = pd.read_csv(run / "predictions.csv", keep_default_na=False)
    assert set(predictions["split"]) <= {"resubstitution", "val", "test"}
    for table in (rows, predictions, pd.read_csv(run / "splits.csv")):
        assert {(seed, protocol) for seed, protocol in zip(table["seed"], table["protocol"], strict=True)} == {
            (seed, protocol) for seed in (0, 1) for protocol in protocols
        }
    assert predictions["score"].between(0, 1).all()
    assert ",".join(rows.columns) == RESULT_COLUMNS
    assert "published against reproduced" in done.stdout and "Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) <= 15, done.stdout
    assert "summary.txt" in files and all(name in done.stdout for name in files)
    assert "published against reproduced" in (run / "summary.txt").read_text()
    log = (run / "log.txt").read_text()
    assert ": train " in log, "images by class and split"
    assert re.search(r"seed \d took .*; \d more, about ", log), "how long the rest will take"


@pytest.mark.slow
def test_notes_of_one_seed_are_not_in_another_seeds_rows(finished):
    """A training's notes name the epoch that was kept once, and are those of the row's own seed."""
    _, rows, _ = finished
    for note in rows["note"]:
        kept = re.findall(r"(?:^|; )((?:phase \d: )?epoch) \d+ of \d+", note)
        assert len(kept) == len(set(kept)), note


@pytest.mark.slow
def test_published_keys_are_the_papers_and_extra_rows_are_called_so(paper, finished):
    keys = pd.read_csv(ROOT / "results" / "published" / f"{paper}.csv", dtype=str)[["table", "row", "metric"]]
    ours = finished[1][finished[1]["table"] != "extra"]
    assert set(map(tuple, ours[["table", "row", "metric"]].values)) <= set(map(tuple, keys.values))


@pytest.mark.slow
def test_a_killed_run_resumes_and_equals_the_uninterrupted_one(words, protocols, finished, folder, cache, command):
    """Ctrl-C after an epoch of the second half; the same command ends with the same scores, bit for bit.

    It runs one of the two protocols, and one seed if that has several epochs, which ends like the run of both.
    """
    history = pd.read_csv(finished[0] / "history.csv")
    epochs = history[history["protocol"] == protocols[0]].groupby("seed").size()
    seeds = [0] if epochs[0] > 1 else [0, 1]
    epochs = epochs[seeds].sum()
    assert epochs > 1
    words = [*words(protocols[0], seeds=seeds), "--runs", "interrupted", "--results", "interrupted-results"]
    environment = os.environ | {"DEEPFAKE_REPRODUCTIONS_CACHE": str(cache)}
    process = subprocess.Popen(
        [sys.executable, *map(str, words)], cwd=folder, env=environment, stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background shell has it ignored
    )  # fmt: skip
    seen = 0
    for line in process.stderr:
        seen += bool(re.search(r": epoch \d+ of \d+: ", line))
        if seen > epochs // 2:
            process.send_signal(signal.SIGINT)
            break
    rest = process.communicate(timeout=120)[1]
    assert process.returncode == 130 and "Traceback" not in rest, rest
    resumed = command(folder, *words)
    assert "resuming" in resumed.stderr
    run = only(only(folder / "interrupted"))
    both, after = (pd.read_csv(path / "predictions.csv", keep_default_na=False) for path in (finished[0], run))
    before = both[(both["protocol"] == protocols[0]) & both["seed"].isin(seeds)].reset_index(drop=True)
    pd.testing.assert_frame_equal(before, after)


@pytest.mark.slow
def test_jax_ends_with_rows_of_the_same_keys(words, protocols, finished, folder, command):
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed")
    run, rows, _ = finished
    command(folder, *words(*protocols), "--runs", "jax", "--results", "jax-results", fresh=True, KERAS_BACKEND="jax")
    keys = ["table", "row", "metric", "dataset", "protocol", "preset", "seed"]
    ours = pd.read_csv(folder / "jax-results" / f"{run.parent.name}.csv", keep_default_na=False)
    assert set(map(tuple, ours[keys].values)) == set(map(tuple, rows[keys].values))
    assert "(JAX)" in (only(only(folder / "jax")) / "environment.json").read_text()


def trained_file(paper, run):
    return f"{WEIGHTS[paper]}={run / 'models' / (WEIGHTS[paper] + '.keras')}"


def evaluation(paper, run, prepared, role, name):
    """The command that evaluates a trained network on prepared data under NAME `role`, into folders called `name`."""
    model = WEIGHTS[paper]
    return [
        *(
            command_of(paper),
            "--preset",
            "smoke",
            "--data",
            f"{role}={prepared}",
            *CHEAPEST[paper],
            *EXTRA.get(paper, ()),
        ),
        *("--epochs", "0", "--weights", f"{model}={run / 'models' / (model + '.keras')}"),
        *("--runs", f"{name}-runs", "--results", f"{name}-results"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("label", ["real", "fake"])
def test_one_class_is_evaluated_with_epochs_0_and_refused_for_training(paper, label, role, finished, data, command):
    if (paper, label) == ("dcgan_inception_resnet", "fake"):
        role = "other"  # the real faces are those of celeb; fakes under any other NAME are tested
    folder = finished[0].parents[2]
    words = evaluation(paper, finished[0], data(label), role, label)
    if (paper, label) != ("dcgan_inception_resnet", "real"):  # it makes its fakes itself
        training = [*words[: words.index("--epochs")], "--runs", f"{label}-training"]
        refused = command(folder, *training, expect=2)
        assert "training needs" in refused.stderr.splitlines()[-1]
        assert not (folder / f"{label}-training").exists()
    command(folder, *words)
    predictions = pd.read_csv(only(only(folder / f"{label}-runs")) / "predictions.csv", keep_default_na=False)
    assert set(predictions["label"]) == {label} and set(predictions["split"]) == {"test"}
    rows = pd.read_csv(folder / f"{label}-results" / f"{paper}.csv", keep_default_na=False)
    assert set(rows["metric"]) & {"recall", "specificity", "accuracy"}


@pytest.mark.slow
def test_unseen_data_alone_are_evaluated(paper, finished, data, command):
    """Data that the paper does not train on, under its own NAME for them where it has one."""
    unseen = {"siamese_triplet": "pggan", "cffn_resnet": "other", "dcgan_inception_resnet": "pggan"}
    role = unseen.get(paper, list(config_of(paper).LAYOUTS)[1])
    folder = finished[0].parents[2]
    command(folder, *evaluation(paper, finished[0], data("fake"), role, "unseen"))
    predictions = pd.read_csv(only(only(folder / "unseen-runs")) / "predictions.csv", keep_default_na=False)
    assert len(predictions) and np.isfinite(predictions["score"]).all()


@pytest.mark.slow
def test_a_detector_describes_itself(finished):
    """Model, protocol, seed and training data are facts in the description, for every protocol and seed."""
    run, _, _ = finished
    known = descriptions(run)
    predictions = pd.read_csv(run / "predictions.csv", keep_default_na=False)
    for name, description in known.items():
        assert description.name == name and (run / "models" / description.network).is_file()
        assert description.model in set(predictions["model"])
        assert description.protocol in set(predictions["protocol"]) and description.seed in (0, 1)
        assert description.trained_on and description.preprocessing["size"] > 0


@pytest.mark.slow
def test_epochs_0_without_weights_is_an_error(paper, refused):
    refused("--epochs 0 trains nothing: give --weights", command_of(paper), "--preset", "smoke", "--epochs", "0")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--data", "nonsense=/x"), "expected NAME=DIR with NAME one of"),
        (("--seeds", "1", "1"), "--seeds: expected each value once"),
        (("--epochs", "-1"), "--epochs: expected a number of at least 0"),
        (("--resume", "/no/such/run"), "--resume: expected a run folder"),
        (("--split", "0.5", "0", "0.5"), "--split: expected a number above 0"),
    ],
)
def test_a_users_error_is_one_line(paper, refused, flags, message):
    if flags[0] == "--split" and "split" not in {field.name for field in dataclasses.fields(config_of(paper).Config)}:
        flags, message = ("--held-out", "0"), "--held-out: expected a number above 0"
    refused(message, command_of(paper), "--preset", "smoke", *flags)


# Published statements that are metrics; all others are sizes, settings and times.
METRICS = ("accuracy", "precision", "recall", "f1", "kappa", "auc", "false_alarm_rate", "tp", "fp", "fn", "tn")


def predictions_of(models, datasets):
    """Predictions of two frames for each of six clips of each class, by every model, of every data set and split."""
    keys = itertools.product(models, datasets, ("train", "val", "test"), ("real", "fake"), range(12))
    rows = [
        {"model": model, "dataset": dataset, "split": split, "label": label, "video": f"{label}-{frame // 2}"}
        for model, dataset, split, label, frame in keys
    ]
    table = pd.DataFrame(rows).assign(source="s", identity="", original="", protocol="frame", seed=0)
    table["video"] = table["dataset"] + "/" + table["split"] + "/" + table["video"]
    table["path"] = [f"{place}.png" for place in range(len(table))]
    table["frame"] = [str(place % 2) for place in range(len(table))]
    return table.assign(score=np.random.default_rng(0).uniform(size=len(table)))


def rows_of_everything(paper, config):
    """The rows of a run of every model on every data set of the paper."""
    rows, roles = importlib.import_module(f"reproductions.{paper}.rows"), {name: name for name in config.LAYOUTS}
    if paper == "mesoinception_svm":
        table = predictions_of((*config.NETWORKS, config.PROPOSED), roles)
        return rows.result_rows(table, roles, ("deepfake", "face2face"))
    if paper == "siamese_triplet":
        return rows.result_rows(predictions_of((*config.SIAMESE, *config.TRANSFER), roles), roles, config.TRAINED)
    if paper == "cffn_resnet":
        return rows.result_rows(predictions_of(config.MODELS, roles), (config.TRAINED,))
    if paper == "dcgan_inception_resnet":
        table = predictions_of((config.PROPOSED,), ("celeb",))
        return pd.DataFrame(rows.result_rows(table, {"DCGAN": "celeb"}, "resubstitution"))
    models = (*config.TRIALS, "sgd", config.PROPOSED, *config.OTHERS)
    table = predictions_of(models, ("celebdf",)).assign(protocol="video")  # frames of whole videos are in Table II
    return rows.result_rows(table, dict.fromkeys(models, "celebdf"))


def test_every_published_metric_can_get_a_number_of_ours(paper):
    published = pd.read_csv(ROOT / "results" / "published" / f"{paper}.csv", dtype=str)
    metrics = published[published["metric"].isin(METRICS)][["table", "row", "metric"]]
    ours = rows_of_everything(paper, config_of(paper))[["table", "row", "metric"]]
    assert set(map(tuple, metrics.values)) - set(map(tuple, ours.values)) == set()
