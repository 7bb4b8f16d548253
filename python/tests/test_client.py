"""The client, in one process."""

import concurrent.futures
import io
import os
import pickle
import threading
import time

import maniple
import maniple.array as da
import numpy as np
import pytest
from maniple import Client, _functions, _inspection, as_completed, get_client, get_worker, wait


def inc(x):
    return x + 1


def add(x, y=10):
    return x + y


def fail(x):
    raise ValueError(f"bad {x}")


def test_submit_and_map(client):
    assert client.submit(inc, 1).result() == 2
    assert client.submit(add, 1, y=2).result() == 3
    assert client.gather(client.map(inc, range(5))) == [1, 2, 3, 4, 5]
    assert client.gather(client.map(add, [1, 2], [3, 4])) == [4, 6]
    assert client.gather(client.map(add, [1, 2], y=5)) == [6, 7]
    factor = 3
    assert client.submit(lambda x: x * factor, 2).result() == 6
    assert client.gather([]) == []
    assert client.map(inc, []) == []
    with pytest.raises(ValueError, match="one or more"):
        client.map(inc)


def test_futures_are_arguments_also_within_containers(client):
    futures = client.map(inc, range(4))
    assert client.submit(sum, futures).result() == 10
    assert client.submit(add, futures[0], y=futures[1]).result() == 3
    nested = client.submit(lambda d: d["a"][1] + d["b"][0], {"a": [0, futures[2]], "b": (futures[3],)})
    assert nested.result() == 7
    assert client.gather(client.map(add, futures, reversed(futures))) == [5, 5, 5, 5]
    # The same one twice, and some calls with futures and some without.
    assert client.submit(add, futures[0], futures[0]).result() == 2
    assert client.gather(client.map(add, [futures[0], 5])) == [11, 15]


def test_a_function_is_sent_as_it_is_at_the_call(client):
    scale = 2

    def times(x):
        return scale * x

    first = client.submit(times, 5)
    scale = 3
    assert (first.result(), client.submit(times, 5).result()) == (10, 15)


def test_futures_know_their_state(client):
    gate = threading.Event()
    # Threads of this process share the event.
    GATES["state"] = gate
    future = client.submit(wait_for_gate, "state")
    assert (future.status, future.done(), future.cancelled()) == ("pending", False, False)
    with pytest.raises(TimeoutError):
        future.result(timeout=0.05)
    with pytest.raises(ValueError, match="no meaning"):
        future.result(timeout=-1)
    gate.set()
    assert future.result(timeout=60) == "open"
    assert (future.status, future.done(), future.exception()) == ("finished", True, None)
    assert future.key.startswith("wait_for_gate-") and future.key in repr(future)
    assert future.key != client.submit(inc, 1).key


GATES = {}


def wait_for_gate(name):
    # The module of the tests is imported once in this process.
    assert GATES[name].wait(60)
    return "open"


def test_exceptions_keep_their_type_and_traceback(client):
    future = client.submit(fail, 7)
    with pytest.raises(ValueError, match="bad 7") as caught:
        future.result()
    assert "in fail" in str(caught.value.__cause__) and "test_client.py" in str(caught.value.__cause__)
    assert any("(fail) failed on rank" in note for note in caught.value.__notes__)
    assert isinstance(future.exception(), ValueError) and future.status == "error"
    needs = client.submit(inc, future)
    with pytest.raises(ValueError, match="bad 7"):
        needs.result()
    assert "needed by inc" in needs.exception().__notes__[0]

    class Local(Exception):
        pass

    def raise_local():
        raise Local("mine")

    with pytest.raises(Local, match="mine"):
        client.submit(raise_local).result()


