"""Whole programs: alone, and under the launcher with 1, 2, 3, 4 and 6 ranks."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from conftest import FEW, FEW_LAUNCHED, LAUNCHED, MPIRUN, SIZES, on_mpich, run_file


EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize("ranks", SIZES)
def test_one_program_runs_anywhere(program, ranks):
    ended = program(
        """
        import maniple
        from maniple import Client

        maniple.initialize()
        client = Client(n_workers=2, threads_per_worker=1)

        class Point:  # of __main__, which workers have not run
            def __init__(self, x):
                self.x = x

        def shift(point, by=1):
            return Point(point.x + by)

        points = client.map(shift, map(Point, range(100)))
        total = client.submit(lambda points: sum(point.x for point in points), points)
        print(total.result(), isinstance(points[0].result(), Point), len(client.ncores()))
        client.close()
        """,
        ranks,
    )
    workers = {0: 2, 1: 2, 2: 1, 3: 1, 4: 2, 6: 4}[ranks]
    assert ended.check().out == f"5050 True {workers}\n"


@pytest.mark.parametrize("ranks", LAUNCHED)
def test_arrays_move_between_ranks(program, ranks):
    ended = program(
        """
        import maniple, numpy as np
        maniple.initialize()
        client = maniple.Client()
        def make(n): return np.full(200_000, float(n))
        blocks = client.map(make, range(8))
        sums = client.map(lambda a, b: float((a + b).sum()), blocks, reversed(blocks))
        def look(a): return a.flags.writeable, a.flags.owndata
        assert client.submit(look, blocks[0]).result() == (False, False)
        print(client.gather(sums) == [1_400_000.0] * 8, blocks[3].result()[5])
        client.shutdown()
        print(client.status)
        """,
        ranks,
    )
    assert ended.check().lines() == ["True 3.0", "closed"]


@pytest.mark.parametrize("ranks", SIZES)
def test_an_exception_of_the_driver_ends_all_ranks(program, ranks):
    ended = program(
        """
        import maniple
        maniple.initialize()
        client = maniple.Client()
        print(client.submit(pow, 2, 3).result(), flush=True)
        raise ValueError("the driver's own")
        """,
        ranks,
    )
    assert ended.status == 1 and ended.out == "8\n"
    assert ended.err.count("Traceback (most recent call last)") == 1 and ended.err.count("ValueError: the driver's own") == 1


@pytest.mark.parametrize("ranks", FEW)
def test_an_exception_of_a_task_is_the_drivers(program, ranks):
    ended = program(
        """
        import maniple
        maniple.initialize()
        client = maniple.Client(n_workers=1)
        class Mine(Exception): pass
        def divide(x):
            if x == 3: raise Mine("three")
            return 1 / x
        try:
            client.gather(client.map(divide, [1, 2, 3]))
        except Mine as error:
            print(repr(error), "in divide" in str(error.__cause__))
        client.submit(divide, 0).result()
        """,
        ranks,
    )
    assert ended.status == 1 and ended.out == "Mine('three') True\n"
    assert ended.err.count("ZeroDivisionError: division by zero") == 2, ended.err
    assert ended.err.count("Traceback (most recent call last)") == 2 and "(divide) failed on rank" in ended.err


@pytest.mark.parametrize("ranks", FEW)
def test_the_status_of_the_driver_is_that_of_the_run(program, ranks):
    ended = program("import sys, maniple; maniple.initialize(); maniple.Client(); sys.exit(3)", ranks)
    assert ended.status == 3 and "Traceback" not in ended.err


def test_importing_starts_nothing(program):
    # One write, which a launcher does not mix with that of the other rank.
    text = """
        import maniple, os, sys, threading
        os.write(1, f"{threading.active_count()} {'numpy' in sys.modules}\\n".encode())
        """
    assert program(text).check().out == "1 False\n"
    if MPIRUN:
        # Ranks that never start a run are programs without MPI.
        assert program(text, 2).check().lines() == ["1 False"] * 2


@pytest.mark.parametrize("ranks", FEW)
def test_forks_are_refused_where_mpi_runs(program, ranks):
    ended = program(
        """
        import concurrent.futures, multiprocessing, subprocess, sys
        import maniple

        def fork():
            process = multiprocessing.get_context("fork").Process(target=print)
            process.start()
            process.join()

        if __name__ == "__main__":
            maniple.initialize()
            client = maniple.Client()
            for act in (fork, lambda: client.submit(fork).result()):
                try:
                    act()
                except maniple.RunError as error:
                    print("refused", "set_start_method('spawn')" in str(error))
            print(subprocess.check_output([sys.executable, "-c", "print(7)"], text=True), end="")
            context = multiprocessing.get_context("spawn")
            with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
                print(pool.submit(abs, -3).result())
        """,
        ranks,
    )
    forked = "refused True\nrefused True\n" if ranks > 1 else "\n\n"
    assert ended.check().out == forked + "7\n3\n"


@pytest.mark.parametrize("ranks", FEW)
def test_tasks_that_print_are_heard(program, ranks):
    ended = program(
        """
        import maniple
        maniple.initialize()
        client = maniple.Client(n_workers=1)
        client.gather(client.map(lambda n: print(f"task {n}\\n", end=""), range(3)))
        """,
        ranks,
    )
    assert sorted(ended.check().lines()) == ["task 0", "task 1", "task 2"]


@pytest.mark.parametrize("ranks", FEW_LAUNCHED)
def test_rank_1_alone_goes_on(program, ranks):
    ended = program(
        """
        import maniple
        maniple.initialize(nthreads=2, memory_limit="1GB", local_directory=None)
        print("driver")
        client = maniple.Client()
        assert set(client.ncores().values()) == {2}
        info = next(iter(client.scheduler_info()["workers"].values()))
        assert info["memory_limit"] == 10**9, info
        """,
        ranks,
    )
    assert ended.check().out == "driver\n"


@pytest.mark.parametrize("ranks", FEW_LAUNCHED)
def test_wrong_settings_are_reported_once(program, ranks):
    ended = program("import maniple; maniple.initialize(memory_limit='much')", ranks)
    assert ended.status == 1 and ended.err.count("ValueError: memory limit") == 1, ended.err


@pytest.mark.parametrize("ranks", FEW_LAUNCHED)
def test_a_client_starts_the_run_itself(program, ranks):
    ended = program("import maniple; print(maniple.Client().submit(abs, -3).result())", ranks)
    assert ended.check().out == "3\n"


@pytest.mark.parametrize("ranks", FEW_LAUNCHED)
def test_mpi_starts_once(program, ranks):
    ended = program(
        """
        import maniple
        maniple.initialize()
        with maniple.Client() as client: client.submit(abs, -3).result()
        with maniple.Client() as client: print(client.submit(abs, -4).result())
        client = maniple.Client()
        client.shutdown()
        try:
            maniple.Client()
        except maniple.RunError as error:
            print(error)
        """,
        ranks,
    )
    assert ended.check().lines() == ["4", "the run has ended, and MPI cannot be started again in this process"]


@pytest.mark.parametrize("ranks", FEW)
def test_a_program_may_end_with_tasks_that_nobody_waits_for(program, ranks):
    ended = program(
        """
        import maniple, time
        maniple.initialize()
        client = maniple.Client(n_workers=1, threads_per_worker=1)
        futures = client.map(time.sleep, [0.2] * 50)
        executor = client.get_executor()
        futures[0].add_done_callback(lambda future: None)
        print("end")
        """,
        ranks,
    )
    assert ended.check().out == "end\n"


@pytest.mark.parametrize("ranks", FEW)
@pytest.mark.parametrize("where", ["result", "python"])
def test_ctrl_c_ends_all_ranks(tmp_path, ranks, where):
    path = tmp_path / "program.py"
    wait = "future.result()" if where == "result" else "time.sleep(60)"
    path.write_text(
        f"""
