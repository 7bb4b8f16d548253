#!/bin/bash
# pi: 12 ranks on 2 nodes, 12 workers of 34 threads and 183GB
#   node 1: scheduler+worker, driver+worker, 4 workers
#   node 2: 6 workers
# Edit: account, queue, walltime, resources, program. Submit: qsub FILE
# For another size, make it anew by:
#   maniple job pbs --site aurora --device gpu --nodes 2 --walltime 00:30:00 --account PROJECT -- ./pi --samples 1e12
#PBS -N pi
#PBS -q debug
#PBS -l walltime=00:30:00
#PBS -j oe
# Edit the account: this site takes no job without one.
#PBS -A PROJECT
#PBS -l select=2
#PBS -l place=scatter
#PBS -l filesystems=home:flare

cd "$PBS_O_WORKDIR"
export MANIPLE_THREADS=34
export MANIPLE_MEMORY_LIMIT=183GB
export MANIPLE_INCLUSIVE=1
export MANIPLE_DEVICE=gpu
export MANIPLE_LOCAL_DIRECTORY=/tmp
export MANIPLE_END_TIME=$(date -d '+1800 seconds' +%s)
export ZE_FLAT_DEVICE_HIERARCHY=COMPOSITE
exec mpiexec -n 12 --ppn 6 --cpu-bind none ./pi --samples 1e12
