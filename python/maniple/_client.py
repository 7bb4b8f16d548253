"""The client: what a driver, and tasks themselves, call."""

import os
import weakref

from . import _html, _start
from ._callbacks import Callbacks
from ._containers import replace
from ._datasets import Publications
from ._errors import RunError
from ._functions import Functions
from ._inspection import Inspection
from ._keys import key_of_call
from ._maniple import Future
from ._options import given as _given
from ._options import refuse_unknown as _refuse_unknown
from ._ranks import address as _address
from ._ranks import workers as _workers

_default = None


class LocalCluster:
    """A cluster on this host: this process schedules and drives, and starts workers, which end with it.

    Workers are processes that share memory, without MPI, since Python functions hold the GIL. One that dies is lost:
    its tasks run elsewhere.

    Parameters
    ----------
    n_workers : int, optional
        Workers. By default one for each of up to 4 cores, and fewer with several threads each on more cores.
    threads_per_worker : int, optional
        Tasks that each worker runs at a time. By default the workers share the cores.
    memory_limit : str or float, optional
        Memory for the values of each worker.
    processes : bool
        With False workers are threads of this process, and one Python function computes at a time; NumPy and others
        release the GIL for long operations. Without ``n_workers`` one group of threads does everything.

    Examples
    --------
    >>> with LocalCluster(n_workers=2) as cluster, Client(cluster) as client:
    ...     client.submit(sum, [1, 2, 3]).result()
    6
    """

    def __init__(
        self,
        n_workers=None,
        threads_per_worker=None,
        memory_limit=None,
        processes=True,
        local_directory=None,
        resources=None,
        dashboard_address=None,
        **ignored,
    ):
        _refuse_unknown("LocalCluster", ignored)
        if ignored.get("asynchronous"):
            raise NotImplementedError("LocalCluster(asynchronous=True): pass Client(asynchronous=True) the cluster")
        if _start.is_launched():
            raise RunError(
                "LocalCluster under a launcher: the run of all ranks is started by maniple.initialize() or Client()"
            )
        if memory_limit == "auto":
            memory_limit = None
        settings = _start._settings(threads_per_worker, memory_limit, local_directory, resources, dashboard_address)
        if processes or processes is None:
            settings = _start.processes(settings, n_workers)
        elif n_workers is not None:
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

    def _repr_html_(self):
        return _html.cluster("LocalCluster", None if self._run is None else self._core.ranks())


def _cluster_to_connect(address, scheduler_file):
    """The cluster that a client is to connect to, or None."""
    if scheduler_file is not None:
        return os.path.abspath(os.fspath(scheduler_file))
    if isinstance(address, str):
        if "://" in address:
            raise ValueError(
                f"{address!r} is no cluster: take its connection file or its name, which `maniple clusters` lists"
            )
        return address
    if address is None and not _start.is_launched():
        named = os.environ.get("MANIPLE_CONNECT")
        return "" if named == "1" else named or None
    return None