def test_exceptions_that_cannot_travel_are_described(client):
    class Opaque(Exception):
        """Can be pickled, but not read: its args are not those of __init__."""

        def __init__(self, number, text):
            super().__init__(f"{number}: {text}")

    def raise_opaque():
        raise Opaque(3, "words")

    with pytest.raises(maniple.TaskError, match="3: words") as caught:
        client.submit(raise_opaque).result()
    assert "raise_opaque" in str(caught.value.__cause__)

    def leave():
        raise SystemExit(3)

    with pytest.raises(maniple.TaskError, match="SystemExit: 3"):
        client.submit(leave).result()

    def raise_much():
        raise ValueError("x" * 1_000_000)

    with pytest.raises(maniple.TaskError, match="xxx"):
        client.submit(raise_much).result()


def test_what_cannot_be_pickled_is_said(client):
    lock = threading.Lock()
    with pytest.raises(TypeError, match="pickle"):
        client.submit(inc, lock)
    with pytest.raises(TypeError, match="pickle") as caught:
        client.submit(lambda: lock)
    assert caught.value.__notes__ == ["the function <lambda> cannot be sent to workers"]
    with pytest.raises(TypeError, match="pickle"):
        client.submit(threading.Lock).result()
    future = client.submit(inc, 1)
    with pytest.raises(TypeError, match="argument of a task"):
        pickle.dumps(future)


def test_arrays_travel_as_raw_bytes(client):
    x = np.arange(1_000_000, dtype=np.float64).reshape(1000, 1000)
    future = client.submit(np.multiply, x, 2)
    result = future.result()
    assert np.array_equal(result, 2 * x)
    # It is the caller's own.
    result[0, 0] = 5
    assert future.result()[0, 0] == 0
    # Fortran's order, a view, many arrays, an empty one, other types of numbers.
    values = [np.asfortranarray(x), x[::2, 1::3], np.array([]), np.array(["a", "b"]), np.array(1.5), x > 3]
    for value, back in zip(values, client.submit(lambda v: v, values).result()):
        assert back.dtype == value.dtype and np.array_equal(back, value)
    assert client.submit(lambda b: b, b"x" * 100_000).result() == b"x" * 100_000
    assert client.submit(lambda b: b, bytearray(b"x" * 100_000)).result() == bytearray(b"x" * 100_000)


def test_arrays_of_other_tasks_are_read_only_views(client):
    x = client.submit(np.zeros, 100_000)

    def describe(x):
        return x.flags.writeable, x.flags.owndata, x.flags.aligned

    assert client.submit(describe, x).result() == (False, False, True)

    def write(x):
        x[0] = 1

    with pytest.raises(ValueError, match="read-only"):
        client.submit(write, x).result()
    assert x.result()[0] == 0


def test_scatter(client):
    assert client.gather(client.scatter({1, 2})) == {1, 2}
    future = client.scatter(np.ones(10_000))
    assert client.submit(np.sum, future).result() == 10_000
    assert client.gather(client.scatter([1, 2])) == [1, 2]
    assert client.gather(client.scatter({"a": 1}, broadcast=True)) == {"a": 1}
    assert client.gather(client.scatter(range(3))) == [0, 1, 2]
    ranks = [worker["id"] for worker in client.scheduler_info()["workers"].values()]
    assert client.gather(client.scatter({"a": 1}, workers=ranks[-1])) == {"a": 1}
    with pytest.raises(NotImplementedError, match="broadcast"):
        client.scatter([1], workers=ranks, broadcast=True)


def test_run_calls_a_function_on_the_workers_that_are_named(client):
    workers = client.scheduler_info()["workers"]
    rank_of = {address: worker["id"] for address, worker in workers.items()}
    where = lambda: get_worker().rank  # noqa: E731
    assert client.run(where) == rank_of
    last = list(rank_of)[-1]
    for named in (last, [last], rank_of[last]):
        assert client.run(where, workers=named) == {last: rank_of[last]}
    assert client.run(where, workers=workers[last]["host"]) == rank_of
    with pytest.raises(ValueError, match="99 is no worker: these are ranks"):
        client.run(where, workers=99)
    futures = client.run(where, wait=False)
    assert {address: future.result() for address, future in futures.items()} == rank_of

    def fails_on(rank):
        if get_worker().rank == rank:
            raise ValueError("here")
        return rank

    with pytest.raises(ValueError, match="here"):
        client.run(fails_on, rank_of[last])
    others = {address: rank_of[last] for address in rank_of if address != last}
    assert client.run(fails_on, rank_of[last], on_error="ignore") == others
    returned = client.run(fails_on, rank_of[last], on_error="return")
    assert isinstance(returned.pop(last), ValueError) and returned == others


