"""Waits for futures."""

import collections
import itertools
import time

from ._containers import replace
from ._errors import CancelledError
from ._maniple import Future

DoneAndNotDoneFutures = collections.namedtuple("DoneAndNotDoneFutures", "done not_done")


class as_completed:
    """Iterates over futures in the order they end, well or not.

    More can be added meanwhile. Those of an asynchronous client are iterated over by ``async for``.

    Parameters
    ----------
    futures : iterable of Future
        They belong to one client.
    with_results : bool
        Whether pairs of a future and its result are returned.
    raise_errors : bool
        With results, whether the exception of a failed task is raised, or returned in the place of the result.
    timeout : float, optional
        Seconds after which `TimeoutError` is raised.
    loop
        Accepted without effect.

    Examples
    --------
    >>> sorted(future.result() for future in as_completed(client.map(abs, [-1, -2])))
    [1, 2]
    >>> for future, result in as_completed(client.map(abs, [-3]), with_results=True):
    ...     print(result)
    3
    """

    def __init__(self, futures=None, loop=None, with_results=False, raise_errors=True, *, timeout=None):
        self._with_results, self._raise_errors = with_results, raise_errors
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._numbers = itertools.count()
        self._waiting = {}
        self._completions = None
        self.update(futures or [])

    def add(self, future):
        """Adds a future.

        Parameters
        ----------
        future : Future

        Examples
        --------
        >>> futures = as_completed([client.submit(abs, -1)])
        >>> futures.add(client.submit(abs, -2))
        >>> futures.count()
        2
        """
        if self._completions is None:
            self._completions = future.client._core.completions()
        number = next(self._numbers)
        self._waiting[number] = future
        self._completions.add(future, number)

    def update(self, futures):
        """Adds futures.

        Parameters
        ----------
        futures : iterable of Future

        Examples
        --------
        >>> futures = as_completed()
        >>> futures.update(client.map(abs, [-1, -2]))
        >>> len(list(futures))
        2
        """
        for future in futures:
            self.add(future)

    def count(self):
        """Returns the number of futures that were not returned yet."""
        return len(self._waiting)

    def is_empty(self):
        """Returns whether all were returned."""
        return not self._waiting

    def has_ready(self):
        """Returns whether the next one is returned at once."""
        return any(future.done() for future in self._waiting.values())

    def __iter__(self):
        return self

    def __next__(self):
        if not self._waiting:
            raise StopIteration
        return self._returned(self._completions.next(self._time_left()))

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self._waiting:
            raise StopAsyncIteration
        from ._asynchronous import next_of

        return self._returned(await next_of(self._completions, self._time_left()))

    def _time_left(self):
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def _returned(self, number):
        """What is returned for the future of this number, which has ended."""
        future = self._waiting.pop(number)
        if not self._with_results:
            return future
        error = None if self._raise_errors else future._now("exception")
        return future, future._now("result") if error is None else error


def wait(fs, timeout=None, return_when="ALL_COMPLETED"):
    """Waits until futures have ended, well or not. ``await wait(...)`` where the client is asynchronous.

    Parameters
    ----------
    fs : Future, persisted Array or Delayed, or list of them
        An array is waited for until all its blocks are made, or one has failed.
    timeout : float, optional
        Seconds to wait.
    return_when : {"ALL_COMPLETED", "FIRST_COMPLETED"}
        Whether to wait for all or for one.

    Returns
    -------
    DoneAndNotDoneFutures
        The sets ``done`` and ``not_done`` of futures.

    Raises
    ------
    TimeoutError
        If the time is over before.
    ValueError
        If an array or delayed value was not persisted.
    CancelledError
        If a task was cancelled.

    Examples
    --------
    >>> done, not_done = wait(client.map(abs, [-1, -2]))
    >>> len(done), len(not_done)
    (2, 0)
    """
    if return_when not in ("ALL_COMPLETED", "FIRST_COMPLETED"):
        raise ValueError(f"return_when={return_when!r} is neither 'ALL_COMPLETED' nor 'FIRST_COMPLETED'")
    futures, arrays = _awaited(fs)
    if arrays and return_when == "FIRST_COMPLETED":
        raise ValueError("return_when='FIRST_COMPLETED' takes futures, not arrays")
    if futures and futures[0].client.asynchronous:
        return _wait_later(futures, arrays, timeout, return_when)
    end = None if timeout is None else time.monotonic() + timeout
    if futures:
        futures[0].client._core.wait(futures, return_when == "ALL_COMPLETED", timeout)
    for array in arrays:
        array._wait(None if end is None else max(0, end - time.monotonic()))
    return _parted(futures)


def _awaited(fs):
    """Futures, also those of persisted delayed values, and arrays."""
    from ._delayed import Collection, Delayed

    values = [fs] if isinstance(fs, (Future, Collection, Delayed)) else list(fs)
    arrays = [value for value in values if isinstance(value, Collection)]
    futures = []
    for value in values:
        if isinstance(value, Delayed):
            if "_future" not in value.__dict__:
                raise ValueError("this delayed value is not being made: persist() first, and wait for what that returns")
            futures.append(value._future)
        elif not isinstance(value, Collection):
            futures.append(value)
    return futures, arrays


async def _wait_later(futures, arrays, timeout, return_when):
    import asyncio

    from . import _asynchronous

    await _asynchronous.wait(futures, timeout, return_when)
    for array in arrays:
        await asyncio.to_thread(array._wait, timeout)
    return _parted(futures)


def _parted(futures):
    """The futures that have ended, and the others."""
    done = {future for future in futures if future.done()}
    cancelled = [future for future in done if future.cancelled()]
    if cancelled:
        raise CancelledError(f"{cancelled[0].key} was cancelled")
    return DoneAndNotDoneFutures(done, set(futures) - done)


def fire_and_forget(obj):
    """Keeps tasks until they have ended, also where nothing else refers to their futures.

    Tasks that have not ended when the program ends are dropped.

    Parameters
    ----------
    obj : Future or collection of Future

    Examples
    --------
    >>> fire_and_forget(client.submit(os.makedirs, "results"))
    >>> while not os.path.exists("results"):
    ...     time.sleep(0.01)
    """
    futures = []
    replace(obj, Future, futures.append)
    for future in futures:
        future.add_done_callback(_forget)


def _forget(future):
    """Does nothing: a client keeps the futures that have functions to call."""