class Client(Publications, Inspection):
    """Has functions called on the workers of a run.

    Under a launcher the run is that of all ranks, which `initialize` has started, or which is started now: then the
    call returns on rank 1 only. Without one, and without a cluster, a run in this process is started, as by
    `LocalCluster` with the same keywords, and ends with the client.

    Parameters
    ----------
    address : LocalCluster or str, optional
        The cluster; or the name or the connection file of one that stands, to which the client connects.
    scheduler_file : str, optional
        The connection file of a cluster that stands: see `serve`. Without it and ``address``, ``MANIPLE_CONNECT`` names
        one, if it is set.
    asynchronous : bool
        Whether the methods that wait are coroutines, for programs of asyncio: ``async with Client(asynchronous=True)``.
    n_workers, threads_per_worker, memory_limit, ...
        As `LocalCluster`. Under a launcher the number of workers is the launcher's.

    Examples
    --------
    >>> with Client(n_workers=2, threads_per_worker=1) as client:
    ...     client.submit(sum, [1, 2, 3]).result()
    6
    """

    asynchronous = False

    def __new__(cls, *args, asynchronous=False, **options):
        if not asynchronous:
            return super().__new__(cls)
        from ._asynchronous import AsynchronousClient

        return AsynchronousClient(*args, **options)

    def __init__(self, address=None, *, scheduler_file=None, set_as_default=True, asynchronous=False, **options):
        self._cluster = None
        self._own_cluster = False
        cluster = _cluster_to_connect(address, scheduler_file)
        if cluster is None and address is not None:
            self._cluster = address
        elif cluster is None and not _start.is_launched():
            self._cluster, self._own_cluster = LocalCluster(**options), True
        else:
            # The workers are there.
            for name in ("n_workers", "threads_per_worker", "memory_limit", "processes"):
                options.pop(name, None)
            _refuse_unknown("Client", options)
            if cluster is not None:
                self._cluster, self._own_cluster = _start.Session(cluster), True
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
        self._named = weakref.WeakValueDictionary()
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
        pure=False,
        **kwargs,
    ):
        """Has ``func(*args, **kwargs)`` called on a worker, and returns a future of its result at once.

        Futures among the arguments, also within lists, tuples and dictionaries, are replaced by their results.

        Parameters
        ----------
        func : callable
            It is pickled by name if workers can import its module, otherwise with its code.
        *args, **kwargs
            Arguments of the call.
        key : str, optional
            Name of the task. While a future of this client has the key, the call returns that future and makes no task.
        workers : int, str or list, optional
            Ranks, addresses (``mpi://host/3``) or names of hosts that may run it.
        resources : dict, optional
            Amounts of resources that it takes while it runs.
        retries : int, optional
            How often it is tried again if it raises.
        priority : int, optional
            Tasks of higher priority begin first.
        allow_other_workers : bool, optional
            Whether others than ``workers`` may run it if those are busy or unknown.
        pure : bool, optional
            Whether the function returns equal results for equal arguments. Then the key is a hash of the call, so that
            equal calls are one task. By default each call is a task: the function may draw random numbers.

        Returns
        -------
        Future

        Examples
        --------
        >>> client.submit(pow, 2, 10).result()
        1024
        >>> first, second = client.submit(pow, 2, 3, pure=True), client.submit(pow, 2, 3, pure=True)
        >>> first is second
        True
        """
        self._check_open()
        if key is None and pure:
            key = key_of_call(func, args, kwargs)
        if key is not None:
            known = self._named.get(_checked(key))
            if known is not None and not known.cancelled():
                return known
        function = self._functions.hand_over(func)
        given = _given(priority, retries, workers, allow_other_workers, resources)
        future = self._core.submit(function, (args, kwargs or None), self, given, key)
        if key is not None:
            self._named[key] = future
        return future

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
        pure=False,
        batch_size=None,
        **kwargs,
    ):
        """Has ``func`` called once for each of the items, as the built-in `map`; returns a list of futures at once.

        All calls are sent as one message, unless ``pure`` is true or ``key`` is a list.

        Parameters
        ----------
        func : callable
            As in `submit`, like the other keywords.
        *iterables : iterable
            One for each positional argument. The shortest one says how many calls there are.
        key : str or list of str, optional
            A prefix of all keys; or the key of each call.
        batch_size : int, optional
            Accepted without effect.
        **kwargs
            Passed to each call.

        Returns
        -------
        list of Future

        Examples
        --------
        >>> client.gather(client.map(pow, [2, 3, 4], [5, 2, 2]))
        [32, 9, 16]
        >>> [future.key for future in client.map(abs, [-1, -2], key=["one", "two"])]
        ['one', 'two']
        """
        self._check_open()
        if not iterables:
            raise ValueError("map needs one or more iterables")
        options = {
            "workers": workers,
            "resources": resources,
            "retries": retries,
            "priority": priority,
            "allow_other_workers": allow_other_workers,
        }
        calls = zip(*iterables)
        if pure or not isinstance(key, (str, type(None))):
            calls = list(calls)
            keys = key
            if keys is None or isinstance(keys, str):
                keys = [key_of_call(func, args, kwargs, prefix=key) for args in calls]
            return [self.submit(func, *args, key=name, **options, **kwargs) for name, args in zip(keys, calls, strict=True)]
        function, named = self._functions.hand_over(func, key), kwargs or None
        return self._core.map(function, ((args, named) for args in calls), self, _given(**options))

    def gather(self, futures, errors="raise", direct=None, asynchronous=None):
        """Waits for futures, also within lists, tuples, sets and dictionaries, and returns their results likewise.

        Parameters
        ----------
        futures : Future or collection of Future
            Of a generator the results are a list.
        errors : {"raise", "skip"}
            Whether to raise the exception of the first failed task, or to leave out failed ones of a list.
        direct, asynchronous
            Accepted without effect.

        Returns
        -------
        object
            The results, which the caller may change.

        Examples
        --------
        >>> client.gather({"a": client.submit(abs, -1), "b": [client.submit(abs, -2)]})
        {'a': 1, 'b': [2]}
        >>> client.gather(client.map(int, ["1", "two", "3"]), errors="skip")
        [1, 3]
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
        replace(futures, Future, found.append)
        results = dict(zip(map(id, found), self._core.gather(found, False)))
        return replace(futures, Future, lambda future: results[id(future)])

    def scatter(self, data, workers=None, broadcast=False, direct=None, hash=True, timeout=None, asynchronous=None):
        """Hands objects to workers, and returns futures of them: a list for a list, a dictionary for a dictionary.

        Parameters
        ----------
        data : list, tuple, set, dict, iterator or object
            The objects. What is no such collection is one object.
        workers : int, str or list, optional
            Which workers may get them, as in `submit`.
        broadcast : bool
            Whether every worker gets them at once; otherwise one does, and others fetch them as tasks need them.
        direct, hash, timeout, asynchronous
            Accepted without effect.

        Returns
        -------
        Future, or a list, tuple, set or dict of Future

        Examples
        --------
        >>> table = client.scatter({"one": 1, "two": 2})
        >>> client.submit(sum, list(table.values())).result()
        3
        >>> weights = client.scatter([[0.5, 0.5]], broadcast=True)
        >>> client.gather(weights)
        [[0.5, 0.5]]
        """
        self._check_open()
        if workers is not None and broadcast:
            raise NotImplementedError("scatter(workers=..., broadcast=True)")

        def hand(item):
            if workers is not None:
                return self.submit(itself, item, workers=workers)
            return self._core.scatter(item, bool(broadcast), self)

        if isinstance(data, dict):
            return {name: hand(item) for name, item in data.items()}
        if isinstance(data, (list, tuple, set, frozenset)):
            return type(data)(map(hand, data))
        if isinstance(data, range) or hasattr(data, "__next__"):
            return [hand(item) for item in data]
        return hand(data)

    def run(self, function, *args, workers=None, wait=True, nanny=False, on_error="raise", **kwargs):
        """Calls a function once on every worker, and returns a dictionary from addresses to results.

        Parameters
        ----------
        function : callable
            It is called with ``*args`` and ``**kwargs``.
        workers : int, str or list, optional
            Only on these workers: ranks, addresses or names of hosts.
        wait : bool
            Whether to wait for the results; otherwise they are futures.
        on_error : {"raise", "return", "ignore"}
            Whether to raise the exception of a call that fails, to return it as its result, or to leave it out.
        nanny : bool
            True is refused: there are no nannies.

        Returns
        -------
        dict
            From addresses to results, or to futures without ``wait``.

        Examples
        --------
        >>> sorted(client.run(lambda: get_worker().rank).values())
        [2, 3]
        """
        self._check_open()
        if nanny:
            raise NotImplementedError("run(nanny=True)")
        if on_error not in ("raise", "return", "ignore"):
            raise ValueError(f"on_error={on_error!r} is none of 'raise', 'return' and 'ignore'")
        handed, call = self._functions.hand_over(function), (args, kwargs or None)
        ranks = _workers(self._core, workers)
        if workers is None:
            futures = self._core.run(handed, call, self)
        else:
            given = [_given(0, 0, rank["rank"], False, None) for rank in ranks]
            futures = [self._core.submit(handed, call, self, own) for own in given]
        calls = dict(zip(map(_address, ranks), futures))
        if not wait:
            return calls
        if on_error == "raise":
            return dict(zip(calls, self._core.gather(list(calls.values()), False)))
        errors = {address: future._now("exception") for address, future in calls.items()}
        if on_error == "ignore":
            calls = {address: future for address, future in calls.items() if errors[address] is None}
        return {address: errors[address] or future._now("result") for address, future in calls.items()}

    def cancel(self, futures, asynchronous=None, force=False, **ignored):
        """Cancels tasks that have not ended, and those that need them.

        A function that runs is not interrupted; its result is dropped.

        Parameters
        ----------
        futures : Future or list of Future
        asynchronous, force
            Accepted without effect.

        Examples
        --------
        >>> futures = client.map(time.sleep, [0.01] * 20)
        >>> client.cancel(futures[-1])
        >>> type(futures[-1].exception()).__name__
        'CancelledError'
        """
        self._check_open()
        self._core.cancel([futures] if isinstance(futures, Future) else list(futures))

    def restart(self, timeout=None, wait_for_workers=True):
        """Cancels all tasks of this program that have not ended, and forgets the keys of its futures.

        The worker processes go on: the ranks of an MPI program cannot be restarted. A function that runs is not
        interrupted; its result is dropped. Results that are there stay as long as their futures.

        Parameters
        ----------
        timeout, wait_for_workers
            Accepted without effect.

        Examples
        --------
        >>> future = client.submit(time.sleep, 0.1)
        >>> client.restart()
        >>> future.exception() is not None and future.status
        'cancelled'
        """
        self._check_open()
        self._core.cancel_all()
        self._named.clear()

    def retire_workers(self, workers, close_workers=True, remove=True):
        """Has workers run no more tasks.

        They finish what they have begun, others run the rest. Values that they hold stay there, and their processes stay
        until the end of the run, since ranks of an MPI program cannot leave it.

        Parameters
        ----------
        workers : int, str or list
            Ranks, addresses or names of hosts.
        close_workers, remove
            Accepted without effect.

        Returns
        -------
        dict
            From the addresses of these workers to what `scheduler_info` says of them.

        Examples
        --------
        >>> list(client.retire_workers(3))[0].endswith("/3")
        True
        >>> client.gather(client.map(lambda _: get_worker().rank, range(4)))
        [2, 2, 2, 2]
        """
        self._check_open()
        retired = _workers(self._core, workers)
        self._core.retire_workers([rank["rank"] for rank in retired])
        known = self.scheduler_info()["workers"]
        return {_address(rank): known[_address(rank)] for rank in retired}

    def compute(self, collections, sync=False, **options):
        """Has delayed calls and arrays computed.

        Parameters
        ----------
        collections : Delayed, Array, or list of them
        sync : bool
            Whether to wait for the results, and return them.
        **options
            Keywords of `submit`, such as ``priority``.

        Returns
        -------
        Future or list of Future
            The results if ``sync`` is true.

        Examples
        --------
        >>> total = delayed(sum)([delayed(abs)(-1), delayed(abs)(-2)])
        >>> client.compute(total).result()
        3
        """
        from ._delayed import submit_all

        self._check_open()
        is_one = not isinstance(collections, (list, tuple, set, frozenset))
        futures = submit_all(self, [collections] if is_one else list(collections), options)
        if sync:
            futures = self.gather(futures)
        return futures[0] if is_one else futures

    def persist(self, collections, **options):
        """Has delayed calls and arrays computed, and returns delayed values and arrays that stand for the results.

        Parameters
        ----------
        collections : Delayed, Array, or list of them
        **options
            Keywords of `submit`, such as ``priority``.

        Returns
        -------
        Delayed, Array, or list of them
            Workers keep the results as long as these live.

        Examples
        --------
        >>> x = client.persist(da.arange(10, chunks=5))
        >>> x.sum().compute()
        np.int64(45)
        """
        from ._delayed import persist_all

        self._check_open()
        is_one = not isinstance(collections, (list, tuple, set, frozenset))
        values = persist_all(self, [collections] if is_one else list(collections), options)
        return values[0] if is_one else values

    def get_executor(self, **options):
        """Returns a `concurrent.futures.Executor` whose calls are tasks.

        Parameters
        ----------
        **options
            Keywords of `submit`: ``workers``, ``resources``, ``retries``, ``priority``, ``allow_other_workers`` and
            ``pure``.

        Returns
        -------
        ClientExecutor

        Examples
        --------
        >>> with client.get_executor(retries=1) as executor:
        ...     list(executor.map(abs, [-1, -2]))
        [1, 2]
        """
        from ._executor import ClientExecutor

        return ClientExecutor(self, **options)

    def _call_when_done(self, future, function, at_close=None):
        self._check_open()
        self._callbacks.add(future, function, at_close)

    # The run

    @property
    def cluster(self):
        """The `LocalCluster` of this client, or None."""
        return None if isinstance(self._cluster, _start.Session) else self._cluster

    def close(self, timeout=None):
        """Closes this client, and ends its run if the client has started that in this process.

        Under a launcher the run goes on until `shutdown`, or the end of the program. A cluster that the client has
        connected to stands until `shutdown`; what was not published of its futures is freed.

        Parameters
        ----------
        timeout
            Accepted without effect.

        Examples
        --------
        >>> client = Client(n_workers=1)
        >>> client.close()
        >>> client.status
        'closed'
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
        """Ends the run on all ranks, or the cluster that this client is connected to.

        Examples
        --------
        >>> client = Client(n_workers=1)
        >>> client.shutdown()
        """
        run = self._run
        cluster = self._cluster
        if self.status == "running" and isinstance(cluster, _start.Session):
            self._core.shutdown()
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

    def _repr_html_(self):
        kind = "closed"
        if self.status == "running":
            kind = type(self._cluster).__name__ if self._cluster is not None else "ranks of this program"
        return _html.client(kind, self._core.ranks() if self.status == "running" else None)


def _checked(key):
    """The key, if it is one."""
    if not isinstance(key, str):
        raise TypeError(f"key={key!r} is not a string")
    return key


def itself(value):
    """The value: a task of this function is a future of an object."""
    return value


def default_client():
    """Returns the client that was made last.

    Raises
    ------
    ValueError
        If there is none, or it is closed.

    Examples
    --------
    >>> default_client() is client
    True
    """
    client = _default() if _default is not None else None
    if client is None or client.status != "running":
        raise ValueError("there is no open client: make one with maniple.Client()")
    return client


_kept = None


def _keep(client):
    """Keeps a client that nothing else refers to until the program ends."""
    global _kept
    _kept = client
    return client
