"""Clusters that are batch jobs, against stand-ins for the programs of PBS and for ssh."""

import json
import os
import pathlib
import shutil
import socket
import sys
import textwrap

import pytest

import maniple
from conftest import HERE, MPIRUN, start
from maniple import _jobqueue

SLURM = HERE.parent.parent / "command/tests/support/slurm-cluster.sh"


def files_of_clusters(folder):
    return [name for name in os.listdir(folder) if name.startswith(".maniple")]


def missing_for_slurm():
    """What keeps a Slurm from being started here."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    absent = [name for name in ("slurmctld", "slurmd", "munged", "sbatch") if not shutil.which(name, path=path)]
    if os.getuid() != 0:
        absent.append("root")
    return ", ".join(absent)


@pytest.mark.skipif(
    MPIRUN is None or bool(missing_for_slurm()) and "MANIPLE_REQUIRE_SLURM" not in os.environ,
    reason=f"needs a launcher and {missing_for_slurm()}",
)
def test_a_job_of_slurm(tmp_path):
    text = f"""
        from maniple import Client, SLURMCluster
        with SLURMCluster(
            cores=2, processes=2, walltime="00:05:00", name="x", {launcher_of_slurm()}
            log_directory={str(tmp_path)!r}, shared_directory={str(tmp_path)!r},
        ) as cluster:
            cluster.scale(2)
            client = Client(cluster)
            print(client.submit(pow, 2, 5).result(), len(client.ncores()))
            client.close()
        """
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(text))
    ended = start([SLURM, "--nodes", 1, "--cpus", 6, sys.executable, file])
    assert (ended.status, ended.out) == (0, "32 2\n"), (ended.err, *[path.read_text() for path in tmp_path.glob("x-*")])
    assert not files_of_clusters(tmp_path)


def launcher_of_slurm():
    """As of the Rust programs' jobs: MPICH's own launcher does not know this Slurm's nodes."""
    version = start([MPIRUN, "--version"]).out
    return 'launcher="srun-pmi2",' if "HYDRA" in version else ""


def test_a_program_that_closes_nothing_leaves_no_job(pbs, program):
    text = """
        from maniple import Client, PBSCluster
        cluster = PBSCluster(cores=2, processes=1, memory="1GB", walltime="00:02:00", n_workers=1)
        client = Client(cluster)
        print(client.submit(pow, 2, 5).result(), cluster)
        {end}
        """
    ended = program(text.format(end="")).check()
    assert ended.out == "32 PBSCluster(job=1.server, nodes=1, workers=1, running)\n"
    assert pbs.status() == 0
    ended = program(text.format(end="raise SystemExit(4)"))
    assert ended.status == 4 and pbs.status("2.server") == 0


def test_a_job_that_nobody_connects_to_is_cancelled(pbs):
    with maniple.PBSCluster(cores=1, walltime="00:02:00", job_script_prologue=["sleep 60"]) as cluster:
        cluster.scale(1)
        assert cluster.job_id == "1.server" and cluster.status == "running"
        with pytest.raises(TimeoutError):
            cluster.wait_ready(timeout=0.2)
    assert cluster.status == "closed" and pbs.status() == 271
    with pytest.raises(maniple.RunError, match="closed"):
        maniple.Client(cluster)


def test_a_job_that_fails_is_told(pbs):
    with maniple.PBSCluster(cores=1, walltime="00:02:00", job_script_prologue=["exit 3"], n_workers=1) as cluster:
        with pytest.raises(maniple.RunError, match="job 1.server ended before one could connect to it.*3"):
            maniple.Client(cluster)


def test_sizes_that_cannot_be(pbs):
    with pytest.raises(ValueError, match="cores="):
        maniple.PBSCluster()
    with pytest.raises(ValueError, match="processes=3"):
        maniple.PBSCluster(cores=2, processes=3)
    with pytest.raises(ValueError, match="not an amount of memory"):
        maniple.PBSCluster(cores=2, memory="much").job_script()
    cluster = maniple.PBSCluster(cores=2, processes=2, walltime="00:02:00", job_script_prologue=["sleep 60"])
    with pytest.raises(maniple.RunError, match="call scale"):
        maniple.Client(cluster)
    with pytest.raises(NotImplementedError, match="scale"):
        cluster.adapt(minimum=1, maximum=4)
    cluster.scale(3)
    cluster.scale(jobs=2)
    with pytest.raises(maniple.RunError, match="has 2 nodes"):
        cluster.scale(jobs=3)
    cluster.close()
    with pytest.raises(RuntimeError, match="Queue is not enabled"):
        maniple.PBSCluster(cores=1, queue="closed", n_workers=1)


def test_scripts():
    slurm = maniple.SLURMCluster(
        cores=8, memory="16GB", queue="debug", project="me", walltime="1:00:00", log_directory="/logs", name="x"
    )
    slurm._jobs = 2
    script = slurm.job_script()
    for line in (
        "#SBATCH --partition=debug", "#SBATCH --account=me", "#SBATCH --time=01:00:00", "#SBATCH --nodes=2",
        "#SBATCH --ntasks-per-node=4", "#SBATCH --output=/logs/x-%j.out", "export MANIPLE_THREADS=2",
    ):  # fmt: skip
        assert line + "\n" in script, script
    torque = maniple.PBSCluster(cores=12, processes=12, shebang="#!/bin/tcsh", resource_spec="nodes=1:c18a:ppn=12")
    torque._jobs = 4
    assert torque.job_script().startswith("#!/bin/tcsh\n") and "#PBS -l nodes=4:c18a:ppn=12\n" in torque.job_script()
    with pytest.raises(ValueError, match="launcher"):
        maniple.SLURMCluster(cores=1, launcher="mpirn").job_script()
    assert [_jobqueue._processes(cores) for cores in (1, 4, 6, 8, 48, 13)] == [1, 4, 3, 4, 8, 13]


def test_a_cluster_on_another_host_is_reached_by_ssh(tmp_path, monkeypatch):
    programs, path = tmp_path / "bin", tmp_path / "folder" / "cluster.socket"
    programs.mkdir()
    ssh = programs / "ssh"
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    file = tmp_path / "cluster.json"
    file.write_text(json.dumps({"host": "elsewhere", "socket": str(path)}))
    ssh.write_text("#!/bin/sh\necho 'ssh: no route' >&2\nexit 255\n")
    ssh.chmod(0o755)
    with pytest.raises(maniple.RunError, match="on elsewhere, and ssh cannot forward .*: ssh: no route"):
        _jobqueue._tunnel(file)
    ssh.write_text(f"#!/bin/sh\necho \"$@\" > {tmp_path}/arguments\ntouch {path}\nexec sleep 60\n")
    process = _jobqueue._tunnel(file)
    process.terminate()
    process.wait()
    assert (tmp_path / "arguments").read_text().split()[-3:] == ["-L", f"{path}:{path}", "elsewhere"]
    assert pathlib.Path(path).parent.stat().st_mode & 0o777 == 0o700
    file.write_text(json.dumps({"host": socket.gethostname(), "socket": str(path)}))
    assert _jobqueue._tunnel(file) is None
