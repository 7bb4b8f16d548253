"""Workers as processes of this host."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

import maniple
import maniple.array as da
from maniple import Client, LocalCluster, TaskError, get_client, get_worker, wait


@pytest.fixture(scope="module")
def client():
    with Client(n_workers=3, threads_per_worker=1) as client:
        yield client


def pid_after(seconds):
    time.sleep(seconds)
    return os.getpid()


def test_workers_are_processes(client):
    pids = set(client.gather(client.map(pid_after, [0.05] * 12)))
    assert len(pids) == 3 and os.getpid() not in pids
    assert set(client.run(os.getpid).values()) == pids
    assert {rank["pid"] for rank in client.scheduler_info()["workers"].values()} >= pids


def test_values_move_between_processes(client):
    made = client.submit(np.arange, 3_000_000, workers=[2])
    doubled = client.submit(np.multiply, made, 2, workers=[3])
    np.testing.assert_array_equal(doubled.result(), np.arange(3_000_000) * 2)
    handed = client.scatter({"of": np.ones((1000, 1000))}, broadcast=True)
    sums = client.map(lambda value, rank: (value.sum(), get_worker().rank), [handed["of"]] * 9, range(9))
    assert {total for total, _ in client.gather(sums)} == {1e6}


def test_a_task_submits_tasks(client):
    def tree(depth):
        if depth == 0:
            return 1
        inner = get_client()
        return sum(inner.gather(inner.map(tree, [depth - 1] * 2)))

    assert client.submit(tree, 4).result() == 16


def test_an_exception_comes_with_its_type_and_traceback(client):
    def fail():
        raise KeyError("there")

    with pytest.raises(KeyError, match="there") as raised:
        client.submit(fail).result()
    assert "in fail" in str(raised.value.__cause__)


def test_arrays_are_computed_by_the_processes():
    values = []
    for processes in (False, True):
        with Client(n_workers=2, processes=processes):
            x = da.random.default_rng(1).random((400, 300), chunks=(100, 300))
            values.append(x.compute())
            pids = set(np.unique(x.map_blocks(lambda block: np.full_like(block, os.getpid())).compute()))
            assert (os.getpid() in pids) != processes
    np.testing.assert_array_equal(*values)


def test_there_are_as_many_workers_as_cores_by_default(monkeypatch):
    counts = {1: 1, 2: 2, 4: 4, 6: 3, 7: 7, 12: 4, 64: 8}
    for cores, due in counts.items():
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        assert maniple._start.processes({})["n_workers"] == due
    monkeypatch.undo()
    with LocalCluster() as cluster:
        assert f"workers={min(len(os.sched_getaffinity(0)), 4)}" in repr(cluster)


def test_a_worker_that_dies_is_lost(program):
    ended = program(
        """
        import ctypes
        from maniple import Client, KilledWorker

        client = Client(n_workers=2)
        segfault = client.submit(ctypes.string_at, 0, workers=[2])
        try:
            segfault.result()
        except KilledWorker as error:
            print(error)
        print(sum(client.gather(client.map(abs, range(100)))))
        """
    )
    assert ended.status == 0 and ended.lines()[1] == "4950", ended.err
    assert "string_at" in ended.lines()[0] and "lost" in ended.lines()[0]
    first, second = ended.err.splitlines()
    assert first.startswith("Error: rank 2") and "string_at has ended its process by SIGSEGV" in first
    assert second.startswith("Warning: rank 2") and "was ended by signal 11 (SIGSEGV)" in second


def test_retired_workers_run_no_more_tasks():
    with Client(n_workers=2, threads_per_worker=1, set_as_default=False) as client:
        made = client.submit(np.arange, 100_000, workers=[2])
        wait([made])
        busy = client.map(pid_after, [0.02] * 40)
        retired = client.retire_workers(2)
        assert [info["pid"] for info in retired.values()] == [client.run(os.getpid)[next(iter(retired))]]
        assert len(set(client.gather(busy))) <= 2
        later = client.map(lambda _: get_worker().rank, range(20))
        assert set(client.gather(later)) == {3}
        assert client.submit(np.sum, made).result() == sum(range(100_000))
        with pytest.raises(TaskError, match="rank 2, or it was retired"):
            client.submit(abs, -1, workers=[2], allow_other_workers=False).result()


def test_without_a_worker_left_tasks_fail_and_say_why():
    with Client(n_workers=1, set_as_default=False) as client:
        for _ in range(2):
            with pytest.raises(TaskError, match="all workers were lost"):
                client.submit(os._exit, 3).result()


def test_a_task_that_runs_on_is_abandoned(program):
    text = """
        import time
        from maniple import Client

        client = Client(n_workers=2)
        future = client.submit(time.sleep, 60, workers=[2])
        time.sleep(0.3)
        client.close()
        print("closed")
    """
    start = time.monotonic()
    ended = program(text, env={**os.environ, "MANIPLE_SHUTDOWN_GRACE_SECONDS": "0.3"})
    assert (ended.status, ended.out) == (0, "closed\n") and time.monotonic() - start < 20, ended.err
    assert ended.err.startswith("Warning: rank 2 ") and "sleep still runs 300ms" in ended.err
    assert ended.err.endswith("is abandoned\n") and ended.err.count("\n") == 1


def pids_of(process):
    """The processes that a program has printed, once it has."""
    pids = [int(word) for word in process.stdout.readline().split()]
    assert len(pids) == 2
    return pids


def are_gone(pids):
    """Whether processes have ended, a moment later at the most."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        states = [pathlib.Path(f"/proc/{pid}/stat") for pid in pids]
        if not any(state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z" for state in states):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_program(tmp_path, how):
    path = tmp_path / "program.py"
    path.write_text(
        textwrap.dedent(
            """
            import os, time
            from maniple import Client

            client = Client(n_workers=2)
            pids = client.run(os.getpid).values()
            futures = client.map(time.sleep, [60] * 4)
            print(*pids, flush=True)
            futures[0].result()
            """
        )
    )
    environment = {**os.environ, "MANIPLE_SHUTDOWN_GRACE_SECONDS": "0.3"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    process = subprocess.Popen([sys.executable, path], stdin=subprocess.DEVNULL, start_new_session=True, **pipes)
    try:
        pids = pids_of(process)
        # As a terminal does it: to all processes of the group.
        os.killpg(process.pid, how)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode != 0 and are_gone(pids)
    if how == signal.SIGINT:
        assert errors.rstrip().endswith("KeyboardInterrupt") or "KeyboardInterrupt" in errors
        assert errors.count("Traceback") == 1, errors


def test_workers_import_what_lies_beside_the_program(program, tmp_path):
    (tmp_path / "beside.py").write_text("def triple(x):\n    return 3 * x\n")
    ended = program(
        """
        import beside
        from maniple import Client

        client = Client(n_workers=2)
        print(client.gather(client.map(beside.triple, range(4))))
        client.run(print, "from a worker", flush=True)
        """,
        cwd="/",
    )
    assert "[0, 3, 6, 9]" in ended.check().lines() and ended.out.count("from a worker") == 2


def test_a_python_that_cannot_start_is_told_of(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(maniple.RunError, match="worker process of rank [23] ended with status 1"):
        LocalCluster(n_workers=2)


def test_standard_input_of_a_worker_is_empty(client):
    assert client.submit(lambda: sys.stdin.read()).result() == ""
