"""The client: what a driver, and tasks themselves, call."""

import collections
import contextlib
import itertools
import os
import threading
import time
import weakref

from . import _maniple, _start
from ._callbacks import Callbacks
from ._errors import CancelledError, RunError
from ._functions import Functions
from ._maniple import Future

_default = None
_tasks = threading.local()

DoneAndNotDoneFutures = collections.namedtuple("DoneAndNotDoneFutures", "done not_done")


class LocalCluster:
    """A run in this process: a scheduler and workers, which are threads.

    Python functions hold the GIL, so that one of them computes at a time, whatever the number of workers; NumPy and
    others release it for long operations. Worker processes need a launcher: ``mpirun -n 6 python script.py``.

    Parameters
    ----------
    n_workers : int, optional
        Workers. By default one thread group does everything.
    threads_per_worker : int, optional
        Tasks that each worker runs at a time. By default the workers share the cores.
    memory_limit : str or float, optional
        Memory for the values of each worker.
    processes : bool, optional
        True is refused: see above.
    """

    def __init__(
        self,
        n_workers=None,
        threads_per_worker=None,
        memory_limit=None,
        processes=None,
        local_directory=None,
        resources=None,
        dashboard_address=None,
        **ignored,
    ):
        if processes:
            raise NotImplementedError(
                "LocalCluster(processes=True): workers of one process are threads; start worker processes with "
                "mpirun -n N python script.py and maniple.initialize()"
            )
        _refuse_unknown("LocalCluster", ignored)
        if _start.is_launched():
            raise RunError(
                "LocalCluster under a launcher: the run of all ranks is started by maniple.initialize() or Client()"
            )
        if memory_limit == "auto":
            memory_limit = None
        settings = _start._settings(threads_per_worker, memory_limit, local_directory, resources, dashboard_address)
        if n_workers is not None:
            settings["n_workers"] = n_workers
        self._run = _start.start_local(settings)
        self._core = self._run.core()

    @property
    def scheduler_address(self):
        """The address of the scheduler, for people."""
        return _address(self._core.ranks()[0])

    def close(self, timeout=None):
        """Ends the run."""
        run, self._run = self._run, None
        if run is not None:
            _start.end(run)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def __repr__(self):
        if self._run is None:
            return "LocalCluster(closed)"
        workers = _workers(self._core)
        threads = sum(rank["nthreads"] for rank in workers)
        return f"LocalCluster({self.scheduler_address!r}, workers={len(workers)}, threads={threads})"


def _refuse_unknown(what, options):
    """Accepts keywords of Dask's that have no meaning here, and refuses misspelt ones."""
    meaningless = {
        "asynchronous", "direct_to_workers", "heartbeat_interval", "host", "interface", "loop", "name", "protocol",
        "scheduler_port", "security", "serializers", "deserializers", "set_as_default", "silence_logs", "timeout",
        "worker_class", "worker_dashboard_address",
    }  # fmt: skip
    if options.get("asynchronous"):
        raise NotImplementedError(f"{what}(asynchronous=True)")
    unknown = sorted(set(options) - meaningless)
    if unknown:
        raise TypeError(f"{what}() got an unexpected keyword argument {unknown[0]!r}")


def _workers(core):
    """The ranks that run tasks."""
    return [rank for rank in core.ranks() if rank["is_worker"]]


def _address(rank):
    return f"mpi://{rank['host']}/{rank['rank']}"


