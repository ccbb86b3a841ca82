"""Many calls side by side: in processes of this machine, or on a Dask cluster."""

import asyncio
import os
import signal
import threading
import time
import warnings
from contextlib import contextmanager, nullcontext

from common.errors import UserError

PATIENCE = 10  # seconds until a cluster has to answer


def in_parallel(function, arguments, workers=1, cluster=None):
    """Yield function(*each) for each tuple of `arguments`, as the results come, in no order.

    In `workers` processes, or on the Dask cluster whose scheduler is at the address `cluster`. UserError if a process
    died, or the cluster does not answer.
    """
    from joblib import Parallel, delayed

    warnings.filterwarnings("ignore", r".* tasks (have been successfully|which were still)", UserWarning)  # on an error
    calls = (delayed(function)(*each) for each in arguments)
    ours = {} if cluster else {"initializer": _end_with, "initargs": (os.getpid(),)}
    with _dask(cluster) if cluster else nullcontext():
        # calls one by one: joblib would put quick ones together, and after a kill all of them would be done again
        parallel = Parallel(n_jobs=-1 if cluster else workers, batch_size=1, return_as="generator_unordered", **ours)
        with _deaths_explained(workers, cluster):
            yield from parallel(calls)


def threads_for(workers, cluster=None):
    """The threads that one of `workers` may use, so that all share the cores; None for a lone one: as it likes."""
    from joblib import cpu_count

    if cluster:
        return 1  # Dask starts as many workers, or threads in them, as there are cores
    return None if workers == 1 else max(1, cpu_count() // workers)


def _end_with(parent):
    """Let this worker end with its parent, and no other way.

    joblib's workers would wait for more work for minutes after it was killed, and each print a traceback on Ctrl-C.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent):
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


@contextmanager
def _dask(address):
    try:
        from distributed import Client
    except ImportError:
        raise UserError("--cluster needs Dask: pip install 'dask[distributed]', here and on the cluster") from None
    from joblib import parallel_config

    try:
        asyncio.run(_knock(address))
    except (OSError, ValueError) as error:
        raise UserError(f"--cluster: no Dask scheduler answers at {address} ({_one_line(error)})") from error
    with Client(address, timeout=PATIENCE, set_as_default=False) as client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise UserError(f"--cluster: the Dask scheduler at {address} has no workers: start some") from None
        with parallel_config(backend="dask", client=client):
            yield


async def _knock(address):
    """Connect and hang up: a Client that cannot connect leaves threads and tracebacks behind."""
    from distributed.comm import connect

    comm = await connect(address, timeout=PATIENCE)
    await comm.close()


@contextmanager
def _deaths_explained(workers, cluster):
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    try:
        yield
    except TerminatedWorkerError as error:
        raise UserError(
            f"a worker process died, perhaps for want of memory: run again with --workers {max(1, workers // 2)}; "
            f"what is done is kept"
        ) from error
    except Exception as error:
        if cluster and type(error).__module__.startswith("distributed"):  # KilledWorker, CommClosedError, ...
            raise UserError(
                f"the Dask cluster at {cluster} failed ({type(error).__name__}: {_one_line(error)}); what is done is "
                f"kept, the same command goes on"
            ) from error
        raise


def _one_line(error):
    return " ".join(str(error).split()) or type(error).__name__
