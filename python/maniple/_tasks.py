"""What tasks ask: for the worker that runs them, and for a client of its run."""

import contextlib
import os
import threading

from . import _maniple
from ._client import Client, default_client
from ._ranks import address as _address

_local = threading.local()


def get_client(address=None, timeout=None, resolve_address=True):
    """Returns a client: within a task one of the same run, elsewhere the default client.

    Parameters
    ----------
    address, timeout, resolve_address
        Accepted without effect.

    Raises
    ------
    ValueError
        If no task runs on this thread, and there is no open client.

    Examples
    --------
    >>> def total(numbers):
    ...     client = get_client()
    ...     return sum(client.gather(client.map(abs, numbers)))
    >>> client.submit(total, [-1, -2]).result()
    3
    """
    try:
        core = _maniple.current_core()
    except ValueError:
        return default_client()
    client = getattr(_local, "client", None)
    if client is None:
        client = _local.client = Client._of_task(core)
    return client


@contextlib.contextmanager
def worker_client(timeout=None, separate_thread=True):
    """Within a task, a client of the same run, as `get_client`. A task that waits gives its place to another.

    Parameters
    ----------
    timeout, separate_thread
        Accepted without effect.

    Examples
    --------
    >>> def double(number):
    ...     with worker_client() as client:
    ...         return 2 * client.submit(abs, number).result()
    >>> client.submit(double, -2).result()
    4
    """
    yield get_client()


def secede():
    """Has no effect: a task that waits for others gives its place to another one by itself.

    Examples
    --------
    >>> secede()
    """


def rejoin():
    """Has no effect, as `secede`.

    Examples
    --------
    >>> rejoin()
    """


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
        return _address({"host": os.uname().nodename, "rank": self.rank})

    def __repr__(self):
        return f"<Worker: {self.address!r}>"


def get_worker():
    """Within a task, returns the worker that runs it.

    Returns
    -------
    Worker
        ``rank``, ``number`` among the workers from 0, ``attempt`` of the task from 0, ``name`` and ``address``.

    Raises
    ------
    ValueError
        If no task runs on this thread.

    Examples
    --------
    >>> client.submit(lambda: get_worker().rank, workers=3).result()
    3
    """
    try:
        return Worker(*_maniple.current_worker())
    except RuntimeError:
        raise ValueError("no task runs on this thread") from None
