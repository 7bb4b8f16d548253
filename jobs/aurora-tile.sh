#!/bin/bash
# pi: 24 ranks on 2 nodes, 24 workers of 17 threads and 91GB
#   node 1: scheduler+worker, driver+worker, 10 workers
#   node 2: 12 workers
# Edit: account, queue, walltime, resources, program. Submit: qsub FILE
# For another size, make it anew by:
#   maniple job pbs --site aurora --device tile --nodes 2 --walltime 00:30:00 --account PROJECT -- ./pi --samples 1e12
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
export MANIPLE_THREADS=17
export MANIPLE_MEMORY_LIMIT=91GB
export MANIPLE_INCLUSIVE=1
export MANIPLE_DEVICE=tile
export MANIPLE_LOCAL_DIRECTORY=/tmp
export MANIPLE_END_TIME=$(date -d '+1800 seconds' +%s)
export ZE_ENABLE_PCI_ID_DEVICE_ORDER=1
export ZE_FLAT_DEVICE_HIERARCHY=FLAT
exec mpiexec -n 24 --ppn 12 --cpu-bind none ./pi --samples 1e12
