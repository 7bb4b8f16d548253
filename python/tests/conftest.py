"""How the tests start programs: here, alone, and under the launcher named by MANIPLE_MPIRUN."""

import os
import pathlib
import subprocess
import sys
import textwrap
import time

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


def launcher_version():
    """What the launcher says of itself."""
    return subprocess.run([MPIRUN, "--version"], capture_output=True, text=True, check=True).stdout


def on_mpich():
    return "HYDRA" in launcher_version()


# With one rank a launcher starts a run in one process, with two the driver works, too.
SIZES = [0] if MPIRUN is None else [0, 1, 2, 3, 4, 6]
LAUNCHED = [size for size in SIZES if size > 1]
# Where nothing depends on the number of workers.
FEW = [size for size in SIZES if size in (0, 2, 3)]
FEW_LAUNCHED = [size for size in FEW if size > 1]


def pytest_collection_modifyitems(items):
    if MPIRUN is None and os.environ.get("MANIPLE_REQUIRE_MPI"):
        raise pytest.UsageError("MANIPLE_REQUIRE_MPI is set, but not MANIPLE_MPIRUN")
    for item in items:
        if "ranks" in item.fixturenames:
            item.add_marker("launched")


@pytest.fixture
def client():
    import maniple

    # Threads, since tasks of the tests share objects with them; test_local_cluster.py has processes.
    with maniple.Client(n_workers=2, threads_per_worker=2, processes=False) as client:
        yield client


STAND_INS = HERE.parent.parent / "command/tests/support/pbs"
# The nodes of the stand-in are this machine: what says where the ranks are is left out. MPICH reads PBS's variables.
LAUNCHER = """#!/bin/bash
while [ $# -gt 0 ]; do
    case $1 in
    -n) count=$2; shift 2 ;;
    --hostfile | -f | -ppn | --map-by | --bind-to | -x) shift 2 ;;
    *) break ;;
    esac
done
unset "${!PBS_@}"
exec LAUNCH "$@"
"""


class Pbs:
    """A server whose jobs run here."""

    def __init__(self, folder, monkeypatch):
        self.jobs, programs = folder / "jobs", folder / "bin"
        self.jobs.mkdir()
        programs.mkdir()
        for name in ("qsub", "qstat", "qdel"):
            (programs / name).symlink_to(STAND_INS / name)
        for name in ("mpirun", "mpiexec"):
            (programs / name).write_text(LAUNCHER.replace("LAUNCH", f"{MPIRUN} -n $count" if MPIRUN else ""))
            (programs / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        monkeypatch.setenv("STAND_IN_DIRECTORY", str(self.jobs))
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        monkeypatch.chdir(folder)

    def status(self, job="1.server"):
        """The exit status of a job, once it has ended."""
        file, deadline = self.jobs / job / "status", time.monotonic() + TIMEOUT
        while not file.exists():
            assert time.monotonic() < deadline, "the job goes on"
            time.sleep(0.05)
        return int(file.read_text())


@pytest.fixture
def pbs(tmp_path, monkeypatch):
    return Pbs(tmp_path, monkeypatch)


class Cluster:
    """``python -m maniple serve``, with so many ranks; 0: without a launcher."""

    def __init__(self, file, ranks, *arguments, prefix=(), **options):
        self.file = file
        command = [*prefix, sys.executable, "-m", "maniple", "serve", "--scheduler-file", self.file, *arguments]
        command = [MPIRUN, "-n", ranks, *command] if ranks else [*command, "--n-workers", 2]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(list(map(str, command)), **pipes, **options)
        deadline = time.monotonic() + TIMEOUT
        while not self.file.exists():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def ended(self):
        """Its status and what it printed, once it has ended."""
        out, err = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, out, err


@pytest.fixture
def cluster(tmp_path):
    started = []

    def start(ranks, *arguments, file=tmp_path / "cluster.json", **options):
        started.append(Cluster(file, ranks, *arguments, **options))
        return started[-1]

    yield start
    for cluster in started:
        if cluster.process.poll() is None:
            cluster.process.terminate()
            cluster.process.communicate(timeout=TIMEOUT)
