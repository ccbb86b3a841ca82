"""The machines of --strategy multiworker: who they are, by TF_CONFIG or SLURM, and whether all of them are there."""

import json
import logging
import os
import socket
import time
from dataclasses import dataclass

import tensorflow as tf

from common.errors import UserError

log = logging.getLogger("deepfake")

EXAMPLE = '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, "task": {"type": "worker", "index": 0}}'
JOBS = ("chief", "worker")  # in the order of their ranks
FIRST_PORT, PORTS = 20_000, 10_000  # of SLURM's jobs: below those that Linux gives to outgoing connections
RETRY_SECONDS = 0.5


@dataclass(frozen=True)
class Cluster:
    """The machines that train together.

    Args:
        tasks: {"chief 0" or "worker 0": "host:port"}, in the order of their ranks.
        own: this machine's name among them.
    """

    tasks: dict[str, str]
    own: str


def read_cluster() -> Cluster:
    """Return the cluster that TF_CONFIG describes, or that of the SLURM job step, for which TF_CONFIG is set.

    Raises:
        UserError: if there is neither, or TF_CONFIG is not what tf.distribute expects.
    """
    if not os.environ.get("TF_CONFIG"):
        os.environ["TF_CONFIG"] = json.dumps(_slurm_config())
    text = os.environ["TF_CONFIG"]
    try:
        config = json.loads(text)
        jobs = {job: list(config["cluster"].get(job, ())) for job in JOBS}
        others = sorted(set(config["cluster"]) - set(JOBS))
        own = f"{config['task']['type']} {int(config['task']['index'])}"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"TF_CONFIG: expected JSON such as {EXAMPLE}, got {text!r} ({error!r})") from error
    tasks = {f"{job} {number}": address for job in JOBS for number, address in enumerate(jobs[job])}
    if others or own not in tasks:
        wrong = f"jobs {', '.join(others)}" if others else f"task {own}"
        raise UserError(f"TF_CONFIG: expected jobs chief and worker, and a task of theirs, got {wrong} in {text!r}")
    for name, address in tasks.items():
        host, _, port = str(address).rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise UserError(f"TF_CONFIG: expected HOST:PORT as the address of {name}, got {address!r}")
    if repeated := sorted({address for address in tasks.values() if list(tasks.values()).count(address) > 1}):
        raise UserError(f"TF_CONFIG: expected an address for each task, got {', '.join(repeated)} more than once")
    return Cluster(tasks, own)


def wait_for_machines(cluster: Cluster, minutes: float) -> None:
    """Wait until every machine of the cluster listens at its address.

    TensorFlow itself would wait for an hour, and name nobody. The connections carry nothing: the system accepts them.

    Raises:
        UserError: if this machine cannot listen at its address, or a machine is missing after `minutes`.
    """
    missing = {name: address for name, address in cluster.tasks.items() if name != cluster.own}
    end, announced = time.monotonic() + 60 * minutes, False
    with _listen(cluster):
        while missing:
            missing = {name: address for name, address in missing.items() if not _is_reachable(address)}
            if missing and time.monotonic() > end:
                raise UserError(
                    f"{_in_words(missing)} did not appear within {minutes:g} minutes (--worker-minutes): start the "
                    "same command on every machine, and check the addresses in TF_CONFIG and the firewall"
                )
            if missing and not announced:
                log.warning("%s: waiting for %s, at most %g minutes", cluster.own, _in_words(missing), minutes)
                announced = True
            if missing:
                time.sleep(RETRY_SECONDS)


def connect(minutes: float) -> tf.distribute.Strategy | None:
    """Return the strategy that trains on all machines of the cluster, or None if this one is alone.

    It must be created before TensorFlow computes anything.

    Args:
        minutes: to wait for the others.

    Raises:
        UserError: as `read_cluster` and `wait_for_machines`.
    """
    cluster = read_cluster()
    if len(cluster.tasks) == 1:
        return None
    wait_for_machines(cluster, minutes)
    return tf.distribute.MultiWorkerMirroredStrategy()


def _slurm_config():
    """Return TF_CONFIG's content for this task of a SLURM job step.

    tf.distribute's resolver also assigns GPUs, and fails on a node without any, or where SLURM has assigned them: it is
    told of one each, and none is set.
    """
    try:
        tasks = int(os.environ["SLURM_STEP_NUM_TASKS"])
        port = FIRST_PORT + int(os.environ.get("SLURM_JOB_ID", 0)) % PORTS
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=port, gpus_per_node=tasks, gpus_per_task=1, auto_set_gpu=False
        )
        cluster = resolver.cluster_spec().as_dict()
    except (KeyError, RuntimeError, ValueError) as error:
        reason = f"{error.args[0]} is not set" if isinstance(error, KeyError) else error
        raise UserError(
            "--strategy multiworker: expected the machines in TF_CONFIG, or a SLURM job step (srun); got neither "
            f"({reason}); reproductions/README.md has the commands"
        ) from error
    task, number = resolver.get_task_info()
    return {"cluster": cluster, "task": {"type": task, "index": number}}


def _listen(cluster):
    """Return a socket that listens at this machine's address, on all its interfaces."""
    port = int(cluster.tasks[cluster.own].rpartition(":")[2])
    try:
        return socket.create_server(("", port), backlog=len(cluster.tasks))
    except OSError as error:
        raise UserError(
            f"{cluster.own} cannot listen at port {port} ({error.strerror}): end what uses it, or take another port in "
            "TF_CONFIG on every machine"
        ) from error


def _is_reachable(address):
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
    except OSError:
        return False
    return True


def _in_words(tasks):
    return ", ".join(f"{name} at {address}" for name, address in tasks.items())
