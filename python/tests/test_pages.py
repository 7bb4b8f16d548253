"""The programs of five pages on Dask: those in python/examples differ from them in import lines, sizes and names of sites
only, run, and print what the pages' programs print with Dask.

python/tests/pages has the code of the pages without comments, and with two misprints corrected: the indentation of
``slow_increment``, and ``close.client()``, which is ``client.close()``.
"""

import importlib.util
import os
import re
import subprocess
import sys

import pytest
from conftest import FEW_LAUNCHED, HERE, MPIRUN, TIMEOUT, on_mpich, run_file, start

PAGES, EXAMPLES = HERE / "pages", HERE.parent / "examples"
IMPORTS = {
    "import dask": "import maniple as dask",
    "import dask.array as da": "import maniple.array as da",
    "import dask.distributed as dd": "import maniple as dd",
    "import dpnp as np": "import numpy as np",
    "from dask.distributed import Client": "from maniple import Client",
    "from dask.distributed import Client, LocalCluster": "from maniple import Client, LocalCluster",
    "from dask.distributed import Client, LocalCluster, progress": "from maniple import Client, LocalCluster, progress",
    "from dask.distributed import get_worker": "from maniple import get_worker",
    "from dask_jobqueue import PBSCluster": "from maniple import PBSCluster",
    "from dask_mpi import initialize": "from maniple import initialize",
}
# Sizes in which the examples differ from the pages.
SIZES_OF_EXAMPLES = {
    "pi_futures": {"10_400_000_004": "10_400_004"},
    "delayed_pi": {"1000000000*(i+1)": "4000000*(i+1)"},
}
# Sizes and sites that the tests have, in the place of those of the examples.
HERE_AND_NOW = {
    "pi_futures": {"10_400_004": "400_004"},
    "delayed_pi": {"4000000*(i+1)": "40000*(i+1)"},
    "array_pi": {"100000000000,40": "320000,40"},
    "initialize_pi": {"100000000000,40": "320000,40"},
    "map_and_sum": {
        "cluster.scale(48)": "cluster.scale(4)",
        '"cores": 12': '"cores": 2',
        '"processes": 12': '"processes": 2',
        "ppn=12": "ppn=2",
        '"memory": "32GB"': '"memory": "2GB"',
        '"ib0"': '"lo"',
    },
    "pbs_cluster": {
        "'/scratch/vp91/Training-Venv/parallel_python/bin/python3'": repr(sys.executable),
        '"module load python3/3.11.0", "module load cmake/3.16.2", '
        '"source /scratch/abc/Training-Venv/parallel_python/bin/activate"': '"echo prologue"',
        "cores=48": "cores=2",
        '"192GB"': '"2GB"',
        '"ib0"': '"lo"',
    },
}
NAMES = sorted(path.stem for path in PAGES.glob("*.py"))


def replaced(text, pairs):
    for old, new in pairs.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def with_imports(text):
    return "\n".join(IMPORTS.get(line.strip(), line) for line in text.splitlines())


def code_of(text):
    """The lines of a program, without comments, blank lines and its docstring."""
    text = re.sub(r'\A"""(?:(?!""").)*"""', "", text, flags=re.S)
    lines = (re.sub(r"\s*(?<!\S)#.*", "", line).rstrip() for line in text.splitlines())
    return [line for line in lines if line]


def page(name):
    """The page's program as it runs with Dask here."""
    text = (PAGES / f"{name}.py").read_text().replace("import dpnp as np", "import numpy as np")
    return replaced(replaced(text, SIZES_OF_EXAMPLES.get(name, {})), HERE_AND_NOW.get(name, {}))


def example(name, folder):
    """A file with the example as it runs here."""
    return written(folder / f"{name}.py", replaced((EXAMPLES / f"{name}.py").read_text(), HERE_AND_NOW.get(name, {})))


def written(path, text):
    path.write_text(text)
    return path


def comparable(text):
    """The words that a program prints, but for times, random numbers and addresses. Tasks print in any order, and a line
    may begin before another one's end."""
    text = re.sub(r"<(Client|Future)[^>]*>", r"<\1>", text)
    text = re.sub(r"((?:estimate|Estimate|error|taken): |taken for .* is )[\d.e-]+", r"\1", text)
    text = re.sub(r"\b(dask|maniple)\.array<\w+", "array<", text)
    return sorted(text.split())


@pytest.mark.parametrize("name", NAMES)
def test_examples_differ_in_imports_sizes_and_sites_only(name):
    text = replaced(with_imports((PAGES / f"{name}.py").read_text()), SIZES_OF_EXAMPLES.get(name, {}))
    assert code_of((EXAMPLES / f"{name}.py").read_text()) == code_of(text)


def run_both(name, folder, ranks=0, dask=True, **options):
    """Runs an example. Returns what it prints: the same as the page's program with Dask, if that is here."""
    ended = run_file(example(name, folder), ranks, cwd=folder, **options).check()
    if dask and importlib.util.find_spec("dask") is not None:
        other = run_file(written(folder / "page.py", page(name)), ranks, cwd=folder, **options)
        assert other.status == 0, other.err
        assert comparable(ended.out) == comparable(other.out)
    return ended.lines()


def test_pi_with_delayed_calls(tmp_path):
    lines = run_both("delayed_pi", tmp_path)
    estimates = [float(estimate) for estimate in re.findall(r"pi estimate: ([\d.]+)", " ".join(lines))]
    assert len(estimates) == 10 and all(abs(estimate - 3.14159) < 0.2 for estimate in estimates)


