"""Several machines train like one; the chief alone writes, and all resume together."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.data.sharding import Shard
from common.errors import UserError
from common.training import multiworker
from common.training.distribution import check_batch
from common.training.multiworker import SharedCheckpoints, agree, copy_from_chief, lost_machines
from tests.common.training import two_machines

ROOT = Path(__file__).parents[3]


class Strategy:
    """The strategy of one of two machines, as far as roles need it."""

    num_replicas_in_sync = 2

    def __init__(self, rank):
        spec = tf.train.ClusterSpec({"worker": ["a:1", "b:1"]})
        self.cluster_resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(spec, "", "worker", rank)


@pytest.fixture
def machines(monkeypatch):
    """Chief and worker in one process: the worker receives what the chief has broadcast."""
    said = []

    def broadcast(strategy, data):
        if Shard.of(strategy).is_chief:
            said.append(data)
            return data
        assert data == b""
        return said.pop(0)

    monkeypatch.setattr(multiworker, "_broadcast", broadcast)
    return Strategy(0), Strategy(1)


def network(seed):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def test_the_chief_decides_for_all(machines):
    chief, worker = machines
    assert agree(chief, lambda: {"val_loss": 0.1}) == agree(worker, lambda: 1 / 0) == {"val_loss": 0.1}
    assert agree(tf.distribute.get_strategy(), lambda: 3) == 3


def test_the_chief_alone_writes_checkpoints_and_the_others_resume_from_them(machines, tmp_path):
    models = network(1), network(2)
    chief, worker = (
        SharedCheckpoints(strategy, tmp_path / str(rank), [models[rank]]) for rank, strategy in enumerate(machines)
    )
    chief.folder.mkdir()
    assert chief.restore() is worker.restore() is None
    for each in (chief, worker):
        each.save(1, 0, {"epochs": 1}, [1])
        each.save(1, 5, {"epochs": 1, "step": 5}, [1])
    (chief.folder / "steps.csv").write_text("loss\n0.5\n")  # of a callback
    assert not list(worker.folder.iterdir())
    assert chief.restore() == worker.restore() == {"epochs": 1, "step": 5}
    assert (worker.folder / "steps.csv").read_text() == "loss\n0.5\n"
    for left, right in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    models[1].set_weights(network(3).get_weights())
    chief.load_weights(1)
    worker.load_weights(1)
    np.testing.assert_array_equal(models[0].get_weights()[0], models[1].get_weights()[0])


@pytest.mark.parametrize(("minutes", "answers"), [(0, [True] * 4), (1000, [False] * 4)])
def test_all_machines_write_or_none(machines, tmp_path, minutes, answers):
    """The worker's own clock does not count."""
    chief = SharedCheckpoints(machines[0], tmp_path, [], minutes)
    worker = SharedCheckpoints(machines[1], tmp_path, [], 7)
    assert [(chief.is_due, worker.is_due) for _ in answers] == [(answer, answer) for answer in answers]


def test_files_reach_the_other_machines(machines, tmp_path):
    chief, worker = machines
    (tmp_path / "a" / "epoch").mkdir(parents=True)
    (tmp_path / "a" / "epoch" / "weights").write_bytes(bytes(range(256)))
    copy_from_chief(chief, tmp_path / "a", [tmp_path / "a" / "epoch"])
    copy_from_chief(worker, tmp_path / "b", [])
    assert (tmp_path / "b" / "epoch" / "weights").read_bytes() == bytes(range(256))


def test_a_lost_machine_is_one_line(machines):
    text = "{{function_node f}} Collective ops is aborted by: task:1 crashed\nMore"
    remedy = "start the same command on every machine again.*aborted by: task:1"
    with pytest.raises(UserError, match=remedy) as error, lost_machines(machines[0]):
        raise tf.errors.UnavailableError(None, None, text)
    assert "\n" not in str(error.value) and "{{" not in str(error.value)
    with pytest.raises(tf.errors.UnavailableError), lost_machines(tf.distribute.get_strategy()):
        raise tf.errors.UnavailableError(None, None, text)


def test_a_batch_that_the_machines_do_not_divide_is_refused(machines):
    with pytest.raises(UserError, match="--batch-size 33 .* multiple of the 2 devices of 2 machines.*--batch-size 32"):
        check_batch(33, machines[0])


def run_two_machines(folder, kill_second_at):
    """Return (exit code, stderr) of two processes on this machine, of which the second may end before a step."""
    sockets = [socket.create_server(("", 0)) for _ in range(2)]
    addresses = [f"localhost:{server.getsockname()[1]}" for server in sockets]
    for server in sockets:
        server.close()
    processes = []
    for rank, kill_at in enumerate((-1, kill_second_at)):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
        environment = os.environ | {"TF_CONFIG": json.dumps(config), "PYTHONPATH": str(ROOT)}
        words = [two_machines.__file__, "multiworker", folder / f"machine{rank}", folder / f"{rank}.npz", kill_at]
        command = [sys.executable, *map(str, words)]
        processes.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    errors = [process.communicate(timeout=600)[1] for process in processes]
    return [(process.returncode, error) for process, error in zip(processes, errors, strict=True)]


@pytest.mark.slow
def test_two_machines_train_like_one_also_after_a_kill(tmp_path):
    """The second machine is killed within the first epoch. Both are started again and end with the weights, the scores,
    the history and the losses of each step of one machine; the second has written no checkpoint of its own."""
    weights, scores, history = two_machines.train("none", tmp_path / "one")
    (first, error), (second, _) = run_two_machines(tmp_path, 3)
    assert (first, second) == (2, -9)
    assert error.splitlines()[-1].startswith("error: a machine of the training was lost")
    assert not list((tmp_path / "machine1").glob("epoch-*"))
    assert sorted(path.name for path in (tmp_path / "machine0").glob("epoch-*"))[-1].startswith("epoch-0000-step")
    assert [code for code, _ in run_two_machines(tmp_path, -1)] == [0, 0]
    for rank in range(2):
        found = np.load(tmp_path / f"{rank}.npz")
        for place, expected in enumerate(weights):
            scale = np.abs(expected).max()
            np.testing.assert_allclose(found[f"arr_{place}"], expected, rtol=0, atol=1e-5 * scale)
        np.testing.assert_allclose(found["scores"], scores, atol=1e-5)
        np.testing.assert_allclose(found["history"], history.drop(columns="seconds").to_numpy(), rtol=1e-5)
    for epoch in range(2):
        losses = [np.loadtxt(tmp_path / name / f"losses-{epoch}.txt") for name in ("one", "machine0", "machine1")]
        np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
        np.testing.assert_array_equal(losses[1], losses[2])
