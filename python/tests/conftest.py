"""How the tests start programs: here, alone, and under the launcher named by MANIPLE_MPIRUN."""

import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

HERE = pathlib.Path(__file__).parent
MPIRUN = os.environ.get("MANIPLE_MPIRUN")
# More than any program needs on a busy machine.
TIMEOUT = 120


class Ended:
    """How a program ended."""

    def __init__(self, process):
        self.status, self.out, self.err = process.returncode, process.stdout, process.stderr

    def lines(self):
        return self.out.splitlines()

    def check(self):
        """It must have ended well and printed no error."""
        assert (self.status, self.err) == (0, ""), f"{self.status}\n{self.out}\n{self.err}"
        return self


def start(command, **options):
    process = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL, **options
    )
    return Ended(process)


@pytest.fixture
def program(tmp_path):
    """Writes a program to a file, and runs it with so many ranks; 0: without a launcher."""

    def run(text, ranks=0, **options):
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(text))
        return run_file(path, ranks, **options)

    return run


def run_file(path, ranks=0, arguments=(), **options):
    command = [sys.executable, path, *arguments]
    if ranks:
        command = [MPIRUN, "-n", ranks, *command]
    return start(command, **options)


# With one rank a launcher starts a run in one process, with two the driver works, too.
SIZES = [0] if MPIRUN is None else [0, 1, 2, 3, 4, 6]
LAUNCHED = [size for size in SIZES if size > 1]
# Where nothing depends on the number of workers.
FEW = [size for size in SIZES if size in (0, 2, 3)]
FEW_LAUNCHED = [size for size in FEW if size > 1]


def pytest_collection_modifyitems(items):
    if MPIRUN is None and os.environ.get("MANIPLE_REQUIRE_MPI"):
        raise pytest.UsageError("MANIPLE_REQUIRE_MPI is set, but not MANIPLE_MPIRUN")


@pytest.fixture
def client():
    import maniple

    # Threads, since tasks of the tests share objects with them; test_local_cluster.py has processes.
    with maniple.Client(n_workers=2, threads_per_worker=2, processes=False) as client:
        yield client
