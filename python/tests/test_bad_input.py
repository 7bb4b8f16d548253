"""What cannot work ends with one clear line or exception: under the launcher."""

import os
import sys

import pytest
from conftest import FEW_LAUNCHED, MPIRUN, launcher_version, on_mpich, start

pytestmark = pytest.mark.skipif(MPIRUN is None, reason="no launcher")


# With two ranks the driver works itself.
WITH_WORKERS = [ranks for ranks in FEW_LAUNCHED if ranks > 2]


@pytest.mark.parametrize("ranks", WITH_WORKERS)
def test_a_module_that_workers_lack(program, tmp_path, ranks):
    (tmp_path / "driver").mkdir()
    (tmp_path / "driver/only_the_driver.py").write_text("def double(x):\n    return 2 * x\n")
    ended = program(
        f"""
        import sys
        import maniple
        maniple.initialize()
        # Only the driver comes here.
        sys.path.insert(0, {str(tmp_path / "driver")!r})
        import only_the_driver
        client = maniple.Client()
        try:
            client.submit(only_the_driver.double, 2).result()
        except ModuleNotFoundError as error:
            print(error, *error.__notes__)
        """,
        ranks,
    )
    (line,) = ended.check().lines()
    assert line.startswith("No module named 'only_the_driver' task ") and " (double) failed on rank 2 (" in line


@pytest.mark.parametrize("ranks", WITH_WORKERS)
def test_another_version_of_a_package_on_a_worker(program, tmp_path, ranks):
    for version in ("1.0", "2.0"):
        folder = tmp_path / version / f"thing-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: thing\nVersion: {version}\n")
    ended = program(
        f"""
        import os, sys
        rank = int(os.environ.get("OMPI_COMM_WORLD_RANK", os.environ.get("PMI_RANK")))
        sys.path.insert(0, {str(tmp_path)!r} + ("/1.0" if rank < 2 else "/2.0"))
        import maniple
        maniple.initialize()
        client = maniple.Client()
        try:
            client.get_versions(check=True, packages=["thing"])
        except maniple.RunError as error:
            print(error)
        """,
        ranks,
    )
    (line,) = ended.check().lines()
    assert line.startswith("thing is 1.0 here and 2.0 on mpi://") and line.endswith("/2")


@pytest.mark.parametrize("ranks", FEW_LAUNCHED)
def test_sys_exit_and_what_cannot_be_pickled_in_a_task(program, ranks):
    ended = program(
        """
        import sys, threading
        import maniple
        maniple.initialize()
        client = maniple.Client()

        class Opaque(Exception):
            def __init__(self, one, two):
                super().__init__("text")

        def raise_opaque():
            raise Opaque(1, 2)

        for function in (lambda: sys.exit(3), raise_opaque, threading.Lock):
            error = client.submit(function).exception()
            print(type(error).__name__, str(error).partition("): ")[2] or error)
        try:
            client.submit(threading.Lock())
        except TypeError as error:
            print(error)
        print(client.submit(abs, -1).result())
        """,
        ranks,
    )
    assert ended.check().lines() == [
        "TaskError SystemExit: 3",
        "TaskError Opaque: text",
        "TypeError cannot pickle '_thread.lock' object",
        "cannot pickle '_thread.lock' object",
        "1",
    ]


CRASHES = """
import ctypes, os, signal
import maniple
maniple.initialize()
client = maniple.Client()
def crash():
    {crash}
try:
    client.submit(crash).result()
except maniple.KilledWorker as error:
    print(error, flush=True)
print(client.gather(client.map(abs, range(-8, 0))), flush=True)
"""
SEGFAULT, KILL = "ctypes.string_at(0)", "os.kill(os.getpid(), signal.SIGKILL)"


def launcher_that_keeps_others(ranks):
    """How the launcher starts ranks that keep running where another one has failed."""
    if on_mpich():
        return [MPIRUN, "-disable-auto-cleanup", "-n", ranks]
    if "(Open MPI) 4" in launcher_version():
        return [MPIRUN, "--enable-recovery", "-x", "OMPI_MCA_orte_enable_recovery=1", "-n", ranks]
    return [MPIRUN, "--with-ft", "ulfm", "-n", ranks]


@pytest.mark.parametrize("crash", [SEGFAULT, KILL])
def test_a_task_that_crashes_its_worker_fails_alone(tmp_path, crash):
    path = tmp_path / "program.py"
    path.write_text(CRASHES.format(crash=crash))
    environment = os.environ | {"MANIPLE_SURVIVE": "1", "MANIPLE_ALLOWED_FAILURES": "0"}
    ended = start([*launcher_that_keeps_others(4), sys.executable, path], env=environment)
    lost, others = ended.lines()
    assert lost.startswith("task ") and "(crash) was lost with its worker" in lost
    assert others == "[8, 7, 6, 5, 4, 3, 2, 1]"
    assert ended.err.count("Warning: rank ") == 1 and "Traceback" not in ended.err


@pytest.mark.parametrize("crash", [SEGFAULT, KILL])
def test_a_task_that_crashes_its_worker_ends_the_run(program, crash):
    ended = program(CRASHES.format(crash=crash), 4)
    # MPICH's launcher prints its own words to the standard output.
    assert ended.status != 0 and "[8, 7" not in ended.out and "was lost" not in ended.out
    if crash == SEGFAULT:
        (line,) = [line for line in ended.err.splitlines() if line.startswith("Error: rank ") and "crash" in line]
        assert line.endswith(": crash has ended its process by SIGSEGV")
