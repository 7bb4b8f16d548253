"""A cluster of PBS jobs, after NCI's lesson on Dask for Gadi.

Differences: one worker a node, since workers are ranks of one MPI job, and `setup_commands` and `python` for this machine.

python pbs_cluster.py      # on a login node
"""

import os
import sys

from maniple import Client, PBSCluster

setup_commands = ["module load openmpi"] if "MODULESHOME" in os.environ else []

extra = ["-q normal", "-P vp91", "-l ncpus=48", "-l mem=192GB"]

cluster = PBSCluster(
    walltime="00:20:00",
    cores=48,
    memory="192GB",
    processes=1,
    shebang="#!/usr/bin/env bash",
    job_extra_directives=extra,
    local_directory="$TMPDIR",
    job_directives_skip=["select"],
    interface="ib0",
    job_script_prologue=setup_commands,
    python=sys.executable,
)
cluster.scale(jobs=2)
client = Client(cluster)


def slow_increment(x):
    return x + 1


futures = client.submit(slow_increment, 5000)
print(futures.result())
print(sum(client.gather(client.map(slow_increment, range(100)))))

client.close()
cluster.close()
