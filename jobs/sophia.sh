#!/bin/bash
# pi: 10 ranks on 1 node, 8 workers of 32 threads and 125GB
#   node 1: scheduler, driver, 8 workers
# Edit: account, queue, walltime, resources, modules, program. Submit: qsub FILE
# For another size, make it anew by:
#   maniple job pbs --site sophia --device gpu --walltime 00:30:00 --account PROJECT -- ./pi --samples 1e12
#PBS -N pi
#PBS -q by-node
#PBS -l walltime=00:30:00
#PBS -j oe
# Edit the account: this site takes no job without one.
#PBS -A PROJECT
#PBS -l select=1
#PBS -l filesystems=home:eagle

cd "$PBS_O_WORKDIR"
module load compilers/openmpi
export MANIPLE_THREADS=32
export MANIPLE_MEMORY_LIMIT=125GB
export MANIPLE_DEVICE=gpu
export MANIPLE_LOCAL_DIRECTORY=/tmp
export MANIPLE_END_TIME=$(date -d '+1800 seconds' +%s)
exec mpirun -n 10 --map-by ppr:10:node:OVERSUBSCRIBE --bind-to none \
    -x MANIPLE_THREADS -x MANIPLE_MEMORY_LIMIT -x MANIPLE_DEVICE -x MANIPLE_LOCAL_DIRECTORY -x MANIPLE_END_TIME \
    ./pi --samples 1e12