class Client:
    """Has functions called on the workers of a run.

    Under a launcher the run is that of all ranks, which `initialize` has started, or which is started now: then the
    call returns on rank 1 only. Without one, and without a cluster, a run in this process is started, as by
    `LocalCluster` with the same keywords, and ends with the client.

    Parameters
    ----------
    address : LocalCluster, optional
        The cluster.
    n_workers, threads_per_worker, memory_limit, ...
        As `LocalCluster`. Under a launcher the number of workers is the launcher's.

    Examples
    --------
    >>> with Client(n_workers=2, threads_per_worker=1) as client:
    ...     client.submit(sum, [1, 2, 3]).result()
    6
    """

    def __init__(self, address=None, *, scheduler_file=None, set_as_default=True, **options):
        if isinstance(address, str) or scheduler_file is not None:
            raise NotImplementedError(
                "Client(address) and Client(scheduler_file=...): start the program itself with mpirun and call "
                "maniple.initialize(); it cannot connect to a run of another program"
            )
        self._cluster = None
        self._own_cluster = False
        if address is not None:
            self._cluster = address
        elif not _start.is_launched():
            self._cluster, self._own_cluster = LocalCluster(**options), True
        else:
            for name in ("n_workers", "threads_per_worker", "memory_limit", "processes"):
                options.pop(name, None)
            _refuse_unknown("Client", options)
        run = self._cluster._run if self._cluster is not None else _start.world()
        if run is None:
            raise RunError("the cluster is closed")
        self._run = run
        self._set_core(run.core())
        self._is_default = set_as_default
        if set_as_default:
            global _default
            _default = weakref.ref(self)

    @classmethod
    def _of_task(cls, core):
        self = cls.__new__(cls)
        self._cluster, self._own_cluster, self._run, self._is_default = None, False, None, False
        self._set_core(core)
        return self

    def _set_core(self, core):
        self._core = core
        self._functions = Functions(core)
        self._callbacks = Callbacks(core)
        self.status = "running"

    def _check_open(self):
        if self.status != "running":
            raise RunError("the client is closed")

    # Tasks

    def submit(
        self,
        func,
        *args,
        key=None,
        workers=None,
        resources=None,
        retries=None,
        priority=0,
        allow_other_workers=False,
        pure=None,
        **kwargs,
    ):
        """Has ``func(*args, **kwargs)`` called on a worker, and returns a future of its result at once.

        Futures among the arguments, also within lists, tuples and dictionaries, are replaced by their results.

        Parameters
        ----------
        workers : int, str or list, optional
            Ranks, addresses (``mpi://host/3``) or names of hosts that may run it.
        resources : dict, optional
            Amounts of resources that it takes while it runs.
        retries : int, optional
            How often it is tried again if it raises.
        priority : int, optional
            Tasks of higher priority begin first.
        key, pure
            Accepted without effect: each call is a task.
        """
        self._check_open()
        function = self._functions.hand_over(func)
        given = _given(priority, retries, workers, allow_other_workers, resources)
        return self._core.submit(function, (args, kwargs or None), self, given)

    def map(
        self,
        func,
        *iterables,
        key=None,
        workers=None,
        resources=None,
        retries=None,
        priority=0,
        allow_other_workers=False,
        pure=None,
        batch_size=None,
        **kwargs,
    ):
        """Has ``func`` called once for each of the items, as the built-in `map`; returns a list of futures at once.

        All calls travel as one message. The keywords are those of `submit`; others are passed to each call.
        """
        self._check_open()
        if not iterables:
            raise ValueError("map needs one or more iterables")
        function = self._functions.hand_over(func)
        given = _given(priority, retries, workers, allow_other_workers, resources)
        named = kwargs or None
        calls = ((args, named) for args in zip(*iterables))
        return self._core.map(function, calls, self, given)

    def gather(self, futures, errors="raise", direct=None, asynchronous=None):
        """Waits for futures, also within lists, tuples, sets and dictionaries, and returns their results likewise.

        Parameters
        ----------
        errors : {"raise", "skip"}
            Whether to raise the exception of the first failed task, or to leave out failed ones of a list.
        """
        self._check_open()
        if errors not in ("raise", "skip"):
            raise ValueError(f"errors={errors!r} is neither 'raise' nor 'skip'")
        if isinstance(futures, Future):
            return self._core.gather([futures], False)[0]
        if isinstance(futures, (list, tuple, set, frozenset)) and all(isinstance(item, Future) for item in futures):
            results = self._core.gather(list(futures), errors == "skip")
            return results if isinstance(futures, list) else type(futures)(results)
        if hasattr(futures, "__next__"):
            return self.gather(list(futures), errors)
        if errors == "skip":
            raise TypeError("gather(errors='skip') takes a list of futures")
        found = []
        _replace(futures, Future, found.append)
        results = dict(zip(map(id, found), self._core.gather(found, False)))
        return _replace(futures, Future, lambda future: results[id(future)])

    def scatter(self, data, workers=None, broadcast=False, direct=None, hash=True, timeout=None):
        """Hands objects to workers, and returns futures of them: a list for a list, a dictionary for a dictionary.

        Parameters
        ----------
        broadcast : bool
            Whether every worker gets them at once; otherwise one does, and others fetch them as tasks need them.
        """
        self._check_open()
        if workers is not None:
            raise NotImplementedError("scatter(workers=...)")
        hand = lambda item: self._core.scatter(item, bool(broadcast), self)  # noqa: E731
        if isinstance(data, dict):
            return {name: hand(item) for name, item in data.items()}
        if isinstance(data, (list, tuple, set, frozenset)):
            return type(data)(map(hand, data))
        if isinstance(data, range) or hasattr(data, "__next__"):
            return [hand(item) for item in data]
        return hand(data)

    def run(self, function, *args, workers=None, wait=True, nanny=False, on_error="raise", **kwargs):
        """Calls a function once on every worker, outside of any order, and returns a dictionary from addresses to
        results."""
        self._check_open()
        if workers is not None or on_error != "raise" or nanny:
            raise NotImplementedError("run(workers=, nanny=, on_error=)")
        handed = self._functions.hand_over(function)
        futures = self._core.run(handed, (args, kwargs or None), self)
        addresses = [_address(rank) for rank in _workers(self._core)]
        results = self._core.gather(futures, False) if wait else futures
        return dict(zip(addresses, results))

    def cancel(self, futures, asynchronous=None, force=False, **ignored):
        """Cancels tasks that have not ended, and those that need them."""
        self._check_open()
        self._core.cancel([futures] if isinstance(futures, Future) else list(futures))

    def compute(self, collections, sync=False, **options):
        """Has delayed calls computed: a future, or a list of them; results with ``sync=True``."""
        from ._delayed import submit_all

        self._check_open()
        is_one = not isinstance(collections, (list, tuple, set, frozenset))
        futures = submit_all(self, [collections] if is_one else list(collections), options)
        if sync:
            futures = self.gather(futures)
        return futures[0] if is_one else futures

    def persist(self, collections, **options):
        """Has delayed calls computed, and returns delayed values that stand for the results."""
        from ._delayed import persisted

        is_one = not isinstance(collections, (list, tuple, set, frozenset))
        futures = self.compute([collections] if is_one else list(collections), **options)
        values = [persisted(future) for future in futures]
        return values[0] if is_one else values

    def get_executor(self, **options):
        """A `concurrent.futures.Executor` whose calls are tasks. The keywords are those of `submit`."""
        from ._executor import ClientExecutor

        return ClientExecutor(self, **options)

    def _call_when_done(self, future, function):
        self._check_open()
        self._callbacks.add(future, function)

    # The run

    def scheduler_info(self, **ignored):
        """The scheduler and the workers of the run: ``["workers"]`` has an entry for each, by its address."""
        ranks = self._core.ranks()
        workers = {}
        for rank in ranks:
            if rank["is_worker"]:
                workers[_address(rank)] = {
                    "type": "Worker",
                    "id": rank["rank"],
                    "name": f"{rank['host']}-{rank['rank']}",
                    "host": rank["host"],
                    "nthreads": rank["nthreads"],
                    "memory_limit": rank["memory_limit"],
                    "resources": rank["resources"],
                    "pid": rank["pid"],
                }
        return {"type": "Scheduler", "id": "Scheduler", "address": _address(ranks[0]), "workers": workers}

    def ncores(self, workers=None):
        """The number of tasks that each worker runs at a time, by its address."""
        return {address: worker["nthreads"] for address, worker in self.scheduler_info()["workers"].items()}

    nthreads = ncores

    def wait_for_workers(self, n_workers, timeout=None):
        """Checks that there are so many workers. All are there from the start, so that it never waits."""
        count = len(self.ncores())
        if count < n_workers:
            raise TimeoutError(f"the run has {count} workers, and never will have {n_workers}")

    @property
    def cluster(self):
        """The `LocalCluster` of this client, or None."""
        return self._cluster

    @property
    def stopping(self):
        """Whether no more tasks begin, since the time of the run is over."""
        return self._core.stopping()

    @property
    def time_left(self):
        """The time until the run must end, in seconds, or None if that is unknown."""
        return self._core.time_left()

    def close(self, timeout=None):
        """Closes this client, and ends its run if the client has started that in this process.

        Under a launcher the run goes on until `shutdown`, or the end of the program.
        """
        if self.status != "running":
            return
        self.status = "closed"
        self._callbacks.close()
        global _default
        if self._is_default and _default is not None and _default() is self:
            _default = None
        if self._own_cluster:
            self._cluster.close()

    def shutdown(self):
        """Ends the run on all ranks."""
        run = self._run
        cluster = self._cluster
        self.close()
        if cluster is not None:
            cluster.close()
        elif run is not None:
            _start.end(run)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def __repr__(self):
        if self.status != "running":
            return "<Client: closed>"
        workers = _workers(self._core)
        threads = sum(rank["nthreads"] for rank in workers)
        memory = sum(rank["memory_limit"] for rank in workers) / 2**30
        address = self.scheduler_info()["address"]
        return f"<Client: {address!r} processes={len(workers)} threads={threads}, memory={memory:.2f} GiB>"


