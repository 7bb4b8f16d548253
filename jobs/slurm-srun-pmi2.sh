#!/bin/bash
# pi: 8 ranks on 2 nodes, 6 workers of 4 threads and 8GB
#   node 1: scheduler, driver, 2 workers
#   node 2: 4 workers
# Edit: queue, walltime, program. Submit: sbatch FILE
# For another size, make it anew by:
#   maniple job slurm --launcher srun-pmi2 --nodes 2 --ranks-per-node 4 --threads 4 --memory 8GB --walltime 00:30:00 --queue PARTITION -- ./pi --samples 1e12
#SBATCH --job-name=pi
#SBATCH --partition=PARTITION
#SBATCH --time=00:30:00
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=4
#SBATCH --mem=30518M

export MANIPLE_THREADS=4
export MANIPLE_MEMORY_LIMIT=8GB
export MANIPLE_END_TIME=$(date -d '+1800 seconds' +%s)
exec srun --mpi=pmi2 --ntasks=8 --nodes=2 --ntasks-per-node=4 --cpus-per-task=4 --export=ALL \
    ./pi --samples 1e12