def test_gather_follows_the_shape(client):
    a, b, bad = client.submit(inc, 1), client.submit(inc, 2), client.submit(fail, 1)
    assert client.gather(a) == 2
    assert client.gather((a, b)) == (2, 3)
    assert client.gather({"a": [a, 7], "b": b}) == {"a": [2, 7], "b": 3}
    assert client.gather(iter([a, b])) == [2, 3]
    assert client.gather([a, bad, b], errors="skip") == [2, 3]
    with pytest.raises(ValueError, match="bad 1"):
        client.gather([a, bad, b])
    with pytest.raises(ValueError, match="neither"):
        client.gather([a], errors="ignore")


def test_as_completed(client):
    futures = client.map(inc, range(20))
    assert {future.result() for future in as_completed(futures)} == set(range(1, 21))
    assert sorted(result for _, result in as_completed(futures, with_results=True)) == list(range(1, 21))
    # Futures that are added meanwhile.
    results, more = [], as_completed([client.submit(inc, 0)])
    for future in more:
        results.append(future.result())
        if results[-1] < 5:
            more.add(client.submit(inc, future))
    assert results == [1, 2, 3, 4, 5] and more.is_empty() and more.count() == 0
    with pytest.raises(ValueError, match="bad 3"):
        list(as_completed(client.map(fail, [3]), with_results=True))
    ((_, error),) = as_completed(client.map(fail, [3]), with_results=True, raise_errors=False)
    assert isinstance(error, ValueError)
    GATES["completed"] = threading.Event()
    waiting = as_completed([client.submit(wait_for_gate, "completed")], timeout=0.05)
    with pytest.raises(TimeoutError):
        next(waiting)
    GATES["completed"].set()


def test_wait(client):
    futures = client.map(inc, range(4))
    done, not_done = wait(futures)
    assert done == set(futures) and not not_done
    GATES["wait"] = threading.Event()
    slow = client.submit(wait_for_gate, "wait")
    done, not_done = wait([slow, *futures], return_when="FIRST_COMPLETED")
    assert done == set(futures) and not_done == {slow}
    with pytest.raises(TimeoutError):
        wait([slow], timeout=0.05)
    GATES["wait"].set()
    wait(slow)
    assert wait([]) == (set(), set())


def test_cancel(client):
    GATES["cancel"] = threading.Event()
    busy = client.map(wait_for_gate, ["cancel"] * 4)
    future = client.submit(inc, 1)
    needs = client.submit(inc, future)
    client.cancel(future)
    with pytest.raises(maniple.CancelledError):
        needs.result()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result()
    assert future.cancelled() and future.status == "cancelled"
    GATES["cancel"].set()
    assert client.gather(busy) == ["open"] * 4


def test_retries_priorities_workers_and_resources():
    with Client(n_workers=2, threads_per_worker=1, resources={"GPU": 1}) as client:

        def flaky():
            if get_worker().attempt < 2:
                raise OSError("not yet")
            return get_worker().attempt

        assert client.submit(flaky, retries=2).result() == 2
        with pytest.raises(OSError, match="not yet"):
            client.submit(flaky, retries=1).result()
        rank = lambda: get_worker().rank  # noqa: E731
        addresses = list(client.ncores())
        for address in addresses:
            number = int(address.rpartition("/")[2])
            assert client.submit(rank, workers=address).result() == number
            assert client.submit(rank, workers=[number]).result() == number
        assert client.submit(inc, 1, resources={"GPU": 1}, priority=5).result() == 2
        with pytest.raises(maniple.TaskError, match="GPU"):
            client.submit(inc, 1, resources={"GPU": 2}).result()
        with pytest.raises(maniple.TaskError, match="nowhere"):
            client.submit(inc, 1, workers="nowhere").result()
        assert client.submit(inc, 1, workers="nowhere", allow_other_workers=True).result() == 2
        assert client.submit(inc, 1, key="mine", pure=False).result() == 2
        assert set(client.run(rank).values()) == {int(address.rpartition("/")[2]) for address in addresses}