def _given(priority, retries, workers, allow_other_workers, resources):
    """The options of tasks, or None."""
    if not (priority or retries or workers or resources) and workers != 0:
        return None
    ranks, hosts = [], []
    if workers is not None:
        for worker in [workers] if isinstance(workers, (int, str)) else workers:
            if isinstance(worker, int):
                ranks.append(worker)
            elif worker.startswith("mpi://"):
                ranks.append(int(worker.rpartition("/")[2]))
            else:
                hosts.append(worker)
    return {
        "priority": priority or 0,
        "retries": retries or 0,
        "ranks": ranks,
        "hosts": hosts,
        "allow_other_workers": bool(allow_other_workers),
        "resources": list((resources or {}).items()),
    }


def _replace(value, kind, replacement):
    """The value with each instance of a kind replaced, within lists, tuples, sets and dictionaries."""
    if isinstance(value, kind):
        return replacement(value)
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_replace(item, kind, replacement) for item in value)
    if type(value) is dict:
        return {name: _replace(item, kind, replacement) for name, item in value.items()}
    return value


def default_client():
    """The client that was made last, if it is open."""
    client = _default() if _default is not None else None
    if client is None or client.status != "running":
        raise ValueError("there is no open client: make one with maniple.Client()")
    return client


def get_client(address=None, timeout=None, resolve_address=True):
    """Within a task, a client of the same run; elsewhere the default client."""
    try:
        core = _maniple.current_core()
    except ValueError:
        return default_client()
    client = getattr(_tasks, "client", None)
    if client is None:
        client = _tasks.client = Client._of_task(core)
    return client


