"""Many calls side by side: in processes of this machine, or on a Dask cluster."""

import asyncio
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError

from common.errors import UserError

TIMEOUT_SECONDS = 10  # for the answer of a cluster


def run_parallel(
    function: Callable[..., Any], arguments: Iterable[tuple], workers: int = 1, cluster: str | None = None
) -> Iterator[Any]:
    """Call a function many times in parallel.

    Args:
        function: what to call; it must be importable in the workers.
        arguments: the arguments of each call.
        workers: number of processes on this machine.
        cluster: address of the scheduler of a Dask cluster to use instead.

    Yields:
        The results in the order in which they are ready.

    Raises:
        UserError: if a worker process died, or the cluster does not answer.
    """
    warnings.filterwarnings("ignore", r".* tasks (have been successfully|which were still)", UserWarning)  # on an error
    calls = (joblib.delayed(function)(*values) for values in arguments)
    local = {} if cluster else {"initializer": _exit_with_parent, "initargs": (os.getpid(),)}
    with _dask_backend(cluster) if cluster else nullcontext():
        # one call at a time: joblib would batch short ones, and after a kill the whole batch would be done again
        parallel = joblib.Parallel(
            n_jobs=-1 if cluster else workers, batch_size=1, return_as="generator_unordered", **local
        )
        with _explain_worker_death(workers, cluster):
            yield from parallel(calls)


def threads_per_worker(workers: int, cluster: str | None = None) -> int | None:
    """Return the threads that each worker may use so that all share the cores; None, no limit, for a single one."""
    if cluster:
        return 1  # Dask starts as many workers, or threads in them, as there are cores
    return None if workers == 1 else max(1, joblib.cpu_count() // workers)


def _exit_with_parent(parent):
    """Let this worker exit when its parent process has ended, and ignore Ctrl-C.

    joblib's workers would wait for more work for minutes after the parent was killed, and print a traceback on Ctrl-C.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()


def _watch_parent(parent):
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


@contextmanager
def _dask_backend(address):
    try:
        from distributed import Client
    except ImportError:
        raise UserError("--cluster needs Dask: pip install 'dask[distributed]', here and on the cluster") from None
    try:
        asyncio.run(_check_scheduler(address))
    except (OSError, ValueError) as error:
        raise UserError(f"--cluster: no Dask scheduler answers at {address} ({_one_line(error)})") from error
    with Client(address, timeout=TIMEOUT_SECONDS, set_as_default=False) as client:
        try:
            client.wait_for_workers(1, timeout=TIMEOUT_SECONDS)
        except TimeoutError:
            raise UserError(f"--cluster: the Dask scheduler at {address} has no workers: start some") from None
        with joblib.parallel_config(backend="dask", client=client):
            yield


async def _check_scheduler(address):
    """Connect once and close: a Client that cannot connect leaves threads and tracebacks behind."""
    from distributed.comm import connect

    connection = await connect(address, timeout=TIMEOUT_SECONDS)
    await connection.close()


@contextmanager
def _explain_worker_death(workers, cluster):
    try:
        yield
    except TerminatedWorkerError as error:
        raise UserError(
            f"a worker process died, perhaps because memory ran out: run again with --workers {max(1, workers // 2)}; "
            f"finished files are kept"
        ) from error
    except Exception as error:
        if cluster and type(error).__module__.startswith("distributed"):  # KilledWorker, CommClosedError, ...
            raise UserError(
                f"the Dask cluster at {cluster} failed ({type(error).__name__}: {_one_line(error)}); finished files "
                f"are kept, the same command resumes"
            ) from error
        raise


def _one_line(error):
    return " ".join(str(error).split()) or type(error).__name__