def test_callbacks(client):
    seen, done = [], threading.Event()

    def note(future):
        seen.append(future.result())
        if len(seen) == 3:
            done.set()

    futures = client.map(inc, range(3))
    for future in futures:
        future.add_done_callback(note)
    assert done.wait(60) and sorted(seen) == [1, 2, 3]


def test_executor(client):
    with client.get_executor(retries=1) as executor:
        futures = [executor.submit(pow, 2, n) for n in range(5)]
        assert [future.result(60) for future in futures] == [1, 2, 4, 8, 16]
        assert list(executor.map(add, [1, 2], [3, 4])) == [4, 6]
        assert {f.result() for f in concurrent.futures.as_completed(futures)} == {1, 2, 4, 8, 16}
        bad = executor.submit(fail, 1)
        assert isinstance(bad.exception(60), ValueError)
        # Keywords that are also options of submit.
        assert executor.submit(dict, workers=3, key=1).result(60) == {"workers": 3, "key": 1}
        GATES["executor"] = threading.Event()
        busy = [executor.submit(wait_for_gate, "executor") for _ in range(4)]
        late = executor.submit(inc, 1)
        assert late.cancel() and late.cancelled()
        GATES["executor"].set()
        assert [future.result(60) for future in busy] == ["open"] * 4
    with pytest.raises(RuntimeError, match="shutdown"):
        executor.submit(inc, 1)
    with pytest.raises(TypeError, match="prioritty"):
        client.get_executor(prioritty=1)


def test_tasks_submit_tasks(client):
    def fibonacci(n):
        if n < 2:
            return n
        client = get_client()
        a, b = client.submit(fibonacci, n - 1), client.submit(fibonacci, n - 2)
        return sum(client.gather([a, b]))

    assert client.submit(fibonacci, 8).result() == 21

    def with_worker_client(n):
        with maniple.worker_client() as client:
            maniple.secede()
            return client.submit(inc, n).result()

    assert client.submit(with_worker_client, 1).result() == 2


def test_the_cluster_is_shown(client):
    info = client.scheduler_info()
    assert len(info["workers"]) == 2 and list(client.ncores().values()) == [2, 2]
    assert all(worker["pid"] == os.getpid() for worker in info["workers"].values())
    assert "processes=2 threads=4" in repr(client)
    assert "workers=2, threads=4" in repr(client.cluster)
    client.wait_for_workers(2)
    with pytest.raises(TimeoutError, match="2 workers"):
        client.wait_for_workers(3)


def test_versions_are_compared(client, monkeypatch):
    found = client.get_versions(check=True, packages=["nothing-of-this-name"])
    assert found["client"]["packages"]["numpy"] == np.__version__
    assert found["client"]["packages"]["nothing-of-this-name"] is None
    assert list(found["workers"].values()) == 2 * [found["client"]]
    # As if the driver ran another Python, and another package.
    monkeypatch.setattr(_functions, "_VERSION", (2, 7))
    with pytest.raises(maniple.RunError, match=r"by Python 2\.7, which Python 3\.\d+ of .* cannot run: use one version"):
        client.submit(lambda: 1).result()
    assert client.submit(abs, -1).result() == 1, "what is imported by its name has no code"
    here = _inspection.versions([])
    here["packages"]["python"] = "2.7.18"
    monkeypatch.setattr(client, "run", lambda *arguments: {"mpi://there/2": here})
    with pytest.raises(maniple.RunError, match=r"python is 3.* here and 2\.7\.18 on mpi://there/2"):
        client.get_versions(check=True)


