"""`concurrent.futures` over a client."""

import concurrent.futures
import weakref

from ._errors import RunError


class _ExecutorFuture(concurrent.futures.Future):
    """A standard future whose cancellation cancels the task."""

    _task = None

    def cancel(self):
        is_cancelled = super().cancel()
        if is_cancelled and self._task is not None:
            self._task.cancel()
        return is_cancelled


def _settle(future, task):
    """Passes the end of a task on to a standard future."""
    if not future.set_running_or_notify_cancel():
        return
    error = task._now("exception")
    if error is not None:
        future.set_exception(error)
        return
    try:
        future.set_result(task._now("result"))
    except BaseException as error:
        future.set_exception(error)


class ClientExecutor(concurrent.futures.Executor):
    """An executor whose calls are tasks of a client.

    Parameters
    ----------
    client : Client
    **options
        As `Client.get_executor`.

    Examples
    --------
    >>> with ClientExecutor(client, priority=1) as executor:
    ...     executor.submit(pow, 2, 10).result()
    1024
    """

    def __init__(self, client, **options):
        allowed = {"pure", "workers", "resources", "retries", "priority", "allow_other_workers"}
        unknown = sorted(set(options) - allowed)
        if unknown:
            raise TypeError(f"get_executor() got an unexpected keyword argument {unknown[0]!r}")
        self._client, self._options = client, options
        self._futures = weakref.WeakSet()
        self._is_shut_down = False

    def submit(self, fn, /, *args, **kwargs):
        """Has a call made by a worker.

        Parameters
        ----------
        fn : callable
            It is called with ``*args`` and ``**kwargs``.

        Returns
        -------
        concurrent.futures.Future

        Examples
        --------
        >>> client.get_executor().submit(abs, -1).result()
        1
        """
        if self._is_shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")
        task = self._client.submit(_call, fn, args, kwargs, **self._options)
        return self._follow(task)

    def map(self, fn, *iterables, timeout=None, chunksize=1, **ignored):
        """Has a function called for each of the items, as `concurrent.futures.Executor.map`.

        Parameters
        ----------
        fn : callable
        *iterables : iterable
        timeout : float, optional
            Seconds until `TimeoutError` is raised by the iterator.
        chunksize
            Accepted without effect: all calls are sent as one message.

        Returns
        -------
        iterator
            The results in order.

        Examples
        --------
        >>> list(client.get_executor().map(pow, [2, 3], [3, 2]))
        [8, 9]
        """
        if self._is_shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")
        tasks = self._client.map(fn, *iterables, **self._options)
        self._futures.update(map(self._follow, tasks))

        def results():
            import time

            deadline = None if timeout is None else time.monotonic() + timeout
            tasks.reverse()
            try:
                while tasks:
                    left = None if deadline is None else max(0.0, deadline - time.monotonic())
                    yield tasks.pop()._now("result", left)
            finally:
                if tasks:
                    self._client.cancel(tasks)

        return results()

    def _follow(self, task):
        future = _ExecutorFuture()
        future._task = task
        self._futures.add(future)
        task.add_done_callback(lambda task: _settle(future, task))
        return future

    def shutdown(self, wait=True, *, cancel_futures=False):
        """Takes no more calls. The client stays open.

        Parameters
        ----------
        wait : bool
            Whether to wait for the calls that were made.
        cancel_futures : bool
            Whether to cancel those that have not begun.

        Examples
        --------
        >>> executor = client.get_executor()
        >>> executor.shutdown()
        """
        self._is_shut_down = True
        futures = list(self._futures)
        if cancel_futures:
            for future in futures:
                future.cancel()
        if wait:
            try:
                concurrent.futures.wait(futures)
            except RunError:
                pass


def _call(function, args, kwargs):
    """Keeps keywords of the call apart from those of `Client.submit`."""
    return function(*args, **kwargs)
