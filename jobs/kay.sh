#!/bin/bash
# pi: 6 ranks on 2 nodes, 4 workers of 4 threads and 40GB
#   node 1: scheduler, driver, 1 worker
#   node 2: 3 workers
# Edit: account, queue, walltime, modules, program. Submit: sbatch FILE
# For another size, make it anew by:
#   maniple job slurm --site kay --nodes 2 --ranks 6 --threads 4 --memory 40GB --walltime 01:00:00 --account ACCOUNT --queue PARTITION -- ./pi --samples 1e12
#SBATCH --job-name=pi
#SBATCH --partition=PARTITION
#SBATCH --time=01:00:00
# Edit the account: this site takes no job without one.
#SBATCH --account=ACCOUNT
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=3
#SBATCH --cpus-per-task=4
#SBATCH --mem=114441M

module load openmpi/gcc/3.1.2
export MANIPLE_THREADS=4
export MANIPLE_MEMORY_LIMIT=40GB
export MANIPLE_END_TIME=$(date -d '+3600 seconds' +%s)
exec mpirun -n 6 -npernode 3 --bind-to none \
    -x MANIPLE_THREADS -x MANIPLE_MEMORY_LIMIT -x MANIPLE_END_TIME \
    ./pi --samples 1e12
