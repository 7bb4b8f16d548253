"""Clients in programs of asyncio."""

import asyncio
import time
import traceback

import pytest

import maniple
from maniple import Client, as_completed, wait


def inc(x):
    return x + 1


def rest(seconds):
    time.sleep(seconds)
    return seconds


def fail(x):
    raise ValueError(f"no {x}")


def runs(main):
    """Runs a coroutine function with an asynchronous client as a test."""

    def test():
        async def with_client():
            async with Client(asynchronous=True, n_workers=2, threads_per_worker=2) as client:
                assert client.asynchronous and client.status == "running"
                await main(client)
            assert client.status == "closed"

        asyncio.run(asyncio.wait_for(with_client(), 60))

    return test


@runs
async def test_a_future_is_awaited(client):
    future = client.submit(inc, 1)
    assert await future == 2
    assert await future == 2, "twice"
    assert await client.submit(inc, future) == 3
    assert await future.result() == 2
    assert await future.exception() is None and await future.traceback() is None
    assert await asyncio.gather(*client.map(inc, range(100))) == list(range(1, 101))


@runs
async def test_what_waits_is_a_coroutine(client):
    squares = client.map(inc, range(3))
    assert await client.gather(squares) == [1, 2, 3]
    assert await client.gather({"a": squares[0], "b": [squares[2]]}) == {"a": 1, "b": [3]}
    assert await client.gather(iter(squares)) == [1, 2, 3]
    numbers = await client.scatter([10, 20])
    assert await client.gather(client.map(inc, numbers)) == [11, 21]
    assert list((await client.run(inc, 1)).values()) == [2, 2]
    assert (await client.get_versions(check=True))["client"]["packages"]["maniple"] == maniple.__version__
    await client.publish_dataset(numbers, name="numbers")
    assert await client.list_datasets() == ("numbers",)
    assert await client.gather(await client.get_dataset("numbers")) == [10, 20]
    await client.unpublish_dataset("numbers")


@runs
async def test_the_loop_goes_on_while_tasks_run(client):
    slow = client.submit(rest, 0.5)
    start, turns = time.monotonic(), 0
    waiting = asyncio.ensure_future(client.gather([slow]))
    while not waiting.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 2 and time.monotonic() - start > 0.4
    assert await waiting == [0.5]


@runs
async def test_errors_are_raised_where_they_are_awaited(client):
    failed = client.submit(fail, 3)
    with pytest.raises(ValueError, match="no 3"):
        await failed
    with pytest.raises(ValueError, match="no 3"):
        await client.gather([failed, client.submit(rest, 2)])
    assert await client.gather([failed, client.submit(inc, 1)], errors="skip") == [2]
    frames = traceback.extract_tb(await failed.traceback())
    assert frames[-1].name == "fail" and frames[-1].filename == __file__
    never = client.submit(rest, 2)
    with pytest.raises(TimeoutError):
        await never.result(timeout=0.05)
    never.cancel()
    with pytest.raises(maniple.CancelledError):
        await never


@runs
async def test_futures_come_as_they_end(client):
    slow, fast = client.submit(rest, 0.5), client.submit(rest, 0.01)
    assert [await future async for future in as_completed([slow, fast])] == [0.01, 0.5]
    pairs = [result async for _, result in as_completed([slow, fast], with_results=True)]
    assert sorted(pairs) == [0.01, 0.5]
    with pytest.raises(TimeoutError):
        async for _ in as_completed([client.submit(rest, 2)], timeout=0.05):
            pass


@runs
async def test_wait_tells_what_has_ended(client):
    slow, fast = client.submit(rest, 2), client.submit(inc, 1)
    done, left = await wait([slow, fast], return_when="FIRST_COMPLETED")
    assert (done, left) == ({fast}, {slow})
    with pytest.raises(TimeoutError):
        await wait([slow], timeout=0.05)
    assert (await wait([fast])).done == {fast}
    slow.cancel()


@runs
async def test_a_wait_may_be_given_up(client):
    slow = client.submit(rest, 0.3)
    waiting = asyncio.ensure_future(slow.result())
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await slow == 0.3


def test_whoever_waits_hears_that_the_client_is_closed():
    async def main():
        client = Client(asynchronous=True, n_workers=1)
        slow = client.submit(rest, 1)
        waiting = [asyncio.ensure_future(wait([slow])), asyncio.ensure_future(slow.result())]
        await asyncio.sleep(0.1)
        await client.close()
        for task in waiting:
            with pytest.raises(maniple.RunError, match="closed"):
                await asyncio.wait_for(task, 10)
        with pytest.raises(maniple.RunError):
            await slow

    asyncio.run(main())


def test_a_client_is_awaited_or_made_at_once():
    async def main():
        client = await Client(asynchronous=True, n_workers=1)
        assert "threads" in repr(client) and "Client" in client._repr_html_()
        assert await client.submit(inc, 1) == 2
        await client.shutdown()
        assert client.status == "closed"

    asyncio.run(main())


def test_the_traceback_of_a_task_names_its_lines(client):
    failed = client.submit(fail, 1)
    frames = traceback.extract_tb(failed.traceback())
    assert frames[-1].name == "fail" and frames[-1].line == 'raise ValueError(f"no {x}")'
    assert client.submit(inc, 1).traceback() is None
