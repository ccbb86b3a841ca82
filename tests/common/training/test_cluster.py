"""Who the machines are, and one line about what is wrong with them."""

import json
import os
import socket
import threading
import time

import pytest

from common.errors import UserError
from common.training.cluster import Cluster, connect, read_cluster, wait_for_machines

SLURM = {
    "SLURM_PROCID": "2", "SLURM_STEP_NUM_TASKS": "3", "SLURM_STEP_NODELIST": "n[07-08]", "SLURM_JOB_ID": "1234567",
    "SLURM_STEP_TASKS_PER_NODE": "2,1",
}  # fmt: skip


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """The variables as a user's shell has them, without those that a test's code sets."""
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TF_CONFIG", "")
    return monkeypatch


def tf_config(jobs, task_type="worker", index=0):
    return json.dumps({"cluster": jobs, "task": {"type": task_type, "index": index}})


def free_port():
    with socket.create_server(("", 0)) as server:
        return server.getsockname()[1]


def test_tf_config_names_the_machines_in_the_order_of_their_ranks(environment):
    environment.setenv("TF_CONFIG", tf_config({"worker": ["b:1", "c:2"], "chief": ["a:3"]}, index=1))
    cluster = read_cluster()
    assert cluster.own == "worker 1"
    assert list(cluster.tasks.items()) == [("chief 0", "a:3"), ("worker 0", "b:1"), ("worker 1", "c:2")]


def test_a_slurm_step_without_gpus_names_the_machines(environment):
    """Two tasks on n07, one on n08, this one; SLURM itself assigns the GPUs, if there are any. Ports go by the job."""
    for name, value in SLURM.items():
        environment.setenv(name, value)
    environment.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    cluster = read_cluster()
    assert cluster.own == "worker 2"
    assert list(cluster.tasks.values()) == ["n07:24567", "n07:24568", "n08:24567"]
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    assert json.loads(os.environ["TF_CONFIG"])["task"] == {"type": "worker", "index": 2}


@pytest.mark.parametrize("given", [(), ("SLURM_PROCID", "SLURM_JOB_ID")], ids=["nothing", "sbatch without srun"])
def test_neither_tf_config_nor_a_slurm_step_is_one_line(environment, given):
    for name in given:
        environment.setenv(name, SLURM[name])
    with pytest.raises(UserError, match=r"expected the machines in TF_CONFIG, or a SLURM job step \(srun\)") as error:
        read_cluster()
    assert "\n" not in str(error.value) and "SLURM_STEP_NUM_TASKS is not set" in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{worker", "expected JSON such as"),
        ("[]", "expected JSON such as"),
        ('{"cluster": {"worker": ["a:1"]}}', "expected JSON such as"),
        ('{"cluster": {"worker": 3}, "task": {"type": "worker", "index": 0}}', "expected JSON such as"),
        (tf_config({"worker": ["a:1", "b:1"]}, index=2), "got task worker 2"),
        (tf_config({"worker": ["a:1", "b:1"]}, "chief"), "got task chief 0"),
        (tf_config({"worker": ["a:1"], "ps": ["b:1"]}), "got jobs ps"),
        (tf_config({"worker": ["a:1", "b"]}), "expected HOST:PORT as the address of worker 1, got 'b'"),
        (tf_config({"worker": ["a:1", "b:70000"]}), "got 'b:70000'"),
        (tf_config({"worker": ["a:1", "a:1"]}), "got a:1 more than once"),
    ],
)
def test_a_wrong_tf_config_is_named(environment, text, message):
    environment.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="^TF_CONFIG: ") as error:
        read_cluster()
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_machine_that_never_appears_is_named_with_its_address():
    own, present, absent = free_port(), free_port(), free_port()
    tasks = {f"worker {rank}": f"localhost:{port}" for rank, port in enumerate((own, present, absent))}
    with (
        socket.create_server(("", present)),
        pytest.raises(UserError, match=rf"^worker 2 at localhost:{absent} did not appear within 0.01 minutes") as error,
    ):
        wait_for_machines(Cluster(tasks, "worker 0"), 0.01)
    assert "worker 1" not in str(error.value)


def test_machines_that_start_one_after_another_find_each_other():
    """Each closes its socket when it has found the others; TensorFlow then listens there."""
    tasks = {f"worker {rank}": f"localhost:{free_port()}" for rank in range(2)}
    found, over = [], threading.Event()

    def start(own):
        wait_for_machines(Cluster(tasks, own), 0.5)
        found.append(own)
        with socket.create_server(("", int(tasks[own].rpartition(":")[2]))):
            over.wait(30)

    threads = [threading.Thread(target=start, args=(own,)) for own in tasks]
    threads[0].start()
    time.sleep(0.2)
    assert not found
    threads[1].start()
    end = time.monotonic() + 30
    while len(found) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    over.set()
    assert sorted(found) == ["worker 0", "worker 1"]


def test_a_port_that_is_in_use_is_named():
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(UserError, match=f"worker 0 cannot listen at port {port}"):
            wait_for_machines(Cluster({"worker 0": f"localhost:{port}"}, "worker 0"), 0)


def test_a_machine_alone_needs_no_cluster(environment):
    environment.setenv("TF_CONFIG", tf_config({"worker": ["localhost:1"]}))
    assert connect(0) is None