@contextlib.contextmanager
def worker_client(timeout=None, separate_thread=True):
    """Within a task, a client of the same run, as `get_client`. A task that waits gives its place to another."""
    yield get_client()


def secede():
    """Without effect: a task that waits for others gives its place to another one by itself."""


def rejoin():
    """Without effect, as `secede`."""


class Worker:
    """The worker that runs a task."""

    def __init__(self, rank, number, attempt):
        self.rank, self.number, self.attempt = rank, number, attempt

    @property
    def name(self):
        """The worker's name, as `Client.scheduler_info` has it."""
        return f"{os.uname().nodename}-{self.rank}"

    @property
    def address(self):
        """The worker's address, as `Client.scheduler_info` has it."""
        return f"mpi://{os.uname().nodename}/{self.rank}"

    def __repr__(self):
        return f"<Worker: {self.address!r}>"


def get_worker():
    """Within a task, the worker that runs it: ``rank``, ``number`` from 0, ``attempt`` of the task."""
    try:
        return Worker(*_maniple.current_worker())
    except RuntimeError:
        raise ValueError("no task runs on this thread") from None


class as_completed:
    """Futures in the order they end, well or not. More can be added meanwhile.

    Parameters
    ----------
    futures : iterable of Future
    with_results : bool
        Whether pairs of a future and its result are returned.
    raise_errors : bool
        With results, whether the exception of a failed task is raised, or returned in the place of the result.
    timeout : float, optional
        Seconds after which `TimeoutError` is raised.
    """

    def __init__(self, futures=None, loop=None, with_results=False, raise_errors=True, *, timeout=None):
        self._with_results, self._raise_errors = with_results, raise_errors
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._numbers = itertools.count()
        self._waiting = {}
        self._completions = None
        self.update(futures or [])

    def add(self, future):
        """Adds a future."""
        if self._completions is None:
            self._completions = future.client._core.completions()
        number = next(self._numbers)
        self._waiting[number] = future
        self._completions.add(future, number)

    def update(self, futures):
        """Adds futures."""
        for future in futures:
            self.add(future)

    def count(self):
        """The number of futures that were not returned."""
        return len(self._waiting)

    def is_empty(self):
        """Whether all were returned."""
        return not self._waiting

    def has_ready(self):
        """Whether the next one is returned at once."""
        return any(future.done() for future in self._waiting.values())

    def __iter__(self):
        return self

    def __next__(self):
        if not self._waiting:
            raise StopIteration
        left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        future = self._waiting.pop(self._completions.next(left))
        if not self._with_results:
            return future
        if self._raise_errors:
            return future, future.result()
        error = future.exception()
        return future, future.result() if error is None else error


def wait(fs, timeout=None, return_when="ALL_COMPLETED"):
    """Waits until all futures have ended, well or not, or the first one with ``return_when="FIRST_COMPLETED"``.

    Returns the sets ``done`` and ``not_done``. Raises `TimeoutError` if the time is over before, and
    `CancelledError` if one was cancelled.
    """
    if return_when not in ("ALL_COMPLETED", "FIRST_COMPLETED"):
        raise ValueError(f"return_when={return_when!r} is neither 'ALL_COMPLETED' nor 'FIRST_COMPLETED'")
    futures = [fs] if isinstance(fs, Future) else list(fs)
    if futures:
        futures[0].client._core.wait(futures, return_when == "ALL_COMPLETED", timeout)
    done = {future for future in futures if future.done()}
    cancelled = [future for future in done if future.cancelled()]
    if cancelled:
        raise CancelledError(f"{cancelled[0].key} was cancelled")
    return DoneAndNotDoneFutures(done, set(futures) - done)


_kept = None


def _keep(client):
    """Keeps a client that nothing else refers to until the program ends."""
    global _kept
    _kept = client
    return client
