#!/bin/bash
# pi: 208 ranks on 2 nodes, 208 workers of 2 threads and 10GB
#   node 1: scheduler+worker, driver+worker, 102 workers
#   node 2: 104 workers
# Edit: account, queue, walltime, resources, program. Submit: qsub FILE
# For another size, make it anew by:
#   maniple job pbs --site aurora --device cpu --nodes 2 --walltime 00:30:00 --account PROJECT -- ./pi --samples 1e12
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
export MANIPLE_THREADS=2
export MANIPLE_MEMORY_LIMIT=10GB
export MANIPLE_INCLUSIVE=1
export MANIPLE_DEVICE=cpu
export MANIPLE_LOCAL_DIRECTORY=/tmp
export MANIPLE_END_TIME=$(date -d '+1800 seconds' +%s)
exec mpiexec -n 208 --ppn 104 --depth 2 --cpu-bind depth ./pi --samples 1e12