import maniple, time
maniple.initialize()
client = maniple.Client(n_workers=1)
future = client.submit(time.sleep, 60)
print("ready", flush=True)
{wait}
"""
    )
    command = [sys.executable, str(path)]
    if ranks:
        command = [MPIRUN, "-n", str(ranks), *command]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **pipes)
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)
        start = time.monotonic()
        # As a terminal does: to all processes.
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
        # MPICH's launcher ends now and then with status 0, whatever it runs.
        assert process.returncode != 0 or (ranks and on_mpich())
        assert time.monotonic() - start < 20
        # Launchers may drop what ranks print after the signal.
        assert ranks or "KeyboardInterrupt" in err, err
        assert "panicked" not in err and "fatal" not in err, err
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("ranks", FEW)
def test_the_executor_example(ranks):
    assert run_file(EXAMPLES / "executor.py", ranks).check().out == "primes below 20000: 2262\n"


def test_a_client_waits_for_the_tasks_of_this_process(program):
    environment = {**os.environ, "MANIPLE_SHUTDOWN_GRACE_SECONDS": "0.3"}
    text = """
        import time
        from maniple import Client

        client = Client(n_workers=1, processes=False)
        future = client.submit(time.sleep, 1.5)
        time.sleep(0.2)
        client.close()
        print("closed")
    """
    assert program(text, env=environment).check().out == "closed\n"


def test_a_program_ends_though_a_task_runs_on(program):
    environment = {**os.environ, "MANIPLE_SHUTDOWN_GRACE_SECONDS": "0.3"}
    text = """
        import time
        from maniple import Client

        client = Client(n_workers=1, processes=False)
        future = client.submit(time.sleep, 60)
        time.sleep(0.2)
        print("the end")
    """
    start = time.monotonic()
    ended = program(text, env=environment)
    assert (ended.status, ended.out) == (1, "the end\n") and time.monotonic() - start < 30
    assert ended.err == "Error: tasks still run 0.3 s after the end of the program\n"


def test_two_threads_may_close_a_client(program):
    text = """
        import threading, time
        from maniple import LocalCluster, Client

        cluster = LocalCluster(n_workers=1, processes=False)
        client = Client(cluster)
        future = client.submit(time.sleep, 1)
        time.sleep(0.2)
        run = cluster._run
        ends = [threading.Thread(target=run.end) for _ in range(2)]
        for end in ends:
            end.start()
        for end in ends:
            end.join()
        cluster.close()
        print("closed")
    """
    assert program(text).check().out == "closed\n"


def test_ctrl_c_ends_the_wait_for_tasks(program):
    text = """
        import signal, threading, time
        from maniple import Client

        client = Client(n_workers=1, processes=False)
        future = client.submit(time.sleep, 2)
        time.sleep(0.2)
        threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()
        start = time.monotonic()
        try:
            client.close()
        except KeyboardInterrupt:
            print("interrupted", time.monotonic() - start < 1.5)
    """
    assert program(text).check().out == "interrupted True\n"
