"""Clients and futures in programs of asyncio."""

import asyncio
import contextlib
import functools

from ._client import Client
from ._containers import replace
from ._errors import RunError
from ._maniple import Future


# How long a thread waits that may not be waited for any more, in seconds.
SLICE = 0.2


async def ended(future, timeout=None):
    """Waits until a future has ended, well or not. Raises `RunError` if its client is closed before."""
    if future.done():
        return
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()

    def settle(error):
        # Whoever waited may have been cancelled meanwhile.
        if waiter.done():
            return
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)

    def tell(error):
        # The loop is closed where the program did not wait for this.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, error)

    future.client._call_when_done(
        future, lambda _: tell(None), lambda: tell(RunError("the client was closed before the task had ended"))
    )
    await asyncio.wait_for(waiter, timeout)


async def call(future, name, timeout=None):
    """What a method of a future gives that waits for its end."""
    await ended(future, timeout)
    return future._now(name)


async def wait(futures, timeout, return_when):
    """Waits until all futures have ended, or the first one. Raises `TimeoutError` if the time is over before."""
    waiting = [asyncio.ensure_future(ended(future)) for future in futures]
    try:
        done, left = await asyncio.wait(waiting, timeout=timeout, return_when=return_when)
    finally:
        for task in waiting:
            task.cancel()
    for task in done:
        task.result()
    if not done or left and return_when == "ALL_COMPLETED":
        raise TimeoutError(f"{len(left)} of {len(futures)} futures have not ended in {timeout} s")


async def next_of(completions, timeout):
    """The next number of a queue of completions."""
    loop = asyncio.get_running_loop()
    deadline = None if timeout is None else loop.time() + timeout
    while True:
        left = SLICE if deadline is None else min(SLICE, max(0.0, deadline - loop.time()))
        try:
            return await asyncio.to_thread(completions.next, left)
        except TimeoutError:
            if deadline is not None and loop.time() >= deadline:
                raise


def _in_thread(name):
    """A method of `Client` as a coroutine: it waits on a thread of its own."""
    method = getattr(Client, name)

    @functools.wraps(method)
    async def call(self, *args, **kwargs):
        return await asyncio.to_thread(method, self._client, *args, **kwargs)

    return call


class AsynchronousClient:
    """What ``Client(asynchronous=True)`` makes: a client whose methods that wait are coroutines.

    ``await`` a future for its result. Other methods and attributes are those of `Client`.

    Examples
    --------
    >>> async def main():
    ...     async with Client(asynchronous=True, n_workers=2, threads_per_worker=1) as client:
    ...         squares = client.map(lambda x: x * x, range(4))
    ...         print(await squares[3], await client.gather(squares))
    >>> asyncio.run(main())
    9 [0, 1, 4, 9]
    """

    asynchronous = True

    def __init__(self, *args, **options):
        self._client = Client(*args, **options)
        self._client.asynchronous = True

    def __getattr__(self, name):
        if name == "_client":
            # It was not made: its making has failed, or it is being copied.
            raise AttributeError(name)
        return getattr(self._client, name)

    def __await__(self):
        return _itself(self).__await__()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exception):
        await self.close()

    def __repr__(self):
        return repr(self._client)

    def _repr_html_(self):
        return self._client._repr_html_()

    async def gather(self, futures, errors="raise", **ignored):
        """Waits for futures and returns their results, as `Client.gather`."""
        if hasattr(futures, "__next__"):
            futures = list(futures)
        found = []
        replace(futures, Future, found.append)
        for future in found:
            await ended(future)
            if errors == "raise" and future.status != "finished":
                future._now("result")
        return await asyncio.to_thread(self._client.gather, futures, errors)

    close = _in_thread("close")
    get_dataset = _in_thread("get_dataset")
    get_versions = _in_thread("get_versions")
    list_datasets = _in_thread("list_datasets")
    publish_dataset = _in_thread("publish_dataset")
    run = _in_thread("run")
    restart = _in_thread("restart")
    story = _in_thread("story")
    dump_cluster_state = _in_thread("dump_cluster_state")
    processing = _in_thread("processing")
    scatter = _in_thread("scatter")
    shutdown = _in_thread("shutdown")
    unpublish_dataset = _in_thread("unpublish_dataset")
    wait_for_workers = _in_thread("wait_for_workers")


async def _itself(client):
    return client
