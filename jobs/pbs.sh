#!/bin/bash
# pi: 10 ranks on 2 nodes, 8 workers of 4 threads and 8GB
#   node 1: scheduler, driver, 4 workers
#   node 2: 4 workers
# Edit: queue, walltime, program. Submit: qsub FILE
# For another size, make it anew by:
#   maniple job pbs --nodes 2 --workers-per-node 4 --threads 4 --memory 8GB --walltime 00:30:00 --queue QUEUE -- ./pi --samples 1e12
#PBS -N pi
#PBS -q QUEUE
#PBS -l walltime=00:30:00
#PBS -j oe
#PBS -l select=2:ncpus=16:mpiprocs=4:mem=32566mb
#PBS -l place=scatter

cd "$PBS_O_WORKDIR"
export MANIPLE_THREADS=4
export MANIPLE_MEMORY_LIMIT=8GB
export MANIPLE_END_TIME=$(date -d '+1800 seconds' +%s)
hosts=$(mktemp)
uniq "$PBS_NODEFILE" | awk '{ for (i = 0; i < (NR == 1 ? 6 : 4); i++) print }' | head -n 10 > "$hosts"
trap : INT TERM USR1
mpirun -n 10 --hostfile "$hosts" --map-by seq:OVERSUBSCRIBE --bind-to none \
    -x MANIPLE_THREADS -x MANIPLE_MEMORY_LIMIT -x MANIPLE_END_TIME \
    ./pi --samples 1e12
run_status=$?
rm -f "$hosts"
exit $run_status
