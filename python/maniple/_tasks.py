"""What tasks ask: for the worker that runs them, and for a client of its run."""

import contextlib
import os
import threading

from . import _maniple
from ._client import Client, default_client

_local = threading.local()


def get_client(address=None, timeout=None, resolve_address=True):
    """Within a task, a client of the same run; elsewhere the default client."""
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
