"""What a client reports of its run."""

import importlib.metadata
import json
import os
import platform
import tempfile

from ._errors import RunError
from ._maniple import Future
from ._ranks import address as _address
from ._ranks import workers as _workers


def versions(packages):
    """The versions of Python and of these packages in this process; None: it is not installed."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return {"host": platform.node(), "packages": found}


class Inspection:
    """The part of `Client` that reports on the scheduler and the workers."""

    def scheduler_info(self, **ignored):
        """Returns the scheduler and the workers of the run.

        Returns
        -------
        dict
            ``"address"`` is the scheduler's. ``"workers"`` has a dictionary for each worker, by its address, with ``"id"``
            (the rank), ``"name"``, ``"host"``, ``"nthreads"``, ``"memory_limit"``, ``"resources"`` and ``"pid"``.

        Examples
        --------
        >>> [worker["id"] for worker in client.scheduler_info()["workers"].values()]
        [2, 3]
        """
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

    def get_versions(self, check=False, packages=None):
        """Returns the versions of Python and of packages here and on the workers.

        Parameters
        ----------
        check : bool
            Whether `RunError` is raised if some differ.
        packages : iterable of str, optional
            Packages to look for beside ``maniple``, ``cloudpickle`` and ``numpy``.

        Returns
        -------
        dict
            ``"client"``, and ``"workers"`` by their addresses.

        Examples
        --------
        >>> sorted(client.get_versions(check=True))
        ['client', 'workers']
        """
        names = ["maniple", "cloudpickle", "numpy", *(packages or ())]
        own, others = versions(names), self.run(versions, names)
        if check:
            for address, theirs in others.items():
                for name, version in own["packages"].items():
                    if theirs["packages"][name] != version:
                        raise RunError(f"{name} is {version} here and {theirs['packages'][name]} on {address}")
        return {"client": own, "workers": others}

    def ncores(self, workers=None):
        """Returns the number of tasks that each worker runs at a time, by its address.

        Parameters
        ----------
        workers : int, str or list, optional
            Only of these workers: ranks, addresses or names of hosts.

        Examples
        --------
        >>> list(client.ncores().values())
        [1, 1]
        >>> client.ncores(workers=2) == {list(client.ncores())[0]: 1}
        True
        """
        ranks = _workers(self._core, workers)
        return {_address(rank): rank["nthreads"] for rank in ranks}

    nthreads = ncores

    def who_has(self, futures):
        """Returns the workers that hold the results of futures.

        Parameters
        ----------
        futures : Future or list of Future
            Those of Dask's signature may be keys; here they are futures.

        Returns
        -------
        dict
            From keys to tuples of addresses. A tuple is empty if the task has not ended well, or if its result is so small
            that it was sent to the client.

        Examples
        --------
        >>> future = client.submit(bytes, 1_000_000, key="zeros")
        >>> _ = wait(future)
        >>> client.who_has(future) == {"zeros": (list(client.ncores())[0],)}
        True
        """
        addresses = {rank["rank"]: _address(rank) for rank in self._core.ranks()}
        held = {}
        for future in [futures] if isinstance(futures, Future) else futures:
            holder = future._holder
            held[future.key] = () if holder is None else (addresses[holder],)
        return held

    def story(self, *futures):
        """Returns why tasks do not run, since when they run, or where they ran: a line for each future.

        Parameters
        ----------
        *futures : Future

        Examples
        --------
        >>> future = client.submit(abs, -1)
        >>> _ = wait(future)
        >>> client.story(future)
        ['task ... (abs) is done: ...']
        """
        return [self._core.explain(future) for future in futures]

    def dump_cluster_state(self, filename="maniple-state.json"):
        """Writes the state of the scheduler and of all workers to a file, as JSON.

        Parameters
        ----------
        filename : str or path

        Examples
        --------
        >>> client.dump_cluster_state(os.devnull)
        """
        self._core.dump_state(filename)

    def processing(self, workers=None):
        """Returns the names of the functions that run now, by the addresses of the workers.

        Parameters
        ----------
        workers : int, str or list, optional
            Only of these workers: ranks, addresses or names of hosts.

        Returns
        -------
        dict
            From addresses to lists of names.

        Examples
        --------
        >>> sorted(client.processing()) == sorted(client.ncores())
        True
        """
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "state.json")
            self.dump_cluster_state(path)
            with open(path, encoding="utf-8") as file:
                states = json.load(file)["ranks"]
        ranks = _workers(self._core, workers)
        return {_address(rank): [each["name"] for each in states[rank["rank"]]["running"]] for rank in ranks}

    def wait_for_workers(self, n_workers, timeout=None):
        """Checks that there are so many workers. All are there from the start, so that it never waits.

        Parameters
        ----------
        n_workers : int
        timeout
            Accepted without effect.

        Raises
        ------
        TimeoutError
            If there are fewer.

        Examples
        --------
        >>> client.wait_for_workers(2)
        """
        count = len(self.ncores())
        if count < n_workers:
            raise TimeoutError(f"the run has {count} workers, and never will have {n_workers}")

    @property
    def stopping(self):
        """Whether no more tasks begin, since the time of the run is over.

        Examples
        --------
        >>> client.stopping
        False
        """
        return self._core.stopping()

    @property
    def time_left(self):
        """The time until the run must end, in seconds, or None if that is unknown.

        Examples
        --------
        >>> client.time_left is None
        True
        """
        return self._core.time_left()