def runs_dask_mpi(ranks, monkeypatch):
    """Whether dask-mpi has a worker, and mpi4py the MPI of the launcher."""
    if ranks < 3:
        return False
    # Its wheels choose one of several MPIs, but do not find Debian's MPICH.
    monkeypatch.setenv("MPI4PY_MPIABI", "mpich" if on_mpich() else "openmpi")
    ended = start([MPIRUN, "-n", 2, sys.executable, "-c", "from mpi4py import MPI; print(MPI.COMM_WORLD.size)"])
    return ended.lines() == ["2", "2"]


@pytest.mark.parametrize("name, ranks", [("array_pi", 0), *(("initialize_pi", ranks) for ranks in [0, *FEW_LAUNCHED, 6])])
def test_pi_with_arrays(tmp_path, monkeypatch, name, ranks):
    if ranks and MPIRUN is None:
        pytest.skip("no launcher")
    lines = run_both(name, tmp_path, ranks, dask=name == "array_pi" or runs_dask_mpi(ranks, monkeypatch))
    (estimate,) = [float(line.split(": ")[1]) for line in lines if "pi estimate" in line]
    assert abs(estimate - 3.14159) < 0.05 and "500" in lines and " Number of partitions/chunks is (40, 1)" in lines


class Dask:
    """A cluster of Dask with a scheduler file."""

    PROGRAM = """
import sys, time
from distributed import Client, LocalCluster
if __name__ == "__main__":
    client = Client(LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None))
    client.write_scheduler_file(sys.argv[1])
    while True:
        time.sleep(1)
"""

    def __init__(self, folder, file, **options):
        program = written(folder / "serve.py", self.PROGRAM)
        self.process = subprocess.Popen([sys.executable, program, file], stderr=subprocess.DEVNULL, **options)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait(TIMEOUT)


def serve_dask(folder, file, **options):
    file.unlink(missing_ok=True)
    dask = Dask(folder, file, **options)
    while not (file.exists() and file.read_text().endswith("}")):
        assert dask.process.poll() is None
    return dask


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home directory, where the programs look for scheduler files."""
    (tmp_path / "dask-local-directory").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("ranks", [0] if MPIRUN is None else [0, 2, 4, 6])
def test_pi_over_futures(home, cluster, ranks):
    file = home / "dask-local-directory/scheduler.json"
    stands = cluster(ranks, file=file)
    lines = run_file(example("pi_futures", home)).check().lines()
    for line in lines[1:]:
        assert abs(float(line.split("Estimate: ")[1].split()[0]) - 3.14159) < 0.03
    assert len(lines) == 6 and stands.ended()[0] == 0, "the program shuts the cluster down"
    if ranks == 4 and importlib.util.find_spec("dask") is not None:
        with serve_dask(home, file):
            dask = run_file(written(home / "page.py", page("pi_futures")))
        assert dask.status == 0 and comparable("\n".join(lines)) == comparable(dask.out), dask.err


# CuPy for a test without GPUs: the name of the first device that it may use.
CUPY = """
import os
class cuda:
    class runtime:
        @staticmethod
        def getDeviceProperties(device):
            return {"uuid": bytes(15) + bytes([int(os.environ["CUDA_VISIBLE_DEVICES"].split(",")[device])])}
"""


@pytest.mark.skipif(MPIRUN is None, reason="no launcher")
def test_each_worker_has_its_gpu(home, cluster, monkeypatch):
    written(home / "cupy.py", CUPY)
    monkeypatch.setenv("PYTHONPATH", str(home), prepend=os.pathsep)
    stands = cluster(2, file=home / "scheduler.json", prefix=GPU_OF_RANK, env=os.environ | {"MANIPLE_INCLUSIVE": "1"})
    lines = run_file(example("gpu_uuid", home)).check().lines()
    assert lines[0] == "2 workers" and len(lines) == 3
    for line in lines[1:]:
        assert re.fullmatch(r"Worker \S+-[01] - GPU uuid: 0{31}[01]", line), line
    assert stands.ended()[0] == 0


# What the page's script does for each worker.
GPU_OF_RANK = ["sh", "-c", 'CUDA_VISIBLE_DEVICES=${OMPI_COMM_WORLD_LOCAL_RANK-$MPI_LOCALRANKID} exec "$@"', "sh"]


def test_a_cluster_of_this_host(tmp_path):
    path = example("local_cluster", tmp_path)
    path.write_text(path.read_text() + "print(result, len(client.scheduler_info()['workers']))\n")
    assert run_file(path).check().out == "11 4\n"


@pytest.mark.parametrize("name", ["map_and_sum", "pbs_cluster"])
def test_clusters_of_jobs(pbs, tmp_path, monkeypatch, name):
    if name == "map_and_sum":
        # Vortex has Torque.
        monkeypatch.setenv("STAND_IN_SYSTEM", "torque")
    ended = run_file(example(name, tmp_path), cwd=tmp_path).check()
    assert pbs.status() == 0 and not [path for path in tmp_path.iterdir() if path.name.startswith(".maniple")]
    script = (pbs.jobs / "1.server/script").read_text()
    if name == "map_and_sum":
        assert script.startswith("#!/bin/tcsh\n") and "#PBS -l nodes=2:c18a:ppn=2\n" in script
        assert ended.lines()[1:3] == ["OUTPUT:", "-96"]
    else:
        assert "#PBS -l ncpus=96\n#PBS -l mem=384GB\n" in script and "select" not in script and ended.out == ""
    if importlib.util.find_spec("dask_jobqueue") is not None:
        dask = run_file(written(tmp_path / "page.py", page(name)), cwd=tmp_path)
        assert dask.status == 0, dask.err
        assert comparable(ended.out) == comparable(dask.out)
