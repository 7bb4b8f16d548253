"""Maniple: an MPI-native task runtime with the names of `dask.distributed`; `maniple.array` has those of `dask.array`.

``mpirun -n 6 python script.py`` starts one program six times: rank 0 schedules, rank 1 goes on as the driver after
`initialize`, ranks 2 and up run tasks. Without a launcher `Client` starts worker processes on this host.

Importing the package starts nothing: MPI is initialised by `initialize` or the first `Client`.
"""

from ._client import Client, LocalCluster, default_client
from ._delayed import Delayed, compute, delayed, persist, visualize
from ._errors import CancelledError, KilledWorker, RemoteTraceback, RunError, TaskError
from ._executor import ClientExecutor
from ._futures import as_completed, fire_and_forget, wait
from ._jobqueue import PBSCluster, SLURMCluster
from ._maniple import Future, __version__
from ._progress import progress
from ._start import initialize, serve
from ._tasks import get_client, get_worker, rejoin, secede, worker_client

__all__ = [
    "CancelledError",
    "Client",
    "ClientExecutor",
    "Delayed",
    "Future",
    "KilledWorker",
    "LocalCluster",
    "PBSCluster",
    "RemoteTraceback",
    "RunError",
    "SLURMCluster",
    "TaskError",
    "__version__",
    "as_completed",
    "compute",
    "default_client",
    "delayed",
    "fire_and_forget",
    "get_client",
    "get_worker",
    "initialize",
    "persist",
    "progress",
    "rejoin",
    "secede",
    "serve",
    "visualize",
    "wait",
    "worker_client",
]
