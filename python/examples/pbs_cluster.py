"""A cluster of PBS jobs, from NCI's lesson on Dask for Gadi.

python pbs_cluster.py      # on a login node
"""

import maniple as dd
from maniple import Client, LocalCluster, progress
from maniple import PBSCluster
from maniple import get_worker
import os

os.environ['DASK_PYTHON'] = '/scratch/vp91/Training-Venv/parallel_python/bin/python3'

setup_commands = ["module load python3/3.11.0", "module load cmake/3.16.2", "source /scratch/abc/Training-Venv/parallel_python/bin/activate"]

extra = ['-q normal',
     '-P vp91',
     '-l ncpus=48',
     '-l mem=192GB']

cluster = PBSCluster(walltime="00:20:00",
                 cores=48,
                 memory="192GB",
                 shebang='#!/usr/bin/env bash',
                 job_extra_directives=extra,
                 local_directory='$TMPDIR',
                 job_directives_skip=["select"],
                 interface="ib0",
                 job_script_prologue=setup_commands,
                 python=os.environ["DASK_PYTHON"])

cluster.scale(jobs=2)

client = Client(cluster)

def slow_increment(x):
    return x+1

futures = client.submit(slow_increment, 5000)