def test_notebooks_show_clients_and_clusters():
    with maniple.LocalCluster(n_workers=2, threads_per_worker=1, resources={"<b>": 2}) as cluster:
        with Client(cluster) as client:
            shown = client._repr_html_()
            assert "Connection: LocalCluster" in shown and "<td>Workers</td><td>2</td>" in shown
            assert "&lt;b&gt;=2" in shown and "<b>=2" not in shown
            assert "<h3>LocalCluster</h3>" in cluster._repr_html_()
        assert "closed" in client._repr_html_() and "Workers" not in client._repr_html_()
    assert "closed" in cluster._repr_html_()


def test_progress_is_shown_until_all_have_ended(client):
    log = io.StringIO()
    held = client.map(lambda x: x, range(3))
    wait(held)
    late = client.submit(lambda: time.sleep(0.3))
    maniple.progress(held, {"late": [late]}, interval=0.02, file=log)
    lines = log.getvalue().split("\r")
    assert late.done()
    assert " 75% completed" in lines[1] and lines[1].count("#") == 30
    assert "100% completed" in lines[-1] and lines[-1].endswith("s\n")
    maniple.progress(client.submit(fail, 1), file=log)
    with pytest.raises(TypeError, match="takes futures"):
        maniple.progress([1, 2])


def test_progress_of_arrays_and_delayed_values(client):
    lazy = da.arange(10, chunks=5), maniple.delayed(inc)(1)
    for value in lazy:
        with pytest.raises(TypeError, match="persist"):
            maniple.progress(value)
    log = io.StringIO()
    maniple.progress([value.persist() for value in lazy], client.submit(inc, 1), file=log)
    assert "100% completed" in log.getvalue()


def test_runs_follow_one_another():
    for _ in range(3):
        client = Client(n_workers=1, threads_per_worker=1)
        future = client.submit(inc, 1)
        assert future.result() == 2
        client.close()
        assert client.status == "closed"
        with pytest.raises(maniple.RunError, match="closed"):
            client.submit(inc, 1)
        with pytest.raises(maniple.RunError, match="ended"):
            future.result()
        client.close()
    with maniple.LocalCluster(n_workers=1) as cluster, Client(cluster) as client:
        assert client.submit(inc, 1).result() == 2
    with pytest.raises(maniple.RunError, match="closed"):
        Client(cluster)
    with pytest.raises(ValueError, match="no open client"):
        get_client()


def test_a_future_of_another_run_is_refused(client):
    with Client(n_workers=1, processes=False, set_as_default=False) as other:
        future = other.submit(inc, 1)
        with pytest.raises(maniple.TaskError, match="a future of another run"):
            client.submit(inc, future).result()
    with pytest.raises(maniple.TaskError, match="a future of another run"):
        client.submit(inc, future).result()


def test_what_is_missing_is_refused():
    with pytest.raises(NotImplementedError):
        maniple.LocalCluster(n_workers=2, asynchronous=True)
    with pytest.raises(TypeError, match="n_wokers"):
        Client(n_wokers=2)
    with pytest.raises(ValueError, match="memory limit"):
        Client(memory_limit="much")


def test_many_tasks_on_many_threads(client):
    def from_thread(results):
        results.append(sum(client.gather(client.map(inc, range(300)))))

    results = []
    threads = [threading.Thread(target=from_thread, args=(results,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [300 * 301 // 2] * 4


def test_a_wait_lets_other_threads_run(client):
    GATES["gil"] = threading.Event()
    threading.Timer(0.05, GATES["gil"].set).start()
    start = time.monotonic()
    assert client.submit(wait_for_gate, "gil").result(60) == "open"
    assert time.monotonic() - start < 30
