"""Keys of futures, what a client reports of tasks, and `Client.restart`, in one process."""

import gc
import json
import threading

import maniple
import numpy as np
import pytest
from maniple import wait

GATES = {}


def pass_gate(name):
    # The module of the tests is imported once in this process.
    assert GATES[name].wait(60)
    return name


def inc(x):
    return x + 1


@pytest.fixture
def calls():
    """Numbers of the calls of `count`, which threads of this process share."""
    COUNTED.clear()
    return COUNTED


COUNTED = []


def count(*arguments, **named):
    COUNTED.append((arguments, named))
    return len(COUNTED)


def test_equal_keys_are_one_task_while_a_future_lives(client, calls):
    first = client.submit(count, 1, key="mine")
    assert first.result() == 1
    assert first.key == "mine" and "key: mine" in repr(first)
    assert client.submit(count, 2, key="mine") is first and client.submit(count, key="other").result() == 2
    assert client.submit(len, [first, first]).result() == 2
    del first
    gc.collect()
    assert client.submit(count, key="mine").result() == 3
    with pytest.raises(TypeError, match="key=3 is not a string"):
        client.submit(count, key=3)


def test_a_cancelled_key_can_be_used_again(client):
    GATES["cancelled"] = threading.Event()
    future = client.submit(pass_gate, "cancelled", key="again")
    future.cancel()
    with pytest.raises(maniple.CancelledError):
        future.result()
    GATES["cancelled"].set()
    assert client.submit(inc, 1, key="again").result() == 2


def test_equal_calls_of_pure_functions_are_one_task(client, calls):
    table = np.arange(3.0)
    one = client.submit(count, 1, [table], by={"a": 2}, pure=True)
    assert client.submit(count, 1, [table.copy()], by={"a": 2}, pure=True) is one and one.key.startswith("count-")
    assert client.submit(count, 1, [table + 1], by={"a": 2}, pure=True) is not one
    # Futures among the arguments count by their keys; lambdas by their code.
    a, b = client.submit(inc, 1), client.submit(inc, 1)
    assert client.submit(inc, a, pure=True) is client.submit(inc, a, pure=True)
    assert client.submit(inc, a, pure=True) is not client.submit(inc, b, pure=True)
    square = lambda x: x * x  # noqa: E731
    assert client.submit(square, 3, pure=True) is client.submit(square, 3, pure=True)
    assert client.submit(square, 3) is not client.submit(square, 3)
    futures = client.map(inc, [1, 2, 1], pure=True)
    assert client.gather(futures) == [2, 3, 2] and futures[0] is futures[2]


def test_keys_of_a_map(client):
    assert [future.key for future in client.map(inc, [1, 2], key=["a", "b"])] == ["a", "b"]
    keys = [future.key for future in client.map(inc, [1, 2], key="part")]
    assert all(key.startswith("part-") for key in keys) and len(set(keys)) == 2
    (pure,) = client.map(inc, [1], key="part", pure=True)
    assert pure.key.startswith("part-") and pure is client.map(inc, [1], key="part", pure=True)[0]
    with pytest.raises(ValueError, match="zip"):
        client.map(inc, [1, 2], key=["one"])


def test_restart_cancels_what_has_not_ended(client):
    done = client.submit(inc, 1, key="one")
    assert done.result() == 2
    GATES["restart"] = threading.Event()
    busy = client.map(pass_gate, ["restart"] * 6)
    needs = client.submit(len, busy)
    client.restart()
    for future in [*busy, needs]:
        with pytest.raises(maniple.CancelledError):
            future.result(timeout=60)
    GATES["restart"].set()
    assert done.result() == 2 and client.submit(inc, 2, key="one").result() == 3


def test_workers_say_what_they_run_and_hold(client, tmp_path):
    GATES["run"] = threading.Event()
    busy = client.submit(pass_gate, "run")
    address = list(client.ncores())[0]
    while not any(client.processing().values()):
        pass
    running = client.processing()
    assert sorted(running.values()) == [[], ["pass_gate"]] and list(running) == list(client.ncores())
    (where,) = [address for address, names in running.items() if names]
    assert client.processing(workers=where) == {where: ["pass_gate"]}
    (line,) = client.story(busy)
    assert "(pass_gate)" in line and "runs it since" in line
    client.dump_cluster_state(tmp_path / "state.json")
    assert len(json.loads((tmp_path / "state.json").read_text())["ranks"]) == 4
    GATES["run"].set()
    large = client.submit(bytes, 1_000_000, workers=address)
    wait([large, busy])
    assert client.who_has([large, busy]) == {large.key: (address,), busy.key: ()}
    assert client.who_has(large) == {large.key: (address,)}


def test_notebooks_show_futures(client):
    future = client.submit(inc, 1, key="shown")
    wait(future)
    assert "<td>shown</td>" in future._repr_html_() and "<td>finished</td>" in future._repr_html_()
    failed = client.submit(lambda: 1 // 0, key="<division>")
    wait(failed)
    shown = failed._repr_html_()
    assert "&lt;division&gt;" in shown and "ZeroDivisionError: integer division" in shown
